import keras
from keras import ops

from zoo.layers.group.window import is_positive_integer


@keras.saving.register_keras_serializable(package="convzoo")
class WeightNormalizedConv1D(keras.layers.Layer):
    """Causal convolution in time whose filters have a learned length and direction.

    The filter is `w = g v / ||v||`, the norm over all numbers of one filter: training
    turns `v` and stretches `g` apart from each other. `g` starts as `||v||`, so that
    the first filters are those of the initialiser. The output at a step depends on that
    step and earlier ones only, `dilation_rate` apart; before the beginning are zeros.

    Reference: Salimans and Kingma, Weight Normalization: A Simple Reparameterization to
    Accelerate Training of Deep Neural Networks, NIPS 2016 (arXiv:1602.07868), section
    2; the causal form is that of Bai, Kolter and Koltun 2018 (arXiv:1803.01271).

    Args:
        filters: int, number of filters.
        kernel_size: int, steps that a filter sees.
        dilation_rate: int, distance between these steps.
        use_bias: bool.
        kernel_initializer, bias_initializer: Keras initialisers.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape:
        `(batch, steps, channels)`, channels last on every backend; steps may be None.

    Output shape:
        `(batch, steps, filters)`.

    Raises:
        ValueError: for sizes that are no positive integers, or open channels.

    Example:

    >>> layer = WeightNormalizedConv1D(25, kernel_size=7, dilation_rate=2)
    >>> tuple(layer(keras.random.normal((2, 100, 3))).shape)
    (2, 100, 25)
    >>> layer.count_params()  # 7 * 3 * 25 of v, 25 of g, 25 biases
    575
    """

    def __init__(
        self,
        filters,
        kernel_size,
        dilation_rate=1,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        sizes = {
            "filters": filters,
            "kernel_size": kernel_size,
            "dilation_rate": dilation_rate,
        }
        for name, size in sizes.items():
            if not is_positive_integer(size):
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={size!r}"
                )
        self.filters = int(filters)
        self.kernel_size = int(kernel_size)
        self.dilation_rate = int(dilation_rate)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"WeightNormalizedConv1D(name={self.name!r}) needs to know the number "
                f"of channels. Received: input_shape={tuple(input_shape)}"
            )
        # Both stay in full precision: the norm is a sum of many small squares.
        self.direction = self.add_weight(
            name="direction",
            shape=(self.kernel_size, channels, self.filters),
            initializer=self.kernel_initializer,
            autocast=False,
        )
        self.length = self.add_weight(
            name="length",
            shape=(self.filters,),
            initializer=lambda shape, dtype=None: _norm(self.direction),
            autocast=False,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer=self.bias_initializer
            )
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: channels})

    @property
    def kernel(self):
        """The filters `g v / ||v||`, `(kernel_size, channels, filters)`."""
        return self.direction * (self.length / _norm(self.direction))

    def call(self, inputs):
        past = (self.kernel_size - 1) * self.dilation_rate
        outputs = ops.conv(
            ops.pad(inputs, ((0, 0), (past, 0), (0, 0))),
            ops.cast(self.kernel, inputs.dtype),
            dilation_rate=self.dilation_rate,
            data_format="channels_last",
        )
        return outputs if self.bias is None else ops.add(outputs, self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def _norm(direction):
    """The Euclidean length of each filter."""
    return ops.sqrt(ops.sum(ops.square(direction), axis=(0, 1)))
