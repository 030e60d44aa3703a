import keras
from keras import ops


@keras.saving.register_keras_serializable(package="convzoo")
class UntiedBias(keras.layers.Layer):
    """Adds a learned number to every unit: a bias of its own at each position.

    After a convolution without a bias it makes one whose weights are shared over
    positions and whose biases are not. It fixes the size of the input, and it breaks
    equivariance: no shift or turn of the input moves the biases.

    Reference: LeCun et al., Backpropagation Applied to Handwritten Zip Code
    Recognition, Neural Computation 1(4), 1989, section 3.1.

    Args:
        initializer: Keras initialiser.
        regularizer: Keras regulariser.
        constraint: Keras constraint.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape:
        `(batch, ...)`, everything after the batch known.

    Output shape:
        The same.

    Raises:
        ValueError: for an input with an open size.

    Example:

    >>> layer = UntiedBias()
    >>> tuple(layer(keras.random.normal((2, 8, 8, 12))).shape)
    (2, 8, 8, 12)
    >>> layer.count_params()
    768
    """

    def __init__(
        self, initializer="zeros", regularizer=None, constraint=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    def build(self, input_shape):
        shape = tuple(input_shape[1:])
        if None in shape:
            raise ValueError(
                f"UntiedBias(name={self.name!r}) has a weight for every unit, so all "
                f"sizes after the batch must be known. Received: input_shape="
                f"{tuple(input_shape)}. Give the input a fixed size."
            )
        self.bias = self.add_weight(
            name="bias",
            shape=shape,
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
        )
        self.input_spec = keras.layers.InputSpec(
            ndim=len(shape) + 1, axes=dict(enumerate(shape, start=1))
        )

    def call(self, inputs):
        return ops.add(inputs, self.bias)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }
