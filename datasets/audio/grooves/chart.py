"""What is drawn at random for a clip, and the chart of it that MMA reads."""

import dataclasses
import hashlib
import re

import numpy as np

from zoo.datasets.audio.grooves.library import Groove

LOWEST_BPM, HIGHEST_BPM = 60, 200
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
