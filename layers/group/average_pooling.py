import keras
from keras import ops

from zoo.layers.group.spatial_pooling import GroupSpatialPooling2D


@keras.saving.register_keras_serializable(package="convzoo")
class GroupAveragePooling2D(GroupSpatialPooling2D):
    """Mean over windows of positions, in each orientation by itself.

    Args:
        pool_size: int or pair of ints. Equal on both axes for C4 and D4.
        group: name of the symmetry group of the map.
        strides: int or pair of ints; None for `pool_size`.
        padding: `"valid"`, or `"same"`: (pool_size - 1) / 2 on either side, odd sizes
            only. The margin does not count in the mean, as in
            `keras.layers.AveragePooling2D`.
        strict: bool. Refuse a size at which pooling is not exactly equivariant:
            (size + padding - pool_size) mod strides must be 0.
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
    >>> tuple(GroupAveragePooling2D(2, group="C4")(maps).shape)
    (2, 12, 12, 4, 10)
    """

    def _pool(self, images):
        means = self._mean(self._pad(images, 0.0))
        if self.padding == "valid":
            return means
        pixels = ops.ones_like(images[:1, :, :, :1])
        return ops.divide(means, self._mean(self._pad(pixels, 0.0)))

    def _mean(self, images):
        return ops.average_pool(
            images,
            self.pool_size,
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
        )
