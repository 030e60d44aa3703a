"""SoundClips: the splits of a set of sounds, ready to be loaded."""

import collections
import dataclasses
import warnings

import numpy as np
import tensorflow as tf

from zoo.datasets._arguments import check_batch_size_and_seed
from zoo.datasets.audio.cut_clips import Clips
from zoo.datasets.audio.split import Member, split_of
from zoo.datasets.audio.table import SPLITS, classes_of, label_set, targets_of
from zoo.datasets.pipeline.epochs import Epochs
from zoo.datasets.pipeline.sharding import sharded


class SoundClips:
    """A set of sounds, decoded and split: what `zoo.datasets.audio_folder` returns.

    Attributes:
        info: a `DatasetInfo`. `splits` counts clips, `groups` names the songs,
            speakers, ... of each split.
        rejected: {file: why it is not used}.
        remarks: {file: what is suspicious about it}; these files are used.
        folder: of the cache, with rejected.csv and remarks.csv.

    Example:
        ```python
        import numpy as np
        import soundfile
        from pathlib import Path

        for name, pitch in (("low", 200), ("high", 900)):
            Path("tones", name).mkdir(parents=True)
            for number in range(5):
                phase = 2 * np.pi * (pitch + number) * np.arange(8000) / 8000
                soundfile.write(f"tones/{name}/{number}.wav", np.sin(phase), 8000)

        clips = zoo.datasets.audio_folder("tones", sample_rate=8000, seconds=0.5)
        print(clips.info.splits, clips.songs("test"))
        ```
    """

    def __init__(self, info, cache, splits, rejected):
        """Of private parts: `audio_folder` and `zoo.datasets.load` make them.

        Args:
            info: `DatasetInfo`.
            cache: `SoundCache`.
            splits: {split: `Clips`}.
            rejected: {file: reason}.
        """
        self.info = info
        self.rejected = rejected
        self.remarks = dict(cache.remarks)
        self.folder = cache.folder
        self._cache = cache
        self._splits = splits

    def load(self, split, batch_size=64, seed=0, training=None):
        """A split as a finite `tf.data.Dataset` of (waveform, target).

        A split of less than 2 GiB (as 16-bit samples) stays in memory as long as the
        result is in use; a larger one is read from the shards of the cache, and made
        in the scope of a strategy it does not say how many batches it has, since
        each worker reads its own shards.

        Args:
            split: "train", "validation" or "test".
            batch_size: clips in a batch, the last one may be smaller; None for single
                clips.
            seed: integer that decides the order of the training clips.
            training: whether the clips come in a new order every epoch, or the same
                way always. By default "train" is for training.

        Returns:
            A `tf.data.Dataset`. waveform is float32 of shape (batch, samples,
            channels); the target's type is that of the task, see `audio_folder`.

        Raises:
            ValueError: there is no such split, or an argument is not of its kind.

        Example:
            ```python
            import numpy as np
            import soundfile
            from pathlib import Path

            Path("noise/a").mkdir(parents=True), Path("noise/b").mkdir(parents=True)
            for number in range(10):
                noise = np.random.default_rng(number).normal(0, 0.1, 4000)
                soundfile.write(f"noise/{'ab'[number % 2]}/{number}.flac", noise, 8000)

            clips = zoo.datasets.audio_folder("noise", sample_rate=8000, seconds=0.5)
            for waveform, label in clips.load("train", batch_size=4).take(1):
                print(waveform.shape, label.shape)
            ```
        """
        clips = self._clips(split)
        check_batch_size_and_seed(batch_size, seed, "clips")
        if training is None:
            training = split == "train"
        dataset = clips.dataset(batch_size, seed, training)
        return sharded(dataset, clips.files()).prefetch(tf.data.AUTOTUNE)

    def epochs(self, split="train", batch_size=64, seed=0, share=None):
        """A split for training whose every epoch can be had by its number.

        Args:
            split: "train", "validation" or "test".
            batch_size: clips a step, of all processes and devices together.
            seed: integer that decides the order of each epoch.
            share: None, or the part of each batch that this process reads: a
                `zoo.datasets.Share`.

        Returns:
            A `zoo.datasets.Epochs`.

        Raises:
            ValueError: there is no such split, an argument is not of its kind, or the
                batch can't be shared out.
        """
        clips = self._clips(split)
        check_batch_size_and_seed(batch_size, seed, "clips")
        return Epochs(clips.source(), batch_size, seed, share)

    def songs(self, split):
        """The file that each clip is a part of, in the order of evaluation.

        The clips of a file stand one after the other, from its beginning: the mean of
        a model's outputs over them is its output for the song.

        Args:
            split: "train", "validation" or "test", as `load` gives it with
                `training=False`.

        Returns:
            An array of strings, one for each clip.

        Raises:
            ValueError: there is no such split.
        """
        clips = self._clips(split)
        names = np.array(
            [self._cache.sounds[number]["name"] for number in clips.chosen]
        )
        return names[clips.sound]

    def _clips(self, split):
        if not isinstance(split, str) or split not in self._splits:
            raise ValueError(
                f"{self.info.name} has no split {split!r}: choose one of "
                f"{', '.join(self._splits)}. (Parts of a split would share songs: "
                f"name the groups to validate on as validate_on.)"
            )
        return self._splits[split]


