"""wavelet_net: counts by layer, scales, the wavelet loss, and slower sounds."""

import keras
import numpy as np
import pytest
from equivariance import noise

import zoo
from zoo.audio.wavelet_net import wavelet_net

# Trainable parameters of the convolutions: taps, scales, channels, filters.
CONVOLUTIONS = {
    "W3": [(79, 1, 1, 150), (3, 3, 150, 150)],
    "W11": [
        (79, 1, 1, 51),
        *[(3, 3, 51, 51), (3, 1, 51, 51)],
        *[(3, 3, 51, 102), (3, 1, 102, 102)],
        *[(3, 3, 102, 204), (3, 1, 204, 204), (3, 1, 204, 204)],
        *[(3, 3, 204, 408), (3, 1, 408, 408)],
    ],
    "W18": [
        (79, 1, 1, 57),
        *[(3, 3, 57, 57), *3 * [(3, 1, 57, 57)]],
        *[(3, 3, 57, 114), *3 * [(3, 1, 114, 114)]],
        *[(3, 3, 114, 228), *3 * [(3, 1, 228, 228)]],
        *[(3, 3, 228, 456), *3 * [(3, 1, 456, 456)]],
    ],
}
TOPS = {"W3": 3 * 150 * 10, "W11": 408 * 10, "W18": 456 * 10}
TOTALS = {"W3": 219_450, "W11": 1_806_369, "W18": 3_758_865}
SHORTEST = {"W3": 64, "W11": 1024, "W18": 1024}


@pytest.fixture(params=TOTALS)
def variant(request):
    return request.param


def test_counts_by_layer(variant):
    rows = {row.layer: row for row in zoo.count(wavelet_net(variant=variant)).rows}
    for index, shape in enumerate(CONVOLUTIONS[variant], start=1):
        assert rows[f"conv_{index}"].trainable == np.prod(shape)
        norm = rows[f"norm_{index}"]
        assert norm.trainable == norm.non_trainable == 2 * shape[-1]
    assert f"conv_{index + 1}" not in rows
    assert rows["top"].trainable == TOPS[variant]
    assert sum(row.trainable for row in rows.values()) == TOTALS[variant]


def test_scales_and_lengths_are_those_of_the_table(variant):
    model = wavelet_net(variant=variant, input_shape=(4096, 1))
    time, scales = 1024, 9
    assert tuple(model.get_layer("conv_1").output.shape[1:3]) == (4096, 9)
    for index, shape in enumerate(CONVOLUTIONS[variant][1:], start=2):
        if shape[1] == 3:  # the first of a row
            time, scales = time // 4, scales - 2
        expected = (None, time, scales, shape[-1])
        assert tuple(model.get_layer(f"conv_{index}").output.shape) == expected
    features = wavelet_net(variant=variant, input_shape=(4096, 1), include_top=False)
    time = time // 4 if variant == "W3" else time
    assert features.output_shape == (None, time, scales, shape[-1])
    top = {"W3": 5, "W11": 1, "W18": 1}[variant]
    assert tuple(model.get_layer("top").output.shape) == (None, 1, top, 10)


def test_multiply_adds_count_every_scale():
    model = wavelet_net(variant="W3", input_shape=(256, 1))
    rows = {row.layer: row.multiply_adds for row in zoo.count(model).rows}
    assert rows["conv_1"] == 256 * 9 * 79 * 150
    assert rows["conv_2"] == 16 * 7 * 3 * 3 * 150 * 150


def test_the_top_is_the_best_scale_of_the_mean_over_time():
    model = wavelet_net(
        variant="W3", input_shape=(256, 1), classifier_activation=None, classes=4
    )
    before = keras.Model(model.input, model.get_layer("pool_2").output)
    sounds = noise(3, 256, 1)
    mean = np.mean(before(sounds), axis=1)  # (sounds, 7 scales, 150)
    kernel = model.get_layer("top").get_weights()[0][0]  # (3, 150, 4)
    scores = [
        np.einsum("sic,icf->sf", mean[:, scale : scale + 3], kernel)
        for scale in range(5)
    ]
    np.testing.assert_allclose(model(sounds), np.max(scores, axis=0), atol=1e-5)


