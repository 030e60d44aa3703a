"""The one mechanism behind `group=`: of which layers and widths a net is built."""

import math

import keras

from zoo.layers import (
    GroupAveragePooling2D,
    GroupConv2D,
    GroupDropout,
    GroupGlobalAveragePooling2D,
    GroupMaxPooling2D,
    GroupPooling,
)
from zoo.layers.group.groups import get_group

MATCHES = ("parameters", "compute")


class Symmetry:
    """Makes the layers of a net: planar ones, or their equivalents on a group.

    A builder writes its table once, with `symmetry.conv(...)` where it would say
    `keras.layers.Conv2D(...)`. Each method returns a layer.

    Args:
        group: name of the group, or None for the planar net.
        match: what the equivariant net has in common with the planar one:
            `"parameters"` (filters / sqrt|G|) or `"compute"` (filters / |G|).

    Raises:
        ValueError: for an unknown group or match.
    """

    def __init__(self, group=None, match="parameters"):
        if match not in MATCHES:
            raise ValueError(
                f"`match` must be one of {MATCHES}. Received: match={match!r}"
            )
        self.group = None if group is None else get_group(group).name
        self.order = 1 if group is None else get_group(group).order
        self.match = match

    def width(self, filters, multiple_of=1):
        """Filters an orientation, for so many in the planar net."""
        if self.group is None:
            return filters
        divisor = math.sqrt(self.order) if self.match == "parameters" else self.order
        return max(1, round(filters / divisor / multiple_of)) * multiple_of

    def conv(self, filters, kernel_size, **arguments):
        """A convolution with exactly so many filters; `width` is the caller's."""
        if self.group is None:
            return keras.layers.Conv2D(
                filters, kernel_size, data_format="channels_last", **arguments
            )
        return GroupConv2D(filters, kernel_size, group=self.group, **arguments)

    def max_pool(self, pool_size, strides=None, **arguments):
        if self.group is None:
            return keras.layers.MaxPooling2D(
                pool_size, strides, data_format="channels_last", **arguments
            )
        return GroupMaxPooling2D(
            pool_size, strides=strides, group=self.group, **arguments
        )

    def average_pool(self, pool_size, strides=None, **arguments):
        if self.group is None:
            return keras.layers.AveragePooling2D(
                pool_size, strides, data_format="channels_last", **arguments
            )
        return GroupAveragePooling2D(
            pool_size, strides=strides, group=self.group, **arguments
        )

    def dropout(self, rate, **arguments):
        if self.group is None:
            return keras.layers.Dropout(rate, **arguments)
        return GroupDropout(rate, **arguments)

    def dense(self, x, units, name, **arguments):
        """A fully connected layer: every unit sees all of the map.

        With a group it is the group convolution whose window is the whole map, so that
        the units keep their orientations. Exactly so many units; `width` is the
        caller's.

        Args:
            x: a map, or what `dense` returned.
            units: int, an orientation.
            name: of the layer.
            **arguments: of the layer.
        """
        if self.group is not None:
            return self.conv(units, x.shape[1:3], name=name, **arguments)(x)
        if len(x.shape) > 2:
            x = keras.layers.Flatten("channels_last", name="flatten")(x)
        return keras.layers.Dense(units, name=name, **arguments)(x)

    def pool_features(self, x, pooling):
        """What `pooling=` of a builder asks for: one invariant vector an image.

        Args:
            x: the feature map, with or without orientations; a vector stays.
            pooling: None for the map itself, `"avg"` or `"max"`.
        """
        if len(x.shape) == 2:
            return x
        has_orientations = len(x.shape) == 5
        if pooling == "avg" and has_orientations:
            return GroupGlobalAveragePooling2D(self.group, name="global_pool")(x)
        if pooling == "avg":
            return keras.layers.GlobalAveragePooling2D(
                "channels_last", name="global_pool"
            )(x)
        if pooling == "max":
            return self.global_max(x)
        return x

    def global_max(self, x):
        """The maximum over the group, where there is one, then over the plane."""
        if len(x.shape) == 5:
            x = GroupPooling(self.group, name="group_pool")(x)
        return keras.layers.GlobalMaxPooling2D("channels_last", name="global_pool")(x)
