"""Spoken digits of a person nobody was trained on: raw waveform against hand-made.

    python benchmarks/spoken_digits.py DIGITS RUNS > spoken_digits.txt

DIGITS is the folder of the Free Spoken Digit Dataset, RUNS a folder for the training
runs, which go on where they were stopped. Every speaker in turn tests; all others
train. No net was chosen by its own test speaker's figures: see spoken_digits.md.

* m11: trained on synthetic_speech, then on the four speakers and synthetic_speech
  together, with pre-emphasis and augmentation (recipe speech).
* audio_mlp: dense layers on the waveform, the same recipe, the four speakers.
* log-mel: hand-made features and logistic regression (`zoo baseline`).

Then all three under white noise, and with a part of each clip missing.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the `zoo` command does

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zoo
from zoo.features import handmade_features
from zoo.training.evaluation import load_with_card

SPEAKERS = ("george", "jackson", "nicolas", "theo", "yweweler")
RATE, SECONDS = 8000, 0.75
SNRS = (40, 30, 20, 10, 0)
MISSING = (0.1, 0.2, 0.3, 0.5)


def train_nets(digits, runs, speaker):
    """The run folders of both nets with one speaker held out."""
    arguments = {"data_dir": digits, "held_out": speaker, "seconds": SECONDS}
    zoo.training.train(
        "m11",
        "spoken_digits",
        runs / speaker,
        weights=runs / "synthetic" / "model.keras",
        also="synthetic_speech",
        **arguments,
    )
    zoo.training.train(
        "audio_mlp", "spoken_digits", runs / f"mlp-{speaker}", **arguments
    )
    return runs / speaker, runs / f"mlp-{speaker}"


def changed(clips):
    """Name and clips of every condition; the same noise for every method."""
    yield "clean", clips
    for snr in SNRS:
        layer = zoo.layers.AddNoise(snr=snr, seed=0)
        yield f"SNR {snr} dB", np.asarray(layer(clips, training=True))
    for share in MISSING:
        layer = zoo.layers.MissingFragments(share=share, fragments=4, seed=0)
        yield f"{share:.0%} missing", np.asarray(layer(clips, training=True))


def log_mel(clips):
    return np.stack([handmade_features(clip, RATE, "log_mel")[0] for clip in clips])


def net_answers(run, clips):
    model, card = load_with_card(run)
    return model.predict(zoo.preprocess_input(clips, card), verbose=0).argmax(axis=-1)


def all_clips(data, split):
    batches = list(data.load(split, 512, training=False).as_numpy_iterator())
    return tuple(np.concatenate(part) for part in zip(*batches, strict=True))


def main(digits, runs):
    digits, runs = Path(digits), Path(runs)
    zoo.training.train(
        "m11",
        "synthetic_speech",
        runs / "synthetic",
        epochs=5,
        batch_size=128,
        learning_rate=3e-3,
        seconds=SECONDS,
    )
    methods = ("m11", "audio_mlp", "log-mel")
    right = {}
    for speaker in SPEAKERS:
        data = zoo.datasets.sounds(
            "spoken_digits", digits, held_out=speaker, seconds=SECONDS
        )
        net, mlp = train_nets(digits, runs, speaker)
        (train_x, train_y), (x, y) = (all_clips(data, s) for s in ("train", "test"))
        # As zoo.baselines.audio has it, fitted once for all conditions.
        logistic = LogisticRegression(C=0.01, max_iter=2000)
        baseline = make_pipeline(StandardScaler(), logistic).fit(
            log_mel(train_x), train_y
        )
        for condition, clips in changed(x):
            answers = (
                net_answers(net, clips),
                net_answers(mlp, clips),
                baseline.predict(log_mel(clips)),
            )
            for method, answer in zip(methods, answers, strict=True):
                right[condition, method, speaker] = 100 * (answer == y).mean()
        print(f"{speaker} done", file=sys.stderr, flush=True)

    conditions = list(dict.fromkeys(condition for condition, _, _ in right))
    print("Accuracy in % with the speaker held out, clean clips")
    print(f"  {'':<10}" + "".join(f"{s:>10}" for s in SPEAKERS) + f"{'mean':>10}")
    for method in methods:
        each = [right["clean", method, speaker] for speaker in SPEAKERS]
        print(f"  {method:<10}" + "".join(f"{v:10.1f}" for v in (*each, np.mean(each))))
    print("Mean over the speakers under noise, and with fragments missing")
    print(f"  {'':<12}" + "".join(f"{m:>11}" for m in methods))
    for condition in conditions:
        means = [
            np.mean([right[condition, method, s] for s in SPEAKERS])
            for method in methods
        ]
        print(f"  {condition:<12}" + "".join(f"{mean:11.1f}" for mean in means))


if __name__ == "__main__":
    main(*sys.argv[1:])
