"""Accompaniments in hundreds of grooves at an exactly known tempo.

MMA (Musical MIDI Accompaniment, www.mellowood.ca/mma) plays a chart of chords in a
groove; a soundfont makes sound of its MIDI. Both stand on the machine, nothing is
downloaded.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from zoo.datasets import _rendering

LOWEST_BPM, HIGHEST_BPM = 60, 200
LIBRARIES = ("/usr/share/mma/lib", "/usr/local/share/mma/lib", "/Users/Shared/mma/lib")
SOUNDFONTS = (
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/soundfonts/TimGM6mb.sf2",
    "/usr/local/share/soundfonts/TimGM6mb.sf2",
)
# The synthesiser reads its samples without a filter: at a lower rate it would alias.
SYNTHESIS_RATE = 44100
DRUM_CHANNEL = 9
PEAK = 0.9

# Words in the name of a library file, and the style they tell. The first that fits
# counts: a jazz waltz is a waltz.
STYLES = (
    ("waltz", ("waltz",)),
    ("bossa nova", ("bossa", "quando")),
    ("tango", ("tango",)),
    ("polka", ("polka", "zydeco")),
    ("march", ("march",)),
    ("ballad", ("ballad", "bald", "serenade", "lullaby")),
    ("boogie", ("boggie", "boogie", "shuffle")),
    ("blues", ("blues",)),
    ("country", ("country", "cntry", "western", "bluegrass", "kwest")),
    ("electronic", ("house", "techno", "trance", "rave", "dance", "dnb", "digital")),
    ("hip hop", ("hiphop", "hip-hop", "trip")),
    ("funk", ("funk", "fusion", "fus16")),
    ("soul", ("soul", "motown", "rb", "r+b", "rnb")),
    ("latin", ("salsa", "samba", "mambo", "rhumba", "chacha", "merengue", "cuban")),
    ("latin", ("beguine", "bolero", "calypso", "son", "latin", "afro")),
    ("swing", ("swing", "bigband", "basie", "jive", "charleston", "foxtrot")),
    ("swing", ("quickstep", "dixie", "strut", "softshoe")),
    ("jazz", ("jazz", "bebop", "evansish")),
    ("twist", ("twist", "twi")),
    ("reggae", ("reggae", "ska")),
    ("metal", ("metal", "mtl", "thr", "hrk", "punk")),
    ("rock", ("rock", "8beat", "16beat", "beat8", "beat16")),
    ("folk", ("folk", "hillcountry", "bluefolk")),
    ("pop", ("pop", "boneym")),
)
# They hold what begins or ends a piece, ticks, or nothing.
NO_MUSIC = ("none", "metronome", "intro", "ending", "count")
NOT_FOR_LONG = re.compile(r"(intro|end|ending|fill)[a-d]*[0-9]*$", re.IGNORECASE)

DRUM_KITS = (0, 8, 16, 24, 25, 32, 40, 48)
ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@dataclasses.dataclass(frozen=True)
class Mode:
    """The chords of a mode by their degree, and where each may lead.

    Attributes:
        roots: semitones above the key note.
        triads: what stands behind the root's name.
        sevenths: the same with a seventh.
        successors: for each degree, the degrees that may follow it.
    """

    roots: tuple[int, ...]
    triads: tuple[str, ...]
    sevenths: tuple[str, ...]
    successors: tuple[tuple[int, ...], ...]


# Our choice: functional harmony at its plainest, no chord outside the key but the
# dominant of a minor one.
MODES = {
    "major": Mode(
        roots=(0, 2, 4, 5, 7, 9),
        triads=("", "m", "m", "", "", "m"),
        sevenths=("M7", "m7", "m7", "M7", "7", "m7"),
        successors=((3, 4, 5, 1, 2), (4, 3), (5, 3), (0, 4, 1), (0, 5, 3), (1, 3, 4)),
    ),
    "minor": Mode(
        roots=(0, 3, 5, 7, 8, 10),
        triads=("m", "", "m", "", "", ""),
        sevenths=("m7", "M7", "m7", "7", "M7", "7"),
        successors=((2, 3, 4, 5), (2, 4, 5), (3, 0, 5), (0, 4), (5, 2, 3, 1), (1, 0)),
    ),
}


@dataclasses.dataclass(frozen=True)
class Groove:
    """One pattern of MMA's libraries.

    Attributes:
        name: as MMA knows it, such as "stdlib/bossanova:BossaNovaSus".
        family: the library file it stands in, such as "stdlib/bossanova". Its grooves
            are variants of each other: what trains and what tests must not share one.
        style: told from the family's name, such as "bossa nova", else "other".
        meter: such as "4/4".
        usual: whether it can accompany a whole piece in common time: 4/4, and no
            introduction, fill, ending or metronome.
    """

    name: str
    family: str
    style: str
    meter: str
    usual: bool


@dataclasses.dataclass(frozen=True)
class Clip:
    """What is drawn at random for one clip.

    Attributes:
        groove: a `Groove`.
        bpm: quarter notes a minute.
        key: such as "Eb major".
        chords: one or two chord names for each bar.
        start: bars into the piece where the clip begins, in [0, 1).
        seed: of everything else.
        file: name of the sound file.
    """

    groove: Groove
    bpm: int
    key: str
    chords: tuple[tuple[str, ...], ...]
    start: float
    seed: int
    file: str


def list_grooves(library=None):
    """All grooves in MMA's libraries.

    Args:
        library: folder of the libraries; None looks where MMA installs them.

    Returns:
        A list of `Groove`, sorted by name.

    Raises:
        ValueError: MMA's libraries are not there.

    Example:
        ```python
        from zoo.datasets import grooves

        found = grooves.list_grooves()
        print({groove.family for groove in found if groove.style == "tango"})
        ```
    """
    grooves = {}
    for file in sorted(_library(library).glob("*/*.mma")):
        family = f"{file.parent.name}/{file.stem}"
        text = file.read_text(encoding="latin-1")
        for name, meter in defined_grooves(text):
            grooves[f"{family}:{name}"] = Groove(
                name=f"{family}:{name}",
                family=family,
                style=style_of(family),
                meter=meter,
                usual=meter == "4/4" and _is_usual(family, name),
            )
    return [grooves[name] for name in sorted(grooves)]


def defined_grooves(text):
    """Name and meter of each groove that a library file defines.

    Args:
        text: the file's content.

    Returns:
        A list of (name, meter) such as ("BossaNova", "4/4").
    """
    found, beats, signature = [], "4", "4/4"
    for line in text.splitlines():
        words = line.split("//")[0].split()
        if len(words) < 2:
            continue
        command = words[0].lower()
        if command == "time":
            # Either the beats of a bar, or the whole signature.
            beats = words[1].split("/")[0]
            signature = words[1] if "/" in words[1] else signature
        elif command == "timesig":
            signature = words[1] if "/" in words[1] else "/".join(words[1:3])
        elif command == "defgroove":
            agree = beats == signature.split("/")[0]
            # 6/8 counted in 2 or 4 beats and the like: MMA's tempo is not the pulse.
            found.append((words[1], signature if agree else f"{beats} of {signature}"))
    return found


def style_of(family):
    """The style that a library file's name tells, else "other"."""
    stem = family.split("/")[-1].lower()
    for style, words in STYLES:
        if any(word in stem for word in words):
            return style
    return "other"


