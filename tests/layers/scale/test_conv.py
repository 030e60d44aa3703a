"""Convolution over time and dyadic scales: its formula, and slower sounds."""

import keras
import numpy as np
import pytest
from equivariance import noise
from keras import ops
from scipy.interpolate import BSpline

from zoo.layers.scale.base import b_spline
from zoo.layers.scale.conv import ScaleConv1D
from zoo.layers.scale.lifting import ScaleLiftConv1D
from zoo.layers.scale.zero_mean import ZeroMean


def numpy(values):
    return ops.convert_to_numpy(values)


@pytest.mark.parametrize("scale", [1, 2, 4, 8, 64])
def test_the_spline_is_scipys(scale):
    spline = b_spline(scale)
    reach = len(spline) // 2
    exact = BSpline.basis_element([-1.5, -0.5, 0.5, 1.5], extrapolate=False)
    expected = exact(np.arange(-reach, reach + 1) / scale)
    np.testing.assert_allclose(spline, expected, atol=1e-15)
    assert spline.min() > 0 and (reach + 1) / scale >= 1.5  # all of it, no zeros
    assert spline.sum() == pytest.approx(scale)


def smoothed(x, scale):
    """(B_s * x)[t] of (time, channels), for t beyond the ends too."""
    margin = 60 * scale
    x = np.pad(x, ((margin, margin), (0, 0)))
    inside = np.zeros_like(x)
    inside[margin:-margin] = np.stack(
        [np.convolve(column, b_spline(scale), "same") for column in x.T], axis=-1
    )[margin:-margin]  # the layer smooths what is there, and pads it with zeros
    return inside, margin


def by_the_formula(x, kernel, scale):
    """1/s sum_k w[k] (B_s * x)[t + s k], one tap after another."""
    length, reach = len(x), len(kernel) // 2
    x, margin = smoothed(x, scale)
    outputs = 0
    for tap, weights in enumerate(kernel):
        start = margin + scale * (tap - reach)
        outputs = outputs + x[start : start + length] @ weights
    return outputs / scale


def test_the_lift_is_the_formula():
    x = noise(2, 50, 3, dtype="float64")
    layer = ScaleLiftConv1D(4, 5, scales=4, dtype="float64")
    outputs = numpy(layer(x))
    assert outputs.shape == (2, 50, 4, 4) == layer.compute_output_shape(x.shape)
    for sound in range(2):
        for index in range(4):
            expected = by_the_formula(x[sound], numpy(layer.kernel), 2**index)
            received = outputs[sound, :, index]
            np.testing.assert_allclose(received, expected, atol=1e-12)


@pytest.mark.parametrize("scales", [1, 3])
def test_the_convolution_is_the_formula(scales):
    x = noise(2, 40, 5, 3, dtype="float64")
    layer = ScaleConv1D(4, 3, scales, use_bias=True, dtype="float64")
    layer.build(x.shape)
    layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    outputs = numpy(layer(x))
    assert (
        outputs.shape == (2, 40, 6 - scales, 4) == layer.compute_output_shape(x.shape)
    )
    kernel = numpy(layer.kernel)
    for index in range(6 - scales):
        expected = sum(
            by_the_formula(x[1, :, index + i], kernel[:, i], 2**index)
            for i in range(scales)
        )
        received = outputs[1, :, index] - [1, 2, 3, 4]
        np.testing.assert_allclose(received, expected, atol=1e-12)


def test_one_tap_mixes_scales_and_channels_and_does_nothing_else():
    x = noise(2, 7, 5, 3, dtype="float64")
    layer = ScaleConv1D(4, 1, scales=3, dtype="float64")
    outputs, kernel = numpy(layer(x)), numpy(layer.kernel)[0]
    for index in range(3):
        expected = np.einsum("btic,icf->btf", x[:, :, index : index + 3], kernel)
        np.testing.assert_allclose(outputs[:, :, index], expected, atol=1e-12)


