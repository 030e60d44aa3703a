"""Spoken words without a recording: espeak-ng in 9 English accents and 104 voices.

They are robots' voices. What a net learns from them is to be measured on people.
"""

import concurrent.futures
import dataclasses
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from zoo.datasets.audio import rendering
from zoo.datasets.audio.espeak import SAMPLE_RATE as ESPEAK_RATE

DIGITS = tuple("0123456789")  # espeak-ng says "zero", "one", ...
ACCENTS = (
    "en",  # Great Britain
    "en-029",  # the Caribbean
    "en-gb-scotland",
    "en-gb-x-gbclan",  # Lancaster
    "en-gb-x-gbcwmd",  # the West Midlands
    "en-gb-x-rp",  # received pronunciation
    "en-shaw",  # as the Shavian alphabet writes it
    "en-us",
    "en-us-nyc",  # New York City
)
# Uniform, inclusive; our choice. espeak-ng's own are 175 words a minute, 50 and 50 of
# 99. People differ more than its voices do in how fast, high and lively they speak.
RATES = (120, 220)
PITCHES = (20, 80)
PITCH_RANGES = (20, 80)

PEAK = 0.9
SILENCE = 0.01  # of the peak: -40 dB
MARGIN_SECONDS = 0.01


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One sound file.

    Attributes:
        file: its name.
        word: what is said.
        voice: espeak-ng's variant, such as "f1": the speaker.
        accent: such as "en-us".
        rate: words a minute.
        pitch: from 0 to 99.
        pitch_range: from 0 (monotonous) to 99.
    """

    file: str
    word: str
    voice: str
    accent: str
    rate: int
    pitch: int
    pitch_range: int


def list_voices():
    """Names of the voices that espeak-ng brings, sorted.

    Returns:
        A list of strings; version 1.52 has 104.

    Raises:
        ImportError: espeakng-loader is not installed.

    Example:
        ```python
        from zoo.datasets.audio import synthetic_speech

        print(synthetic_speech.list_voices()[:3])
        ```
    """
    folder = Path(_loader().get_data_path()) / "voices" / "!v"
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def render(
    folder,
    words=DIGITS,
    voices=None,
    sample_rate=8000,
    accents=ACCENTS,
    takes=1,
    seed=0,
):
    """Writes a folder of spoken words and their labels.

    Every voice says every word in every accent, `takes` times, each time at another
    rate, pitch and range of pitch. Silence at both ends is cut and the peak is at 0.9.
    By default 936 speakers (accent and voice) say ten digits, 9,360 files in about a
    minute.

    Called again with the same arguments, it goes on where it stopped; the same
    arguments and the same espeak-ng give the same bytes.

    Split by `voice`: one voice sounds alike in all accents.

    Args:
        folder: where to write; made if it is not there.
        words: what is said, also the labels.
        voices: names from `list_voices`; None takes them all.
        sample_rate: in Hz, at most 22,050.
        accents: some of `ACCENTS`.
        takes: how often each speaker says each word.
        seed: another one gives other rates and pitches.

    Returns:
        The path of labels.csv, whose columns are `file`, `label` (the word), `voice`,
        `accent`, `rate` (words a minute), `pitch` and `pitch_range` (0 to 99).

    Raises:
        ImportError: espeakng-loader, the extra "speech", is not installed.
        TypeError: a number is none, or words, voices or accents no list of strings.
        ValueError: there is no such voice or accent, or the folder holds something
            else.

    Example:
        ```python
        from zoo.datasets.audio import synthetic_speech

        synthetic_speech.render("yes_no", words=["yes", "no"], voices=["f1", "m3"])
        ```

    Reference:
        espeak-ng 1.52, github.com/espeak-ng/espeak-ng.
    """
    rendering.check_whole("sample_rate", sample_rate, 4000, ESPEAK_RATE)
    rendering.check_whole("takes", takes, 1, 1000)
    rendering.check_whole("seed", seed, 0, 2**32 - 1)
    words = _checked_names("words", words)
    known = list_voices()
    voices = known if voices is None else _checked_names("voices", voices, known)
    accents = _checked_names("accents", accents, ACCENTS)
    speakers = {
        (accent, voice): [
            drawn_utterance(accent, voice, number, word, take, seed)
            for number, word in enumerate(words)
            for take in range(takes)
        ]
        for accent in accents
        for voice in voices
    }
    settings = {
        "kind": "synthetic_speech",
        "version": 1,
        "words": words,
        "voices": voices,
        "accents": accents,
        "takes": int(takes),
        "sample_rate": int(sample_rate),
        "seed": int(seed),
        "espeakng_loader": importlib.metadata.version("espeakng-loader"),
    }
    folder = rendering.claim_folder(folder, settings)
    _render_missing(folder, speakers, sample_rate)
    rows = [_row(one) for spoken in speakers.values() for one in spoken]
    return rendering.write_labels(folder, rows)


def drawn_utterance(accent, voice, number, word, take, seed):
    """The random choices of one utterance, by these arguments alone.

    Args:
        accent: one of `ACCENTS`.
        voice: a voice's name.
        number: the word's place in the list of words.
        word: the word.
        take: which of the takes.
        seed: of the whole rendering.

    Returns:
        An `Utterance`.
    """
    text = json.dumps([seed, accent, voice, word, take]).encode()
    own_seed = int.from_bytes(hashlib.sha256(text).digest()[:4], "little")
    # RandomState, not default_rng: NumPy keeps its stream the same for ever.
    random = np.random.RandomState(own_seed)
    rate, pitch, pitch_range = (
        int(random.randint(low, high + 1))
        for low, high in (RATES, PITCHES, PITCH_RANGES)
    )
    name = voice.replace(" ", "_")
    return Utterance(
        file=f"{number}-{accent}-{name}-{take}.wav",
        word=word,
        voice=voice,
        accent=accent,
        rate=rate,
        pitch=pitch,
        pitch_range=pitch_range,
    )


def trimmed(sound, sample_rate):
    """The sound from 10 ms before it first exceeds -40 dB of its peak to 10 ms after.

    Args:
        sound: float array (n,), not all zero.
        sample_rate: in Hz.

    Returns:
        A part of it.
    """
    loud = np.flatnonzero(np.abs(sound) > SILENCE * np.abs(sound).max())
    margin = round(MARGIN_SECONDS * sample_rate)
    return sound[max(0, loud[0] - margin) : loud[-1] + 1 + margin]


def spoken(utterances):
    """What one speaker says, float32 arrays at 22,050 Hz, in order.

    Args:
        utterances: `Utterance`s of one voice and accent.

    Raises:
        ValueError: espeak-ng can't, or says nothing.
    """
    first = utterances[0]
    loader = _loader()
    task = {
        "library": loader.get_library_path(),
        "data": loader.get_data_path(),
        "voice": f"{first.accent}+{first.voice}",
        "utterances": [
            (one.word, one.rate, one.pitch, one.pitch_range) for one in utterances
        ],
    }
    program = Path(__file__).with_name("espeak.py")
    result = subprocess.run(
        [sys.executable, "-I", str(program)],
        input=json.dumps(task).encode(),
        capture_output=True,
    )
    if result.returncode:
        words = result.stderr.decode(errors="replace").strip()
        raise ValueError(
            f"espeak-ng failed as {task['voice']!r}: {words[-300:] or 'no reason'}. "
            f"Leave the voice out of voices=, or install the extra again: pip install "
            f"'convzoo[speech]'."
        )
    sounds, place = [], 0
    for one in utterances:
        count = int(np.frombuffer(result.stdout, np.int32, 1, place)[0])
        samples = np.frombuffer(result.stdout, np.int16, count, place + 4)
        place += 4 + 2 * count
        if not samples.any():
            raise ValueError(
                f"espeak-ng is silent at {one.word!r}: words must have letters or "
                f"digits."
            )
        sounds.append(samples.astype(np.float32) / 32768)
    return sounds


def _render_missing(folder, speakers, sample_rate):
    import soxr

    def render_speaker(utterances):
        # All or none: what a voice says depends on what it said before.
        if all((folder / one.file).is_file() for one in utterances):
            return
        for one, sound in zip(utterances, spoken(utterances), strict=True):
            sound = soxr.resample(sound, ESPEAK_RATE, sample_rate)
            sound = trimmed(sound, sample_rate)
            sound = sound * (PEAK / np.abs(sound).max())
            rendering.write_wave(folder / one.file, sound, sample_rate)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(render_speaker, speakers.values())
        for _ in rendering.with_progress(done, len(speakers), "Rendering speech"):
            pass


def _row(one):
    return {
        "file": one.file,
        "label": one.word,
        "voice": one.voice,
        "accent": one.accent,
        "rate": one.rate,
        "pitch": one.pitch,
        "pitch_range": one.pitch_range,
    }


def _checked_names(argument, names, known=None):
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be a list of strings; received {names!r}.")
    names = list(names)
    bad = any(not name.strip() or not name.isprintable() for name in names)
    if not names or bad or len(set(names)) < len(names):
        raise ValueError(
            f"{argument} must be different strings of printable characters, at least "
            f"one, none empty; received {names}."
        )
    for name in names:
        if known is not None and name not in known:
            raise ValueError(
                f"{argument}: there is no {name!r}; choose some of {', '.join(known)}."
            )
    return names


def _loader():
    try:
        import espeakng_loader
    except ImportError as error:
        raise ImportError(
            f"Synthetic speech needs espeak-ng ({error}): install the extra "
            f"speech with pip install 'convzoo[speech]'."
        ) from error
    return espeakng_loader
