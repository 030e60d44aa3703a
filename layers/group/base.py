import keras
import numpy as np
from keras import ops

from zoo.layers.group.groups import get_group
from zoo.layers.group.orientations import orientations_of


class GroupLayer(keras.layers.Layer):
    """What the layers on group feature maps share: a group, and the check of it.

    Args:
        group: name of the symmetry group, such as `"C4"`.
        **kwargs: `name`, `dtype`, `trainable` of every Keras layer.

    Input shape: a group feature map `(batch, height, width, order, channels)`.
    """

    accepts_images = False

    def __init__(self, group="C4", **kwargs):
        super().__init__(**kwargs)
        self._group = get_group(group)
        self.group = self._group.name

    @property
    def output_orientations(self):
        """What the orientation axis of the output runs over: all of the group."""
        return (self.group, "C1")

    def compute_output_spec(self, inputs, *args, **kwargs):
        self._check_orientations(inputs)
        return super().compute_output_spec(inputs, *args, **kwargs)

    def get_config(self):
        return {**super().get_config(), "group": self.group}

    def _describe(self):
        return f"{type(self).__name__}(group={self.group!r}, name={self.name!r})"

    def _check_rank(self, shape):
        """Refuses what is not a map of this layer's group."""
        shape = tuple(shape)
        order = self._group.order
        expected = f"(batch, height, width, {order}, channels)"
        if len(shape) == 5:
            if shape[3] not in (order, None):
                raise ValueError(
                    f"{self._describe()} expects {order} orientations on axis 3, "
                    f"input shape {expected}. Received: shape={shape}. Make the map "
                    f"with a layer of the same group."
                )
        elif not (len(shape) == 4 and self.accepts_images):
            images = (
                "an image batch (batch, height, width, channels) or "
                if self.accepts_images
                else ""
            )
            raise ValueError(
                f"{self._describe()} expects {images}a group feature map {expected}. "
                f"Received: shape={shape}. GroupConv2D turns an image batch into a "
                f"group feature map."
            )

    def _check_orientations(self, inputs):
        """Refuses a map that an earlier layer made for another group."""
        made_for = orientations_of(inputs)
        if made_for is None:
            return
        producer, subgroup = get_group(made_for[0]), made_for[1]
        if self.group in producer.subgroup_names:
            elements = producer.subgroup_elements(self.group)
            regular = self._group.product[self._group.inverse]
            moved = [producer.coset_permutation(g, subgroup) for g in elements]
            if np.array_equal(moved, regular):
                return
        pooled = "" if subgroup == "C1" else f" pooled over {subgroup}"
        remedy = "pool the group first (GroupPooling)"
        if not pooled:
            remedy = f"use group={producer.name!r} here, or {remedy}"
        raise ValueError(
            f"{self._describe()} received a feature map of group {producer.name}"
            f"{pooled}, shape {tuple(inputs.shape)}. Expected a map of group "
            f"{self.group}: their orientations do not move alike. Rather {remedy}."
        )


def mean(values, axes, keepdims=False):
    """The mean in the precision of the values.

    On JAX and torch Keras averages float64 in float32; half precision it rightly adds
    up in float32 everywhere.
    """
    if keras.backend.standardize_dtype(values.dtype) != "float64":
        return ops.mean(values, axis=axes, keepdims=keepdims)
    total = ops.sum(values, axis=axes, keepdims=keepdims)
    shape = ops.shape(values)
    number = ops.prod(ops.stack([ops.cast(shape[axis], "float64") for axis in axes]))
    return ops.divide(total, number)


def merge_orientations(maps):
    """`(B, H, W, G, C)` to `(B, H, W, G * C)`, what planar operations take."""
    if len(maps.shape) == 4:
        return maps
    # No -1 for the batch: it would be ambiguous in an empty one, which a strategy may
    # hand to a replica.
    batch, height, width, order, channels = ops.shape(maps)
    return ops.reshape(maps, (batch, height, width, order * channels))


def split_orientations(maps, order):
    """`(B, H, W, G * C)` back to `(B, H, W, G, C)`."""
    batch, height, width, channels = ops.shape(maps)
    return ops.reshape(maps, (batch, height, width, order, channels // order))
