import keras
from keras import ops

from zoo.layers.group.base import GroupLayer, mean

MODES = ("max", "mean")


@keras.saving.register_keras_serializable(package="convzoo")
class GroupPooling(GroupLayer):
    """Maximum or mean over the orientations of a map, at each position.

    Over the whole group, `G -> Z2`, the result turns as an image does: pooled over
    positions too, it is invariant. Over a subgroup H it keeps one orientation for each
    coset gH. Pooling a D4 map over D1 leaves the four turns, a map of C4.

    Reference: Cohen and Welling 2016 (arXiv:1602.07576), section 6.3, coset pooling.

    Args:
        group: name of the symmetry group of the map.
        mode: `"max"` or `"mean"`.
        subgroup: name of the subgroup to pool over; None for the whole group.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, height, width, order, channels)`; height and width may be None.

    Output shape:
        `(batch, height, width, channels)`, or with a `subgroup`
        `(batch, height, width, order / |H|, channels)`, cosets ordered by their
        smallest element.

    Raises:
        ValueError: for an unknown mode, what is no subgroup, or another rank or group.

    Example:

    >>> maps = keras.random.normal((2, 12, 12, 8, 10))
    >>> tuple(GroupPooling(group="D4")(maps).shape)
    (2, 12, 12, 10)
    >>> tuple(GroupPooling(group="D4", subgroup="D1")(maps).shape)
    (2, 12, 12, 4, 10)
    """

    def __init__(self, group="C4", mode="max", subgroup=None, **kwargs):
        super().__init__(group=group, **kwargs)
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
        self.mode = mode
        self.subgroup = subgroup
        self._cosets = None if subgroup is None else self._group.cosets(subgroup)

    @property
    def output_orientations(self):
        return None if self.subgroup is None else (self.group, self.subgroup)

    def build(self, input_shape):
        self._check_rank(input_shape)

    def call(self, inputs):
        self._check_rank(inputs.shape)
        axis = 3
        if self._cosets is not None:
            inputs, axis = ops.take(inputs, self._cosets, axis=3), 4
        if self.mode == "max":
            return ops.max(inputs, axis=axis)
        return mean(inputs, axes=(axis,))

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        batch, height, width, _, channels = input_shape
        orientations = () if self._cosets is None else (len(self._cosets),)
        return (batch, height, width, *orientations, channels)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode, "subgroup": self.subgroup}
