"""What chance does to the sounds a net is trained on, by the kind of sound."""

import tensorflow as tf

import zoo.layers
from zoo.datasets.pipeline.order import epoch_seed

AUGMENTATIONS = ("speech", "music")


def augmentation_layers(name):
    """The layers of one kind of augmentation, in the order they are applied.

    Args:
        name: `"speech"`: another voice (speed), microphone and room (spectrum, noise),
            place in the clip, something missing. `"music"`: another tempo (the label
            follows), level and recording; nothing that moves a beat.

    Returns:
        A list of layers.

    Example:

    >>> [type(layer).__name__ for layer in augmentation_layers("music")][0]
    'RandomSpeed'
    """
    layers = zoo.layers
    # Chance comes with each call: the layers' own seeds only tell them apart.
    if name == "speech":
        return [
            # Little: a voice that is faster by a fifth has the vowels of another.
            layers.RandomSpeed(rates=(0.92, 1.08), seed=0),
            # Only later: how a word begins tells five from nine.
            layers.RandomTimeShift(max_shift=(0.0, 0.2), seed=0),
            layers.MissingFragments(share=0.05, fragments=1, seed=0),
            layers.RandomEqualizer(deviation=3.0, seed=0),
            layers.RandomPolarity(seed=0),
            layers.AddNoise(snr=(20.0, 60.0), seed=0),
        ]
    if name == "music":
        return [
            layers.RandomSpeed(rates=(0.8, 1.25), seed=0),
            layers.RandomPolarity(seed=0),
            layers.RandomGain(gain=(-6.0, 6.0), seed=0),
            layers.AddNoise(snr=(10.0, 40.0), seed=0),
        ]
    raise ValueError(
        f"Unknown augmentation {name!r}. Expected one of {', '.join(AUGMENTATIONS)}."
    )


def augmented(dataset, name, task, seed, chances=None):
    """A data set whose clips are changed at random, differently every epoch.

    Args:
        dataset: batches of (waveform, target).
        name: one of `AUGMENTATIONS`.
        task: what the target is; a tempo changes with the speed.
        seed: integer that decides all of it.
        chances: None, or a dataset of pairs of integers to decide it by instead, one
            pair a batch.

    Returns:
        A `tf.data.Dataset` of the same kind.
    """
    layers = augmentation_layers(name)
    seeds = chances
    if seeds is None:
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)

    def change(example, seed):
        waveform, target = example
        signals = {"waveform": waveform}
        if task == "tempo":
            signals["tempo"] = target
        for layer in layers:
            signals = layer(signals, training=True, seed=tf.cast(seed, tf.int32))
        return signals["waveform"], signals.get("tempo", target)

    changed = tf.data.Dataset.zip(dataset, seeds).map(
        change, num_parallel_calls=tf.data.AUTOTUNE
    )
    return changed.prefetch(tf.data.AUTOTUNE)


def augmented_epochs(epochs, name, task, seed):
    """`augmented` for each epoch: what chance does is a function of seed and epoch.

    Args:
        epochs: a `zoo.datasets.Epochs`.
        name, task, seed: as `augmented` takes them.

    Returns:
        An `Epochs`.
    """

    def change(dataset, epoch, first_step, share):
        chance = epoch_seed(seed, epoch, again=1)
        return augmented(dataset, name, task, seed, _chances(chance, first_step, share))

    return epochs.map(change)


def _chances(chance, first_step, share):
    """A pair for each slice that a process reads, that no other slice has."""
    own = tf.constant(share.own_slices(), tf.int64)

    def pair(number):
        step = first_step + number // share.replicas
        slice_number = step * share.slices + own[number % share.replicas]
        return tf.stack([tf.constant(chance, tf.int64), slice_number])

    return tf.data.Dataset.range(2**62).map(pair)
