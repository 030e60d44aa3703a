import keras
from keras import ops

from zoo.layers.scale.base import ScaleLayer


@keras.saving.register_keras_serializable(package="convzoo")
class ScaleLiftConv1D(ScaleLayer):
    """Convolution of a signal with one kernel at many scales: a learned wavelet.

    `Z -> Z x S`. A kernel w is applied to the signal at scales s = 1, 2, 4, ...:

        y_s[t] = 1/s sum_k w[k] (B_s * x)[t + s k]

    with the quadratic B-spline B_s of width 3 s. A signal played at half the speed,
    x'[t] = x(t / 2), gives the same activations at half the speed, one scale on:
    y'_2s[2 t] = y_s[t].

    What is exact and what is not: whole scales and the taps of a kernel are. x' must
    be made up between the samples of x, and a sampled spline is no exact low-pass, so
    the equation holds for slow signals and gets worse towards the Nyquist frequency.
    The first scale of x' has no counterpart, nor has the last of x. Zeros stand beyond
    either end of the signal, (kernel_size - 1) / 2 s samples on each side.

    Reference: Romero, Bekkers, Tomczak and Hoogendoorn, Wavelet Networks:
    Scale-Translation Equivariant Learning From Raw Time-Series, TMLR 2024
    (arXiv:2006.05259).

    Args:
        filters: int, channels of the output at each scale.
        kernel_size: int, taps of the kernel; odd.
        scales: int, how many: 1, 2, 4, ... 2^(scales - 1).
        use_bias: bool. One number a filter, the same at all scales.
        kernel_initializer, bias_initializer: Keras initialisers.
        kernel_regularizer, bias_regularizer: Keras regularisers; `ZeroMean` makes
            wavelets of the kernels.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer. In half precision
            the layer computes in float32 inside.

    Input shape:
        `(batch, time, channels)`; time may be None.

    Output shape:
        `(batch, time, scales, filters)`.

    Raises:
        ValueError: for an even kernel, numbers that are not positive, or an input of
            another rank.

    Example:

    >>> waveform = keras.random.normal((2, 1000, 1))
    >>> tuple(ScaleLiftConv1D(8, 79, scales=5)(waveform).shape)
    (2, 1000, 5, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        scales=9,
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
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                f"ScaleLiftConv1D(name={self.name!r}) expects a signal (batch, time, "
                f"channels). Received: input_shape={tuple(input_shape)}"
            )
        self.add_kernel(self.kernel_size, channels=input_shape[-1])
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: input_shape[-1]})

    def call(self, inputs):
        dtype = self.compute_dtype
        dtype = dtype if dtype in ("float32", "float64") else "float32"
        # TensorFlow takes minutes for a dilated convolution of one channel in half
        # precision (CPU).
        x, kernel = ops.cast(inputs, dtype), ops.cast(self.kernel, dtype)
        outputs = [self.convolve(x, kernel, 2**index) for index in range(self.scales)]
        return self.finish([ops.cast(y, self.compute_dtype) for y in outputs])

    def compute_output_shape(self, input_shape):
        batch, time, _ = input_shape
        return (batch, time, self.scales, self.filters)