def split_clips(info, title, cache, rows, rejected, options, as_published=False):
    """Splits and labels decoded sounds.

    Args:
        info: `DatasetInfo` to fill in.
        title: where the sounds are from, for messages.
        cache: `SoundCache`; of a sound without a row nothing is made.
        rows: list of `Row`s.
        rejected: {file: reason} of what is not in the cache.
        options: `SoundOptions`.
        as_published: whether the rows' splits are somebody's publication, and stay as
            they are even where the same sound is on two sides.

    Returns:
        A `SoundClips`.

    Raises:
        ValueError: a class has no sound to train on, or a group stands on two sides.
    """
    by_name = {row.name: row for row in rows}
    rejected = {**rejected, **cache.rejected}
    labelled = [sound for sound in cache.sounds if sound["name"] in by_name]
    if not as_published:
        rejected |= _contradictions(labelled, by_name, options.task)
    numbers = [
        number
        for number, sound in enumerate(cache.sounds)
        if sound["name"] in by_name and sound["name"] not in rejected
    ]
    _warn(title, cache, rejected, len(numbers))
    if not numbers:
        raise ValueError(f"{title} holds no sound that can be used: {_some(rejected)}.")
    members = []
    for number in numbers:
        sound = cache.sounds[number]
        row = by_name[sound["name"]]
        known = sound["quiet"] or as_published
        content = None if known else sound["sound"]
        labels = label_set(row.label, options.task)
        members.append(Member(row.name, row.group, content, labels, row.split))
    found = split_of(members, options.split_by, options.held_out, options.validate_on)

    classes = classes_of(rows, options.task)
    if set(classes) <= set(info.classes):  # published ones keep their order
        classes = info.classes
    _check_trained(title, rows, members, found, options.task)
    splits, groups = {}, {}
    for split in SPLITS:
        chosen = [n for n, its in zip(numbers, found, strict=True) if its == split]
        if not chosen:
            continue
        its_rows = [by_name[cache.sounds[number]["name"]] for number in chosen]
        targets = targets_of([row.label for row in its_rows], classes, options.task)
        splits[split] = Clips(
            cache, chosen, targets, options.samples, options.normalize
        )
        groups[split] = tuple(sorted({row.group for row in its_rows}))
    info = dataclasses.replace(
        info,
        input_shape=(options.samples, options.channels),
        sample_rate=options.sample_rate,
        task=options.task,
        classes=classes,
        splits={split: len(clips) for split, clips in splits.items()},
        groups=groups,
    )
    return SoundClips(info, cache, splits, rejected)


def _contradictions(sounds, by_name, task):
    """Copies of a sound with different labels: nobody knows which is right."""
    if task not in ("classes", "binary"):
        return {}
    copies = collections.defaultdict(list)
    for sound in sounds:
        if not sound["quiet"]:
            copies[sound["sound"]].append(sound["name"])
    rejected = {}
    for names in copies.values():
        for name in names:
            label = by_name[name].label
            other = next((n for n in names if by_name[n].label != label), None)
            if other is not None:
                rejected[name] = f"the same sound as {other}, which has another label"
    return rejected


def _warn(title, cache, rejected, used):
    if not rejected:
        return
    remarks = len(cache.remarks)
    more = f" {remarks} that are used are suspicious." if remarks else ""
    warnings.warn(
        f"{title}: {len(rejected)} of {used + len(rejected)} files can't be used: "
        f"{_some(rejected)}.{more} All are in .rejected and .remarks, and in "
        f"{cache.folder}.",
        stacklevel=6,
    )


def _some(rejected):
    names = sorted(rejected)
    listed = "; ".join(f"{name} ({rejected[name]})" for name in names[:5])
    return listed + (f"; and {len(names) - 5} more" if len(names) > 5 else "")


def _check_trained(title, rows, members, splits, task):
    """Refuses a label that has no sound to train on."""
    trained = set()
    for member, split in zip(members, splits, strict=True):
        if split == "train":
            trained |= member.labels
    wanted = {label for row in rows for label in label_set(row.label, task)}
    lost = sorted(map(str, wanted - trained))
    if lost:
        raise ValueError(
            f"{title} has labels without a sound to train on: {', '.join(lost)}. "
            f"Add or mend files, or hold out other groups."
        )
    if "train" not in splits:
        raise ValueError(f"{title} has no sound to train on: hold out fewer groups.")
    if task in ("classes", "binary") and len(wanted) < 2:
        raise ValueError(
            f"{title} must have two classes at least; received "
            f"{', '.join(map(str, wanted))}."
        )
