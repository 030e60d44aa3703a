"""Every registered model, at a size that is quick to build and run."""

import keras
import numpy as np

import zoo

MODELS = zoo.list_models()
# A size at which a large net is quick to build and run.
SMALL = {
    "alexnet": {"input_shape": (67, 67, 3)},
    "audio_mlp": {"input_shape": (500, 1)},
    "crepe": {"capacity": "tiny"},
    "deep_tempo": {"input_shape": (32_256, 1), "filters": 4},
    "m3": {"input_shape": (800, 1), "filters": 8},
    "m5": {"input_shape": (1_100, 1), "filters": 8},
    "m11": {"input_shape": (1_100, 1), "filters": 4},
    "m18": {"input_shape": (1_100, 1), "filters": 4},
    "m34_res": {"input_shape": (1_100, 1), "filters": 4},
    "sample_cnn": {"input_shape": (243, 1)},
    "tcn": {"input_shape": (64, 1), "levels": 3},
    "tempo_cnn": {"input_shape": (15_872, 1)},
    "wavelet_net": {"input_shape": (128, 1), "variant": "W3"},
}


def build(name, **arguments):
    # The number of tempi is fixed: what is said of other numbers, holds for classes.
    if "classes" in arguments and zoo.card(name).outputs == ("tempo",):
        arguments = {"task": "classes", **arguments}
    return zoo.create_model(name, **{**SMALL.get(name, {}), **arguments})


def draw_again(model):
    """By Glorot's rule: tiny weights and large biases would hide any difference."""
    for seed, weight in enumerate(model.trainable_weights):
        if len(weight.shape) > 1:
            weight.assign(keras.initializers.GlorotUniform(seed)(weight.shape))
        elif weight.path.endswith("bias"):
            weight.assign(keras.ops.zeros(weight.shape))


def noise(model, batch=4, seed=0):
    shape = (batch, *model.input_shape[1:])
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")
