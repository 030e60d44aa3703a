import dataclasses

import keras
import numpy as np
import pytest
import sklearn.metrics
import tiny_data

import zoo
from zoo import Normalization
from zoo.training import evaluate


@pytest.fixture
def data(monkeypatch):
    return tiny_data.install(monkeypatch)


@pytest.fixture
def model():
    """It tells the classes apart, but badly."""
    net = tiny_data.tiny_net()
    net.get_layer("conv").kernel.assign(np.full((3, 3, 1, 4), 1 / 9))
    net.get_layer("top").set_weights(
        [np.outer(np.ones(4), [-1, 0, 1]), np.array([1.0, 0.2, -1.0])]
    )
    return net


def test_figures_are_those_of_scikit_learn(data, model):
    result = evaluate(model, "tiny", batch_size=7)
    images, labels = data.arrays["test"]
    probabilities = model.predict(images, verbose=0)
    predicted = probabilities.argmax(-1)
    accuracy = sklearn.metrics.accuracy_score(labels, predicted)
    assert 0 < accuracy < 1
    assert result["examples"] == 48
    assert result["accuracy"] == pytest.approx(accuracy)
    assert result["error"] == pytest.approx(100 * (1 - accuracy))
    assert result["loss"] == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities), rel=1e-4
    )
    confusion = sklearn.metrics.confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(result["confusion"], confusion)


def test_logits_give_the_same_loss(data, model):
    logits = keras.layers.Activation(None, name="logits")(model.get_layer("top").output)
    on_logits = keras.Model(model.input, logits)
    assert evaluate(on_logits, "tiny")["loss"] == pytest.approx(
        evaluate(model, "tiny")["loss"], rel=1e-4
    )


def test_the_split_is_evaluated_that_was_asked_for(data, model):
    assert evaluate(model, "tiny", "train[:20]")["examples"] == 20
    assert data.loaded == ["train[:20]"]


@pytest.mark.parametrize("place", ["folder", "file"])
def test_the_card_beside_the_file_normalises(data, model, tmp_path, place):
    model.save(tmp_path / "model.keras")
    card = dataclasses.replace(tiny_data.CARD, normalization=Normalization(0.5, 0.1))
    (tmp_path / "card.json").write_text(card.to_json())
    path = tmp_path if place == "folder" else tmp_path / "model.keras"
    images, labels = data.arrays["test"]
    predicted = model.predict((images - 0.5) / 0.1, verbose=0).argmax(-1)
    assert (predicted != model.predict(images, verbose=0).argmax(-1)).any()
    assert evaluate(path, "tiny")["accuracy"] == pytest.approx(
        (predicted == labels).mean()
    )


def test_without_a_card_beside_it_the_registered_one_counts(
    data, model, tmp_path, monkeypatch
):
    card = dataclasses.replace(tiny_data.CARD, normalization=Normalization(0.5, 0.1))
    monkeypatch.setitem(zoo._registry._cards, "tiny_net", card)
    model.save(tmp_path / "any.keras")
    images, labels = data.arrays["test"]
    accuracy = (
        model.predict((images - 0.5) / 0.1, verbose=0).argmax(-1) == labels
    ).mean()
    for what in (model, tmp_path / "any.keras"):
        assert evaluate(what, "tiny")["accuracy"] == pytest.approx(accuracy)


def test_a_model_of_another_input_shape(data):
    with pytest.raises(ValueError, match=r"\(9, 9, 1\), tiny has \(8, 8, 1\)"):
        evaluate(tiny_data.tiny_net(input_shape=(9, 9, 1)), "tiny")


def test_a_model_of_other_classes(data):
    with pytest.raises(ValueError, match=r"returns \(4,\).*tiny has 3 classes"):
        evaluate(tiny_data.tiny_net(classes=4), "tiny")


def test_an_open_input_size_fits(data):
    net = tiny_data.tiny_net(input_shape=(None, None, 1))
    assert evaluate(net, "tiny")["examples"] == 48


def test_a_damaged_card_is_named(data, model, tmp_path):
    model.save(tmp_path / "model.keras")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ValueError, match=r"card\.json: Not a model card"):
        evaluate(tmp_path, "tiny")
