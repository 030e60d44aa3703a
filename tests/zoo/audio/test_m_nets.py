"""The M-nets of Dai et al. 2016: counts by layer, lengths, the order in a block."""

import keras
import numpy as np
import pytest

import zoo
from zoo import audio

NETS = ("m3", "m5", "m11", "m18", "m34_res")
# Trainable and not, of the whole net: the counts published with the reproduction.
TOTALS = {
    "m3": (221_194, 1_024),
    "m5": (559_114, 2_048),
    "m11": (1_786_442, 4_480),
    "m18": (3_683_786, 7_808),
    "m34_res": (3_984_154, 17_088),
}
# Convolutions of the plain nets, in their order: (taps * channels + 1) * filters.
CONVOLUTIONS = {
    "m3": [20_736, 196_864],
    "m5": [10_368, 49_280, 98_560, 393_728],
    "m11": [5_184, *2 * [12_352], 24_704, 49_280]
    + [98_560, *2 * [196_864], 393_728, 786_944],
    "m18": [5_184, *4 * [12_352], 24_704, *3 * [49_280]]
    + [98_560, *3 * [196_864], 393_728, *3 * [786_944]],
}
# First and second convolution of a block of M34-res, by stage.
BLOCKS = (
    3 * [(6_960, 6_960)]
    + [(13_920, 27_744), *3 * [(27_744, 27_744)]]
    + [(55_488, 110_784), *5 * [(110_784, 110_784)]]
    + [(221_568, 442_752), *2 * [(442_752, 442_752)]]
)
TOPS = {"m3": 2_570, "m5": 5_130, "m11": 5_130, "m18": 5_130, "m34_res": 3_850}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def build(name, **arguments):
    return getattr(audio, name)(**arguments)


@pytest.mark.parametrize("name", NETS)
def test_counts_by_layer(name):
    report = zoo.count(build(name))
    counts = {row.layer: row.trainable for row in report.rows}
    assert (report.trainable, report.non_trainable) == TOTALS[name]
    assert counts["top"] == TOPS[name]
    if name == "m34_res":
        assert counts["conv_1"] == 3_888
        for index, pair in enumerate(BLOCKS, start=2):
            block = [counts[f"res_{index}_conv_{i}"] for i in (1, 2)]
            norms = [counts[f"res_{index}_norm_{i}"] for i in (1, 2, 3)]
            filters = {27_744: 96, 110_784: 192, 442_752: 384}.get(pair[1], 48)
            assert tuple(block) == pair and norms == 3 * [2 * filters]
    else:
        convolutions = [n for layer, n in counts.items() if layer.startswith("conv")]
        assert convolutions == CONVOLUTIONS[name]


@pytest.mark.parametrize("name", NETS)
def test_lengths_are_those_of_the_table(name):
    pools = [layer for layer in build(name).layers if layer.name.startswith("pool")]
    lengths = [layer.output.shape[1] for layer in pools]
    assert lengths == [2_000, 500, 125, 31][: len(pools)]
    assert len(pools) == (2 if name == "m3" else 4)
    last = build(name, include_top=False).layers[-1].name
    # M11, M18 and M34-res end in a convolution.
    assert last.startswith("pool" if name in ("m3", "m5") else ("relu", "res"))


def test_multiply_adds_by_hand():
    rows = {row.layer: row.multiply_adds for row in zoo.count(audio.m5()).rows}
    assert rows["conv_1"] == 8_000 * 80 * 128
    assert rows["conv_2"] == 2_000 * 3 * 128 * 128
    assert rows["conv_3"] == 500 * 3 * 128 * 256
    assert rows["conv_4"] == 125 * 3 * 256 * 512
    assert rows["top"] == 512 * 10
    assert sum(rows.values()) == 278_533_120


