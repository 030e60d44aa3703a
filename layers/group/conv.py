import keras
import numpy as np
from keras import ops

from zoo.layers.group.base import GroupLayer, merge_orientations
from zoo.layers.group.spectral.convolution import PASSES, SpectralConvolution
from zoo.layers.group.window import Window, is_positive_integer, standardize_pair

IMPLEMENTATIONS = ("auto", "expand", "spectral")


@keras.saving.register_keras_serializable(package="convzoo")
class GroupConv2D(GroupLayer):
    """Convolution over the plane and a symmetry group: the output turns with the input.

    One filter `w` is learned and applied in every orientation of the group. On images
    it lifts, `Z2 -> G`; on group feature maps it correlates over the group, `G -> G`:

        lift        y_s(p) = sum_q      w[s^-1 q]         x(p + q)
        correlate   y_s(p) = sum_{q, i} w[s^-1 q, s^-1 i] x_i(p + q)

    so that `layer(g x) = g layer(x)` for every element g. For C4, with r the
    orientation, `layer(rot90(x))[..., r, :] == rot90(layer(x)[..., r - 1, :])`.

    It has nothing to do with the `groups=` of `keras.layers.Conv2D`, which splits the
    channels into separate blocks.

    Reference: Cohen and Welling, Group Equivariant Convolutional Networks, ICML 2016
    (arXiv:1602.07576), section 6. One bias a filter, shared by its orientations, is
    their choice too. Symmetric padding for `"same"` is ours: TensorFlow's own pads
    (0, 1) at stride 2 on even sizes, which breaks equivariance silently.

    Args:
        filters: int, channels of the output in each orientation.
        kernel_size: int or pair of ints. Equal on both axes for C4 and D4.
        group: `"C1"`, `"C2"`, `"C4"` (turns), `"D1"`, `"D2"`, `"D4"` (and flips).
        strides: int or pair of ints.
        padding: `"valid"`, or `"same"`: (kernel_size - 1) / 2 on either side, odd
            kernels only.
        dilation_rate: int or pair of ints.
        activation: name or callable, or None for linear.
        use_bias: bool.
        implementation: `"expand"` writes the filter out in every orientation and runs
            one ordinary convolution. `"spectral"` multiplies in the spectrum of the
            group: the same numbers from 3.2 (C4) or 5.3 (D4) times fewer
            multiplications; an image batch is lifted by `"expand"` all the same.
            `"auto"` takes the faster one, by a measured rule: the spectrum from about
            32 (C4) or 18 (D4) channels an orientation, on a CPU. Where the filter
            covers the whole input, as in a dense head, it turns the input and not the
            filter. docs/group_convolution.md tells how and why.
        strict: bool. Refuse an input size at which the layer is not exactly
            equivariant, which takes (size + padding - kernel_size) mod strides == 0.
        kernel_initializer, bias_initializer: Keras initialisers. The fan-in counts the
            orientations of the input, as it must.
        kernel_regularizer, bias_regularizer, activity_regularizer: Keras regularisers.
        kernel_constraint, bias_constraint: Keras constraints.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape:
        `(batch, height, width, channels)`, or a feature map of the same group
        `(batch, height, width, order, channels)`. Channels last on every backend.
        Height and width may be None at stride 1.

    Output shape:
        `(batch, new_height, new_width, order, filters)`.

    Raises:
        ValueError: for an unknown group, a window that no size makes exact, an input
            of another rank or group, or (under `strict`) a size that is not exact.

    Example:

    >>> images = keras.random.normal((2, 28, 28, 1))
    >>> maps = GroupConv2D(10, 3, group="C4", activation="relu")(images)
    >>> tuple(maps.shape)
    (2, 26, 26, 4, 10)
    >>> tuple(GroupConv2D(10, 3, group="C4")(maps).shape)
    (2, 24, 24, 4, 10)
    """

    accepts_images = True

    def __init__(
        self,
        filters,
        kernel_size,
        group="C4",
        strides=1,
        padding="valid",
        dilation_rate=1,
        activation=None,
        use_bias=True,
        implementation="auto",
        strict=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            group=group, activity_regularizer=activity_regularizer, **kwargs
        )
        if not is_positive_integer(filters):
            raise ValueError(
                f"`filters` must be a positive integer. Received: filters={filters!r}"
            )
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(
                f"`implementation` must be one of {IMPLEMENTATIONS}. "
                f"Received: implementation={implementation!r}"
            )
        self.filters = int(filters)
        self.kernel_size = standardize_pair(kernel_size, "kernel_size")
        self.strides = standardize_pair(strides, "strides")
        self.padding = padding
        self.dilation_rate = standardize_pair(dilation_rate, "dilation_rate")
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.implementation = implementation
        self.strict = strict
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.window = Window(
            layer=self._describe(),
            group=self._group,
            size_name="kernel_size",
            size=self.kernel_size,
            strides=self.strides,
            dilation_rate=self.dilation_rate,
            padding=padding,
            strict=strict,
        )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"{self._describe()}: the number of channels must be known. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        input_order = self._group.order if len(input_shape) == 5 else 1
        # Leading axes are the receptive field to Keras's initialisers, so that
        # fan_in = k * k * |G_in| * channels.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, input_order, channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self._filter_index = self._expansion_table(input_order)
        # s^-1 x is gathered from the places that w turned by s^-1 comes from.
        self._input_index = np.stack(
            [self._filter_index[..., g].ravel() for g in self._group.inverse]
        )
        self._spectral = None
        if input_order > 1 and self.implementation != "expand":
            self._spectral = SpectralConvolution(
                self._group, self._filter_index, self.dilation_rate, self.window.margin
            )
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes={-1: channels}
        )

    def call(self, inputs):
        _, height, width, _, _ = self.compute_output_shape(inputs.shape)
        # Keras leaves whole numbers, such as raw uint8 images, as they are.
        inputs = ops.cast(inputs, self.compute_dtype)
        is_spectral = self._takes_spectral()
        if self._turns_input(inputs, is_spectral):
            outputs = self._correlate_turned_inputs(inputs)
        elif is_spectral:
            return self.activation(self._correlate_spectra(inputs))
        else:
            outputs = self._correlate_turned_filters(inputs, height, width)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)

    def _turns_input(self, inputs, is_spectral):
        """Whether the filter sees the whole input at once, as a dense layer does.

        Then the input is turned. One pixel of many channels is better left to the
        spectrum; larger windows are not: each tap has a row an image to multiply.
        """
        return (
            self.implementation == "auto"
            and self.padding == "valid"
            and tuple(inputs.shape[1:3]) == self.window.extent == self.kernel_size
            and not (is_spectral and self.kernel_size == (1, 1))
        )

    def _correlate_turned_inputs(self, inputs):
        """y_s = sum_{q, i} w[q, i] (s^-1 x)_i(q), where there is one position only.

        The filter need not be written out in every orientation (1.2 GB for the first
        dense layer of AlexNet over D4), and every orientation is added up in the same
        order, so that no rounding tells a turned input from another.
        """
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        places = self._input_index.shape[1]
        values = ops.reshape(inputs, (-1, places, inputs.shape[-1]))
        turned = ops.take(values, self._input_index, axis=1)
        # `@`, since `ops.matmul` rounds float64 to float32 on torch.
        outputs = ops.reshape(turned, (-1, kernel.shape[0])) @ kernel
        shape = (ops.shape(inputs)[0], 1, 1, self._group.order, self.filters)
        return ops.reshape(outputs, shape)

    def _takes_spectral(self):
        if self._spectral is None or self.implementation == "spectral":
            return self._spectral is not None
        *_, channels, filters = self.kernel.shape
        return _rule_holds() and self._spectral.pays(channels, filters, self.strides)

    def _correlate_spectra(self, inputs):
        rows, columns = self.strides
        # A window of one pixel needs none of what the stride skips; others are computed
        # everywhere, and what is skipped is left out.
        if self.window.extent == (1, 1):
            inputs = inputs[:, ::rows, ::columns]
        outputs = self._spectral(inputs, self.kernel, self.bias)
        if self.window.extent != (1, 1):
            outputs = outputs[:, ::rows, ::columns]
        return outputs

    def _correlate_turned_filters(self, inputs, height, width):
        images = merge_orientations(inputs)
        padding = "valid"
        if self.padding == "same" and self.strides == (1, 1):
            padding = "same"  # symmetric on every backend, at stride 1 only
        elif self.padding == "same":
            rows, columns = self.window.margin
            images = ops.pad(images, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
        # Keras has no convolution with both a stride and a dilation: what the stride
        # would skip is computed and left out.
        is_dilated = self.dilation_rate != (1, 1)
        outputs = ops.conv(
            images,
            self._expanded_kernel(),
            strides=1 if is_dilated else self.strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )
        if is_dilated:
            outputs = outputs[:, :: self.strides[0], :: self.strides[1]]
        # TensorFlow's convolution gives an empty batch (a strategy may hand one to a
        # replica) another shape: what is known of it is said here.
        batch, actual_height, actual_width, _ = ops.shape(outputs)
        shape = (batch, height or actual_height, width or actual_width)
        return ops.reshape(outputs, (*shape, self._group.order, self.filters))

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        height, width = self.window.output_size(input_shape[1], input_shape[2])
        return (input_shape[0], height, width, self._group.order, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "implementation": self.implementation,
            "strict": self.strict,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer
            ),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }

    def _expansion_table(self, input_order):
        """Where each tap of each turned filter stands in the stored one.

        Entry [q, i, s] is the flat index of (s^-1 q, s^-1 i): the group acts on a
        table of indices exactly as it acts on a feature map.
        """
        index = np.arange(np.prod(self.kernel_size) * input_order)
        index = index.reshape(*self.kernel_size, input_order)
        turned = []
        for element in range(self._group.order):
            moved = self._group.act_on_grid(element, index)
            if input_order > 1:
                moved = self._group.act_on_orientations(element, moved, axis=2)
            turned.append(moved)
        return np.stack(turned, axis=-1).astype("int32")

    def _expanded_kernel(self):
        """The filter in every orientation: `(k, k, |G_in| * C_in, |G| * filters)`."""
        channels = self.kernel.shape[3]
        stored = ops.reshape(self.kernel, (-1, channels, self.filters))
        turned = ops.take(stored, self._filter_index, axis=0)
        turned = ops.transpose(turned, (0, 1, 2, 4, 3, 5))
        return ops.reshape(
            turned,
            (
                *self.kernel_size,
                self._filter_index.shape[2] * channels,
                self._group.order * self.filters,
            ),
        )


def _rule_holds():
    """Whether the rule holds here: on TensorFlow and JAX, without an accelerator.

    On torch the two forms were equally fast. On a GPU "expand" was the faster one at
    every width: docs/group_convolution.md.
    """
    if keras.backend.backend() not in PASSES:
        return False
    return all(name.startswith("cpu") for name in keras.distribution.list_devices())
