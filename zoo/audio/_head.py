"""What every sound builder checks, and how every sound net ends."""

import keras

from zoo.audio.tasks import find_task
from zoo.image._head import check_head


def check_arguments(include_top, pooling, classes, input_shape, task):
    """Refuses arguments that no builder on waveforms can take.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    check_head(include_top, pooling, classes)
    check_task(task)
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    known = [size for size in shape if size is not None]
    if len(shape) != 2 or shape[-1] is None or not all(map(is_size, known)):
        raise ValueError(
            "`input_shape` must be (samples, channels), samples perhaps None. "
            f"Received: input_shape={input_shape!r}"
        )


def check_task(task):
    """Refuses what is no task.

    Raises:
        ValueError: with the names of the tasks.
    """
    find_task(task)


def check_hidden(hidden):
    """Refuses what is no list of layer sizes.

    Raises:
        ValueError: as above.
    """
    if not isinstance(hidden, (tuple, list)) or not all(map(is_size, hidden)):
        raise ValueError(
            "`hidden` must be a tuple of positive integers, such as (256, 128). "
            f"Received: hidden={hidden!r}"
        )


def finish(
    x, task, classes, classifier_activation, kernel_initializer="glorot_uniform"
):
    """The last dense layer and the last activation, from one vector a sound."""
    dense = keras.layers.Dense(
        units_of(task, classes), kernel_initializer=kernel_initializer, name="top"
    )
    return activate(dense(x), task, classifier_activation)


def units_of(task, classes):
    """How many numbers a task asks of the last layer."""
    return find_task(task).units or classes


def activate(logits, task, classifier_activation):
    """The last activation, in full precision also under a mixed-precision policy.

    Raises:
        ValueError: for an activation whose numbers would not mean what the task says.
    """
    known = find_task(task)
    if classifier_activation not in ("default", known.activation, None):
        raise ValueError(
            f"`classifier_activation` with task={task!r} must be 'default' or "
            f"{known.activation!r}, which are the same, or None for logits. "
            f"Received: classifier_activation={classifier_activation!r}"
        )
    dtype = keras.config.dtype_policy().variable_dtype
    if classifier_activation is None:
        return keras.layers.Activation("linear", dtype=dtype, name="logits")(logits)
    if task == "rating":
        x = keras.layers.Activation("sigmoid", dtype=dtype, name="score")(logits)
        return keras.layers.Rescaling(99.0, 1.0, dtype=dtype, name="rating")(x)
    return keras.layers.Activation(known.activation, dtype=dtype, name=known.output)(
        logits
    )


def pool_features(x, pooling):
    """One vector a sound from a map `(batch, steps, channels)`, or the map itself."""
    if pooling == "avg":
        return keras.layers.GlobalAveragePooling1D("channels_last", name="avg_pool")(x)
    if pooling == "max":
        return keras.layers.GlobalMaxPooling1D("channels_last", name="max_pool")(x)
    return x


def is_size(value):
    """Whether it is a positive int; True is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