def test_the_wavelet_loss_is_that_of_the_kernels_with_more_than_one_tap():
    assert wavelet_net(variant="W3", input_shape=(64, 1)).losses == []
    model = wavelet_net(variant="W3", input_shape=(64, 1), wavelet_loss=10.0)
    first, second = (model.get_layer(f"conv_{i}").get_weights()[0] for i in (1, 2))
    expected = 10 * np.mean(first.sum(axis=0) ** 2)
    expected += 10 * np.mean(second.sum(axis=(0, 1)) ** 2)
    assert len(model.losses) == 2
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)


def test_the_wavelet_loss_makes_wavelets_in_training():
    def mean_sum(strength):
        keras.utils.set_random_seed(0)
        model = wavelet_net(
            variant="W3", input_shape=(64, 1), classes=2, wavelet_loss=strength
        )
        optimizer = keras.optimizers.SGD(0.1)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        for _ in range(20):
            model.train_on_batch(noise(4, 64, 1), np.arange(4) % 2)
        sums = model.get_layer("conv_1").get_weights()[0].sum(axis=0)
        return np.abs(sums).mean()

    assert mean_sum(10.0) < 0.2 * mean_sum(None)


def sounds_at_two_speeds(samples=4096, band=0.125):
    """Noise below a part of the Nyquist frequency, and the same at half the speed."""
    rng = np.random.default_rng(0)
    series = np.zeros(samples + 1, complex)
    highest = int(band * samples / 2)
    series[1:highest] = rng.standard_normal((highest - 1, 2)) @ [1, 1j]
    fast = np.fft.irfft(series[: samples // 2 + 1])
    slow = np.fft.irfft(series) * 2
    np.testing.assert_allclose(slow[::2], fast, atol=1e-9)
    return ((x / fast.std())[None, :, None].astype("float32") for x in (fast, slow))


def scale_error(fast, slow, steps):
    """Deviation of the difference over that of the maps, in the middle."""
    length, count = fast.shape[1], fast.shape[2] - 1
    middle = slice(3 * length // 8, 5 * length // 8)
    expected = fast[:, middle, :count]
    received = slow[:, : 2 * length : 2][:, middle, steps : steps + count]
    return (received - expected).std() / expected.std()


def test_a_slower_sound_is_one_scale_on():
    """Exactly in the first layer, roughly behind a maximum over time."""
    model = wavelet_net(input_shape=(None, 1), include_top=False)
    names = ("conv_1", "pool_0", "relu_2")
    inside = keras.Model(model.input, [model.get_layer(n).output for n in names])
    fast, slow = sounds_at_two_speeds()
    maps = zip(names, inside(fast), inside(slow), strict=True)
    maps = {name: (a.numpy()[:, :, :5], b.numpy()[:, :, :5]) for name, a, b in maps}
    assert scale_error(*maps["conv_1"], steps=1) < 1e-3
    assert scale_error(*maps["pool_0"], steps=1) < 0.3
    for name in names[:2]:
        assert scale_error(*maps[name], steps=0) > 1.0
    roughly = scale_error(*maps["relu_2"], steps=1)
    assert roughly < 0.6 * scale_error(*maps["relu_2"], steps=0)


def test_a_plain_net_has_no_scale_to_move_along():
    plain = zoo.m11(input_shape=(None, 1), include_top=False)
    layer = keras.Model(plain.input, plain.layers[1].output)
    fast, slow = (layer(x).numpy() for x in sounds_at_two_speeds())
    maps = (np.stack([x, x], axis=2) for x in (fast, slow))
    assert scale_error(*maps, steps=1) > 0.5


def test_any_length():
    model = wavelet_net(variant="W3", input_shape=(None, 1))
    fixed = wavelet_net(variant="W3", input_shape=(500, 1))
    fixed.set_weights(model.get_weights())
    sounds = noise(2, 500, 1)
    np.testing.assert_allclose(model(sounds), fixed(sounds), rtol=1e-5)
    assert model(noise(1, 64, 1)).shape == (1, 10)


def test_the_shortest_sound(variant):
    shortest = SHORTEST[variant]
    model = wavelet_net(variant=variant, input_shape=(shortest, 1), include_top=False)
    assert model.output_shape[1] == 1
    with pytest.raises(ValueError, match=f"needs at least {shortest} samples"):
        wavelet_net(variant=variant, input_shape=(shortest - 1, 1))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"variant": "W5"}, "`variant` must be one of.*'W11'.*variant='W5'"),
        ({"wavelet_loss": -1.0}, "`strength` must be at least 0"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wavelet_net(**arguments)
