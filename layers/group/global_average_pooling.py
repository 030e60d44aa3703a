import keras

from zoo.layers.group.base import GroupLayer, mean


@keras.saving.register_keras_serializable(package="convzoo")
class GroupGlobalAveragePooling2D(GroupLayer):
    """Mean over all positions and all orientations: what is left does not turn.

    Args:
        group: name of the symmetry group of the map.
        keepdims: bool. Keep height, width and orientation as axes of length 1.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, height, width, order, channels)`; height and width may be None.

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, 1, channels)`.

    Raises:
        ValueError: for another rank or group.

    Example:

    >>> maps = keras.random.normal((2, 12, 12, 4, 10))
    >>> tuple(GroupGlobalAveragePooling2D(group="C4")(maps).shape)
    (2, 10)
    """

    output_orientations = None

    def __init__(self, group="C4", keepdims=False, **kwargs):
        super().__init__(group=group, **kwargs)
        self.keepdims = keepdims

    def build(self, input_shape):
        self._check_rank(input_shape)

    def call(self, inputs):
        self._check_rank(inputs.shape)
        return mean(inputs, axes=(1, 2, 3), keepdims=self.keepdims)

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        ones = (1, 1, 1) if self.keepdims else ()
        return (input_shape[0], *ones, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "keepdims": self.keepdims}
