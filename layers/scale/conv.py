import keras
from keras import ops

from zoo.layers.scale.base import ScaleLayer


@keras.saving.register_keras_serializable(package="convzoo")
class ScaleConv1D(ScaleLayer):
    """Convolution over time and scale: what moves along the scales, moves on in it.

    `Z x S -> Z x S`. Output scale j sees the `scales` input scales from j on, with the
    kernel w dilated by 2^j:

        y_j[t] = 1/2^j sum_{i, k} w[k, i] (B_(2^j) * x_(j + i))[t + 2^j k]

    with the quadratic B-spline of width 3 * 2^j. Where fewer scales are left than the
    kernel has, there is no output. A kernel of one tap mixes scales and channels at
    each point in time; the spline and the factor are left out, so that it is exact.
    (The authors' code keeps both there: on its last layer, which sees one value over
    time, they multiply scale j by 0.75 / 2^j.)

    With the activations of `ScaleLiftConv1D` it is equivariant in the same way and
    with the same limits: of a signal at half the speed, y'_(j + 1)[2 t] = y_j[t].

    Reference: Romero et al., Wavelet Networks, TMLR 2024 (arXiv:2006.05259); local in
    scale and cropped as in the authors' code.

    Args:
        filters: int, channels of the output at each scale.
        kernel_size: int, taps of the kernel over time; odd.
        scales: int, taps of the kernel over scale.
        use_bias: bool. One number a filter, the same at all scales.
        kernel_initializer, bias_initializer: Keras initialisers.
        kernel_regularizer, bias_regularizer: Keras regularisers; `ZeroMean` makes
            wavelets of the kernels.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape:
        `(batch, time, input_scales, channels)`; time may be None.

    Output shape:
        `(batch, time, input_scales - scales + 1, filters)`.

    Raises:
        ValueError: for an even kernel, numbers that are not positive, an input of
            another rank, or one with fewer scales than the kernel.

    Example:

    >>> maps = keras.random.normal((2, 1000, 5, 8))
    >>> tuple(ScaleConv1D(16, 3, scales=3)(maps).shape)
    (2, 1000, 3, 16)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        scales=1,
        use_bias=False,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_size,
            scales,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            **kwargs,
        )

    def build(self, input_shape):
        if len(input_shape) != 4 or None in input_shape[2:]:
            raise ValueError(
                f"ScaleConv1D(name={self.name!r}) expects a map (batch, time, scales, "
                f"channels), as ScaleLiftConv1D gives it. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        input_scales, channels = input_shape[2:]
        if input_scales < self.scales:
            raise ValueError(
                f"ScaleConv1D(name={self.name!r}): the kernel covers {self.scales} "
                f"scales, the input has {input_scales}. Use fewer `scales`, or more in "
                f"ScaleLiftConv1D."
            )
        self.add_kernel(self.kernel_size, self.scales, channels=channels)
        axes = {2: input_scales, 3: channels}
        self.input_spec = keras.layers.InputSpec(ndim=4, axes=axes)

    def call(self, inputs):
        _, _, input_scales, channels = inputs.shape
        width = self.scales * channels
        kernel = ops.reshape(self.kernel, (self.kernel_size, width, self.filters))
        batch, time = ops.shape(inputs)[:2]
        outputs = []
        for index in range(input_scales - self.scales + 1):
            x = inputs[:, :, index : index + self.scales]
            x = ops.reshape(x, (batch, time, width))
            outputs.append(self.convolve(x, kernel, 2**index))
        return self.finish(outputs)

    def compute_output_shape(self, input_shape):
        batch, time, input_scales, _ = input_shape
        return (batch, time, input_scales - self.scales + 1, self.filters)