def _is_usual(family, name):
    stem = family.split("/")[-1]
    return stem not in NO_MUSIC and not NOT_FOR_LONG.search(name)


def _library(library):
    places = LIBRARIES if library is None else (library,)
    for place in places:
        if any(Path(place).glob("*/*.mma")):
            return Path(place)
    raise ValueError(
        f"No library of MMA in {', '.join(map(str, places))}: install it (Debian and "
        f"Ubuntu: apt install mma timgm6mb-soundfont)."
    )


def render(
    folder,
    clips_per_groove=1,
    grooves=None,
    seconds=12,
    sample_rate=11025,
    seed=0,
):
    """Writes a folder of accompaniments and their labels.

    Clips of a groove differ in tempo, key, chords, instruments (each from the same
    eight of General MIDI), loudness of the parts and the place they begin at. The
    tempo is a whole number of quarter notes a minute, uniform from 60 to 200 (our
    choice), and exact to the sample: nothing drifts. In 4/4 and 3/4 the quarter note
    is the written beat; a listener may still feel half or twice of it. By default
    that is a clip of each of 1,090 grooves, in a few minutes.

    Called again with the same arguments, it goes on where it stopped; the same
    arguments and versions give the same bytes, and a clip does not depend on how many
    others there are.

    Split by `family`, not by clip: the grooves of a family are variants.

    Args:
        folder: where to write; made if it is not there.
        clips_per_groove: how many clips of each groove.
        grooves: names such as "stdlib/swing:Swing" (see `list_grooves`), in 4/4 or
            3/4; None takes every groove in 4/4 that is no introduction, fill, ending
            or metronome.
        seconds: length of a clip.
        sample_rate: in Hz.
        seed: another one gives other clips.

    Returns:
        The path of labels.csv, whose columns are `file`, `label` (the style),
        `groove`, `family`, `bpm`, `key` and `meter`.

    Raises:
        ImportError: tinysoundfont or mido is not installed.
        TypeError: a number is none.
        ValueError: MMA or the soundfont is not installed, there is no such groove, or
            the folder holds something else.

    Example:
        ```python
        from zoo.datasets import grooves

        grooves.render("grooves", grooves=["stdlib/metronome:Metronome4"], seconds=3)
        ```

    Reference:
        B. van der Poel: MMA, Musical MIDI Accompaniment, version 21.09.
    """
    _rendering.check_whole("clips_per_groove", clips_per_groove, 1, 10000)
    _rendering.check_whole("seconds", seconds, 1, 600)
    _rendering.check_whole("sample_rate", sample_rate, 4000, SYNTHESIS_RATE)
    _rendering.check_whole("seed", seed, 0, 2**32 - 1)
    _import_synthesiser()
    chosen = chosen_grooves(list_grooves(), grooves)
    clips = [
        drawn_clip(groove, number, seconds, seed)
        for groove in chosen
        for number in range(clips_per_groove)
    ]
    settings = {
        "kind": "grooves",
        "version": 1,
        "grooves": [groove.name for groove in chosen],
        "clips_per_groove": int(clips_per_groove),
        "seconds": int(seconds),
        "sample_rate": int(sample_rate),
        "seed": int(seed),
        "mma": _mma_version(),
        "soundfont": hashlib.sha256(_soundfont().read_bytes()).hexdigest(),
    }
    folder = _rendering.claim_folder(folder, settings)
    _render_missing(folder, clips, seconds, sample_rate)
    return _rendering.write_labels(folder, [_row(clip) for clip in clips])


