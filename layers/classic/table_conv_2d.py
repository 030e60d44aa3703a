import keras
import numpy as np
from keras import ops

from zoo.layers.group.window import standardize_pair


@keras.saving.register_keras_serializable(package="convzoo")
class TableConv2D(keras.layers.Layer):
    """Convolution in which each filter sees only the channels that a table lists.

    It saves weights and makes filters differ, since they look at different features.
    A grouped convolution is the special case of lists that do not overlap. Only the
    connections of the table are weights; they are laid into an ordinary kernel, zero
    elsewhere, for one ordinary convolution.

    Reference: LeCun et al., Backpropagation Applied to Handwritten Zip Code
    Recognition, Neural Computation 1(4), 1989, section 3.1 (layer H2); LeCun et al.
    1998, table I, prints such a table (of rows of different length).

    Args:
        table: for each filter the list of the channels it sees, all lists equally
            long: `[[0, 1], [1, 2]]` is two filters on channels 0, 1 and 1, 2.
        kernel_size: int or pair of ints.
        strides: int or pair of ints.
        padding: `"valid"` or `"same"`, as in `keras.layers.Conv2D`.
        activation: name or callable, or None for linear.
        use_bias: bool.
        kernel_initializer, bias_initializer: Keras initialisers. The fan-in counts
            the channels that a filter sees.
        kernel_regularizer, bias_regularizer: Keras regularisers.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape:
        `(batch, height, width, channels)`, channels last on every backend; height and
        width may be None.

    Output shape:
        `(batch, new_height, new_width, len(table))`.

    Raises:
        ValueError: for a table that is empty, uneven, names a channel twice in a row,
            or one that the input does not have.

    Example:

    >>> layer = TableConv2D([[0, 1], [1, 2], [0, 2]], kernel_size=5)
    >>> tuple(layer(keras.random.normal((2, 8, 8, 3))).shape)
    (2, 4, 4, 3)
    >>> layer.count_params()  # 5 * 5 * 2 * 3 weights and 3 biases
    153
    """

    def __init__(
        self,
        table,
        kernel_size,
        strides=1,
        padding="valid",
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.table = _standardize_table(table)
        self.kernel_size = standardize_pair(kernel_size, "kernel_size")
        self.strides = standardize_pair(strides, "strides")
        if padding not in ("valid", "same"):
            raise ValueError(
                f"`padding` must be 'valid' or 'same'. Received: padding={padding!r}"
            )
        self.padding = padding
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        highest = max(max(row) for row in self.table)
        if channels is None or highest >= channels:
            raise ValueError(
                f"TableConv2D(name={self.name!r}): the table names channel {highest}, "
                f"so the input needs at least {highest + 1} channels. Received: "
                f"input_shape={tuple(input_shape)}"
            )
        seen, filters = len(self.table[0]), len(self.table)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, seen, filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
        # Where each connection stands in the stored kernel; the place behind the last
        # one holds the zero of those that are not there.
        self._places = np.full((channels, filters), seen * filters, dtype="int32")
        for column, row in enumerate(self.table):
            self._places[list(row), column] = np.arange(seen) * filters + column
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})

    def call(self, inputs):
        outputs = self._convolve(inputs, self._full_kernel())
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        kernel_shape = (*self.kernel_size, input_shape[-1], len(self.table))
        inputs, kernel = keras.KerasTensor(input_shape), keras.KerasTensor(kernel_shape)
        return self._convolve(inputs, kernel).shape

    def get_config(self):
        return {
            **super().get_config(),
            "table": self.table,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }

    def _convolve(self, inputs, kernel):
        return ops.conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format="channels_last",
        )

    def _full_kernel(self):
        """The ordinary kernel `(height, width, channels, filters)`, zeros filled in."""
        stored = ops.reshape(self.kernel, (*self.kernel_size, -1))
        stored = ops.pad(stored, ((0, 0), (0, 0), (0, 1)))
        return ops.take(stored, self._places, axis=-1)


def _standardize_table(table):
    """The table as a tuple of tuples of ints.

    Raises:
        ValueError: if it is none.
    """
    try:
        rows = tuple(tuple(int(channel) for channel in row) for row in table)
    except (TypeError, ValueError):
        rows = ()
    lengths = {len(row) for row in rows}
    distinct = all(len(set(row)) == len(row) for row in rows)
    if len(lengths) != 1 or 0 in lengths or not distinct or min(map(min, rows)) < 0:
        raise ValueError(
            "`table` must list, for each filter, the channels it sees: lists of equal "
            "length of different numbers from 0, such as [[0, 1], [1, 2]]. "
            f"Received: table={table!r}"
        )
    return rows
