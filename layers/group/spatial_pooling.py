from keras import ops

from zoo.layers.group.base import GroupLayer, merge_orientations, split_orientations
from zoo.layers.group.window import Window, standardize_pair


class GroupSpatialPooling2D(GroupLayer):
    """What max and average pooling over positions share; `_pool` tells them apart."""

    accepts_images = True

    def __init__(
        self,
        pool_size=2,
        group="C4",
        strides=None,
        padding="valid",
        strict=True,
        **kwargs,
    ):
        super().__init__(group=group, **kwargs)
        self.pool_size = standardize_pair(pool_size, "pool_size")
        self.strides = standardize_pair(
            self.pool_size if strides is None else strides, "strides"
        )
        self.padding = padding
        self.strict = strict
        self.window = Window(
            layer=self._describe(),
            group=self._group,
            size_name="pool_size",
            size=self.pool_size,
            strides=self.strides,
            dilation_rate=(1, 1),
            padding=padding,
            strict=strict,
        )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        self.compute_output_shape(inputs.shape)
        # Keras leaves whole numbers, such as raw uint8 images, as they are.
        images = ops.cast(inputs, self.compute_dtype)
        outputs = self._pool(merge_orientations(images))
        if len(inputs.shape) == 5:
            outputs = split_orientations(outputs, self._group.order)
        return outputs

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        height, width = self.window.output_size(input_shape[1], input_shape[2])
        return (input_shape[0], height, width, *input_shape[3:])

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "strict": self.strict,
        }

    def _pad(self, images, value):
        """Symmetric padding, also where TensorFlow's own "same" would pad (0, 1)."""
        rows, columns = self.window.margin
        if rows == columns == 0:
            return images
        return ops.pad(
            images,
            ((0, 0), (rows, rows), (columns, columns), (0, 0)),
            constant_values=value,
        )