def chosen_grooves(found, names):
    """The grooves of these names; for None, the usual ones.

    Raises:
        ValueError: there is no such groove, or its meter is not 4/4 or 3/4.
    """
    if names is None:
        return [groove for groove in found if groove.usual]
    if isinstance(names, str):
        raise TypeError(f"grooves must be a list of names; received {names!r}.")
    by_name = {groove.name: groove for groove in found}
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in by_name:
            raise ValueError(
                f"MMA has no groove {name!r}: names are such as 'stdlib/swing:Swing', "
                f"list_grooves() has them all."
            )
        if by_name[name].meter not in ("4/4", "3/4"):
            raise ValueError(
                f"The groove {name!r} is in {by_name[name].meter}, where the quarter "
                f"note is not the beat: choose grooves in 4/4 or 3/4."
            )
    if not names:
        raise ValueError("grooves must name at least one groove, or be None for all.")
    return [by_name[name] for name in names]


def drawn_clip(groove, number, seconds, seed):
    """The random choices of one clip, by its groove, number and seed alone.

    Args:
        groove: a `Groove`.
        number: of the clip among those of its groove.
        seconds: its length.
        seed: of the whole rendering.

    Returns:
        A `Clip`.
    """
    text = f"{seed} {groove.name} {number}".encode()
    own_seed = int.from_bytes(hashlib.sha256(text).digest()[:4], "little")
    # RandomState, not default_rng: NumPy keeps its stream the same for ever.
    random = np.random.RandomState(own_seed)
    bpm = int(random.randint(LOWEST_BPM, HIGHEST_BPM + 1))
    tonic, mode = int(random.randint(12)), ("major", "minor")[random.randint(2)]
    beats = int(groove.meter[0])
    # One bar more for the start, and one that is cut.
    bars = int(np.ceil(seconds * bpm / 60 / beats)) + 2
    readable = re.sub(r"[^A-Za-z0-9&+.]", "-", groove.name)
    return Clip(
        groove=groove,
        bpm=bpm,
        key=f"{ROOTS[tonic]} {mode}",
        chords=drawn_chords(random, tonic, mode, bars),
        start=float(random.rand()),
        seed=own_seed,
        file=f"{readable}-{number:03d}.wav",
    )


