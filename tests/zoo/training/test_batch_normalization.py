import keras
import numpy as np
import pytest

from zoo.training import BatchNormalizationReestimation, reestimate_batch_normalization


@pytest.fixture
def batches():
    """Batches of unequal size and unequal statistics."""
    rng = np.random.default_rng(0)
    return [
        rng.normal(loc, scale, (size, 3)).astype("float32")
        for loc, scale, size in ((1, 1, 40), (4, 2, 40), (-2, 0.5, 13))
    ]


def expected_statistics(batches):
    sizes = [len(batch) for batch in batches]
    mean = np.average([batch.mean(0) for batch in batches], axis=0, weights=sizes)
    variance = np.average([batch.var(0) for batch in batches], axis=0, weights=sizes)
    return mean, variance


def test_statistics_are_the_mean_over_the_batches(batches):
    norm = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), norm])
    mean, variance = expected_statistics(batches)
    for batch in batches:  # the control: what training itself leaves
        model(batch, training=True)
    assert np.abs(norm.moving_mean.numpy() - mean).max() > 0.1
    reestimate_batch_normalization(model, batches)
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-5)


def test_targets_are_left_out(batches):
    norm = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), norm])
    reestimate_batch_normalization(model, [(x, np.zeros(len(x))) for x in batches])
    np.testing.assert_allclose(
        norm.moving_mean, expected_statistics(batches)[0], rtol=1e-5
    )


def test_a_second_layer_sees_batch_statistics_and_no_dropout(batches):
    first = keras.layers.BatchNormalization()
    second = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.9), second])
    model = keras.Sequential([keras.Input((3,)), first, inner])
    reestimate_batch_normalization(model, batches)
    # Every batch comes out of the first layer with mean 0 and variance 1.
    np.testing.assert_allclose(second.moving_mean, np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(second.moving_variance, np.ones(3), rtol=0.01)


@pytest.mark.parametrize("fails", [False, True])
def test_rates_and_momenta_are_restored(batches, fails):
    norm = keras.layers.BatchNormalization(momentum=0.7)
    dropout = keras.layers.Dropout(0.3)
    inner = keras.Sequential([keras.Input((3,)), dropout, norm])
    model = keras.Sequential([keras.Input((3,)), inner])

    def dataset():
        yield batches[0]
        assert (norm.momentum, dropout.rate) != (0.7, 0.3)
        if fails:
            raise OSError("the disk is gone")

    if fails:
        with pytest.raises(OSError, match="the disk is gone"):
            reestimate_batch_normalization(model, dataset())
    else:
        reestimate_batch_normalization(model, dataset())
    assert (norm.momentum, dropout.rate) == (0.7, 0.3)


def test_nothing_else_changes(batches):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(name="moves"),
            keras.layers.BatchNormalization(name="frozen", trainable=False),
            keras.layers.Dropout(0.5),
        ]
    )
    before = [variable.numpy() for variable in model.variables]
    reestimate_batch_normalization(model, batches)
    for variable, value in zip(model.variables, before, strict=True):
        moves = "moves/moving" in variable.path
        assert np.array_equal(variable.numpy(), value) != moves, variable.path


def test_an_empty_data_set_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
    with pytest.raises(ValueError, match="empty data set"):
        reestimate_batch_normalization(model, [])


def test_the_callback_acts_when_training_ends(batches):
    norm = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), norm])
    model.compile("sgd", "mse")
    callback = BatchNormalizationReestimation(batches)
    model.fit(batches[0], batches[0], verbose=0, callbacks=[callback])
    np.testing.assert_allclose(
        norm.moving_mean, expected_statistics(batches)[0], rtol=1e-5
    )
