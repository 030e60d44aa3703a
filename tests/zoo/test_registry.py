"""The registry, the cards, loading and preprocessing."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from keras import ops

import zoo
import zoo.image


def test_list_models():
    assert zoo.list_models("p4*") == ["p4cnn", "p4cnn_rotation_pooling", "p4mcnn"]
    assert zoo.list_models(task="image classification") == sorted(zoo.image.__all__)
    tasks = {zoo.card(name).task for name in zoo.list_models()}
    by_task = [name for task in tasks for name in zoo.list_models(task=task)]
    assert sorted(by_task) == zoo.list_models()
    assert "m5" in zoo.list_models(task="sound classification")
    assert zoo.list_models("nothing*") == []
    with pytest.raises(ValueError, match="Unknown task 'sound'.*'sound classifica"):
        zoo.list_models(task="sound")


def test_unknown_names_list_the_choices():
    for ask in (zoo.card, zoo.create_model):
        with pytest.raises(ValueError, match="Did you mean 'p4cnn'.*z2cnn"):
            ask("p4cn")
    with pytest.raises(ValueError, match="Unknown model None"):
        zoo.card(None)


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="'p4cnn' is registered already, by zoo.image"):
        zoo.register_model(zoo.card("p4cnn"))(lambda: None)


def test_typos_in_arguments_do_not_vanish():
    with pytest.raises(TypeError, match="clases"):
        zoo.create_model("p4cnn", clases=3)


def test_cards_survive_json():
    for name in zoo.list_models():
        card = zoo.card(name)
        assert zoo.ModelCard.from_json(card.to_json()) == card
    for text in ("", "[]", "{}", '{"name": "x"}', "no json"):
        with pytest.raises(ValueError, match="Not a model card"):
            zoo.ModelCard.from_json(text)


@pytest.mark.parametrize(
    "arguments", [("a",), (0.0, 0.0), (0.0, -1.0), (float("nan"),), (0.0, (1.0, 0.0))]
)
def test_constants_that_would_give_wrong_numbers(arguments):
    with pytest.raises(ValueError, match="mean|std"):
        zoo.Normalization(*arguments)


def test_decode_predictions():
    random = np.random.default_rng(0)
    scores = random.permuted(np.tile(np.linspace(0, 1, 1000), (3, 1)), axis=1)
    decoded = zoo.decode_predictions(scores, "alexnet")
    assert len(decoded) == 3
    facts = zoo.datasets.info("imagenet2012")
    for row, best in zip(scores, decoded, strict=True):
        order = sorted(range(1000), key=lambda index: row[index], reverse=True)[:5]
        assert [label for label, _, _ in best] == [facts.classes[i] for i in order]
        assert [score for _, _, score in best] == [row[i] for i in order]
    # Where ImageNet's classes stand, as everybody's pictures of them show.
    for index, name in (
        (0, "tench"),
        (207, "golden retriever"),
        (917, "comic book"),
    ):
        assert zoo.decode_predictions(np.eye(1000)[[index]], "alexnet", 1) == [
            [(facts.classes[index], name, 1.0)]
        ]
    names = [name for _, name, _ in zoo.decode_predictions(scores, "alexnet", 2000)[0]]
    assert len(set(names)) == 1000


def test_decode_predictions_of_a_run():
    card = dataclasses.replace(zoo.card("m5"), labels=("cello", "flute", "horn"))
    horn, cello = ("horn", "horn", 0.5), ("cello", "cello", 0.25)
    scores = np.array([[0.25, 0.25, 0.5]], "float16")
    for given in (scores, ops.cast(scores, "bfloat16"), scores.tolist()):
        assert zoo.decode_predictions(given, card, top=2) == [[horn, cello]]
    assert zoo.decode_predictions(np.array([[0, 1, 200]], "uint8"), card, top=1) == [
        [("horn", "horn", 200.0)]
    ]
    assert zoo.decode_predictions(np.zeros((0, 3)), card) == []
    with pytest.raises(ValueError, match="m5 names no classes.*card of the run"):
        zoo.decode_predictions(scores, "m5")
    for bad in (scores[0], scores[:, :2], scores[None]):
        with pytest.raises(ValueError, match=r"\(batch, 3\)"):
            zoo.decode_predictions(bad, card)
    with pytest.raises(ValueError, match="1 that are NaN"):
        zoo.decode_predictions([[0.5, np.nan, 0.5]], card)
    for top in (0, -1, 2.5, True, None):
        with pytest.raises(ValueError, match="`top` must be a positive integer"):
            zoo.decode_predictions(scores, card, top=top)


def test_preprocess_input():
    import dataclasses

    card = dataclasses.replace(
        zoo.card("p4cnn"), normalization=zoo.Normalization((0.5, 1.0), (0.25, 2.0))
    )
    x = np.ones((2, 3, 3, 2), "float32")
    expected = np.broadcast_to([2.0, 0.0], x.shape)
    np.testing.assert_array_equal(zoo.preprocess_input(x, card), expected)
    assert zoo.preprocess_input(x, card).dtype == "float32"
    with pytest.raises(ValueError, match="constants for 2 channels"):
        zoo.preprocess_input(x[..., :1], card)
    x[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="Received 1 that are NaN"):
        zoo.preprocess_input(x, "p4cnn")


@pytest.mark.parametrize("level", [None, 0.1])
@pytest.mark.parametrize("kind", ["NumPy", "tensor"])
def test_pre_emphasis_is_a_filter(level, kind):
    import dataclasses

    import scipy.signal

    normalization = zoo.Normalization(level=level, pre_emphasis=0.97)
    card = dataclasses.replace(zoo.card("m5"), normalization=normalization)
    assert zoo.ModelCard.from_json(card.to_json()) == card
    x = np.random.default_rng(0).normal(size=(3, 400, 2)).astype("float32")
    expected = scipy.signal.lfilter([1, -0.97], [1], x, axis=1)
    if level is not None:
        expected *= level / np.sqrt((expected**2).mean((1, 2), keepdims=True))
    given = x if kind == "NumPy" else ops.convert_to_tensor(x)
    received = ops.convert_to_numpy(zoo.preprocess_input(given, card))
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)
    silence = zoo.preprocess_input(np.zeros((1, 400, 1), "float32"), card)
    assert not silence.any()
    with pytest.raises(ValueError, match=r"\(batch, samples, channels\)"):
        zoo.preprocess_input(np.zeros((1, 4, 4, 3), "float32"), card)


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan"), "much"])
def test_a_pre_emphasis_that_is_none(share):
    with pytest.raises(ValueError, match="`pre_emphasis` must be None or a number"):
        zoo.Normalization(pre_emphasis=share)


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"PK\x03\x04broken"])
def test_load_model_refuses(content, tmp_path):
    path = tmp_path / "m.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="m.keras"):
        zoo.load_model(path)
    with pytest.raises(ValueError, match="No model at"):
        zoo.load_model(tmp_path / "nowhere")


def test_load_model_in_a_fresh_process(tmp_path):
    """A lazy `import zoo` has registered no layer yet."""
    model = zoo.p4cnn()
    model.save(tmp_path / "m.keras")
    images = np.random.default_rng(0).standard_normal((2, 28, 28, 1))
    np.save(tmp_path / "images.npy", images.astype("float32"))
    program = (
        "import sys, numpy as np, zoo;"
        "m = zoo.load_model(sys.argv[1] + '/m.keras');"
        "np.save(sys.argv[1] + '/out.npy', m(np.load(sys.argv[1] + '/images.npy')))"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True)
    outputs = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(outputs, model(images.astype("float32")))
