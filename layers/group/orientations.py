"""Which group the orientation axis of a symbolic feature map runs over.

Maps of C4 and of D2 both have four orientations: the shape can't tell them apart,
so the answer comes from the group layer that made the map.
"""

import keras


def orientations_of(tensor):
    """`(group, subgroup)` names of a symbolic 5-D map, or None where nothing says so.

    The orientations are the cosets of `subgroup` in `group`; a map that was not
    pooled has the trivial subgroup `"C1"`. Layers that keep the axis, such as
    `BatchNormalization` or an addition, are passed through.

    Raises:
        ValueError: if maps of different groups were added or concatenated before.
    """
    history = getattr(tensor, "_keras_history", None)
    if history is None or len(tensor.shape) != 5:
        return None
    operation = history.operation
    if hasattr(operation, "output_orientations"):
        return operation.output_orientations
    if isinstance(operation, keras.Model):
        return orientations_of(operation.outputs[history.tensor_index])
    sources = operation._inbound_nodes[history.node_index].input_tensors
    found = {orientations_of(source) for source in sources} - {None}
    if len(found) > 1:
        names = ", ".join(sorted(f"{group} pooled over {sub}" for group, sub in found))
        raise ValueError(
            f"{operation.name} mixes feature maps of different groups ({names}): their "
            f"orientations do not move alike. Use one group, or pool it first."
        )
    return found.pop() if found else None
