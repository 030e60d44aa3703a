import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.serving.saved_model import export, run_saved_model


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 28, 28, 1)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return zoo.p4cnn()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "deep" / "p4cnn"
    export(model, path, card=zoo.card("p4cnn"))
    return path


@pytest.mark.parametrize("count", [1, 5])
def test_the_signature_equals_predict_for_any_number(model, folder, count):
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    specification = serve.structured_input_signature[1]["image"]
    assert specification.shape.as_list() == [None, 28, 28, 1]
    assert specification.dtype == tf.float32
    outputs = serve(image=tf.constant(images(count)))
    assert list(outputs) == ["probabilities"]
    expected = model.predict(images(count), verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


def test_it_runs_where_this_package_is_not_known(model, folder):
    outputs = run_saved_model(folder, images(3))
    expected = model.predict(images(3), verbose=0)
    assert list(outputs) == ["probabilities"]
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


def test_the_card_lies_in_it(folder):
    text = (folder / "assets.extra" / "card.json").read_text()
    assert zoo.ModelCard.from_json(text) == zoo.card("p4cnn")


def test_nothing_else_is_left_beside_it(folder):
    assert os.listdir(folder.parent) == ["p4cnn"]


def test_logits_are_named_so(tmp_path):
    export(zoo.z2cnn(classifier_activation=None), tmp_path)
    serve = tf.saved_model.load(tmp_path).signatures["serving_default"]
    assert list(serve.structured_outputs) == ["logits"]
    assert not (tmp_path / "assets.extra").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_something_else_is_refused(model, tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists already. .* an empty folder"):
        export(model, tmp_path, overwrite=overwrite)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_way_is_refused(model, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        export(model, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_earlier_export_is_replaced_only_when_asked(folder):
    planar = zoo.z2cnn()
    with pytest.raises(ValueError, match="exists already"):
        export(planar, folder)
    export(planar, folder, overwrite=True)
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    found = serve(image=tf.constant(images(2)))["probabilities"]
    np.testing.assert_allclose(found, planar.predict(images(2), verbose=0), atol=1e-6)
    assert os.listdir(folder.parent) == [folder.name]


def test_several_outputs_are_refused(tmp_path):
    image = keras.Input((4,))
    net = keras.Model(image, [image, keras.layers.Dense(1)(image)])
    with pytest.raises(ValueError, match="one input and one output"):
        export(net, tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_a_process_that_fails_is_reported(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} does not run in another process"):
        run_saved_model(tmp_path, images(1))


def test_a_saved_model_that_imports_this_package_is_reported(folder, monkeypatch):
    from zoo.serving import saved_model

    needy = saved_model._RELOAD.replace("import sys", "import sys, zoo", 1)
    monkeypatch.setattr(saved_model, "_RELOAD", needy)
    with pytest.raises(ValueError, match="this package was imported"):
        run_saved_model(folder, images(1))
