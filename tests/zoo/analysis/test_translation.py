"""translation_report: what strides, pooling and borders do to equivariance."""

import keras
import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import zoo
from zoo.layers import GroupConv2D, GroupUpSampling2D, UntiedBias


def net(*layers, shape=(32, 32, 1)):
    inputs = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


class CircularConv2D(keras.layers.Conv2D):
    """Of 3 x 3 pixels; beyond the border lies what stands at the other side."""

    def call(self, images):
        images = keras.ops.concatenate([images[:, -1:], images, images[:, :1]], axis=1)
        sides = (images[:, :, -1:], images, images[:, :, :1])
        return super().call(keras.ops.concatenate(sides, axis=2))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.filters)


def rows_of(model):
    report = zoo.translation_report(model)
    return [*report.rows, report.output]


def test_convolution_is_exact_inside_and_broken_by_its_border():
    model = net(keras.layers.Conv2D(2, 5, padding="same", bias_initializer="normal"))
    (row, output) = rows_of(model)
    assert row.stride == (1, 1) and row.border == ((2, 2), (2, 2))
    assert row.inside < 1e-5 and row.one_pixel < 1e-5
    assert row.circular > 0.05
    assert output.inside == row.inside and output.kind == "logits"


def test_the_errors_are_those_of_a_computation_by_hand():
    """By SciPy, on the same noise."""
    model = net(keras.layers.Conv2D(1, 3, padding="same"), shape=(12, 12, 1))
    kernel = model.layers[1].kernel.numpy()[:, :, 0, 0].astype("float64")
    noise = np.random.default_rng(3).standard_normal((2, 12, 12, 1))[..., 0]

    def convolved(images):
        return np.stack(
            [scipy.signal.correlate2d(image, kernel, "same") for image in images]
        )

    before = convolved(noise)
    after = convolved(np.roll(noise, (1, 1), axis=(1, 2)))
    difference = np.abs(after - np.roll(before, (1, 1), axis=(1, 2))).max()
    report = zoo.translation_report(model, seed=3)
    assert report.output.circular == pytest.approx(difference / before.std(), rel=1e-4)


def test_circular_padding_makes_every_position_exact():
    model = net(
        CircularConv2D(2, 3),
        keras.layers.MaxPooling2D(2),
        CircularConv2D(3, 3),
        keras.layers.GlobalAveragePooling2D(),
    )
    rows = rows_of(model)
    assert [row.stride for row in rows] == [(1, 1), *[(2, 2)] * 4]
    assert all(row.circular < 1e-5 for row in rows)
    assert all(row.one_pixel > 0.05 for row in rows[1:3])
    assert rows[3].one_pixel > 1e-3  # of a vector: it was to stay as it is


def test_strides_and_pooling_leave_only_whole_strides():
    model = net(
        keras.layers.Conv2D(2, 3, padding="same"),
        keras.layers.ReLU(),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(2, 3, strides=(2, 1), padding="valid"),
        keras.layers.UpSampling2D((2, 1)),
    )
    convolution, relu, pooling, strided, upsampled, _ = rows_of(model)
    assert [row.stride for row in (convolution, relu)] == [(1, 1)] * 2
    assert [row.stride for row in (pooling, strided)] == [(2, 2), (4, 2)]
    assert upsampled.stride == (4, 2)
    for row in (convolution, relu, pooling, strided, upsampled):
        assert row.inside < 1e-5
    assert convolution.one_pixel < 1e-5
    for row in (pooling, strided, upsampled):
        assert row.one_pixel > 0.05


def test_invariance_ends_at_a_dense_layer_on_positions():
    convolve = {"kernel_size": 3, "activation": "relu", "padding": "same"}
    pooled = net(keras.layers.Conv2D(2, **convolve), keras.layers.GlobalMaxPooling2D())
    flattened = net(keras.layers.Conv2D(2, **convolve), keras.layers.Flatten())
    for model, low, high in ((pooled, 0, 0.7), (flattened, 0.7, 99)):
        row = rows_of(model)[-1]
        assert low <= row.circular < high
        assert row.border is None and np.isnan(row.inside)
    constant = net(keras.layers.Conv2D(2, 1), keras.layers.GlobalAveragePooling2D())
    assert rows_of(constant)[-1].circular < 1e-4


def test_a_bias_of_each_position_is_drawn_and_shows():
    model = net(
        keras.layers.Conv2D(2, 3), UntiedBias(name="untied"), keras.layers.ReLU()
    )
    report = zoo.translation_report(model)
    convolution, untied, relu = report.rows
    assert report.drawn == (model.get_layer("untied").bias.path,)
    assert "untied/bias" in str(report)
    assert convolution.inside < 1e-5 < 0.05 < untied.inside
    # LayerNormalization looks at a whole column: nothing is inside any more.
    along = net(keras.layers.LayerNormalization(axis=1))
    assert rows_of(along)[0].border is None


