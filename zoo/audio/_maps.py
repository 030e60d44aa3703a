"""Maps with two axes besides the channels: mel bins and time, or time and scale."""

import keras


def pool_maps(x, pooling):
    """One vector a sound from a map `(batch, a, b, channels)`, or the map itself."""
    if pooling == "avg":
        return keras.layers.GlobalAveragePooling2D("channels_last", name="avg_pool")(x)
    if pooling == "max":
        return keras.layers.GlobalMaxPooling2D("channels_last", name="max_pool")(x)
    return x
