"""SampleCNN: counts by layer and variant, lengths, and the gate by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo.audio import sample_cnn

TOTALS = {
    ("basic", False): 1_869_874,
    ("basic", True): 2_683_442,
    ("se", True): 24_742_706,
    ("res", False): 4_107_314,
    ("res", True): 4_920_882,
    ("rese", True): 26_980_146,
}
FILTERS = [128, 128, 256, 256, 256, 256, 256, 256, 512]
# (3 * channels + 1) * filters
CONVOLUTIONS = [49_280, 49_280, 98_560, *5 * [196_864], 393_728]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def counts_of(**arguments):
    return {r.layer: r.trainable for r in zoo.count(sample_cnn(**arguments)).rows}


@pytest.mark.parametrize("variant, multi_level", TOTALS)
def test_totals(variant, multi_level):
    report = zoo.count(sample_cnn(variant=variant, multi_level=multi_level))
    assert report.trainable == TOTALS[variant, multi_level]
    if (variant, multi_level) == ("basic", False):
        assert report.parameters == 1_875_762


def test_counts_by_layer():
    counts = counts_of()
    assert counts["stem_conv"] == 3 * 128 + 128
    blocks = [counts[f"block_{index}_conv"] for index in range(1, 10)]
    assert blocks == CONVOLUTIONS
    # A convolution of one step over 512 channels is this dense layer.
    assert counts["dense"] == 512 * 512 + 512
    assert counts["top"] == 512 * 50 + 50
    norms = [n for name, n in counts.items() if "norm" in name]
    assert norms == [2 * f for f in (128, *FILTERS, 512)]


def test_counts_of_a_gate_and_of_a_residual_block():
    counts = counts_of(variant="rese", multi_level=True)
    for index, filters in enumerate(FILTERS, start=1):
        gate = [counts[f"block_{index}_gate_{i}"] for i in (1, 2)]
        assert gate == [(filters + 1) * 16 * filters, (16 * filters + 1) * filters]
        convolutions = [counts[f"block_{index}_conv_{i}"] for i in (1, 2)]
        assert convolutions == [CONVOLUTIONS[index - 1], (3 * filters + 1) * filters]
    shortcuts = {n: c for n, c in counts.items() if n.endswith("shortcut")}
    assert shortcuts == {
        "block_3_shortcut": 129 * 256,
        "block_9_shortcut": 257 * 512,
    }
    assert counts["dense"] == 1_024 * 1_024 + 1_024


def test_lengths_are_those_of_the_table():
    model = sample_cnn()
    lengths = [model.get_layer(f"block_{i}_pool").output.shape[1] for i in range(1, 10)]
    assert model.get_layer("stem_relu").output.shape == (None, 19_683, 128)
    assert lengths == [6_561, 2_187, 729, 243, 81, 27, 9, 3, 1]


def test_multiply_adds_by_hand():
    rows = {row.layer: row.multiply_adds for row in zoo.count(sample_cnn()).rows}
    assert rows["stem_conv"] == 19_683 * 3 * 128
    assert rows["block_1_conv"] == 19_683 * 3 * 128 * 128
    assert rows["block_9_conv"] == 3 * 3 * 256 * 512
    assert rows["dense"] == 512 * 512
    rows = zoo.count(sample_cnn(input_shape=(243, 1), variant="se")).rows
    rows = {row.layer: row.multiply_adds for row in rows}
    assert rows["block_1_gate_1"] == rows["block_1_gate_2"] == 128 * 16 * 128


def test_the_gate_is_the_formula():
    model = sample_cnn(input_shape=(243, 1), variant="se")
    inner = keras.Model(
        model.input,
        [model.get_layer(f"block_2_{name}").output for name in ("pool", "scale")],
    )
    x, scaled = (values.numpy() for values in inner(noise(2, 243, 1)))
    first, first_bias = model.get_layer("block_2_gate_1").get_weights()
    second, second_bias = model.get_layer("block_2_gate_2").get_weights()
    hidden = np.maximum(x.mean(axis=1) @ first + first_bias, 0)
    gate = 1 / (1 + np.exp(-(hidden @ second + second_bias)))
    np.testing.assert_allclose(scaled, x * gate[:, None], rtol=1e-4, atol=1e-5)


def test_the_multi_level_head_sees_the_last_three_blocks():
    model = sample_cnn(input_shape=(729, 1), multi_level=True)
    maps = [model.get_layer(f"block_{index}_pool").output for index in (3, 4, 5)]
    inner = keras.Model(model.input, [*maps, model.get_layer("levels").output])
    *maps, levels = (values.numpy() for values in inner(noise(2, 729, 1)))
    assert [x.shape[1:] for x in maps] == [(9, 256), (3, 256), (1, 512)]
    expected = np.concatenate([x.max(axis=1) for x in maps], axis=-1)
    np.testing.assert_array_equal(levels, expected)


def test_the_order_in_a_residual_block():
    """Two convolutions, the sum, then ReLU and maximum: by hand from the layers."""
    model = sample_cnn(input_shape=(243, 1), variant="res")
    names = ("block_2_pool", "block_3_norm_2", "block_3_shortcut_norm", "block_3_pool")
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    _, branch, shortcut, pooled = (x.numpy() for x in inner(noise(2, 243, 1)))
    total = np.maximum(branch + shortcut, 0)
    expected = total.reshape(2, -1, 3, total.shape[-1]).max(axis=2)
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    # Where the filters stay, the input itself is added.
    assert model.get_layer("block_2_add").input[1].shape[-1] == 128
    assert "block_2_shortcut" not in {layer.name for layer in model.layers}


def test_initial_weights_and_dropout():
    model = sample_cnn(variant="res")
    kernel = model.get_layer("block_5_conv_1").kernel.numpy()
    limit = np.sqrt(6 / (3 * 256))  # He, uniform
    assert limit * 0.99 < np.abs(kernel).max() <= limit
    rates = {
        layer.name: layer.rate
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout)
    }
    assert rates.pop("dense_dropout") == 0.5
    assert set(rates.values()) == {0.2} and len(rates) == 9
    names = [layer.name for layer in sample_cnn().layers if "dropout" in layer.name]
    assert names == ["dense_dropout"]


@pytest.mark.parametrize("power", [5, 6, 8])
def test_other_powers_of_three(power):
    model = sample_cnn(input_shape=(3**power, 1), include_top=False)
    filters = [
        layer.filters
        for layer in model.layers
        if layer.name.startswith("block_") and layer.name.endswith("_conv")
    ]
    assert filters == [128, 128, *(power - 4) * [256], 512]
    assert model.output_shape == (None, 1, 512)
    assert np.isfinite(model(noise(1, 3**power, 1))).all()


@pytest.mark.parametrize(
    "samples, nearest",
    [
        (59_048, "19683 or 59049"),
        (59_050, "59049 or 177147"),
        (32_000, "19683 or 59049"),
        (81, "243"),
        (1, "243"),
        (3**15, "4782969"),
        (None, "59049"),
    ],
)
def test_lengths_that_are_refused(samples, nearest):
    with pytest.raises(ValueError, match=f"power of 3.*{samples}. Use {nearest}:"):
        sample_cnn(input_shape=(samples, 1))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200_000).filter(lambda n: n not in {3**i for i in range(5, 15)}))
def test_no_other_length_is_taken(samples):
    with pytest.raises(ValueError, match="Use .*: cut or pad the sound"):
        sample_cnn(input_shape=(samples, 1))


@pytest.mark.parametrize("variant", ["SE", "resnet", None, ""])
def test_variants_that_are_refused(variant):
    with pytest.raises(ValueError, match=r"`variant` must be one of \('basic', 'se'"):
        sample_cnn(variant=variant)
