import keras

from zoo.analysis._graph import as_functional, check_is_model, run
from zoo.serving._plain_layers import PlainLayers


def to_plain(model):
    """An equal model of stock Keras layers, which loads without this package.

    Every filter of a group convolution is written out in all its orientations once,
    and the feature maps keep their orientations among the channels, so that what
    remains are ordinary convolutions: serving pays nothing for the group. Other layers
    of this package become the stock layers that compute the same.

    The model is for inference: the orientations of a filter are separate weights now,
    so further training would let them drift apart, and regularisers and constraints
    are left out. It computes in float32, also where the given model does in half
    precision; float64 stays.

    Args:
        model: a functional or sequential Keras model, built.

    Returns:
        A functional Keras model with the same names of inputs and outputs.

    Raises:
        ValueError: for what is no such model.

    Example:

    >>> import numpy as np, zoo
    >>> model = zoo.p4cnn()
    >>> plain = to_plain(model)
    >>> sorted({type(layer).__name__ for layer in plain.layers})[:3]
    ['Activation', 'BatchNormalization', 'Conv2D']
    >>> images = np.ones((2, 28, 28, 1), "float32")
    >>> gap = plain.predict(images, verbose=0) - model.predict(images, verbose=0)
    >>> bool(abs(gap).max() < 1e-6)
    True
    """
    functional = functional_form(model)
    return plain_model(functional, *(symbol.name for symbol in functional.inputs))


def plain_model(functional, *input_names, with_spectra=False):
    """The plain model of a functional one, its inputs called so.

    With `with_spectra`, group convolutions that are faster in the spectrum stay in it:
    a layer of ours, for what keeps operations and not layers.
    """
    layers = PlainLayers(with_spectra)
    inputs = [
        keras.Input(symbol.shape[1:], dtype=symbol.dtype, name=name)
        for symbol, name in zip(functional.inputs, input_names, strict=True)
    ]
    given = inputs if isinstance(functional.input, list) else inputs[0]
    returned = run(functional, given, layers.call)
    is_many = isinstance(returned, (list, tuple))
    outputs = [
        layers.named(layers.split(output), name)
        for output, name in zip(
            returned if is_many else [returned], functional.output_names, strict=True
        )
    ]
    plain = keras.Model(given, outputs if is_many else outputs[0], name=functional.name)
    layers.copy_weights()
    return plain


def functional_form(model):
    """The functional form of a model, to be walked through.

    Raises:
        ValueError: for what is no Keras model, or has no graph.
    """
    check_is_model(model)
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} is subclassed or not built: its input has no name. "
            f"Expected a functional or sequential model, built."
        )
    return functional
