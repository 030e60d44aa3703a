import contextlib

import keras

DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
)


class BatchNormalizationReestimation(keras.callbacks.Callback):
    """Re-estimates batch normalisation over a whole training set when training ends.

    The moving statistics of training lag behind: they average over weights that have
    changed since. Cohen and Welling (arXiv:1602.07576) re-estimate them before the
    test.

    Args:
        dataset: iterable of batches, of inputs or of `(inputs, targets)`.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(3, 2, (64, 5)).astype("float32")
    >>> model = keras.Sequential([keras.Input((5,)), keras.layers.BatchNormalization()])
    >>> model.compile("adam", "mse")
    >>> callback = BatchNormalizationReestimation([x[:32], x[32:]])
    >>> _ = model.fit(x, x, callbacks=[callback], verbose=0)
    >>> np.allclose(model.layers[0].moving_mean, x.mean(0), atol=1e-5)
    True
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_train_end(self, logs=None):
        reestimate_batch_normalization(self.model, self.dataset)


def reestimate_batch_normalization(model, dataset):
    """Sets every moving mean and variance to its mean over a data set's batches.

    Each layer normalises by the statistics of the batch meanwhile, as in training, and
    nothing is dropped out. A batch counts by its size. Frozen layers
    (`trainable=False`) keep their statistics, and no other weight changes.

    Args:
        model: a Keras model, nested ones included.
        dataset: iterable of batches, of inputs or of `(inputs, targets)`.

    Raises:
        ValueError: if the data set is empty.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(3, 2, (64, 5)).astype("float32")
    >>> model = keras.Sequential([keras.Input((5,)), keras.layers.BatchNormalization()])
    >>> reestimate_batch_normalization(model, [x[:32], x[32:]])
    >>> np.allclose(model.layers[0].moving_mean, x.mean(0), atol=1e-5)
    True
    """
    # `_flatten_layers` is private, but it alone also finds layers inside wrappers.
    layers = list(model._flatten_layers())
    norms = [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    dropouts = [x for x in layers if isinstance(x, DROPOUTS)]
    if not norms:
        return
    seen = 0
    with _restored(norms, "momentum"), _restored(dropouts, "rate"):
        for layer in dropouts:
            layer.rate = 0.0
        for batch in dataset:
            inputs = batch[0] if isinstance(batch, tuple) else batch
            size = inputs.shape[0]
            for layer in norms:
                # momentum * moving + (1 - momentum) * batch is then the running mean.
                layer.momentum = seen / (seen + size)
            model(inputs, training=True)
            seen += size
    if not seen:
        raise ValueError(
            "Expected at least one batch to re-estimate batch normalisation on. "
            "Received an empty data set."
        )


@contextlib.contextmanager
def _restored(layers, attribute):
    """Gives every layer its own value of an attribute back, whatever happens."""
    values = [getattr(layer, attribute) for layer in layers]
    try:
        yield
    finally:
        for layer, value in zip(layers, values, strict=True):
            setattr(layer, attribute, value)
