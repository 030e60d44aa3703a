"""How the tests measure equivariance, apart from the package's own report."""

import keras
import numpy as np

from zoo.layers.group.groups import get_group

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def noise(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def act(group, element, values):
    """What an element does to an image batch, a feature map or a vector, by rank."""
    if values.ndim == 5:
        return group.act_on_feature_maps(element, values)
    if values.ndim == 4:
        return group.act_on_images(element, values)
    return values


def equivariance_error(group, function, inputs):
    """max |f(g x) - g f(x)| / std(f(x)), the worst over all elements g."""
    group = get_group(group)
    before = keras.ops.convert_to_numpy(function(inputs))
    errors = []
    for element in range(group.order):
        moved = np.ascontiguousarray(act(group, element, inputs))
        after = keras.ops.convert_to_numpy(function(moved))
        errors.append(np.abs(after - act(group, element, before)).max())
    return max(errors) / before.std()
