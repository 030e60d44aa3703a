"""Training by the model's own recipe: other builder arguments, loss and constants."""

import pytest
from tiny_data import NAME, install

import zoo
from zoo.training import find_recipe, train
from zoo.training.losses import PlusMinusOneSquaredError
from zoo.training.recipes import default_recipe


def test_the_recipe_is_that_of_the_reproduction():
    assert default_recipe("lecun1989") == "paper"
    recipe = find_recipe("paper", "lecun1989")
    assert (recipe.epochs, recipe.batch_size) == (23, 1)
    assert (recipe.optimizer, recipe.momentum) == ("sgd", 0.0)
    assert (recipe.learning_rate, recipe.schedule) == (0.03, "constant")
    assert recipe.settings()["arguments"] == {"activation": "tanh"}
    assert "arguments" not in find_recipe("paper", "z2cnn").settings()


@pytest.fixture
def run(monkeypatch, tmp_path):
    install(monkeypatch)
    return tmp_path / "run", train("lecun1989", NAME, tmp_path / "run", epochs=2)


def test_it_trains_to_plus_and_minus_one(run):
    folder, metrics = run
    model = zoo.load_model(folder)
    assert isinstance(model.loss, PlusMinusOneSquaredError)
    assert model.get_layer("H3").activation.__name__ == "tanh"
    assert model.optimizer.iterations == 2 * 96
    assert 0 <= metrics["test_loss"] < 4


def test_the_constants_of_the_card_stay(run):
    folder, _ = run
    text = (folder / "card.json").read_text()
    assert zoo.ModelCard.from_json(text).normalization == zoo.Normalization(0.5, 0.5)
