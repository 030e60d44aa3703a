"""Endpoints that take files as a client has them, images and WAV. All in the graph."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.datasets.image.decoding import decode_image, to_grey
from zoo.preprocessing import preprocess_input


@dataclass(frozen=True)
class EncodedFiles:
    """An endpoint for encoded files.

    Args:
        input_name: of its input, a vector of strings.
        endpoint: a `tf.function` from it to a dictionary of outputs.
        example: a tensor with one file that it takes.
    """

    input_name: str
    endpoint: object
    example: object


def encoded_files(model, card):
    """The endpoint for a model, or None where no kind of file fits its input.

    Args:
        model: a functional model with one input and one output.
        card: the `ModelCard` with the normalisation.

    Returns:
        An `EncodedFiles`, or None.
    """
    shape = model.input_shape[1:]
    if card.input_name == "image" and len(shape) == 3 and shape[2] in (1, 3):
        if None in shape:
            return None  # images of different sizes make no batch
        read, example = _image_reader(shape), _example_image()
    elif card.sample_rate is not None and len(shape) == 2 and shape[1] is not None:
        read = _sound_reader(shape, card.sample_rate)
        example = _example_sound(shape, card.sample_rate)
    else:
        return None
    (symbol,), (output_name,) = model.inputs, model.output_names
    output = tf.TensorSpec(model.output_shape[1:], model.outputs[0].dtype)
    labels = _labels(model, card)
    name = f"{symbol.name}_bytes"

    # Nothing in it needs AutoGraph, which takes its time.
    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None,), tf.string, name=name)],
    )
    def serve_bytes(encoded):
        def answer(file):
            clips = preprocess_input(read(file), card)
            # A sound has several clips, an image is one.
            outputs = model(tf.cast(clips, symbol.dtype), training=False)
            return tf.reduce_mean(outputs, axis=0)

        outputs = tf.map_fn(answer, encoded, fn_output_signature=output)
        if labels is None:
            return {output_name: outputs}
        chosen = tf.gather(labels, tf.argmax(outputs, axis=-1))
        return {output_name: outputs, "label": chosen}

    return EncodedFiles(name, serve_bytes, tf.constant([example.numpy()]))


def _labels(model, card):
    """The names of the classes, where the output has one number for each."""
    if not card.labels or model.output_shape != (None, len(card.labels)):
        return None
    if model.output_names[0] in ("pitch", "tags"):  # not one of them, but several
        return None
    return tf.constant([str(label) for label in card.labels])


def _image_reader(shape):
    height, width, channels = shape

    def read(encoded):
        """float32 (1, height, width, channels) in [0, 1], as `image_folder` does."""
        pixels = decode_image(encoded)
        found = tf.shape(pixels)[-1]
        if channels == 1:
            pixels = tf.cond(found == 1, lambda: pixels, lambda: to_grey(pixels))
        size = tf.stack([height, width])
        # Of 8 bits until it is small: in float32 a photograph takes 800 MB.
        pixels = tf.cond(
            tf.reduce_all(tf.shape(pixels)[:2] == size),
            lambda: tf.cast(pixels, tf.float32),
            lambda: tf.image.resize(pixels, size, antialias=True),
        )
        pixels = tf.repeat(pixels, channels // tf.shape(pixels)[-1], axis=-1)
        return tf.ensure_shape(pixels, shape)[tf.newaxis] / 255

    return read


def _sound_reader(shape, sample_rate):
    samples, channels = shape

    def read(encoded):
        """float32 (clips, samples, channels) in [-1, 1], as `audio_folder` cuts."""
        sound, rate = tf.audio.decode_wav(encoded)
        with _only_if(
            rate == sample_rate,
            f"the sound must have {sample_rate} samples a second",
        ):
            frames, found = tf.unstack(tf.shape(sound))
        with _only_if(frames > 0, "the sound is empty"):
            sound = tf.identity(sound)
        if channels == 1:
            sound = tf.reduce_mean(sound, axis=-1, keepdims=True)
        else:
            with _only_if(
                found == channels, f"the sound must have {channels} channels"
            ):
                sound = tf.identity(sound)
        if samples is None:
            return tf.reshape(sound, (1, -1, channels))
        # A last clip counts if it is at least half full; a short sound is one clip.
        clips = tf.maximum(1, (2 * frames + samples) // (2 * samples))
        sound = sound[: clips * samples]
        missing = clips * samples - tf.shape(sound)[0]
        sound = tf.pad(sound, [[0, missing], [0, 0]])
        return tf.reshape(sound, (-1, samples, channels))

    return read


def _only_if(condition, message):
    """What is computed inside, is computed after the check: its message comes first."""
    checked = tf.debugging.assert_equal(condition, True, message=message)
    return tf.control_dependencies([checked])


def _example_image():
    return tf.io.encode_png(np.zeros((8, 8, 3), np.uint8))


def _example_sound(shape, sample_rate):
    silence = np.zeros((shape[0] or sample_rate, shape[1]), np.float32)
    return tf.audio.encode_wav(silence, sample_rate)
