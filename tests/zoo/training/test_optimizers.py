"""SGD with momentum and decay, the steps of the learning rate, and their resuming."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_data

import zoo
from zoo.training import train
from zoo.training.callbacks.backup import Backup
from zoo.training.optimizers.make import make_optimizer
from zoo.training.optimizers.momentum_sgd import MomentumSGD
from zoo.training.recipes import Recipe, find_recipe


def test_the_learning_rate_warms_up():
    recipe = Recipe(epochs=10, learning_rate=0.1, schedule="constant").scaled(4)
    rate = make_optimizer(recipe, steps=20)._learning_rate
    steps = [0, 50, 100, 199]
    expected = [0.1, 0.25, 0.4, 0.4]
    np.testing.assert_allclose([float(rate(step)) for step in steps], expected, 1e-6)
    config = keras.saving.serialize_keras_object(rate)
    again = keras.saving.deserialize_keras_object(config)
    np.testing.assert_allclose([float(again(step)) for step in steps], expected, 1e-6)
    # A cosine falls beside it as ever.
    cosine = Recipe(epochs=10, learning_rate=0.1, schedule="cosine").scaled(4)
    falling = make_optimizer(cosine, steps=20)._learning_rate
    assert float(falling(0)) == pytest.approx(0.1)
    assert float(falling(150)) == pytest.approx(0.2 * (1 + np.cos(0.75 * np.pi)), 1e-5)


def test_momentum_sgd_is_the_papers_formula():
    random = np.random.default_rng(0)
    weight = keras.Variable(random.normal(size=3), dtype="float64")
    expected, velocity = weight.numpy(), np.zeros(3)
    optimizer = MomentumSGD(0.1, momentum=0.9, weight_decay=0.05)
    for _ in range(5):
        gradient = random.normal(size=3)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        velocity = 0.9 * velocity - 0.05 * 0.1 * expected - 0.1 * gradient
        expected = expected + velocity
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_without_decay_it_is_kerass_own_sgd(dtype, nesterov):
    random = np.random.default_rng(1)
    start = random.normal(size=(3, 2))
    ours, theirs = (keras.Variable(start, dtype=dtype) for _ in range(2))
    optimizers = [
        kind(0.1, momentum=0.9, nesterov=nesterov)
        for kind in (MomentumSGD, keras.optimizers.SGD)
    ]
    for optimizer, weight in zip(optimizers, (ours, theirs), strict=True):
        optimizer.build([weight])

    @tf.function
    def step(gradient):
        optimizers[0].apply([gradient], [ours])
        optimizers[1].apply([gradient], [theirs])

    for _ in range(4):
        step(tf.cast(random.normal(size=(3, 2)), dtype))
    np.testing.assert_allclose(
        ours.numpy().astype("float64"),
        theirs.numpy().astype("float64"),
        rtol=1e-2 if dtype == "bfloat16" else 1e-5,
    )
    assert np.abs(ours.numpy().astype("float64") - start).max() > 0.1


def test_the_gradient_of_an_embedding_touches_only_its_rows():
    embedding = keras.layers.Embedding(4, 2)
    embedding.build()
    before = embedding.embeddings.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embedding(tf.constant([1])))
    optimizer = MomentumSGD(0.1, momentum=0.9)
    (gradient,) = tape.gradient(loss, embedding.trainable_weights)
    optimizer.apply([gradient], embedding.trainable_weights)
    changed = np.abs(embedding.embeddings.numpy() - before).max(axis=1) > 0
    assert changed.tolist() == [False, True, False, False]


def test_biases_do_not_decay():
    dense = keras.layers.Dense(2, bias_initializer="ones")
    dense.build((None, 2))
    optimizer = make_optimizer(find_recipe("krizhevsky2012", weight_decay=0.5), 10)
    before = dense.kernel.numpy()
    zeros = [keras.ops.zeros_like(w) for w in dense.trainable_weights]
    optimizer.apply(zeros, dense.trainable_weights)
    np.testing.assert_allclose(dense.kernel.numpy(), before * (1 - 0.01 * 0.5))
    assert (dense.bias.numpy() == 1).all()


def test_the_rate_falls_after_epochs_25_51_and_79():
    schedule = make_optimizer(find_recipe("krizhevsky2012"), steps=7)._learning_rate
    rates = [float(schedule(step)) for step in range(7 * 90)]
    epochs = np.array(rates).reshape(90, 7)
    assert (epochs == epochs[:, :1]).all()
    expected = [1e-2] * 25 + [1e-3] * 26 + [1e-4] * 28 + [1e-5] * 11
    np.testing.assert_allclose(epochs[:, 0], expected, rtol=1e-6)


def test_a_shorter_run_has_its_drops_in_proportion():
    schedule = make_optimizer(find_recipe("krizhevsky2012", epochs=9), 10)
    schedule = schedule._learning_rate
    assert [float(schedule(step)) for step in (24, 25, 50, 51, 78, 79)] == (
        pytest.approx([1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5])
    )


def test_adam_is_as_it_was():
    optimizer = make_optimizer(Recipe(epochs=2, weight_decay=0.25), 5)
    assert type(optimizer) is keras.optimizers.AdamW
    assert optimizer.weight_decay == 0.25
    assert isinstance(optimizer._learning_rate, keras.optimizers.schedules.CosineDecay)


def test_a_run_with_it_goes_on_and_ends_as_without_interruption(tmp_path, monkeypatch):
    tiny_data.install(monkeypatch)
    arguments = {"epochs": 6, "recipe": "krizhevsky2012", "batch_size": 32}

    def interrupted(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    real = Backup.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(Backup, "on_epoch_end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("tiny_net", "tiny", tmp_path, **arguments)
    metrics = train("tiny_net", "tiny", tmp_path, **arguments)
    assert metrics["epochs"] == 6
    optimizer = zoo.load_model(tmp_path).optimizer
    assert isinstance(optimizer, MomentumSGD)
    assert int(optimizer.iterations) == 18
    assert float(optimizer.learning_rate) == pytest.approx(1e-5)
    assert optimizer.weight_decay == 5e-4
