"""The tempo of accompaniments: deep_tempo against librosa, on families it never heard.

    python benchmarks/tempo.py GROOVES RUN > benchmarks/results/tempo.txt

GROOVES is the folder of clips that `zoo.datasets.grooves.render` makes, three of each
groove, or is to make (it needs MMA and a soundfont, and half an hour), RUN that of the
training run. A fifth of the families of grooves tests, chosen by a hash: no groove and
none of its variants stands on both sides. Of the exact tempo of each clip, from the
score:

* accuracy 0: the same whole BPM; accuracy 1: within 4 %; accuracy 2: within 4 % of it,
  its double, triple, half or third (`zoo.training.metrics.TempoAccuracy`).
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import librosa
import numpy as np

import zoo
from zoo.training.evaluation import load_with_card
from zoo.training.metrics import TempoAccuracy


def librosa_tempi(clips, rate):
    """Of the whole clip: `librosa.feature.tempo`, and that of its beat tracker."""
    onsets = [librosa.onset.onset_strength(y=clip[:, 0], sr=rate) for clip in clips]
    tempo = [librosa.feature.tempo(onset_envelope=o, sr=rate)[0] for o in onsets]
    beats = [
        np.ravel(librosa.beat.beat_track(onset_envelope=o, sr=rate)[0])[0]
        for o in onsets
    ]
    return np.array(tempo, "float32"), np.array(beats, "float32")


def accuracies(truth, estimates):
    found = []
    for kind in (0, 1, 2):
        metric = TempoAccuracy(kind)
        metric.update_state(truth, estimates)
        found.append(float(metric.result()))
    return found


def main(folder, run):
    if not (Path(folder) / "labels.csv").is_file():
        zoo.datasets.grooves.render(folder, clips_per_groove=3)
    zoo.training.train("deep_tempo", "grooves_tempo", run, data_dir=folder)
    data = zoo.datasets.sounds("grooves_tempo", folder)
    batches = list(data.load("test", 64).as_numpy_iterator())
    clips, truth = (np.concatenate(part) for part in zip(*batches, strict=True))
    model, card = load_with_card(run)
    scores = model.predict(zoo.preprocess_input(clips, card), verbose=0)
    tempo, beats = librosa_tempi(clips, data.info.sample_rate)

    families = {split: len(names) for split, names in data.info.groups.items()}
    print(f"librosa {librosa.__version__}; clips of 11.8 s at 11,025 Hz")
    print(f"training: {data.info.splits['train']} clips, {families['train']} families")
    print(
        f"test: {len(truth)} clips, {families['test']} other families, "
        f"{truth.min():.0f} to {truth.max():.0f} BPM"
    )
    print(f"  {'':<24}accuracy 0  accuracy 1  accuracy 2")
    for name, estimates in (
        ("deep_tempo", scores),
        ("librosa.feature.tempo", tempo),
        ("librosa.beat.beat_track", beats),
    ):
        row = "".join(
            f"{100 * value:10.1f} %" for value in accuracies(truth, estimates)
        )
        print(f"  {name:<24}{row}")


if __name__ == "__main__":
    main(*sys.argv[1:])
