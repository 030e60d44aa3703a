"""MMA plays a chart as MIDI, and a soundfont makes audio of it."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from zoo.datasets.audio.grooves.chart import chart

SOUNDFONTS = (
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/soundfonts/TimGM6mb.sf2",
    "/usr/local/share/soundfonts/TimGM6mb.sf2",
)
# The synthesiser reads its samples without a filter: at a lower rate it would alias.
SYNTHESIS_RATE = 44100
DRUM_CHANNEL = 9
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40, 48)
PEAK = 0.9


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
            [mma(), "-w", "-i", "mmarc", "-f", str(target), "-"],
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


def import_synthesiser():
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
    return synth, synth.sfload(str(soundfont()))


def soundfont():
    for place in SOUNDFONTS:
        if Path(place).is_file():
            return Path(place)
    raise ValueError(
        f"No soundfont at {' or '.join(SOUNDFONTS)}: install it (Debian and Ubuntu: "
        f"apt install timgm6mb-soundfont)."
    )


def mma():
    command = shutil.which("mma")
    if command is None:
        raise ValueError(
            "The command mma is not installed: install it (Debian and Ubuntu: apt "
            "install mma timgm6mb-soundfont)."
        )
    return command


@functools.cache
def mma_version():
    result = subprocess.run([mma(), "-v"], capture_output=True, text=True)
    return result.stdout.split()[-1] if result.stdout.split() else "unknown"
