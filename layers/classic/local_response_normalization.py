import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="convzoo")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides every activation by those of its neighbouring channels.

    With a_i the i-th channel at one position, and the sum over the n channels around it
    (fewer at either end):

        b_i = a_i / (k + alpha * sum_j a_j^2) ^ beta

    The channels are the last axis: those of an image map, or on a group feature map
    those of one orientation, so that orientations stay apart and the layer turns with
    its input.

    The defaults are the formula and the constants of the paper, and what
    `tf.nn.local_response_normalization(x, depth_radius=2, bias=2)` computes. torch and
    Caffe divide alpha by n, and the authors' own code did so too: say
    `divide_alpha_by_n=True` for them. An even n reaches one channel further back than
    ahead, as in torch.

    The sum is a matrix product. A GPU that rounds those of float32 to TF32 (JAX's and
    TensorFlow's default) rounds it too; `JAX_DEFAULT_MATMUL_PRECISION=highest` or
    `tf.config.experimental.enable_tensor_float_32_execution(False)` keep float32.

    Reference: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep
    Convolutional Neural Networks, NeurIPS 2012, section 3.3.

    Args:
        k: float, what is added to the sum; positive.
        n: int, how many channels the sum takes in.
        alpha: float, the weight of the sum.
        beta: float, the exponent.
        divide_alpha_by_n: bool. Weigh the mean over n channels, not the sum, by alpha.
        **kwargs: `name`, `dtype` of every Keras layer. In half precision the layer
            computes in float32 inside.

    Input shape:
        `(batch, height, width, channels)` or a group feature map
        `(batch, height, width, order, channels)`. Channels last on every backend.

    Output shape:
        The same.

    Raises:
        ValueError: for constants outside the above, another rank, or an unknown number
            of channels.

    Example:

    >>> maps = keras.ops.ones((1, 2, 2, 96))
    >>> normalized = LocalResponseNormalization(k=1.0, alpha=1.0, beta=0.5)(maps)
    >>> round(float(normalized[0, 0, 0, 48]), 3)  # 1 / sqrt(1 + 5)
    0.408
    """

    def __init__(
        self, k=2.0, n=5, alpha=1e-4, beta=0.75, divide_alpha_by_n=False, **kwargs
    ):
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ValueError(f"`n` must be a positive integer. Received: n={n!r}")
        for name, value, is_fine in (
            ("k", k, k > 0),
            ("alpha", alpha, alpha >= 0),
            ("beta", beta, beta >= 0),
        ):
            if not is_fine:
                raise ValueError(
                    f"`{name}` must be {'positive' if name == 'k' else 'at least 0'}: "
                    f"the root of a negative number or a division by 0 would follow. "
                    f"Received: {name}={value!r}"
                )
        self.k = k
        self.n = n
        self.alpha = alpha
        self.beta = beta
        self.divide_alpha_by_n = divide_alpha_by_n

    def build(self, input_shape):
        if len(input_shape) not in (4, 5) or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__}(name={self.name!r}) expects a map (batch, "
                f"height, width, channels), or (batch, height, width, order, channels) "
                f"with orientations, with a known number of channels. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes={-1: input_shape[-1]}
        )
        channel = np.arange(input_shape[-1])
        offset = channel[:, None] - channel
        is_near = (-(self.n // 2) <= offset) & (offset <= (self.n - 1) // 2)
        self._is_near = is_near.astype("int32")

    def call(self, inputs):
        dtype = self.compute_dtype
        dtype = dtype if dtype in ("float32", "float64") else "float32"
        # One product with a band matrix: faster than n shifted sums. `@`, since
        # `ops.matmul` rounds float64 to float32 on torch.
        alpha = self.alpha / self.n if self.divide_alpha_by_n else self.alpha
        neighbours = alpha * ops.cast(self._is_near, dtype)

        @ops.custom_gradient
        def normalize(x):
            base = self.k + ops.square(x) @ neighbours
            factor = _inverse_power(base, self.beta)

            def gradient(*arguments, upstream=None):
                # With f = base^-beta and S the neighbours' sum:
                # dx = f dy - 2 beta x S^T(x dy f / base), in fewer passes over the map
                # than an automatic gradient takes.
                (upstream,) = arguments if upstream is None else (upstream,)
                direct = upstream * factor
                shared = (direct * x / base) @ (
                    2 * self.beta * ops.transpose(neighbours)
                )
                return direct - x * shared

            return x * factor, gradient

        rows = ops.reshape(ops.cast(inputs, dtype), (-1, inputs.shape[-1]))
        outputs = ops.reshape(normalize(rows), ops.shape(inputs))
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "k": self.k,
            "n": self.n,
            "alpha": self.alpha,
            "beta": self.beta,
            "divide_alpha_by_n": self.divide_alpha_by_n,
        }


def _inverse_power(base, exponent):
    if exponent == 0.75:  # two square roots cost less than a power
        root = ops.rsqrt(base)
        return root * ops.sqrt(root)
    return base**-exponent
