import keras


@keras.saving.register_keras_serializable(package="convzoo")
class GroupDropout(keras.layers.Dropout):
    """Dropout with one mask for all orientations.

    A mask drawn for each orientation by itself would treat a turned input otherwise
    than the input: what is dropped must not depend on the orientation.

    Args:
        rate: float in [0, 1], the share that is dropped in training.
        seed: int, or None.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, height, width, order, channels)`; any of them may be None.

    Output shape:
        The same.

    Raises:
        ValueError: for a rate outside [0, 1] or another rank.

    Example:

    >>> maps = keras.ops.ones((1, 1, 1, 4, 6))
    >>> kept = GroupDropout(0.5, seed=0)(maps, training=True)
    >>> bool(keras.ops.all(kept[..., 0, :] == kept[..., 3, :]))
    True
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(
            rate, noise_shape=(None, None, None, 1, None), seed=seed, **kwargs
        )
        self.input_spec = keras.layers.InputSpec(ndim=5)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]
        return config