def test_widths_follow_the_first_one():
    report = zoo.count(audio.m5(filters=48))
    assert report.trainable == 82_954
    shapes = {row.layer: row.output_shape[-1] for row in report.rows}
    assert [shapes[f"conv_{i}"] for i in (1, 2, 3, 4)] == [48, 48, 96, 192]
    model = audio.m34_res(filters=6, include_top=False)
    assert model.output_shape == (None, 31, 48)


def test_doubled_channels_are_copied_one_behind_the_other():
    model = audio.m34_res(input_shape=(1_100, 1), filters=3)
    twice = keras.Model(
        model.input,
        [
            model.get_layer("res_5_twice").input[0],
            model.get_layer("res_5_twice").output,
        ],
    )
    once, doubled = (x.numpy() for x in twice(noise(2, 1_100, 1)))
    np.testing.assert_array_equal(doubled, np.concatenate([once, once], axis=-1))
    assert not np.array_equal(doubled, np.repeat(once, 2, axis=-1))  # a a b b


def test_a_whole_residual_net_against_torch():
    """Padding, strides and the order in a block, written anew in torch."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    model = audio.m34_res(input_shape=(1_600, 1), filters=2, classifier_activation=None)
    for seed, weight in enumerate(model.weights):
        values = 0.3 * noise(*weight.shape, seed=seed)
        weight.assign(values**2 + 0.5 if "variance" in weight.path else values)

    def convolve(x, name, **arguments):
        kernel, bias = map(torch.tensor, model.get_layer(name).get_weights())
        return functional.conv1d(x, kernel.permute(2, 1, 0), bias, **arguments)

    def normalize(x, name):
        gamma, beta, mean, variance = map(
            torch.tensor, model.get_layer(name).get_weights()
        )
        return functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

    waveform = noise(2, 1_600, 1)
    x = torch.tensor(waveform).permute(0, 2, 1)
    x = convolve(x, "conv_1", stride=4, padding=38)
    x = normalize(x, "norm_1").relu()
    index = 1
    for blocks in (3, 4, 6, 3):
        x = functional.max_pool1d(x, 4)
        for _ in range(blocks):
            index += 1
            y = convolve(x, f"res_{index}_conv_1", padding=1)
            y = normalize(y, f"res_{index}_norm_1").relu()
            y = convolve(y, f"res_{index}_conv_2", padding=1)
            y = normalize(y, f"res_{index}_norm_2")
            if y.shape[1] != x.shape[1]:
                x = x.repeat(1, 2, 1)
            x = normalize(y + x, f"res_{index}_norm_3").relu()
    kernel, bias = map(torch.tensor, model.get_layer("top").get_weights())
    expected = (x.mean(dim=-1) @ kernel + bias).numpy()
    np.testing.assert_allclose(model(waveform), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


@pytest.mark.parametrize("name", NETS)
def test_any_length(name):
    model = build(name, input_shape=(None, 1), filters=4)
    fixed = build(name, input_shape=(1_300, 1), filters=4)
    fixed.set_weights(model.get_weights())
    waveform = noise(2, 1_300, 1)
    np.testing.assert_allclose(model(waveform), fixed(waveform), atol=1e-6)
    assert model(noise(2, 2_000, 1)).shape == (2, 10)


@pytest.mark.parametrize("name", NETS)
def test_the_shortest_sound(name):
    shortest = 61 if name == "m3" else 1_021
    model = build(name, input_shape=(shortest, 2), filters=4)
    assert np.isfinite(model(noise(1, shortest, 2))).all()
    with pytest.raises(ValueError, match=f"{name} needs at least {shortest} samples"):
        build(name, input_shape=(shortest - 1, 2))


@pytest.mark.parametrize("filters", [0, -4, 1.5, True, "48"])
def test_filters_that_are_refused(filters):
    with pytest.raises(ValueError, match="`filters` must be a positive .* paper's 128"):
        audio.m5(filters=filters)


@pytest.mark.parametrize("shape", [(8_000,), (8_000, None), (-1, 1), (8_000, 1, 1), 1])
def test_shapes_that_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(samples, channels\).*Received"):
        audio.m5(input_shape=shape)
