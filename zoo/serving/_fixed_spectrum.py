"""A wide group convolution as it is served: its weight is the filter's spectrum."""

import keras
from keras import ops


class FixedSpectrum(keras.layers.Layer):
    """`GroupConv2D(implementation="spectral")` at stride 1, for inference.

    The filter is transformed once, before it is written, and not at every request. A
    SavedModel keeps the operations and not the layer, so that nothing of this package
    is needed to run it.

    Args:
        convolution: the `SpectralConvolution` of the layer.
        shapes: of the weights: the blocks of the spectrum, then perhaps the bias.
        activation: a function.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape: `(batch, height, width, order, channels)`.

    Output shape: `(batch, new_height, new_width, order, filters)`.
    """

    def __init__(self, convolution, shapes, activation, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self._convolution = convolution
        self._activation = activation
        self._blocks = [
            self.add_weight(shape=shape, name=f"block_{number}")
            for number, shape in enumerate(shapes[: len(convolution.blocks)])
        ]
        self._bias = None
        if len(shapes) > len(convolution.blocks):
            self._bias = self.add_weight(shape=shapes[-1], name="bias")

    def call(self, inputs):
        spectrum = [ops.convert_to_tensor(block) for block in self._blocks]
        return self._activation(self._convolution.infer(inputs, spectrum, self._bias))
