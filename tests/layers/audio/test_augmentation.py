"""What holds for every layer that changes sound at random."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers.audio.add_noise import AddNoise
from zoo.layers.audio.missing_fragments import MissingFragments
from zoo.layers.audio.random_equalizer import RandomEqualizer
from zoo.layers.audio.random_gain import RandomGain
from zoo.layers.audio.random_polarity import RandomPolarity
from zoo.layers.audio.random_speed import RandomSpeed
from zoo.layers.audio.random_time_shift import RandomTimeShift

LAYERS = (
    AddNoise,
    MissingFragments,
    RandomEqualizer,
    RandomGain,
    RandomPolarity,
    RandomSpeed,
    RandomTimeShift,
)
PAIRED = (
    RandomEqualizer,
    RandomGain,
    RandomPolarity,
    RandomSpeed,
    RandomTimeShift,
)
every_layer = pytest.mark.parametrize("layer_class", LAYERS)
BACKEND = keras.backend.backend()
# Each shape compiles anew on JAX.
SHAPES = 5 if BACKEND == "jax" else 25


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def noise(*shape, seed=0):
    signal = np.random.default_rng(seed).uniform(-0.5, 0.5, shape)
    return signal.astype("float32")


@every_layer
def test_nothing_happens_outside_of_training(layer_class):
    waveform, tempo = noise(16, 200, 1), np.linspace(60.3, 200, 16, dtype="float32")
    layer = layer_class()
    np.testing.assert_array_equal(numpy(layer(waveform)), waveform)
    inputs = {"waveform": waveform, "reference": waveform[::-1], "tempo": tempo}
    outputs = layer(inputs, training=False)
    assert set(outputs) == set(inputs)
    for key, value in inputs.items():
        np.testing.assert_array_equal(numpy(outputs[key]), value)


@every_layer
def test_each_clip_is_changed_by_itself(layer_class):
    waveform = np.repeat(noise(1, 200, 1), 16, axis=0)
    outputs = numpy(layer_class(seed=1)(waveform, training=True))
    assert outputs.shape == waveform.shape
    different = len(np.unique(outputs.round(5), axis=0))
    assert different == 2 if layer_class is RandomPolarity else different > 8


@every_layer
def test_same_seed_same_sound(layer_class):
    waveform = noise(16, 200, 1)
    first, again, other = (layer_class(seed=seed) for seed in (3, 3, 4))
    sequence = [numpy(first(waveform, training=True)) for _ in range(2)]
    repeated = [numpy(again(waveform, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(sequence, repeated)
    assert not np.array_equal(*sequence)
    assert not np.array_equal(sequence[0], numpy(other(waveform, training=True)))


@every_layer
def test_a_seed_of_the_call_takes_the_place_of_memory(layer_class):
    waveform = noise(16, 200, 1)
    layer, again = layer_class(seed=3), layer_class(seed=3)
    layer(waveform, training=True)
    by_seven = numpy(layer(waveform, training=True, seed=7))
    np.testing.assert_array_equal(
        by_seven, numpy(again(waveform, training=True, seed=7))
    )
    pair = keras.ops.convert_to_tensor(np.array([7, 1]))
    for other in (
        again(waveform, training=True, seed=8),
        again(waveform, training=True, seed=pair),
        layer_class(seed=4)(waveform, training=True, seed=7),
    ):
        assert not np.array_equal(by_seven, numpy(other))


def test_two_layers_of_one_seed_do_not_throw_the_same_dice():
    waveform = np.ones((1000, 4, 1), "float32")
    gain = numpy(RandomGain((-12, 0), seed=0)(waveform, training=True))[:, 0, 0]
    sign = numpy(RandomPolarity(seed=0)(waveform, training=True))[:, 0, 0]
    assert abs(np.corrcoef(gain, sign)[0, 1]) < 0.12


@pytest.mark.parametrize("layer_class", PAIRED)
def test_a_pair_stays_aligned(layer_class):
    waveform = noise(16, 200, 1)
    inputs = {"waveform": waveform, "reference": -0.5 * waveform}
    outputs = layer_class(seed=0)(inputs, training=True)
    changed = numpy(outputs["waveform"])
    assert not np.allclose(changed, waveform)
    np.testing.assert_allclose(numpy(outputs["reference"]), -0.5 * changed, atol=1e-6)


@pytest.mark.parametrize("layer_class", [AddNoise, MissingFragments])
def test_a_clean_reference_stays_clean(layer_class):
    waveform, tempo = noise(16, 200, 1), np.full(16, 120.0, "float32")
    inputs = {"waveform": waveform, "reference": waveform, "tempo": tempo}
    outputs = layer_class(seed=0)(inputs, training=True)
    assert not np.allclose(numpy(outputs["waveform"]), waveform)
    np.testing.assert_array_equal(numpy(outputs["reference"]), waveform)
    np.testing.assert_array_equal(numpy(outputs["tempo"]), tempo)


@every_layer
def test_in_a_model_of_open_length(layer_class, tmp_path):
    inputs = {
        "waveform": keras.Input((None, 1), name="waveform"),
        "tempo": keras.Input((), name="tempo"),
    }
    layer = layer_class(seed=5)
    outputs = layer(inputs)
    assert tuple(outputs["waveform"].shape) == (None, None, 1)
    model = keras.Model(inputs, [outputs["waveform"], outputs["tempo"]])
    values = {"waveform": noise(16, 200, 1), "tempo": np.full(16, 120.0, "float32")}
    np.testing.assert_array_equal(
        model.predict(values, verbose=0)[0], values["waveform"]
    )
    changed, _ = model(values, training=True)
    expected = layer_class(seed=5)(values, training=True)["waveform"]
    np.testing.assert_allclose(numpy(changed), numpy(expected), atol=1e-5)
    model.save(tmp_path / "model.keras")
    restored = keras.models.load_model(tmp_path / "model.keras")
    (copy,) = (x for x in restored.layers if isinstance(x, layer_class))
    assert copy.get_config() == layer.get_config()


def test_in_a_model_that_trains():
    layers = [layer_class(seed=0) for layer_class in LAYERS]
    head = [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((200, 1)), *layers, *head])
    model.compile("sgd", "mse")
    history = model.fit(noise(12, 200, 1), np.ones(12), batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@every_layer
@pytest.mark.parametrize("dtype", ["mixed_float16", "bfloat16", "float64"])
def test_precision(layer_class, dtype):
    waveform = noise(16, 3000, 1)
    tempo = np.linspace(60.3, 200.1, 16, dtype="float32")
    inputs = {"waveform": waveform, "tempo": tempo}
    layer = layer_class(seed=2, dtype=dtype)
    outputs = layer(inputs, training=True)
    compute = keras.DTypePolicy(dtype).compute_dtype
    if BACKEND == "jax" and not __import__("jax").config.jax_enable_x64:
        compute = compute.replace("64", "32")
    assert keras.backend.standardize_dtype(outputs["waveform"].dtype) == compute
    expected = layer_class(seed=2)(inputs, training=True)
    if dtype != "float64":  # where the random numbers are others
        for key, tolerance in (("waveform", 0.01), ("tempo", 1e-4)):
            np.testing.assert_allclose(
                numpy(keras.ops.cast(outputs[key], "float32")),
                numpy(expected[key]),
                atol=tolerance,
            )


@every_layer
def test_round_trip(layer_class):
    layer = layer_class(seed=9, name="change")
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == f"convzoo>{layer_class.__name__}"
    assert restored.get_config() == layer.get_config()
    waveform = noise(16, 200, 1)
    np.testing.assert_array_equal(
        numpy(restored(waveform, training=True)), numpy(layer(waveform, training=True))
    )


@every_layer
def test_an_unseeded_layer_follows_the_global_seed(layer_class):
    seeds = []
    for seed in (0, 0, 1):
        keras.utils.set_random_seed(seed)
        seeds.append(layer_class().seed)
    assert seeds[0] == seeds[1] != seeds[2]


@settings(max_examples=SHAPES, deadline=None)
@given(
    st.sampled_from(LAYERS),
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 3)),
)
def test_any_shape_stays(layer_class, shape):
    outputs = numpy(layer_class(seed=0)(noise(*shape), training=True))
    assert outputs.shape == shape
    assert np.isfinite(outputs).all()


@every_layer
def test_silence_stays_silence(layer_class):
    outputs = layer_class(seed=0)(np.zeros((16, 200, 1), "float32"), training=True)
    np.testing.assert_array_equal(numpy(outputs), 0)


@every_layer
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"waveform": (100, 1)}, r"\(batch, samples, channels\).*Batch the clips"),
        ({"reference": (2, 100, 1)}, "takes a waveform.*Received: 'reference'"),
        ({"waveform": (2, 100, 1), "label": (2,)}, "Received: 'waveform', 'label'"),
        ({"waveform": (2, 100, 1), "reference": (2, 99, 1)}, "waveform's shape"),
        ({"waveform": (2, 100, 1), "reference": (2, 100)}, "waveform's shape"),
        ({"waveform": (2, 100, 1), "tempo": (2, 1)}, "one tempo a clip"),
    ],
)
def test_other_inputs_are_refused(layer_class, shapes, message):
    inputs = {key: np.ones(shape, "float32") for key, shape in shapes.items()}
    with pytest.raises(ValueError, match=message):
        layer_class()(inputs, training=True)
    symbolic = {key: keras.Input(shape[1:]) for key, shape in shapes.items()}
    with pytest.raises(ValueError, match=message):
        layer_class()(symbolic)


@every_layer
@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, "x"])
def test_other_seeds_are_refused(layer_class, seed):
    with pytest.raises(ValueError, match="`seed` must be None or an integer"):
        layer_class(seed=seed)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.data runs TensorFlow")
@every_layer
def test_in_tf_data(layer_class):
    import tensorflow as tf

    waveform = noise(24, 100, 1)
    tempo = np.full(24, 120.0, "float32")

    def epochs(parallel):
        layer = layer_class(seed=3)
        clips = tf.data.Dataset.from_tensor_slices((waveform, tempo)).batch(4)
        seeds = tf.data.Dataset.random(5, rerandomize_each_iteration=True).batch(2)

        def change(clip, seed):
            inputs = {"waveform": clip[0], "tempo": clip[1]}
            return layer(inputs, training=True, seed=seed)["waveform"]

        def remember(waveform, tempo):
            return layer(waveform, training=True)

        if parallel:
            dataset = tf.data.Dataset.zip(clips, seeds).map(change, parallel)
        else:
            dataset = clips.map(remember)
        return [np.concatenate(list(dataset.as_numpy_iterator())) for _ in range(2)]

    for parallel in (None, 4):
        first, second = epochs(parallel)
        assert first.shape == waveform.shape
        assert not np.array_equal(first, second)
        # The last bit hangs on how the threads share the work.
        np.testing.assert_allclose([first, second], epochs(parallel), rtol=0, atol=1e-6)
