import re
import subprocess
import sys

import pytest

from zoo.training.recipes import Recipe, default_recipe, find_recipe, list_recipes


def test_the_paper_gives_the_planar_net_more_epochs():
    paper = find_recipe("paper", "p4cnn")
    assert paper == Recipe(100, 128, 1e-3, "constant")
    assert find_recipe("paper", "z2cnn") == Recipe(300, 128, 1e-3, "constant")


def test_scaled_to_several_devices():
    """Goyal et al. 2017: learning rate times devices, reached over five epochs."""
    recipe = find_recipe("cosine", "p4cnn")
    assert recipe.scaled(1) == recipe
    large = recipe.scaled(8)
    assert (large.batch_size, large.learning_rate) == (8 * 128, pytest.approx(8e-2))
    assert (large.warm_up, large.warm_up_from) == (5, 8)
    assert find_recipe("cosine", epochs=3).scaled(2).warm_up == 3


def test_cosine():
    recipe = find_recipe("cosine", "z2cnn")
    assert (recipe.epochs, recipe.batch_size) == (40, 128)
    assert (recipe.learning_rate, recipe.schedule) == (1e-2, "cosine")


def test_alexnet_2012():
    recipe = find_recipe("krizhevsky2012")
    assert (recipe.epochs, recipe.batch_size) == (90, 128)
    assert (recipe.learning_rate, recipe.weight_decay) == (1e-2, 5e-4)
    assert (recipe.optimizer, recipe.momentum) == ("sgd", 0.9)
    assert [90 * share for share in recipe.drops] == pytest.approx([25, 51, 79])
    assert default_recipe("alexnet", "imagenet2012") == "krizhevsky2012"


def test_alexnet_on_other_images():
    """Adam's rate for nets with batch normalisation would blow it up."""
    assert default_recipe("alexnet", "image_folder") == "cosine"
    assert find_recipe("cosine", "alexnet").learning_rate == 3e-4


def test_settings_of_adam_are_what_they_were_before_sgd():
    assert set(find_recipe("cosine").settings()) == {
        *("epochs", "batch_size", "learning_rate", "schedule", "weight_decay")
    }
    assert {"optimizer", "momentum", "drops"} < set(
        find_recipe("krizhevsky2012").settings()
    )


def test_changes_count_and_none_keeps_the_recipes_own():
    recipe = find_recipe("cosine", epochs=3, batch_size=None, learning_rate=0.5)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (3, 128, 0.5)


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(
        ValueError, match=r"'quick'.*cosine, krizhevsky2012, mnist1d, music, paper, s"
    ):
        find_recipe("quick")
    assert list_recipes() == (
        ["cosine", "krizhevsky2012", "mnist1d", "music"]
        + ["paper", "sound", "speech", "tempo"]
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", -1),
        ("epochs", 1.5),
        ("epochs", True),
        ("epochs", 10**24),
        ("weight_decay", float("inf")),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", "fast"),
        ("schedule", "linear"),
        ("weight_decay", -0.1),
        ("optimizer", "rmsprop"),
        ("momentum", 1.0),
        ("drops", (0.5, 0.2)),
        ("drops", (0.5, 1.0)),
    ],
)
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(
        ValueError, match=f"`{name}`.*Received: {name}={re.escape(repr(value))}"
    ):
        Recipe(**{"epochs": 1, name: value})


def test_recipes_need_no_keras():
    """`zoo --help` lists them."""
    code = (
        "import sys, zoo.training.recipes\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
