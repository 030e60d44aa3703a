"""A picture of an image that turns while the feature maps turn with it."""

import keras
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo._files import replace_file
from zoo.analysis._graph import as_functional, operations_of
from zoo.layers.group.groups import get_group
from zoo.layers.group.orientations import orientations_of


def turning_picture(model, image, path, layer=None):
    """Draws what a group-equivariant net sees of an image in four turns.

    Each row turns the image by another 90 degrees. Beside it stands one channel of a
    feature map in every orientation: from row to row the maps turn with the image and
    move on to the next orientation. The class scores at the end stay.

    Args:
        model: a functional Keras model with group layers and class scores.
        image: array `(height, width, channels)`, square, as the model expects it.
        path: of the PNG file.
        layer: name of the layer to show; None for the last one whose feature map is
            at least half as high as the image.

    Raises:
        ValueError: if the model has no feature map with orientations, or the image is
            not one that it takes.

    Example:

    >>> import os, tempfile, zoo
    >>> path = os.path.join(tempfile.mkdtemp(), "turning.png")
    >>> image = np.random.default_rng(0).random((28, 28, 1))
    >>> turning_picture(zoo.p4cnn(), image, path)
    >>> os.path.exists(path)
    True
    """
    image = np.asarray(image)
    shown = _choose_layer(model, layer)
    group = get_group(orientations_of(shown.output)[0])
    if image.ndim != 3 or image.shape[0] != image.shape[1]:
        raise ValueError(
            f"Expected one square image (height, width, channels). "
            f"Received: shape={image.shape}"
        )
    turned = np.stack([np.rot90(image, turns) for turns in range(4)])
    probe = keras.Model(model.inputs, [shown.output, model.outputs[0]])
    maps, scores = (
        keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))
        for value in probe([turned], training=False)
    )
    channel = maps.std(axis=(0, 1, 2, 3)).argmax()
    maps = maps[..., channel]
    limits = {"vmin": maps.min(), "vmax": maps.max()}

    figure = Figure(figsize=(1.5 * (group.order + 2), 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{model.name}: channel {channel} of {shown.name}. From row to row the image "
        f"turns by 90°;\nthe maps turn with it and move on to the next orientation, "
        f"the scores stay."
    )
    axes = figure.subplots(4, group.order + 2)
    for turns, row in enumerate(axes):
        _draw_image(row[0], turned[turns])
        row[0].set_ylabel(f"turned {90 * turns}°")
        for orientation, plot in enumerate(row[1:-1]):
            plot.imshow(maps[turns, :, :, orientation], "magma", **limits)
        for plot in row[:-1]:
            plot.set(xticks=[], yticks=[])
        row[-1].bar(range(scores.shape[1]), scores[turns], color="tab:orange")
        row[-1].set(ylim=(min(0, scores.min()), scores.max() * 1.05), yticks=[])
        row[-1].xaxis.get_major_locator().set_params(integer=True)
        row[-1].tick_params(labelsize=6)
    axes[0][0].set_title("image", fontsize=9)
    axes[0][-1].set_title("class scores", fontsize=9)
    for orientation, plot in enumerate(axes[0][1:-1]):
        plot.set_title(_orientation_name(group, orientation), fontsize=9)
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _choose_layer(model, name):
    functional = as_functional(model)
    candidates = [] if functional is None else operations_of(functional)
    candidates = [
        operation
        for operation in candidates
        if len(getattr(operation.output, "shape", ())) == 5
        and (orientations_of(operation.output) or ("", ""))[1] == "C1"
        and (name is None or operation.name == name)
    ]
    if not candidates:
        which = "no layer" if name is None else f"no layer {name!r}"
        raise ValueError(
            f"{model.name} has {which} with a feature map (batch, height, width, "
            f"orientations, channels). Expected a functional model with group layers."
        )
    height = functional.inputs[0].shape[1] or 0
    large = [
        layer for layer in candidates if (layer.output.shape[1] or 0) >= height / 2
    ]
    return (large or candidates[:1])[-1]


def _draw_image(plot, image):
    low, high = image.min(), image.max()
    image = (image - low) / (high - low) if high > low else np.zeros_like(image)
    plot.imshow(image if image.shape[-1] == 3 else image.mean(axis=-1), "gray")


def _orientation_name(group, orientation):
    flips, turns = group.flips_and_turns(orientation)
    angle = f"{turns * 360 // group.rotations}°"
    return f"flip, {angle}" if flips else f"orientation {angle}"
