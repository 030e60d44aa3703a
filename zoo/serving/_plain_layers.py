"""How each layer of this package is said in stock Keras layers.

A group feature map `(B, H, W, G, C)` is carried as `(B, H, W, G * C)`, a plain map on
which stock two-dimensional layers work, until something needs its orientations.
"""

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.layers.scale.base import b_spline
from zoo.serving._fixed_spectrum import FixedSpectrum

# What works on each number alone, so that it does not mind where orientations stand.
ELEMENTWISE = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Dropout,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.ReLU,
    keras.layers.Subtract,
)
# Activations that look along the channels.
ALONG_CHANNELS = ("glu", "log_softmax", "softmax", "sparsemax")
TRAINING_ONLY = ("regularizer", "constraint")


class PlainLayers:
    """Calls the stock equivalents of a model's operations, one after the other.

    A layer that is used twice gets one equivalent. Weights are copied at the end,
    when every equivalent has been built.

    Args:
        with_spectra: bool. Let group convolutions that are faster in the spectrum of
            their group stay there, in a layer that is not a stock one.
    """

    def __init__(self, with_spectra=False):
        self.with_spectra = with_spectra
        self._made = {}  # equivalents, by name
        self._weights = []  # of (equivalent, list of arrays)
        self._merged = {}  # maps that hold their orientations among the channels

    def call(self, operation, *args, **kwargs):
        """The output of one operation, given the outputs of those before it."""
        kwargs.pop("training", None)
        rule = _RULES.get(type(operation))
        if rule is not None:
            (x,) = args
            return rule(self, operation, x)
        if not isinstance(operation, keras.layers.Layer):
            return operation(*self._split_all(args), **self._split_all(kwargs))
        return self.call_stock(operation, *args, **kwargs)

    def call_stock(self, operation, *args, **kwargs):
        """A stock layer; one that works on each number alone may keep maps merged."""
        orders = {self._order(x) for x in keras.tree.flatten(args)}
        if len(orders) == 1 and orders != {None} and _is_elementwise(operation):
            return self._merge_again(self._stock(operation, *args), orders.pop())
        return self._stock(operation, *self._split_all(args), **self._split_all(kwargs))

    def copy_weights(self):
        for layer, weights in self._weights:
            layer.set_weights(weights)

    def named(self, x, name):
        """The tensor itself, or an identity of that name behind it."""
        if x._keras_history.operation.name == name:
            return x
        if name in self._made:
            self._made[name].name = f"{name}_merged"
            self._made[f"{name}_merged"] = self._made.pop(name)
        return self.layer(keras.layers.Identity, name, x)

    def layer(self, kind, name, x, weights=(), **arguments):
        """Calls a new stock layer, or that of the same name once more."""
        if name not in self._made:
            # Layers of the same name in nested models are told apart by a number.
            self._made[name] = kind(name=name, **arguments)
            if len(weights):
                self._weights.append((self._made[name], list(weights)))
        return self._made[name](x)

    def activate(self, x, activation, name, order=None):
        """Applies an activation as a stock layer, or as operations if it is ours."""
        if activation is keras.activations.linear:
            return x
        if order is not None and _looks_along_channels(activation):
            x, order = self.split(x), None
        if _is_of_keras(activation):
            outputs = self.layer(
                keras.layers.Activation, name, x, activation=activation, dtype=x.dtype
            )
        else:
            outputs = activation(x)
        return outputs if order is None else self._merge_again(outputs, order)

    def merge(self, x):
        """A map with its orientations among the channels, and their number."""
        if id(x) in self._merged:
            return self._merged[id(x)]
        if len(x.shape) != 5:
            return x, None
        *_, order, channels = x.shape
        merged = _reshape(x, (*x.shape[1:3], order * channels))
        return merged, order

    def split(self, x):
        """The map `(B, H, W, G, C)` itself, where `x` holds it merged."""
        if id(x) not in self._merged:
            return x
        _, order = self._merged[id(x)]
        return _reshape(x, (*x.shape[1:3], order, x.shape[-1] // order))

    def _order(self, x):
        return self._merged[id(x)][1] if id(x) in self._merged else None

    def _split_all(self, arguments):
        return keras.tree.map_structure(
            lambda x: self.split(x) if keras.utils.is_keras_tensor(x) else x, arguments
        )

    def _merge_again(self, x, order):
        # The tensor is kept with its order: a name of a dead one might be used again.
        self._merged[id(x)] = (x, order)
        return x

    def _stock(self, layer, *args, **kwargs):
        """A stock layer as it is, but for what only training needs."""
        config = _inference_config(layer)
        activation = getattr(layer, "activation", None)
        is_ours = activation is not None and not _is_of_keras(activation)
        if is_ours:
            config["activation"] = None
        name = f"{layer.name}_linear" if is_ours else layer.name
        if name not in self._made:
            self._made[name] = type(layer).from_config({**config, "name": name})
            if layer.weights:
                self._weights.append((self._made[name], layer.get_weights()))
        outputs = self._made[name](*args, **kwargs)
        return activation(outputs) if is_ours else outputs


def _inference_config(layer):
    """The layer's, without what only training needs, in full precision."""
    config = layer.get_config()
    for key in config:
        if key.endswith(TRAINING_ONLY):
            config[key] = None
    return {**config, "dtype": _full_precision(layer)}


def _is_of_keras(activation):
    return getattr(activation, "__module__", "keras").split(".")[0] == "keras"


def _looks_along_channels(activation):
    return getattr(activation, "__name__", "") in ALONG_CHANNELS


def _is_elementwise(layer):
    activation = getattr(layer, "activation", None)
    return isinstance(layer, ELEMENTWISE) and not _looks_along_channels(activation)


def _full_precision(layer):
    return "float64" if layer.compute_dtype == "float64" else "float32"


def _reshape(x, shape):
    """Merges or splits the last axes, where height and width may be unknown."""
    if None not in shape:
        return ops.reshape(x, (-1, *shape))
    if len(shape) == 3:
        parts = [x[..., orientation, :] for orientation in range(x.shape[3])]
        return ops.concatenate(parts, axis=-1)
    return ops.stack(ops.split(x, shape[2], axis=-1), axis=3)


def _conv(plain, layer, x, kernel, bias, order=None, margin=(0, 0), padding="valid"):
    """An ordinary convolution of a given kernel, with the activation of `layer`."""
    arguments = {"dtype": _full_precision(layer), "data_format": "channels_last"}
    if margin != (0, 0):
        x = plain.layer(
            keras.layers.ZeroPadding2D,
            f"{layer.name}_padding",
            x,
            padding=margin,
            **arguments,
        )
    strides, dilation = layer.strides, getattr(layer, "dilation_rate", (1, 1))
    is_both = strides != (1, 1) and dilation != (1, 1)
    is_keras = _is_of_keras(layer.activation) and not (
        order and _looks_along_channels(layer.activation)
    )
    is_last = is_keras and not is_both
    outputs = plain.layer(
        keras.layers.Conv2D,
        layer.name if is_last else f"{layer.name}_linear",
        x,
        weights=[kernel] if bias is None else [kernel, bias],
        filters=kernel.shape[-1],
        kernel_size=kernel.shape[:2],
        strides=1 if is_both else strides,
        dilation_rate=dilation,
        padding=padding,
        use_bias=bias is not None,
        activation=layer.activation if is_last else None,
        **arguments,
    )
    if is_both:  # Keras has no such convolution: what the stride skips is left out
        outputs = outputs[:, :: strides[0], :: strides[1]]
    if order is not None:
        outputs = plain._merge_again(outputs, order)
    if is_last:
        return outputs
    return plain.activate(outputs, layer.activation, layer.name, order)


def _group_conv_2d(plain, layer, x):
    merged, _ = plain.merge(x)
    order = layer._group.order
    is_spectral = (
        plain.with_spectra and layer._takes_spectral() and layer.strides == (1, 1)
    )
    if layer._turns_input(merged, is_spectral):
        return _dense_head(plain, layer, merged)
    if is_spectral:
        return _fixed_spectrum(plain, layer, x)
    bias = None if layer.bias is None else np.tile(layer.bias.numpy(), order)
    margin, padding = layer.window.margin, "valid"
    if margin != (0, 0) and _is_symmetric(layer, merged):
        margin, padding = (0, 0), "same"
    kernel = keras.ops.convert_to_numpy(layer._expanded_kernel())
    return _conv(plain, layer, merged, kernel, bias, order, margin, padding)


def _fixed_spectrum(plain, layer, x):
    dtype = _full_precision(layer)
    stored = ops.cast(layer.kernel, dtype)
    stored = ops.reshape(stored, (-1, *layer.kernel.shape[3:]))
    weights = [
        keras.ops.convert_to_numpy(block) for block in layer._spectral.spectrum(stored)
    ]
    if layer.bias is not None:
        weights.append(layer.bias.numpy())
    return plain.layer(
        FixedSpectrum,
        layer.name,
        plain.split(x),
        weights=weights,
        convolution=layer._spectral,
        shapes=[weight.shape for weight in weights],
        activation=layer.activation,
        dtype=dtype,
    )


def _is_symmetric(layer, x):
    """Whether Keras's own "same" pads alike on both sides, at this size."""
    return all(
        stride == 1 or (length is not None and (length - 1) % stride == 0)
        for length, stride in zip(x.shape[1:3], layer.strides, strict=True)
    )


def _dense_head(plain, layer, x):
    """A filter as large as its input: the input is turned, the filter stays one.

    Written out in all orientations, the first dense layer of AlexNet over D4 would
    fill 1.2 GB.
    """
    order, (places, channels) = layer._group.order, layer._input_index.shape[1:] + (1,)
    channels = int(np.prod(x.shape[1:])) // places
    kernel = layer.kernel.numpy().reshape(places * channels, layer.filters)
    values = ops.reshape(x, (-1, places, channels))
    turned = ops.take(values, layer._input_index.tolist(), axis=1)
    rows = ops.reshape(turned, (-1, places * channels))
    outputs = plain.layer(
        keras.layers.Dense,
        f"{layer.name}_dense",
        rows,
        weights=[kernel] if layer.bias is None else [kernel, layer.bias.numpy()],
        units=layer.filters,
        use_bias=layer.bias is not None,
        dtype=_full_precision(layer),
    )
    outputs = ops.reshape(outputs, (-1, 1, 1, order * layer.filters))
    outputs = plain._merge_again(outputs, order)
    return plain.activate(outputs, layer.activation, layer.name, order)


def _batch_normalization(plain, layer, x):
    merged, order = plain.merge(x)
    if order is None or layer.axis not in (-1, 4):
        return plain._stock(layer, plain.split(x))
    config = {**_inference_config(layer), "axis": -1}
    name = config.pop("name")
    weights = [np.tile(weight, order) for weight in layer.get_weights()]
    kind = keras.layers.BatchNormalization
    return plain._merge_again(
        plain.layer(kind, name, merged, weights=weights, **config), order
    )


def _convolution(plain, layer, x):
    """Keras computes `groups=` by XLA only: here each group is a convolution."""
    if layer.groups == 1:
        return plain.call_stock(layer, x)
    x = plain.split(x)
    axis = -1 if layer.data_format == "channels_last" else 1
    config = {**_inference_config(layer), "groups": 1, "activation": None}
    config["filters"] = layer.filters // layer.groups
    del config["name"]
    weights = [
        np.split(ops.convert_to_numpy(weight), layer.groups, axis=-1)
        for weight in (layer.kernel, *([layer.bias] if layer.use_bias else []))
    ]
    maps = [
        plain.layer(
            type(layer),
            f"{layer.name}_group_{group}",
            part,
            weights=[weight[group] for weight in weights],
            **config,
        )
        for group, part in enumerate(ops.split(x, layer.groups, axis=axis))
    ]
    outputs = ops.concatenate(maps, axis=axis)
    return plain.activate(outputs, layer.activation, layer.name)


def _group_dropout(plain, layer, x):
    kind = keras.layers.Dropout
    return _on_merged(plain, kind, layer, x, rate=layer.rate)


def _on_merged(plain, kind, layer, x, **arguments):
    merged, order = plain.merge(x)
    arguments["dtype"] = _full_precision(layer)
    outputs = plain.layer(kind, layer.name, merged, **arguments)
    return outputs if order is None else plain._merge_again(outputs, order)


def _group_max_pooling_2d(plain, layer, x):
    return _spatial_pooling(plain, keras.layers.MaxPooling2D, layer, x)


def _group_average_pooling_2d(plain, layer, x):
    if layer.padding == "valid":
        return _spatial_pooling(plain, keras.layers.AveragePooling2D, layer, x)
    # Ours leaves the margin out of the mean, as its own code says.
    merged, order = plain.merge(x)
    outputs = layer._pool(merged)
    return outputs if order is None else plain._merge_again(outputs, order)


def _spatial_pooling(plain, kind, layer, x):
    merged, order = plain.merge(x)
    padding = layer.padding
    if padding == "same" and not _is_symmetric(layer, merged):
        merged, padding = layer._pad(merged, float("-inf")), "valid"
    outputs = plain.layer(
        kind,
        layer.name,
        merged,
        pool_size=layer.pool_size,
        strides=layer.strides,
        padding=padding,
        data_format="channels_last",
        dtype=_full_precision(layer),
    )
    return outputs if order is None else plain._merge_again(outputs, order)


def _group_pooling(plain, layer, x):
    maps, axis = plain.split(x), 3
    if layer._cosets is not None:
        maps, axis = ops.take(maps, np.asarray(layer._cosets).tolist(), axis=3), 4
    return ops.max(maps, axis=axis) if layer.mode == "max" else ops.mean(maps, axis)


def _group_global_average_pooling_2d(plain, layer, x):
    return ops.mean(plain.split(x), axis=(1, 2, 3), keepdims=layer.keepdims)


def _group_up_sampling_2d(plain, layer, x):
    return _on_merged(
        plain,
        keras.layers.UpSampling2D,
        layer,
        x,
        size=layer.size,
        interpolation=layer.interpolation,
        data_format="channels_last",
    )


def _local_response_normalization(plain, layer, x):
    """x (k + alpha sum of squares)^-beta: the sum is a 1x1 convolution."""
    merged, order = plain.merge(x)
    alpha = layer.alpha / layer.n if layer.divide_alpha_by_n else layer.alpha
    band = alpha * layer._is_near.astype("float32")
    shape = merged.shape[1:]
    squares = ops.square(merged)
    is_open = None in shape
    if order is not None and is_open:
        band = np.kron(np.eye(order, dtype="float32"), band)
    elif order is not None:
        height, width, channels = shape
        squares = ops.reshape(squares, (-1, height, width * order, channels // order))
    base = plain.layer(
        keras.layers.Conv2D,
        f"{layer.name}_base",
        squares,
        weights=[band[None, None], np.full(len(band), layer.k, "float32")],
        filters=len(band),
        kernel_size=1,
        data_format="channels_last",
        dtype=_full_precision(layer),
    )
    if order is not None and not is_open:
        base = ops.reshape(base, (-1, *shape))
    if layer.beta == 0.75:  # two square roots cost less than a power
        root = ops.rsqrt(base)
        factor = root * ops.sqrt(root)
    else:
        factor = ops.power(base, -layer.beta)
    outputs = merged * factor
    return outputs if order is None else plain._merge_again(outputs, order)


def _table_conv_2d(plain, layer, x):
    kernel = ops.convert_to_numpy(layer._full_kernel())
    bias = None if layer.bias is None else layer.bias.numpy()
    return _conv(plain, layer, x, kernel, bias, padding=layer.padding)


def _untied_bias(plain, layer, x):
    return ops.add(x, layer.bias.numpy())


def _weight_normalized_conv_1d(plain, layer, x):
    kernel = ops.convert_to_numpy(layer.kernel)
    return plain.layer(
        keras.layers.Conv1D,
        layer.name,
        x,
        weights=[kernel] if layer.bias is None else [kernel, layer.bias.numpy()],
        filters=layer.filters,
        kernel_size=layer.kernel_size,
        dilation_rate=layer.dilation_rate,
        padding="causal",
        use_bias=layer.bias is not None,
        data_format="channels_last",
        dtype=_full_precision(layer),
    )


def _scale_lift_conv_1d(plain, layer, x):
    kernel = layer.kernel.numpy()
    maps = [
        _at_scale(plain, layer, x, kernel, 2**index) for index in range(layer.scales)
    ]
    return _stack_scales(layer, maps)


def _scale_conv_1d(plain, layer, x):
    width = layer.scales * x.shape[-1]
    kernel = layer.kernel.numpy().reshape(layer.kernel_size, width, layer.filters)
    maps = []
    for index in range(x.shape[2] - layer.scales + 1):
        near = x[:, :, index : index + layer.scales]
        near = ops.reshape(near, (-1, *_time(x), width))
        maps.append(_at_scale(plain, layer, near, kernel, 2**index))
    return _stack_scales(layer, maps)


def _time(x):
    if x.shape[1] is None:
        raise ValueError(
            "A ScaleConv1D on sound of any length can't be said in stock layers. Give "
            "the model's input a fixed length."
        )
    return (x.shape[1],)


def _at_scale(plain, layer, x, kernel, scale):
    arguments = {
        "padding": "same",
        "use_bias": False,
        "data_format": "channels_last",
        "dtype": _full_precision(layer),
    }
    name = f"{layer.name}_scale_{scale}"
    if layer.kernel_size > 1:
        spline = b_spline(scale).astype("float32")
        spline = np.tile(spline[:, None, None], (1, x.shape[-1], 1))
        x = plain.layer(
            keras.layers.DepthwiseConv1D,
            f"{name}_smooth",
            x,
            weights=[spline],
            kernel_size=len(spline),
            **arguments,
        )
        kernel = kernel / scale
    return plain.layer(
        keras.layers.Conv1D,
        name,
        x,
        weights=[kernel],
        filters=layer.filters,
        kernel_size=layer.kernel_size,
        dilation_rate=scale if layer.kernel_size > 1 else 1,
        **arguments,
    )


def _stack_scales(layer, maps):
    outputs = ops.stack(maps, axis=2)
    return outputs if layer.bias is None else ops.add(outputs, layer.bias.numpy())


def _mel_spectrogram(plain, layer, x):
    """The Fourier transform of each frame as a convolution, which every format has."""
    length = layer.fft_length
    phase = 2 * np.pi * np.outer(np.arange(length), np.arange(length // 2 + 1)) / length
    window = layer._hann[:, None, None]
    samples, channels = x.shape[1:]
    arguments = {"dtype": _full_precision(layer), "data_format": "channels_last"}
    pictures = []
    for channel in range(channels):
        name = layer.name if channels == 1 else f"{layer.name}_{channel}"
        padded = plain.layer(
            keras.layers.ZeroPadding1D,
            f"{name}_padding",
            x if channels == 1 else x[..., channel : channel + 1],
            padding=length // 2,
            **arguments,
        )
        energy = 0.0
        for part, wave in (("real", np.cos(phase)), ("imaginary", -np.sin(phase))):
            frames = plain.layer(
                keras.layers.Conv1D,
                f"{name}_{part}",
                padded,
                weights=[window * wave[:, None, :]],
                filters=wave.shape[1],
                kernel_size=length,
                strides=layer.hop_length,
                use_bias=False,
                **arguments,
            )
            energy = ops.square(frames) + energy
        if layer.power != 2:
            energy = ops.power(energy, layer.power / 2)
        bins = plain.layer(
            keras.layers.Conv1D,
            f"{name}_triangles",
            energy,
            weights=[layer._triangles[None].astype("float32")],
            filters=layer.mel_bins,
            kernel_size=1,
            use_bias=False,
            **arguments,
        )
        pictures.append(ops.transpose(bins, (0, 2, 1)))
    return ops.stack(pictures, axis=-1)


_RULES = {
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Conv1D: _convolution,
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv3D: _convolution,
    layers.GroupAveragePooling2D: _group_average_pooling_2d,
    layers.GroupConv2D: _group_conv_2d,
    layers.GroupDropout: _group_dropout,
    layers.GroupGlobalAveragePooling2D: _group_global_average_pooling_2d,
    layers.GroupMaxPooling2D: _group_max_pooling_2d,
    layers.GroupPooling: _group_pooling,
    layers.GroupUpSampling2D: _group_up_sampling_2d,
    layers.LocalResponseNormalization: _local_response_normalization,
    layers.MelSpectrogram: _mel_spectrogram,
    layers.ScaleConv1D: _scale_conv_1d,
    layers.ScaleLiftConv1D: _scale_lift_conv_1d,
    layers.TableConv2D: _table_conv_2d,
    layers.UntiedBias: _untied_bias,
    layers.WeightNormalizedConv1D: _weight_normalized_conv_1d,
}
