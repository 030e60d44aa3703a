"""What every image builder checks and how every classifier ends."""

import keras


def check_arguments(include_top, pooling, classes, input_shape):
    """Refuses arguments that no image builder can take.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    check_head(include_top, pooling, classes)
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    known = [size for size in shape if size is not None]
    is_size = [isinstance(size, int) and size > 0 for size in known]
    if len(shape) != 3 or shape[-1] is None or not all(is_size):
        raise ValueError(
            "`input_shape` must be (height, width, channels), height and width perhaps "
            f"None. Received: input_shape={input_shape!r}"
        )


def check_head(include_top, pooling, classes):
    """The part of it that holds for inputs of any shape.

    Raises:
        ValueError: as above.
    """
    if pooling not in (None, "avg", "max"):
        raise ValueError(
            f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}"
        )
    if include_top and pooling is not None:
        raise ValueError(
            "`pooling` is for include_top=False: the classifier has its own. "
            f"Received: include_top=True, pooling={pooling!r}"
        )
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
        raise ValueError(
            f"`classes` must be a positive integer. Received: classes={classes!r}"
        )


def hidden_layers(x, hidden, activation="relu"):
    """Dense layers of so many units each, named `hidden_1`, `hidden_2`, ..."""
    for index, units in enumerate(hidden, start=1):
        x = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer="he_uniform",
            name=f"hidden_{index}",
        )(x)
    return x


def classify(logits, classifier_activation):
    """The last activation, in full precision also under a mixed-precision policy."""
    dtype = keras.config.dtype_policy().variable_dtype
    activation = keras.activations.get(classifier_activation)
    names = {
        "softmax": "probabilities",
        "sigmoid": "probabilities",
        "linear": "logits",
        "tanh": "scores",
        "scaled_tanh": "scores",
    }
    name = names.get(getattr(activation, "__name__", None), "outputs")
    return keras.layers.Activation(activation, dtype=dtype, name=name)(logits)
