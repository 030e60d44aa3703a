"""The finite symmetry groups, under the path that users know."""

from zoo.layers.group.groups import GROUP_NAMES, Group, Irrep, get_group

__all__ = ["GROUP_NAMES", "Group", "Irrep", "get_group"]
