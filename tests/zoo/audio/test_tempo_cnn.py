"""tempo_cnn and deep_tempo: counts, values against torch, loudness, silence, length."""

import keras
import librosa
import numpy as np
import pytest
from equivariance import noise

import zoo
from zoo.audio.tasks import decode, loss_for_task
from zoo.audio.tempo_cnn import deep_tempo, tempo_cnn

NETS = {"tempo_cnn": tempo_cnn, "deep_tempo": deep_tempo}
# 32 frames and 64 frames: what the nets take at least, or quickly.
SHORT = {"tempo_cnn": 31 * 512, "deep_tempo": 63 * 512}


@pytest.fixture(params=NETS)
def name(request):
    return request.param


def short(name, **arguments):
    return NETS[name](**{"input_shape": (SHORT[name], 1), **arguments})


def stir(model, seed=0):
    """Weights and statistics that are none of the initial ones."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if len(weight.shape) == 1:
            values = 0.5 + rng.uniform(size=weight.shape)
            is_bias = weight.path.endswith(("bias", "beta", "moving_mean"))
            weight.assign(values - 1 if is_bias else values)


def counts(model):
    return {
        row.layer: (row.trainable, row.non_trainable)
        for row in zoo.count(model).rows
        if row.parameters
    }


def test_counts_of_tempo_cnn_by_layer():
    rows = counts(tempo_cnn())
    assert rows["short_1_norm"] == (2, 2)
    assert rows["short_1_conv"] == (5 * 16 + 16, 0)
    for index in (2, 3):
        assert rows[f"short_{index}_norm"] == (32, 32)
        assert rows[f"short_{index}_conv"] == (5 * 16 * 16 + 16, 0)
    for module, channels in ((1, 16), (2, 36), (3, 36), (4, 36)):
        assert rows[f"module_{module}_norm"] == (2 * channels, 2 * channels)
        for frames in (32, 64, 96, 128, 192, 256):
            expected = (frames * channels * 24 + 24, 0)
            assert rows[f"module_{module}_conv_{frames}"] == expected
        assert rows[f"module_{module}_bottleneck"] == (144 * 36 + 36, 0)
    assert rows["flat_norm"] == (72, 72)
    assert rows["dense_1"] == (9216 * 64 + 64, 0)
    assert rows["dense_2"] == (64 * 64 + 64, 0)
    assert rows["dense_1_norm"] == rows["dense_2_norm"] == (128, 128)
    assert rows["top"] == (64 * 256 + 256, 0)
    assert sum(trainable for trainable, _ in rows.values()) == 2_921_042
    assert sum(other for _, other in rows.values()) == 642


@pytest.mark.parametrize("k, trainable, total", [(16, 318_576, 320_304), (2, 9_106, 0)])
def test_counts_of_deep_tempo_by_layer(k, trainable, total):
    rows = counts(deep_tempo(filters=k))
    channels = 1
    for index, times in enumerate((1, 2, 4, 4, 8, 8), start=1):
        filters = times * k
        assert rows[f"block_{index}_conv_5"] == (5 * channels * filters + filters, 0)
        assert rows[f"block_{index}_conv_3"] == (3 * filters * filters + filters, 0)
        for frames in (5, 3):
            expected = (2 * filters, 2 * filters)
            assert rows[f"block_{index}_norm_{frames}"] == expected
        channels = filters
    assert rows["top"] == (8 * k * 256 + 256, 0)
    assert sum(row[0] for row in rows.values()) == trainable
    if total:
        assert sum(map(sum, rows.values())) == total


def test_maps_have_the_sizes_of_the_table():
    model = tempo_cnn()
    shape = model.get_layer("mel_spectrogram").output.shape
    assert tuple(shape) == (None, 40, 256, 1)
    for index, bins in enumerate((8, 4, 2, 1), start=1):
        shape = model.get_layer(f"module_{index}_bottleneck").output.shape
        assert tuple(shape) == (None, bins, 256, 36)
    model = deep_tempo()
    sizes = ((20, 128), (10, 64), (5, 32), (2, 16), (1, 8), (1, 4))
    for index, size in enumerate(sizes, start=1):
        assert tuple(model.get_layer(f"block_{index}_pool").output.shape[1:3]) == size
    assert tempo_cnn(include_top=False).output_shape == (None, 1, 256, 36)
    assert deep_tempo(include_top=False).output_shape == (None, 1, 4, 128)


def test_a_waveform_and_its_mel_spectrogram_by_librosa_are_the_same(name):
    on_waveform = short(name)
    stir(on_waveform)
    frames = 1 + SHORT[name] // 512
    on_spectrogram = NETS[name](input_shape=(40, frames, 1))
    assert on_spectrogram.input.name == "mel_spectrogram"
    on_spectrogram.set_weights(on_waveform.get_weights())
    waveforms = 0.1 * noise(2, SHORT[name], 1)
    spectrograms = [
        librosa.feature.melspectrogram(
            y=waveform[:, 0],
            sr=11025,
            n_fft=1024,
            hop_length=512,
            power=1.0,
            n_mels=40,
            fmin=20,
            fmax=5000,
        )
        for waveform in waveforms
    ]
    expected = on_waveform(waveforms)
    received = on_spectrogram(np.stack(spectrograms)[..., None])
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=-1).max() > 1e-3


def test_loudness_and_the_other_sounds_of_a_batch_change_nothing(name):
    model = short(name)
    stir(model)
    waveforms = 0.1 * noise(3, SHORT[name], 1)
    expected = model(waveforms).numpy()
    quiet = waveforms * np.array([1.0, 1e-3, 5.0], "float32")[:, None, None]
    np.testing.assert_allclose(model(quiet), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model(waveforms[:1]), expected[:1], rtol=0, atol=1e-5)


def test_silence_has_an_answer(name):
    model = short(name)
    stir(model)
    for level in (0.0, 1e-30, 0.25):  # the last: a constant pressure, no sound either
        outputs = model(np.full((1, SHORT[name], 1), level, "float32")).numpy()
        assert np.isfinite(outputs).all()
        np.testing.assert_allclose(outputs.sum(), 1, rtol=1e-5)


def torchs(model):
    """torch, and what runs a layer of the Keras model in it, maps (b, c, bins, t)."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    functional = torch.nn.functional

    def run(x, name):
        layer = model.get_layer(name)
        weights = [torch.from_numpy(np.array(w)) for w in layer.get_weights()]
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = weights
            return functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)
        if isinstance(layer, keras.layers.Dense):
            return x @ weights[0] + weights[1]
        kernel = weights[0].permute(3, 2, 0, 1)
        # An even kernel reaches one frame further ahead than back.
        reach = kernel.shape[3] - 1
        x = functional.pad(x, (reach // 2, reach - reach // 2))
        return functional.conv2d(x, kernel, weights[1])

    return torch, functional, run


def test_values_of_tempo_cnn_are_those_of_the_same_net_in_torch():
    model = tempo_cnn(input_shape=(40, 48, 1))
    stir(model)
    torch, functional, run = torchs(model)
    patches = np.abs(noise(2, 40, 48, 1))
    x = torch.from_numpy(patches[..., 0][:, None])
    x = x / x.amax(dim=(1, 2, 3), keepdim=True)
    for index in (1, 2, 3):
        x = functional.elu(run(run(x, f"short_{index}_norm"), f"short_{index}_conv"))
    for index, bins in enumerate((5, 2, 2, 2), start=1):
        name = f"module_{index}"
        x = run(functional.avg_pool2d(x, (bins, 1)), f"{name}_norm")
        kernels = (32, 64, 96, 128, 192, 256)
        maps = [functional.elu(run(x, f"{name}_conv_{k}")) for k in kernels]
        x = functional.elu(run(torch.cat(maps, dim=1), f"{name}_bottleneck"))
    x = run(x, "flat_norm").permute(0, 2, 3, 1).flatten(1)
    for index in (1, 2):
        x = run(functional.elu(run(x, f"dense_{index}")), f"dense_{index}_norm")
    expected = torch.softmax(run(x, "top"), dim=-1).numpy()
    assert np.ptp(expected, axis=-1).min() > 0.01
    np.testing.assert_allclose(model(patches), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("task", ["tempo", "rating"])
def test_values_of_deep_tempo_are_those_of_the_same_net_in_torch(task):
    model = deep_tempo(input_shape=(40, 70, 1), task=task)
    stir(model)
    torch, functional, run = torchs(model)
    patches = np.abs(noise(2, 40, 70, 1))
    x = torch.from_numpy(patches[..., 0][:, None])
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) / x.std(dim=(1, 2, 3), keepdim=True, unbiased=False)
    for index in range(1, 7):
        for frames in (5, 3):
            x = functional.relu(run(x, f"block_{index}_conv_{frames}"))
            x = run(x, f"block_{index}_norm_{frames}")
        x = functional.max_pool2d(x, (1, 2) if index == 6 else (2, 2))
    x = run(x, "top")
    if task == "tempo":
        expected = torch.softmax(functional.relu(x).mean(dim=(2, 3)), dim=-1)
    else:
        expected = 1 + 99 * torch.sigmoid(x.mean(dim=(2, 3)))
    np.testing.assert_allclose(model(patches), expected.numpy(), rtol=1e-4, atol=1e-6)


def test_deep_tempo_takes_any_length():
    fixed, free = deep_tempo(input_shape=(64_000, 1)), deep_tempo(input_shape=(None, 1))
    stir(fixed)
    free.set_weights(fixed.get_weights())
    waveforms = noise(2, 64_000, 1)
    np.testing.assert_allclose(free(waveforms), fixed(waveforms), rtol=1e-5)
    assert free(noise(1, 40_000, 1)).shape == (1, 256)
    free = deep_tempo(input_shape=(40, None, 1), include_top=False, pooling="max")
    assert free(np.abs(noise(2, 40, 99, 1))).shape == (2, 128)


def test_a_sigmoid_can_say_less_than_one_half():
    model = short("deep_tempo", task="tags", classes=30)
    stir(model)
    outputs = model(noise(4, SHORT["deep_tempo"], 1)).numpy()
    assert outputs.min() < 0.5 < outputs.max()


def test_a_tempo_is_learned():
    """Clicks at 60 and 120 BPM: a few steps on the small net tell them apart."""
    keras.utils.set_random_seed(0)
    beats, rng = np.array([60, 120] * 4), np.random.default_rng(0)
    patches = np.zeros((8, 40, 64, 1), "float32")
    for patch, bpm in zip(patches, beats, strict=True):
        period = round(60 / bpm * 11025 / 512)
        patch[:, rng.integers(period) :: period] = 1
    model = deep_tempo(input_shape=(40, 64, 1), filters=2)
    model.compile(keras.optimizers.Adam(0.01), loss_for_task("tempo"))
    model.fit(patches, beats.astype("float32"), epochs=40, verbose=0)
    # Statistics of so few steps lag behind the weights.
    outputs = model(patches, training=True)
    assert (decode("tempo", outputs) == beats).mean() > 0.7


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_shape": (60, 256, 1)}, r"or \(40, frames, channels\)"),
        ({"input_shape": (40, 256, None)}, r"or \(40, frames, channels\)"),
        ({"input_shape": (40, 256, 1, 1)}, r"or \(40, frames, channels\)"),
        ({"input_shape": (0, 1)}, r"must be \(samples, channels\)"),
        ({"input_shape": "waveform"}, r"must be \(samples, channels\)"),
        ({"task": "speed"}, "`task` must be one of"),
        ({"classifier_activation": "sigmoid"}, "'softmax'"),
    ],
)
def test_arguments_that_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        NETS[name](**arguments)


@pytest.mark.parametrize("shape", [(None, 1), (40, None, 1)])
def test_tempo_cnn_needs_a_length(shape):
    with pytest.raises(ValueError, match="fixed length.*deep_tempo takes any length"):
        tempo_cnn(input_shape=shape)
    assert tempo_cnn(input_shape=shape, include_top=False).output_shape[-1] == 36


@pytest.mark.parametrize("shape", [(32_255, 1), (40, 63, 1)])
def test_music_too_short_for_deep_tempo(shape):
    with pytest.raises(ValueError, match="needs at least .*64 frames of 512 samples"):
        deep_tempo(input_shape=shape)


@pytest.mark.parametrize("filters", [0, 1.5, True])
def test_filters_that_are_refused(filters):
    with pytest.raises(ValueError, match="`filters` must be a positive integer"):
        deep_tempo(filters=filters)
