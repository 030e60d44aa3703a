import keras
from keras import ops

from zoo.layers.group.spatial_pooling import GroupSpatialPooling2D


@keras.saving.register_keras_serializable(package="convzoo")
class GroupMaxPooling2D(GroupSpatialPooling2D):
    """Maximum over windows of positions, in each orientation by itself.

    Args:
        pool_size: int or pair of ints. Equal on both axes for C4 and D4.
        group: name of the symmetry group of the map.
        strides: int or pair of ints; None for `pool_size`.
        padding: `"valid"`, or `"same"`: (pool_size - 1) / 2 on either side, odd sizes
            only. The margin never wins the maximum.
        strict: bool. Refuse a size at which pooling is not exactly equivariant:
            (size + padding - pool_size) mod strides must be 0. A 2 x 2 pool takes even
            sizes, a 3 x 3 pool with stride 2 odd ones.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        A feature map `(batch, height, width, order, channels)`, or one without
        orientations `(batch, height, width, channels)`.

    Output shape:
        The same rank, with the new height and width.

    Raises:
        ValueError: for a window that no size makes exact, another rank or group, or
            (under `strict`) a size that is not exact.

    Example:

    >>> maps = keras.random.normal((2, 24, 24, 4, 10))
    >>> tuple(GroupMaxPooling2D(2, group="C4")(maps).shape)
    (2, 12, 12, 4, 10)
    """

    def _pool(self, images):
        return ops.max_pool(
            self._pad(images, float("-inf")),
            self.pool_size,
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
        )
