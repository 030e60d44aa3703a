"""How exactly wavelet_net follows a sound at half the speed, layer by layer.

    python benchmarks/wavelet_scale.py > benchmarks/results/wavelet_scale.txt

A periodic signal of noise up to a part of the Nyquist frequency is played at half the
speed, exactly, by its sine series. Activations of the net as it is drawn (seed 0) must
then be found one scale on, at twice the time: the figure is the deviation of the
difference over that of the activations, in the middle of the signal, away from the
borders. Beside it stand the same for kernels at scale 1 only, as a plain net has them,
and for no step along the scales.

Maxima over 4 steps are where it is lost: 4 steps of the slow sound are 2 of the fast.
So first come layers without them, then the net as it is. The last part looks at the
answers of nets without training, to twelve sounds at full and half speed: how much they
change, beside how much they differ between sounds. 1 is a change as large as between
sounds; m3 and m11 are the plain nets of that shape.
"""

import os
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import ops

import zoo
from zoo.layers import ScaleConv1D, ScaleLiftConv1D

SAMPLES = 16_384
BANDS = (1.0, 0.5, 0.25, 0.125, 0.0625)


def at_two_speeds(series):
    """Of spectra (sounds, SAMPLES + 1): (sounds, SAMPLES, 1), (sounds, 2 SAMPLES, 1).

    The higher half of a spectrum must be empty: the fast sound can't have it.
    """
    fast = np.fft.irfft(series[:, : SAMPLES // 2 + 1], axis=1)
    slow = np.fft.irfft(series, axis=1) * 2
    scale = 0.1 / fast.std(axis=1, keepdims=True)
    return [(scale * x)[..., None].astype("float32") for x in (fast, slow)]


def noise(band):
    """One noise of all frequencies up to a part of the Nyquist frequency."""
    highest = int(band * SAMPLES / 2)
    rng = np.random.default_rng(0)
    series = np.zeros((1, SAMPLES + 1), complex)
    series[0, 1:highest] = rng.standard_normal((highest - 1, 2)) @ [1, 1j]
    return at_two_speeds(series)


def error(fast, slow, steps=1):
    """Of maps (sounds, time, scales, channels), those of `slow` twice as long."""
    length, count = fast.shape[1], fast.shape[2] - 1
    middle = slice(length // 4, length - length // 4)
    slow = slow[:, : 2 * length : 2]
    expected = fast[:, middle, :count]
    received = slow[:, middle, steps : steps + count]
    return (received - expected).std() / expected.std()


def layers(lifting_scales, later):
    """The lift, and with it 1 and 2 more layers, without maxima, as functions."""
    keras.utils.set_random_seed(0)
    lift = ScaleLiftConv1D(16, 79, lifting_scales)
    convolutions = [ScaleConv1D(16, 3, later) for _ in range(2)]

    def run(x):
        maps = [lift(x)]
        for convolution in convolutions:
            maps.append(convolution(ops.relu(maps[-1])))
        return [ops.convert_to_numpy(each) for each in maps]

    return run


def plain(run, copies):
    """The maps of a net of one scale, as if it stood at every scale."""

    def at_every_scale(x):
        return [np.repeat(maps, copies, axis=2) for maps in run(x)]

    return at_every_scale


def measure_layers():
    print("layers without maxima, one scale on; and two controls of the first")
    print(f"{'band':<10} {'lift':>8} {'2 layers':>9} {'3 layers':>9}", end="")
    print(f" {'plain kernel':>14} {'another scale':>14}")
    net, one_scale = layers(6, later=2), plain(layers(1, later=1), 2)
    for band in BANDS:
        fast, slow = noise(band)
        pairs = list(zip(net(fast), net(slow), strict=True))
        first, second, third = (error(*pair) for pair in pairs)
        control = error(one_scale(fast)[0], one_scale(slow)[0])
        print(
            f"{band:<10} {first:>8.5f} {second:>9.4f} {third:>9.4f} {control:>14.3f} "
            f"{error(*pairs[0], steps=0):>14.3f}"
        )


def measure_net():
    keras.utils.set_random_seed(0)
    net = zoo.wavelet_net(variant="W11", input_shape=(None, 1))
    names = ["conv_1", "pool_0", "pool_1", "relu_2", "relu_3", "relu_4", "relu_6"]
    inside = keras.Model(net.input, [net.get_layer(name).output for name in names])
    print("\nW11 as it is, band 0.125")
    print(f"{'':<10} {'one scale on':>14} {'another scale':>14}")
    fast, slow = noise(0.125)
    fast_maps, slow_maps = inside(fast), inside(slow)
    for name, a, b in zip(names, fast_maps, slow_maps, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        print(f"{name:<10} {error(a, b):>14.4f} {error(a, b, steps=0):>14.3f}")


def different_sounds(count=12):
    """Noises around different frequencies, and each at half the speed."""
    rng = np.random.default_rng(0)
    octaves = np.log2(np.maximum(np.arange(SAMPLES + 1), 0.5))
    centres = np.log2(np.geomspace(0.01, 0.3, count) * SAMPLES / 2)[:, None]
    series = rng.standard_normal((count, SAMPLES + 1, 2)) @ [1, 1j]
    series = series * np.exp(-0.5 * (octaves - centres) ** 2)
    series[:, int(0.9 * SAMPLES / 2) :] = 0
    return at_two_speeds(series)


def measure_answers():
    print("\nchange of the logits at half the speed / spread between sounds, 3 seeds")
    fast, slow = different_sounds()
    for name, arguments in (
        ("wavelet_net", {"variant": "W3"}),
        ("wavelet_net", {"variant": "W11"}),
        ("m3", {}),
        ("m11", {}),
    ):
        changes = []
        for seed in range(3):
            keras.utils.set_random_seed(seed)
            model = zoo.create_model(
                name, input_shape=(None, 1), classifier_activation=None, **arguments
            )
            before, after = (
                np.concatenate([np.asarray(model(x[None])) for x in batch])
                for batch in (fast, slow)
            )
            spread = (before - before.mean(axis=0)).std()
            changes.append((after - before).std() / spread)
        label = arguments.get("variant", name)
        print(f"{label:<10} " + " ".join(f"{change:.2f}" for change in changes))


def main():
    print(f"keras {keras.__version__} on {keras.backend.backend()}, ", end="")
    print(f"{platform.machine()}, float32\n")
    measure_layers()
    measure_net()
    measure_answers()


if __name__ == "__main__":
    main()
