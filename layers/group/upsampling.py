import keras
from keras import ops

from zoo.layers.group.base import GroupLayer, merge_orientations, split_orientations
from zoo.layers.group.window import standardize_pair

INTERPOLATIONS = ("nearest", "bilinear")


@keras.saving.register_keras_serializable(package="convzoo")
class GroupUpSampling2D(GroupLayer):
    """Repeats or interpolates positions, in each orientation by itself.

    Exactly equivariant at every size: both interpolations are symmetric about the
    centre of the map.

    Args:
        size: int or pair of ints, the factor. Equal on both axes for C4 and D4.
        group: name of the symmetry group of the map.
        interpolation: `"nearest"` or `"bilinear"`.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        A feature map `(batch, height, width, order, channels)`, or one without
        orientations `(batch, height, width, channels)`. Height and width may be
        None.

    Output shape:
        The same rank, height and width times the factor.

    Raises:
        ValueError: for a factor that no turn allows, an unknown interpolation, or
            another rank or group.

    Example:

    >>> maps = keras.random.normal((2, 7, 7, 4, 10))
    >>> tuple(GroupUpSampling2D(2, group="C4")(maps).shape)
    (2, 14, 14, 4, 10)
    """

    accepts_images = True

    def __init__(self, size=2, group="C4", interpolation="nearest", **kwargs):
        super().__init__(group=group, **kwargs)
        self.size = standardize_pair(size, "size")
        if self._group.has_quarter_turns and self.size[0] != self.size[1]:
            raise ValueError(
                f"{self._describe()}: a quarter turn exchanges height and width, so "
                f"`size` must be equal on both. Received: size={self.size}"
            )
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"`interpolation` must be one of {INTERPOLATIONS}. "
                f"Received: interpolation={interpolation!r}"
            )
        self.interpolation = interpolation

    def build(self, input_shape):
        self._check_rank(input_shape)

    def call(self, inputs):
        self._check_rank(inputs.shape)
        images = merge_orientations(inputs)
        for axis, factor in zip((1, 2), self.size, strict=True):
            if self.interpolation == "nearest":
                images = ops.repeat(images, factor, axis=axis)
            else:
                images = _interpolate(images, factor, axis)
        if len(inputs.shape) == 5:
            images = split_orientations(images, self._group.order)
        return images

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        height, width = (
            None if length is None else length * factor
            for length, factor in zip(input_shape[1:3], self.size, strict=True)
        )
        return (input_shape[0], height, width, *input_shape[3:])

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "interpolation": self.interpolation,
        }


def _interpolate(images, factor, axis):
    """Linear interpolation along one axis, about pixel centres, edges repeated.

    Pixel `factor * n + p` lies (p + 1/2) / factor - 1/2 pixels from pixel n. The
    resizing of TensorFlow does the same but rounds to float32, in float64 too.
    """
    length = ops.shape(images)[axis]
    first = ops.take(images, [0], axis=axis)
    last = ops.take(images, [-1], axis=axis)
    padded = ops.concatenate([first, images, last], axis=axis)
    before, here, after = (
        ops.take(padded, ops.arange(start, start + length), axis=axis)
        for start in range(3)
    )
    phases = []
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5
        neighbour = before if offset < 0 else after
        phases.append((1 - abs(offset)) * here + abs(offset) * neighbour)
    stacked = ops.stack(phases, axis=axis + 1)
    shape = list(ops.shape(images))
    shape[axis] = length * factor
    return ops.reshape(stacked, shape)