def test_sequences_volumes_and_group_maps():
    causal = net(
        keras.layers.Conv1D(2, 3, dilation_rate=4, padding="causal"),
        keras.layers.AveragePooling1D(4),
        shape=(256, 1),
    )
    convolution, pooling, _ = rows_of(causal)
    assert convolution.border == ((8, 0),) and convolution.inside < 1e-5
    assert pooling.border == ((2, 0),) and pooling.stride == (4,)
    assert pooling.inside < 1e-5 < pooling.one_pixel
    volume = net(
        keras.layers.Conv3D(2, 3), keras.layers.MaxPooling3D(2), shape=(9, 9, 9, 1)
    )
    assert rows_of(volume)[-1].stride == (2, 2, 2)
    assert rows_of(volume)[-1].inside < 1e-5
    group = net(
        GroupConv2D(2, 3, padding="same"), GroupUpSampling2D(2), shape=(9, 9, 1)
    )
    convolution, upsampled, _ = rows_of(group)
    assert convolution.border == ((1, 1), (1, 1)) and convolution.inside < 1e-5
    assert upsampled.border == ((2, 2), (2, 2)) and upsampled.inside < 1e-5
    assert upsampled.stride == (1, 1)
    tempo = zoo.translation_report(zoo.tcn(input_shape=(64, 1), levels=3))
    assert tempo.rows[0].inside < 1e-5


def test_what_is_not_known_is_not_called_inside():
    """Attention sees all positions, a cubic four, a reshape may do anything."""
    sequence = keras.Input((20, 4))
    attended = keras.layers.MultiHeadAttention(2, 4)(sequence, sequence)
    (row,) = zoo.translation_report(keras.Model(sequence, attended)).rows
    assert row.border is None and np.isnan(row.inside)
    for layers, shape in (
        ([keras.layers.UpSampling2D(2, interpolation="bicubic")], (9, 9, 1)),
        ([keras.layers.Reshape((20, 8, 1)), keras.layers.Conv2D(2, 3)], (20, 8)),
        ([keras.layers.Reshape((81, 1))], (9, 9, 1)),
        ([keras.layers.Reshape((9, 9, 3, 1)), keras.layers.Conv3D(2, 3)], (9, 9, 3)),
    ):
        row = rows_of(net(*layers, shape=shape))[-1]
        assert row.stride is None and np.isnan(row.inside)


def test_equivariance_report_measures_translation_too():
    report = zoo.equivariance_report(zoo.p4cnn())
    rows = {row.layer: row for row in report.translation.rows}
    assert rows["conv_1"].inside < 1e-5 < 0.05 < rows["conv_1"].circular
    assert set(rows) == {row.layer for row in report.rows}
    assert "one pixel" in str(report)


kinds = st.sampled_from(["convolution", "max", "average", "pad", "crop", "up", "down"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            kinds,
            st.integers(1, 4),
            st.integers(1, 3),
            st.sampled_from(["valid", "same"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(20, 40),
)
def test_positions_inside_are_those_that_see_nothing_but_input(layers, length):
    """Any stack: the positions that are compared do not see the zeros of the shift."""
    made = {
        "convolution": lambda k, s, p: keras.layers.Conv1D(
            2, k, strides=s, padding=p, bias_initializer="normal"
        ),
        "max": lambda k, s, p: keras.layers.MaxPooling1D(k, s, p),
        "average": lambda k, s, p: keras.layers.AveragePooling1D(k, s, p),
        "pad": lambda k, s, p: keras.layers.ZeroPadding1D((k, s)),
        "crop": lambda k, s, p: keras.layers.Cropping1D((k, s)),
        "up": lambda k, s, p: keras.layers.UpSampling1D(s),
        "down": lambda k, s, p: keras.layers.Conv1DTranspose(
            2, k, strides=s, padding=p, bias_initializer="normal"
        ),
    }
    try:
        model = net(*(made[kind](*rest) for kind, *rest in layers), shape=(length, 1))
    except ValueError:
        assume(False)
    for row in rows_of(model):
        assume(row.stride is not None)
        assert np.isnan(row.inside) or row.inside < 1e-4


def test_refusals():
    two = [keras.Input((9, 9, 1)), keras.Input((9, 9, 1))]
    with pytest.raises(ValueError, match="one input"):
        zoo.translation_report(keras.Model(two, keras.layers.Add()(two)))
    with pytest.raises(ValueError, match="one input"):
        zoo.translation_report(net(keras.layers.Dense(2), shape=(5,)))
    with pytest.raises(ValueError, match="subclassed"):
        zoo.translation_report(keras.Model())
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        zoo.translation_report(net(keras.layers.ReLU()), batch_size=0)
    open_size = net(keras.layers.Conv1D(2, 3), shape=(None, 1))
    with pytest.raises(ValueError, match="leaves the shape of its input open"):
        zoo.translation_report(open_size)
    assert zoo.translation_report(open_size, input_shape=(20, 1)).output.inside < 1e-5
    with pytest.raises(ValueError, match="takes inputs of shape"):
        zoo.translation_report(open_size, input_shape=(20, 2))
