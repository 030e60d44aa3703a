"""Ten views and the best five."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tiny_data

from zoo.training.evaluation import measure
from zoo.training.ten_views import larger_shape, predict_ten_views, ten_views
from zoo.training.top_k import top_k_correct


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns(k):
    random = np.random.default_rng(k)
    scores, labels = random.normal(size=(300, 9)), random.integers(0, 9, 300)
    expected = sklearn.metrics.top_k_accuracy_score(labels, scores, k=k)
    assert 0 < expected < 1
    assert top_k_correct(labels, scores, k).mean() == pytest.approx(expected)


def test_a_constant_answer_earns_only_its_share():
    labels = np.arange(100) % 10
    assert top_k_correct(labels, np.zeros((100, 10)), 5).mean() == 0.5


def test_views_of_a_hand_made_array():
    image = np.arange(25.0).reshape(1, 5, 5, 1)
    views = [np.asarray(view)[0, ..., 0] for view in ten_views(image, 3, 3)]
    corners = [view[0, 0] for view in views[:5]]
    assert corners == [0, 2, 10, 12, 6]
    np.testing.assert_array_equal(views[4], [[6, 7, 8], [11, 12, 13], [16, 17, 18]])
    for view, mirrored in zip(views[:5], views[5:], strict=True):
        np.testing.assert_array_equal(mirrored, view[:, ::-1])


def test_shape_of_the_larger_images():
    assert larger_shape((227, 227, 3), "image_folder") == (256, 256, 3)
    assert larger_shape((224, 224, 3), "imagenet2012") == (256, 256, 3)
    assert larger_shape((28, 56, 1), "image_folder") == (32, 64, 1)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_the_answer_is_the_mean_of_ten(output):
    net = tiny_data.tiny_net(classes=7)
    if output == "logits":
        top = net.get_layer("top").output
        logits = keras.layers.Activation(None, name="logits")(top)
        model = keras.Model(net.input, logits)
    else:
        model = net
    random = np.random.default_rng(0)
    net.get_layer("conv").kernel.assign(random.normal(size=(3, 3, 1, 4)))
    images = random.uniform(size=(20, 10, 11, 1)).astype("float32")
    labels = random.integers(0, 7, 20)
    views = []
    for y, x in [(0, 0), (0, 3), (2, 0), (2, 3), (1, 1)]:
        crop = images[:, y : y + 8, x : x + 8]
        views += [net(crop), net(crop[:, :, ::-1])]
    expected = np.mean(views, axis=0)
    found = predict_ten_views(model, images)
    np.testing.assert_allclose(found, expected, atol=1e-6)

    result = measure(
        model, [(images[:13], labels[:13]), (images[13:], labels[13:])], 10
    )
    every = np.arange(7)
    assert result["loss"] == pytest.approx(
        sklearn.metrics.log_loss(labels, expected, labels=every), rel=1e-4
    )
    assert result["accuracy"] == pytest.approx((expected.argmax(-1) == labels).mean())
    top_5 = sklearn.metrics.top_k_accuracy_score(labels, expected, k=5, labels=every)
    assert result["top_5_accuracy"] == pytest.approx(top_5)
    assert result["top_5_error"] == pytest.approx(100 * (1 - top_5))


def test_few_classes_have_no_top_5():
    images = np.zeros((3, 8, 8, 1), "float32")
    assert "top_5_error" not in measure(tiny_data.tiny_net(), [(images, [0, 1, 2])])
