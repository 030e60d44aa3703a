"""What both convolutions over time and dyadic scales share."""

import keras
import numpy as np
from keras import ops

from zoo.layers.group.window import is_positive_integer


class ScaleLayer(keras.layers.Layer):
    """A convolution whose kernel is also applied dilated, at scales 1, 2, 4, ...

    Between the taps of a kernel dilated by s lie s - 1 samples. A quadratic B-spline
    of that width, (B_s * x)[t] = sum_n B(n / s) x[t + n], goes before it, and the sum
    over s times as many samples is divided by s.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        scales,
        use_bias,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (
            ("filters", filters),
            ("kernel_size", kernel_size),
            ("scales", scales),
        ):
            if not is_positive_integer(value):
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}"
                )
        if kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be odd: the middle tap stays where it is at every "
                f"scale. Received: kernel_size={kernel_size}"
            )
        self.filters = int(filters)
        self.kernel_size = int(kernel_size)
        self.scales = int(scales)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    def add_kernel(self, *leading, channels):
        """Weights `(*leading, channels, filters)`, and the bias if there is one."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*leading, channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )

    def convolve(self, x, kernel, scale):
        """The kernel at one scale, from `(batch, time, channels)`."""
        if self.kernel_size == 1:  # one tap: nothing lies between, nothing is added up
            return ops.conv(x, kernel, padding="same", data_format="channels_last")
        outputs = ops.conv(
            smooth(x, scale),
            kernel,
            padding="same",
            dilation_rate=scale,
            data_format="channels_last",
        )
        return outputs / scale

    def finish(self, outputs):
        """One map `(batch, time, scales, filters)` of the maps of all scales."""
        outputs = ops.stack(outputs, axis=2)
        return outputs if self.bias is None else ops.add(outputs, self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "scales": self.scales,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }


def smooth(x, scale):
    """B_s * x over time, each channel by itself, zeros beyond the ends."""
    channels = x.shape[-1]
    spline = np.tile(b_spline(scale)[:, None, None], (1, channels, 1))
    return ops.depthwise_conv(
        x, ops.cast(spline, x.dtype), padding="same", data_format="channels_last"
    )


def b_spline(scale):
    """The quadratic B-spline of width 3 `scale` at whole numbers; its sum is `scale`.

    B(u) = 3/4 - u^2 for |u| < 1/2, (3/2 - |u|)^2 / 2 up to 3/2, 0 beyond.
    """
    reach = -(-3 * scale // 2) - 1  # the last whole number before 3/2 scale
    distance = np.abs(np.arange(-reach, reach + 1)) / scale
    return np.where(distance < 0.5, 0.75 - distance**2, (1.5 - distance) ** 2 / 2)