def sounds(samples, band, channels=1):
    """Noise of the lowest `band` of all frequencies, and the same at half the speed.

    Both are one period of a periodic signal, so the sine series says exactly what
    stands between the samples.
    """
    count = int(band * samples / 2)
    rng = np.random.default_rng(0)
    series = np.zeros((samples + 1, channels), complex)
    series[1:count] = rng.standard_normal((count - 1, channels, 2)) @ [1, 1j]
    x = np.fft.irfft(series[: samples // 2 + 1], axis=0) * samples
    slow = np.fft.irfft(series, axis=0) * 2 * samples
    np.testing.assert_allclose(slow[::2], x, atol=1e-9 * np.abs(x).max())
    return x[None], slow[None]


def scale_error(model, x, slow, margin, steps=1):
    """How far y'_(j + steps)[2 t] is from y_j[t], away from the borders."""
    y = numpy(model(x))[0, margin:-margin]
    y_slow = numpy(model(slow))[0, ::2][margin:-margin]
    count = y.shape[1] - 1
    difference = y_slow[:, steps : steps + count] - y[:, :count]
    return difference.std() / y[:, :count].std()


def lift(filters=8, scales=4):
    return ScaleLiftConv1D(filters, 79, scales, dtype="float64")


# (band, error of the lift, of two layers with a ReLU between them)
LIMITS = [(1.0, 0.15, 0.2), (0.5, 0.01, 0.04), (0.25, 1e-3, 0.02), (0.125, 1e-4, 0.01)]


@pytest.mark.parametrize("band, limit, deep_limit", LIMITS)
def test_half_the_speed_is_one_scale_on(band, limit, deep_limit):
    x, slow = sounds(2048, band)
    first, second = lift(), ScaleConv1D(6, 3, scales=2, dtype="float64")

    def deep(x):
        return second(ops.relu(first(x)))

    assert scale_error(first, x, slow, margin=500) < limit
    assert scale_error(deep, x, slow, margin=500) < deep_limit


def test_but_not_the_same_scale():
    x, slow = sounds(2048, 0.25)
    assert scale_error(lift(), x, slow, margin=500, steps=0) > 0.5


def test_nor_has_a_plain_convolution_that_property():
    x, slow = sounds(2048, 0.25)
    plain = keras.layers.Conv1D(8, 79, padding="same", dtype="float64")

    def model(x):
        return ops.stack([plain(x)] * 4, axis=2)

    assert scale_error(model, x, slow, margin=500) > 0.5


def test_without_the_factor_it_would_not_hold():
    x, slow = sounds(2048, 0.25)
    layer = lift()

    def louder(x):
        return numpy(layer(x)) * np.array([1.0, 2, 4, 8])[:, None]

    assert scale_error(louder, x, slow, margin=500) > 0.5


def test_a_shift_stays_a_shift():
    x = noise(1, 400, 1, dtype="float64")
    layer = lift(scales=2)
    shifted = numpy(layer(np.roll(x, 7, axis=1)))
    inside = slice(150, 250)
    expected = numpy(layer(x))[:, 143:243]
    np.testing.assert_allclose(shifted[:, inside], expected, atol=1e-12)


def test_zero_mean_is_the_mean_squared_sum():
    for shape in ((79, 1, 8), (3, 3, 5, 6)):
        kernel = noise(*shape)
        axes = (0,) if len(shape) == 3 else (0, 1)
        expected = 10 * np.mean(kernel.sum(axis=axes) ** 2)
        np.testing.assert_allclose(numpy(ZeroMean(10.0)(kernel)), expected, rtol=1e-5)


def test_zero_mean_is_a_loss_of_the_layer():
    layer = lift()
    layer.kernel_regularizer = ZeroMean(1.0)
    layer = ScaleLiftConv1D.from_config(layer.get_config())
    layer.build((None, 100, 1))
    sums = numpy(layer.kernel).sum(axis=0)
    np.testing.assert_allclose(numpy(layer.losses[0]), np.mean(sums**2), rtol=1e-6)


@pytest.mark.parametrize("use_bias", [False, True])
def test_round_trip_and_open_time(use_bias):
    signal = keras.Input((None, 2))
    x = ScaleLiftConv1D(3, 5, 4, use_bias, kernel_regularizer=ZeroMean(2.0))(signal)
    model = keras.Model(signal, ScaleConv1D(2, 3, 2, use_bias)(x))
    assert model.output_shape == (None, None, 3, 2)
    restored = keras.Model.from_config(model.get_config())
    restored.set_weights(model.get_weights())
    assert len(restored.losses) == 1
    assert model.count_params() == 5 * 2 * 3 + 3 * 2 * 3 * 2 + use_bias * 5
    for samples in (3, 50):
        sound = noise(2, samples, 2)
        np.testing.assert_array_equal(numpy(restored(sound)), numpy(model(sound)))
    config = keras.saving.serialize_keras_object(model.layers[1])
    assert config["registered_name"] == "convzoo>ScaleLiftConv1D"
    assert config["config"]["kernel_regularizer"]["registered_name"] == (
        "convzoo>ZeroMean"
    )


def test_half_precision():
    layer = ScaleLiftConv1D(3, 5, 4, dtype="mixed_bfloat16")
    outputs = layer(noise(1, 20, 1))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert layer.kernel.dtype == "float32"
    outputs = ScaleConv1D(3, 3, 2, dtype="mixed_bfloat16")(outputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


@pytest.mark.parametrize("kind", [ScaleLiftConv1D, ScaleConv1D])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "`filters` must be a positive integer"),
        ({"kernel_size": 80}, "`kernel_size` must be odd.*kernel_size=80"),
        ({"kernel_size": 2.5}, "`kernel_size` must be a positive integer"),
        ({"scales": True}, "`scales` must be a positive integer"),
    ],
)
def test_arguments_that_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**{"filters": 4, "kernel_size": 3, **arguments})


def test_inputs_that_are_refused():
    with pytest.raises(ValueError, match="expects a signal"):
        ScaleLiftConv1D(4, 3).build((None, 10, 3, 2))
    with pytest.raises(ValueError, match="expects a map"):
        ScaleConv1D(4, 3).build((None, 10, 3))
    with pytest.raises(ValueError, match="covers 3 scales, the input has 2"):
        ScaleConv1D(4, 3, scales=3).build((None, 10, 2, 3))
    with pytest.raises(ValueError, match="`strength` must be at least 0"):
        ZeroMean(-1.0)
