"""Weights that are alike at all positions and orientations, and need not stay so."""

from contextlib import contextmanager

import keras
import numpy as np

from zoo.analysis._graph import as_functional, operations_of
from zoo.analysis._known_layers import is_known, may_be_untied
from zoo.analysis._outputs import (
    has_float64,
    in_float64,
    outputs_of,
)

# Errors of one layer up to which it may only round, as some do in float32 whatever is
# asked of them, and from which it does more: random weights give about one.
ROUNDING = 1e-4
BROKEN = 1e-3


def untied_weights(model, inputs, motions, seed=0):
    """Weights by which training will break what an untrained model does exactly.

    Many weights begin as constants: a scale of ones, a slope of zeros. If they have an
    axis of positions or orientations, the layer is exact now, and is not after the
    first step of training. Such a weight shows when it is drawn: with random numbers
    in its place, the outputs do not move with the inputs any more.

    Args:
        model: a Keras model.
        inputs: array, a batch of noise.
        motions: list of objects with `move(inputs)`, the moved inputs, and
            `error(before, after, values)`, how far one `Output` is from another that
            moved, with two arrays in place of their values.
        seed: int, of the numbers drawn.

    Returns:
        A list of pairs of a Keras variable and the array to put in its place.
    """
    random = np.random.default_rng(seed)
    if not any(map(_constant_weights, model._flatten_layers())) or _is_all_known(model):
        return []
    if has_float64():
        try:
            with in_float64(model):
                return _untied(model, inputs, motions, random)
        except Exception:  # not all operations of a backend take float64
            random = np.random.default_rng(seed)
    return _untied(model, inputs, motions, random)


def _untied(model, inputs, motions, random):
    before = outputs_of(model, inputs)
    moved = [outputs_of(model, motion.move(inputs)) for motion in motions]
    found = {}
    for number, output in enumerate(before):
        call = output.call
        weights = _candidates(call.operation, call.args) if call else []
        if not weights:
            continue
        pairs = [(output, outputs[number]) for outputs in moved]

        def errors(replaced, pairs=pairs):
            with replacing(replaced):
                return np.array(
                    [
                        motion.error(one, two, (one.call.again(), two.call.again()))
                        for motion, (one, two) in zip(motions, pairs, strict=True)
                    ]
                )

        # What is broken as it is needs no other weights to show it.
        whole = ~(errors([]) > ROUNDING)
        drawn = [(weight, _drawn(weight, random)) for weight in weights]
        if not (whole & (errors(drawn) > BROKEN)).any():
            continue
        for pair in drawn:
            if (whole & (errors([pair]) > BROKEN)).any():
                found[id(pair[0])] = pair
    with replacing(list(found.values())):
        found |= _breaking_the_output(model, inputs, motions, found, random)
    return list(found.values())


def _breaking_the_output(model, inputs, motions, found, random):
    """More constant weights, by what they do to the model's output.

    A branch that starts with a factor of zero, or a normalization behind a `Reshape`,
    shows at the end only.
    """

    def errors(replaced):
        with replacing(replaced):
            before = outputs_of(model, inputs)[-1]
            return np.array(
                [
                    motion.error(before, outputs_of(model, motion.move(inputs))[-1])
                    for motion in motions
                ]
            )

    drawn = [
        [(weight, _drawn(weight, random)) for weight in _constant_weights(layer)]
        for layer in model._flatten_layers()
    ]
    drawn = [[pair for pair in pairs if id(pair[0]) not in found] for pairs in drawn]
    whole = ~(errors([]) > ROUNDING)
    if not whole.any() or not (whole & (errors(sum(drawn, [])) > BROKEN)).any():
        return {}
    breaking = [
        pairs for pairs in drawn if pairs and (whole & (errors(pairs) > BROKEN)).any()
    ]
    return {id(pair[0]): pair for pair in sum(breaking or drawn, [])}


def described(paths):
    """The line of a report that names drawn weights, or none."""
    if not paths:
        return []
    return [
        "drawn at random, as they are constant now and training sets them apart: "
        + ", ".join(paths)
    ]


@contextmanager
def replacing(pairs):
    """Puts arrays in the place of weights, and the weights back."""
    before = [(weight, keras.ops.convert_to_numpy(weight)) for weight, _ in pairs]
    for weight, values in pairs:
        weight.assign(values)
    try:
        yield
    finally:
        for weight, values in before:
            weight.assign(values)


def _is_all_known(model):
    """Whether nothing but weights along the channels can be constant."""
    functional = as_functional(model)
    return functional is not None and all(
        is_known(operation, operation.input)
        and not _candidates(operation, operation.input)
        for operation in operations_of(functional)
    )


def _candidates(operation, inputs):
    """Constant weights that could tell positions or orientations apart."""
    if isinstance(operation, keras.Model) or not getattr(operation, "weights", None):
        return []
    weights = sum(map(_constant_weights, operation._flatten_layers()), [])
    return [weight for weight in weights if may_be_untied(operation, inputs, weight)]


def _constant_weights(layer):
    """Own weights that training changes, constant along an axis that may be one."""
    weights = [weight for weight in layer._trainable_variables if weight.trainable]
    if isinstance(layer, keras.layers.BatchNormalization):
        weights += layer.non_trainable_variables
    return [weight for weight in weights if _is_constant(weight)]


def _is_constant(weight):
    if not keras.backend.is_float_dtype(weight.dtype):
        return False
    values = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
    return any(
        length > 1 and not np.diff(values, axis=axis).any()
        for axis, length in enumerate(values.shape)
    )


def _drawn(weight, random):
    """Farther from zero on the same side: a variance stays positive."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
    side = np.where(values < 0, -1, 1)
    return values + side * np.abs(random.standard_normal(values.shape))