def drawn_chords(random, tonic, mode, bars):
    """A random progression, begun on the tonic.

    Args:
        random: `numpy.random.RandomState`.
        tonic: the key note, semitones above C.
        mode: "major" or "minor".
        bars: how many.

    Returns:
        A tuple with one or two chord names for each bar.
    """
    facts = MODES[mode]
    kinds = (facts.triads, facts.sevenths)[random.randint(2)]
    two_a_bar = random.choice([0.1, 0.5])
    degree, result = 0, []
    for _ in range(bars):
        names = []
        for _ in range(2 if random.rand() < two_a_bar else 1):
            names.append(ROOTS[(tonic + facts.roots[degree]) % 12] + kinds[degree])
            degree = facts.successors[degree][
                random.randint(len(facts.successors[degree]))
            ]
        result.append(tuple(names))
    return tuple(result)


def chart(clip):
    """The clip as MMA reads it, text."""
    lines = [
        f"RndSeed {clip.seed}",
        f"Tempo {clip.bpm}",
        f"Groove {clip.groove.name}",
    ]
    # A slash repeats the chord for a beat; the second chord is on the third beat.
    lines += [
        f"{number} {' / '.join(names)}" for number, names in enumerate(clip.chords, 1)
    ]
    return "\n".join(lines) + "\n"


def played(clip):
    """What MMA plays: a `mido.MidiFile`.

    Raises:
        ValueError: MMA refuses, or plays another tempo or nothing.
    """
    import mido

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "clip.mid"
        # In place of the user's own, which could change what is played.
        (Path(folder) / "mmarc").touch()
        result = subprocess.run(
            [_mma(), "-w", "-i", "mmarc", "-f", str(target), "-"],
            input=chart(clip),
            capture_output=True,
            text=True,
            errors="replace",
            cwd=folder,
        )
        if result.returncode or not target.is_file():
            words = " ".join((result.stdout + result.stderr).split())
            raise ValueError(
                f"MMA can't play the groove {clip.groove.name}: leave it out of "
                f"grooves=. It says: {words[-300:]}"
            )
        midi = mido.MidiFile(target)
    tempos = [event.tempo for event in midi.merged_track if event.type == "set_tempo"]
    # MMA cuts the microseconds of a beat to a whole number.
    if not tempos or any(abs(tempo - 6e7 / clip.bpm) >= 1 for tempo in tempos):
        raise ValueError(
            f"The groove {clip.groove.name} sets a tempo of its own: leave it out of "
            f"grooves=."
        )
    return midi


def timed_events(midi, bpm):
    """The messages of a MIDI file with the second each is due at.

    By the number of ticks since the beginning and the tempo asked for, so that no
    rounding adds up.

    Args:
        midi: a `mido.MidiFile` of one tempo.
        bpm: quarter notes a minute.

    Returns:
        A list of (second, message), in time, without meta messages.
    """
    tick, events = 0, []
    for message in midi.merged_track:
        tick += message.time
        if not message.is_meta:
            events.append((tick * 60 / (midi.ticks_per_beat * bpm), message))
    return events


