"""Pictures of sound: what is drawn, and that it can be read."""

import itertools

import keras
import numpy as np
import pytest
import scipy.signal
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from zoo.analysis.class_balance_picture import class_balance_picture
from zoo.analysis.filters_picture import filters_picture, frequency_response
from zoo.analysis.spectrogram_picture import spectrogram_picture
from zoo.analysis.waveform_picture import waveform_picture

RATE = 8000


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Calls a picture function, looks at the file, and returns the figure."""
    figures, texts = [], {}
    save, draw_text = Figure.savefig, Text.draw

    def remember(figure, *args, **options):
        figures.append(figure)
        return save(figure, *args, **options)

    def remember_text(text, renderer):
        if text.get_text() and text.get_visible():
            place = text.get_window_extent(renderer)
            texts[text] = place, renderer.width, renderer.height
        return draw_text(text, renderer)

    monkeypatch.setattr(Figure, "savefig", remember)
    monkeypatch.setattr(Text, "draw", remember_text)

    def draw(function, *args, **options):
        path = tmp_path / "folder" / "picture.png"
        assert function(*args, path=path, **options) is None
        with Image.open(path) as picture:
            assert min(picture.size) > 200 and np.asarray(picture).std() > 5
        assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
        check_texts(texts)
        return figures[-1]

    return draw


def check_texts(texts):
    """No text lies on another, or outside of the picture."""
    assert len(texts) > 4
    for text, (box, width, height) in texts.items():
        assert box.x0 > -1 and box.x1 < width + 1, text
        assert box.y0 > -1 and box.y1 < height + 1, text
    for one, other in itertools.combinations(texts, 2):
        first, second = texts[one][0], texts[other][0]
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(wide, high) < 1, f"{one} lies on {other}"


def test_text_on_text_would_be_seen(drawn):
    def crowded(path):
        figure = Figure()
        axes = figure.subplots()
        axes.set_xticks([0, 0.01], ["one label", "another"])
        axes.imshow(np.eye(3), extent=(0, 1, 0, 1))
        path.parent.mkdir()
        figure.savefig(path)

    with pytest.raises(AssertionError, match="'one label'.* lies on .*'another'"):
        drawn(crowded)


def test_a_short_waveform_is_drawn_sample_by_sample(drawn):
    clip = np.random.default_rng(0).uniform(-0.1, 0.1, 800)
    figure = drawn(waveform_picture, clip, RATE, title="noise")
    (axes,) = figure.axes
    times, values = axes.lines[0].get_data()
    np.testing.assert_allclose(times, np.arange(800) / RATE)
    np.testing.assert_allclose(values, clip)
    assert axes.get_xlim() == (0, 0.1)
    assert 0.1 < axes.get_ylim()[1] < 0.12
    assert axes.get_xlabel() == "time, s"


def test_a_long_waveform_loses_no_peak(drawn):
    clip = np.zeros((300_000, 2))
    clip[123_456, 1] = 0.9
    clip[222_222, 1] = -0.7
    figure = drawn(waveform_picture, clip, RATE)
    silent, peaks = (axes.collections[0].get_paths()[0] for axes in figure.axes)
    assert np.abs(silent.vertices[:, 1]).max() == 0
    heights = peaks.vertices[:, 1]
    assert heights.max() == 0.9 and heights.min() == -0.7
    assert peaks.vertices[heights.argmax(), 0] == pytest.approx(15.432, abs=0.03)


@pytest.mark.parametrize("seconds", [0.01, 0.5, 60])
def test_a_tone_in_the_spectrogram(drawn, seconds):
    clip = np.sin(2 * np.pi * 1000 * np.arange(int(seconds * RATE)) / RATE)
    figure = drawn(spectrogram_picture, clip, RATE, title="1000 Hz")
    axes, _ = figure.axes
    image = axes.images[0]
    decibels = image.get_array()
    left, right, low, high = image.get_extent()
    row = decibels.mean(axis=1).argmax()
    assert low + (row + 0.5) * (high - low) / len(decibels) == pytest.approx(
        1000, abs=20
    )
    assert decibels.max() == 0 and decibels.min() >= -80
    assert axes.get_xlim()[1] == pytest.approx(max(seconds, 0.032))
    assert axes.get_ylim() == (0, 4000)
    assert decibels.shape[1] < 1100


def test_a_moment_in_the_spectrogram(drawn):
    clip = np.zeros((2 * RATE, 1))
    clip[12_000] = 1
    image = drawn(spectrogram_picture, clip, RATE).axes[0].images[0]
    left, right, _, _ = image.get_extent()
    decibels = image.get_array()
    column = decibels.mean(axis=0).argmax()
    moment = left + (column + 0.5) * (right - left) / decibels.shape[1]
    assert moment == pytest.approx(1.5, abs=0.02)


def test_silence_is_dark(drawn):
    image = drawn(spectrogram_picture, np.zeros(8000), RATE).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), -80)


def first_layer(kernel):
    model = keras.Sequential(
        [
            keras.Input((None, kernel.shape[1])),
            keras.layers.Conv1D(kernel.shape[2], kernel.shape[0], name="first"),
            keras.layers.Conv1D(3, 5),
        ]
    )
    model.layers[0].kernel.assign(kernel)
    return model


def test_frequency_responses_are_those_of_scipy():
    kernel = np.random.default_rng(0).normal(size=(40, 2, 5))
    frequencies, power = frequency_response(kernel, RATE, points=512)
    for number in range(5):
        expected = sum(
            np.abs(
                scipy.signal.freqz(kernel[:, channel, number], 1, frequencies, fs=RATE)[
                    1
                ]
            )
            ** 2
            for channel in range(2)
        )
        np.testing.assert_allclose(power[:, number], expected, rtol=1e-6, atol=1e-9)


def test_filters_are_sorted_by_their_centre(drawn):
    random = np.random.default_rng(0)
    tones = random.permutation(np.linspace(100, 3900, 39))
    times = np.arange(200) / RATE
    window = np.hanning(200)
    kernel = np.stack([window * np.sin(2 * np.pi * f * times) for f in tones], axis=-1)
    figure = drawn(filters_picture, first_layer(kernel[:, None]), sample_rate=RATE)
    responses, *plots = figure.axes
    centres = responses.lines[0].get_ydata()
    np.testing.assert_allclose(centres, np.sort(tones), atol=4)
    decibels = responses.images[0].get_array()
    np.testing.assert_allclose(
        decibels.argmax(axis=0) * 4000 / (len(decibels) - 1), np.sort(tones), atol=4
    )
    shown = [plot for plot in plots if plot.get_title()]
    assert [plot.get_title() for plot in (shown[0], shown[-1])] == [
        "100 Hz",
        "3,900 Hz",
    ]
    assert len(shown) == 20
    times, values = shown[0].lines[1].get_data()
    np.testing.assert_allclose(times[-1], 199 / 8)
    np.testing.assert_allclose(values, kernel[:, tones.argmin()], atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 1, 128), (80, 1, 2), (1, 1, 1), (7, 3, 21)])
def test_filters_of_any_size_can_be_read(drawn, shape):
    kernel = np.random.default_rng(0).normal(size=shape)
    figure = drawn(filters_picture, first_layer(kernel), sample_rate=44100)
    assert "first" in figure.get_suptitle()


def test_filters_that_are_zero(drawn):
    drawn(filters_picture, first_layer(np.zeros((9, 1, 4))), sample_rate=RATE)


@pytest.mark.parametrize("classes", [2, 10, 60, 300])
def test_class_balance(drawn, classes):
    splits = ("train", "validation", "test")[: 1 if classes in (2, 300) else 3]
    random = np.random.default_rng(0)
    labels = {split: random.integers(0, classes, 1000) for split in splits}
    names = [f"class number {number}" for number in range(classes)]
    figure = drawn(class_balance_picture, labels, names, title="balance")
    (axes,) = figure.axes
    for split, bars in zip(splits, axes.containers, strict=True):
        share = [bar.get_width() for bar in bars]
        expected = np.bincount(labels[split], minlength=classes) / 10
        np.testing.assert_allclose(share, expected)


def test_class_balance_of_tags(drawn):
    tags = np.array([[1, 0, 1], [1, 0, 0], [1, 1, 0]], "float32")
    figure = drawn(class_balance_picture, {"train": tags}, ["calm", "fast", "loud"])
    (bars,) = figure.axes[0].containers
    np.testing.assert_allclose([bar.get_width() for bar in bars], [60, 20, 20])


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (waveform_picture, (np.zeros(0), RATE), "not empty"),
        (waveform_picture, (np.zeros((2, 8000)), RATE), "at most 8 channels"),
        (waveform_picture, ([0, np.nan], RATE), "finite waveform"),
        (waveform_picture, (np.zeros(9), 0), "`sample_rate` must be in Hz"),
        (spectrogram_picture, (np.zeros((3, 3, 3)), RATE), "one waveform"),
        (spectrogram_picture, (np.zeros(9), 10), "at least two samples, 0.2 s"),
        (class_balance_picture, ({}, ["a"]), "at least one split"),
        (class_balance_picture, ({"test": [0, 2]}, ["a", "b"]), "of test.* 0 to 1"),
        (class_balance_picture, ({"test": [0.5]}, ["a", "b"]), "of test as integers"),
    ],
)
def test_refusals(function, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        function(*arguments, path=tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


def test_refusals_of_filters(tmp_path):
    dense = keras.Sequential([keras.Input((8, 1)), keras.layers.Dense(2)])
    path = tmp_path / "picture.png"
    with pytest.raises(ValueError, match="no convolution in time on its input"):
        filters_picture(dense, path, RATE)
    with pytest.raises(ValueError, match="`sample_rate` must be in Hz"):
        filters_picture(dense, path, None)
    with pytest.raises(ValueError, match="Expected a Keras model"):
        filters_picture("m3", path, RATE)
