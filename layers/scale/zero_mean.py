import keras
from keras import ops


@keras.saving.register_keras_serializable(package="convzoo")
class ZeroMean(keras.regularizers.Regularizer):
    """Pulls kernels towards a sum of zero: those that ignore silence, as wavelets do.

    The loss of a kernel `(..., channels, filters)` is `strength` times the mean, over
    channels and filters, of the squared sum over everything before: over time, and
    over scale where there is one. (The authors' code adds this up over the layers,
    with strength 10; so does Keras, with one on each layer.)

    Reference: Romero et al., Wavelet Networks, TMLR 2024 (arXiv:2006.05259), the
    wavelet loss.

    Args:
        strength: float, at least 0.

    Raises:
        ValueError: for a negative strength.

    Example:

    >>> kernel = keras.ops.reshape(keras.ops.array([1.0, 2.0, -1.0]), (3, 1, 1))
    >>> float(ZeroMean(10.0)(kernel))
    40.0
    """

    def __init__(self, strength=10.0):
        if not strength >= 0:
            raise ValueError(
                f"`strength` must be at least 0. Received: strength={strength!r}"
            )
        self.strength = strength

    def __call__(self, x):
        sums = ops.sum(x, axis=tuple(range(len(x.shape) - 2)))
        return self.strength * ops.mean(ops.square(sums))

    def get_config(self):
        return {"strength": self.strength}
