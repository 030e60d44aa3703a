"""A folder of rendered grooves and their labels."""

import concurrent.futures
import hashlib

from zoo.datasets.audio import rendering
from zoo.datasets.audio.grooves.chart import drawn_clip
from zoo.datasets.audio.grooves.library import chosen_grooves, list_grooves
from zoo.datasets.audio.grooves.synthesis import (
    SYNTHESIS_RATE,
    import_synthesiser,
    mma_version,
    rendered,
    soundfont,
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
        from zoo.datasets.audio import grooves

        grooves.render("grooves", grooves=["stdlib/metronome:Metronome4"], seconds=3)
        ```

    Reference:
        B. van der Poel: MMA, Musical MIDI Accompaniment, version 21.09.
    """
    rendering.check_whole("clips_per_groove", clips_per_groove, 1, 10000)
    rendering.check_whole("seconds", seconds, 1, 600)
    rendering.check_whole("sample_rate", sample_rate, 4000, SYNTHESIS_RATE)
    rendering.check_whole("seed", seed, 0, 2**32 - 1)
    import_synthesiser()
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
        "mma": mma_version(),
        "soundfont": hashlib.sha256(soundfont().read_bytes()).hexdigest(),
    }
    folder = rendering.claim_folder(folder, settings)
    _render_missing(folder, clips, seconds, sample_rate)
    return rendering.write_labels(folder, [_row(clip) for clip in clips])


def _render_missing(folder, clips, seconds, sample_rate):
    def render_one(clip):
        if not (folder / clip.file).is_file():
            sound = rendered(clip, seconds, sample_rate)
            rendering.write_wave(folder / clip.file, sound, sample_rate)

    # Threads are enough: half of the time MMA works, a process of its own.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(render_one, clips)
        for _ in rendering.with_progress(done, len(clips), "Rendering grooves"):
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
