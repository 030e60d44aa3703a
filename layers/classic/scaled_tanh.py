import keras
from keras import ops


@keras.saving.register_keras_serializable(package="convzoo")
def scaled_tanh(x):
    """Squashes to (-1.7159, 1.7159) so that targets of +1 and -1 can be reached.

    1.7159 tanh(2 x / 3) passes through (1, 1) and (-1, -1), where it is neither flat
    nor steep: a net that is right stops pushing its weights.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of that shape and type.

    Reference: LeCun, Generalization and Network Design Strategies, 1989, section 3;
    used by the digit net of LeCun et al. 1989.

    Example:

    >>> round(float(scaled_tanh(1.0)), 3)
    1.0
    """
    return 1.7159 * ops.tanh(x * (2 / 3))
