"""Batch normalisation over the whole batch, not over each device's part of it."""

import functools

import keras


def synchronize_batch_normalization(model):
    """Lets every batch normalisation see the whole batch of a strategy.

    Otherwise each replica normalises by its own part, the moving statistics drift
    apart, and a saved model holds those of one. What is saved does not say so: files
    load on every backend, and clones are plain.

    Args:
        model: a Keras model, nested ones included, on the TensorFlow backend.

    Returns:
        The model.

    Example:

    >>> import zoo
    >>> layer = synchronize_batch_normalization(zoo.p4cnn()).get_layer("norm_1")
    >>> layer.synchronized, layer.get_config()["synchronized"]
    (True, False)
    """
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Batch normalisation is synchronised on the TensorFlow backend; with JAX "
            f"it is so by itself. Received: the backend {keras.config.backend()}."
        )
    # `_flatten_layers` is private, but it alone also finds layers inside wrappers.
    for layer in model._flatten_layers():
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        if is_norm and not layer.synchronized:
            layer.synchronized = True
            layer.get_config = functools.partial(_plain_config, layer.get_config)
    return model


def _plain_config(get_config):
    return {**get_config(), "synchronized": False}