def sounded(clip, events, seconds):
    """The sound of a clip.

    Args:
        clip: the `Clip`.
        events: what `timed_events` gives.
        seconds: its length.

    Returns:
        float32 array (seconds * 44100,), mono.
    """
    random = np.random.RandomState(clip.seed + 1 & 0xFFFFFFFF)
    synth, font = _synthesiser()
    kit = int(random.choice(DRUM_KITS))
    gains = random.randint(70, 128, 16)
    swaps = np.where(random.rand(16) < 0.5, -1, random.randint(8, size=16))
    for channel in range(16):
        drums = channel == DRUM_CHANNEL
        synth.program_select(
            channel, font, 128 if drums else 0, kit if drums else 0, drums
        )
        synth.control_change(channel, 7, int(gains[channel]))
    bar = int(clip.groove.meter[0]) * 60 / clip.bpm
    first = round(clip.start * bar * SYNTHESIS_RATE)
    last = first + seconds * SYNTHESIS_RATE
    sound, position = [], 0
    for second, message in events:
        place = min(round(second * SYNTHESIS_RATE), last)
        if place > position:
            sound.append(_generated(synth, place - position))
            position = place
        if position == last:
            break
        _play(synth, message, swaps)
    if position < last:
        sound.append(_generated(synth, last - position))
    return np.concatenate(sound)[first:].mean(axis=1)


def _generated(synth, count):
    """The next samples, float32 (count, 2)."""
    return np.frombuffer(synth.generate(count), np.float32).reshape(count, 2)


def _play(synth, message, swaps):
    if message.type == "note_on" and message.velocity:
        synth.noteon(message.channel, message.note, message.velocity)
    elif message.type in ("note_on", "note_off"):
        synth.noteoff(message.channel, message.note)
    elif message.type == "pitchwheel":
        synth.pitchbend(message.channel, message.pitch + 8192)
    elif message.type == "control_change" and message.control not in (0, 7, 32):
        synth.control_change(message.channel, message.control, message.value)
    elif message.type == "program_change" and message.channel != DRUM_CHANNEL:
        # General MIDI orders its programs in families of eight.
        swap = int(swaps[message.channel])
        program = message.program // 8 * 8 + swap if swap >= 0 else message.program
        synth.program_change(message.channel, program)


def rendered(clip, seconds, sample_rate):
    """A clip as float32 (seconds * sample_rate,), its peak at 0.9.

    Raises:
        ValueError: MMA can't play the groove, or is silent that long.
    """
    import soxr

    events = timed_events(played(clip), clip.bpm)
    sound = sounded(clip, events, seconds)
    sound = soxr.resample(sound, SYNTHESIS_RATE, sample_rate)
    peak = np.abs(sound).max()
    if peak < 1e-3:
        raise ValueError(
            f"The groove {clip.groove.name} is silent for {seconds} s: leave it out of "
            f"grooves=, or render longer clips."
        )
    return sound * (PEAK / peak)


def _render_missing(folder, clips, seconds, sample_rate):
    def render_one(clip):
        if not (folder / clip.file).is_file():
            sound = rendered(clip, seconds, sample_rate)
            _rendering.write_wave(folder / clip.file, sound, sample_rate)

    # Threads are enough: half of the time MMA works, a process of its own.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(render_one, clips)
        for _ in _rendering.with_progress(done, len(clips), "Rendering grooves"):
            pass


def _row(clip):
    return {
        "file": clip.file,
        "label": clip.groove.style,
        "groove": clip.groove.name,
        "family": clip.groove.family,
        "bpm": clip.bpm,
        "key": clip.key,
        "meter": clip.groove.meter,
    }


def _import_synthesiser():
    try:
        import mido  # noqa: F401
        import tinysoundfont  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Grooves need mido and tinysoundfont ({error}): pip install mido, and pip "
            f"install --no-deps tinysoundfont (its other dependency only plays aloud)."
        ) from error


def _synthesiser():
    """A fresh one a clip, so that nothing of the last one sounds on."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SYNTHESIS_RATE)
    return synth, synth.sfload(str(_soundfont()))


def _soundfont():
    for place in SOUNDFONTS:
        if Path(place).is_file():
            return Path(place)
    raise ValueError(
        f"No soundfont at {' or '.join(SOUNDFONTS)}: install it (Debian and Ubuntu: "
        f"apt install timgm6mb-soundfont)."
    )


def _mma():
    command = shutil.which("mma")
    if command is None:
        raise ValueError(
            "The command mma is not installed: install it (Debian and Ubuntu: apt "
            "install mma timgm6mb-soundfont)."
        )
    return command


@functools.cache
def _mma_version():
    result = subprocess.run([_mma(), "-v"], capture_output=True, text=True)
    return result.stdout.split()[-1] if result.stdout.split() else "unknown"
