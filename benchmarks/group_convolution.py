"""Group convolutions side by side: two implementations, Conv2D, and escnn.

    python benchmarks/group_convolution.py --escnn /path/to/its/python

28 x 28 pixels, padding "same", forward pass and training step (gradients of input and
weights, a step of SGD). For each case the forms take turns in one run; a figure is the
median of the ratios of neighbours. Conv2D has as many channels in all: those of one
orientation times the orientations. The batch is what keeps Conv2D under 60 GFLOP a
pass, between 2 and 16. Results go to benchmarks/results/group_convolution.{txt,png}.

With KERAS_BACKEND=jax the same forms run on JAX, into group_convolution_jax.{txt,png}.

escnn needs an environment of its own (`pip install torch escnn`, with gfortran) and
runs in a second process, one step each time it is asked for one.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
SIZE = 28
WIDTHS = (8, 16, 32, 64, 128, 256)
ORDERS = {"C2": 2, "C4": 4, "D2": 4, "D4": 8}
FORMS = ("expand", "spectral", "auto", "Conv2D", "escnn")
# The cases that the figures are promised for get more turns, as do the short ones.
LONG = {("C4", 128, 3), ("C4", 256, 3), ("D4", 128, 3), ("C4", 256, 1)}


def batch_of(group, width, kernel_size):
    channels = ORDERS[group] * width
    flop = 2 * SIZE**2 * kernel_size**2 * channels**2
    return int(min(16, max(2, 60e9 // flop)))


def keras_steps(form, group, width, kernel_size, batch):
    """`(forward, training step)` of one layer, compiled."""
    import keras

    from zoo.layers import GroupConv2D

    order = ORDERS[group]
    if form == "Conv2D":
        shape = (SIZE, SIZE, order * width)
        layer = keras.layers.Conv2D(order * width, kernel_size, padding="same")
    else:
        shape = (SIZE, SIZE, order, width)
        layer = GroupConv2D(
            width, kernel_size, group=group, padding="same", implementation=form
        )
    layer.build((None, *shape))
    maps = keras.random.normal((batch, *shape))
    targets = keras.random.normal((batch, *shape))
    on_jax = keras.backend.backend() == "jax"
    return (jax_steps if on_jax else tensorflow_steps)(layer, maps, targets)


def tensorflow_steps(layer, maps, targets):
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(layer.trainable_variables)

    @tf.function
    def forward():
        return layer(maps)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.reduce_mean((layer(maps) - targets) ** 2)
        change, *changes = tape.gradient(loss, [maps, *layer.trainable_variables])
        optimizer.apply(changes, layer.trainable_variables)
        return change

    return forward, step


def jax_steps(layer, maps, targets):
    import jax

    @jax.jit
    def call(weights, maps):
        return layer.stateless_call(weights, [], maps)[0]

    @jax.jit
    def train(weights, maps):
        def loss(weights, maps):
            return ((call(weights, maps) - targets) ** 2).mean()

        changes, change = jax.grad(loss, (0, 1))(weights, maps)
        return [w - 1e-3 * c for w, c in zip(weights, changes, strict=True)], change

    weights = [weight.value for weight in layer.trainable_variables]
    return (
        lambda: jax.block_until_ready(call(weights, maps)),
        lambda: jax.block_until_ready(train(weights, maps)),
    )


def escnn_steps(group, width, kernel_size, batch):
    """The same of escnn's R2Conv, between regular fields of the same group."""
    import torch
    from escnn import gspaces, nn

    turns = int(group[1:])
    flips = group[0] == "D"
    space = (gspaces.flipRot2dOnR2 if flips else gspaces.rot2dOnR2)(N=turns)
    field = nn.FieldType(space, width * [space.regular_repr])
    layer = nn.R2Conv(field, field, kernel_size, padding=kernel_size // 2)
    optimizer = torch.optim.SGD(layer.parameters(), 1e-3)
    shape = (batch, ORDERS[group] * width, SIZE, SIZE)
    maps = torch.randn(shape, requires_grad=True)
    targets = torch.randn(shape)

    def forward():
        with torch.no_grad():
            layer(nn.GeometricTensor(maps, field))

    def step():
        optimizer.zero_grad()
        maps.grad = None
        outputs = layer(nn.GeometricTensor(maps, field)).tensor
        ((outputs - targets) ** 2).mean().backward()
        optimizer.step()

    return forward, step


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


class OtherProcess:
    """Steps that run, and are timed, in another process."""

    def __init__(self, python, *case):
        self._process = subprocess.Popen(
            [python, __file__, "--serve", *map(str, case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()  # it is ready

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("The process of escnn has ended: see above.")
        return float(line)

    def seconds(self, what):
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        taken = self._read()
        time.sleep(0.05)  # its threads wait for work a while before they rest
        return taken

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def serve(group, width, kernel_size, batch):
    steps = escnn_steps(group, int(width), int(kernel_size), int(batch))
    print(0, flush=True)
    for line in sys.stdin:
        print(seconds(steps[int(line)]), flush=True)


def measure(case, forms, python, turns):
    """`{form: ([seconds of a forward pass], [of a training step])}`."""
    steps = {form: keras_steps(form, *case) for form in forms if form not in ("escnn",)}
    timers = {
        form: lambda what, pair=pair: seconds(pair[what])
        for form, pair in steps.items()
    }
    other = OtherProcess(python, *case) if "escnn" in forms else None
    if other:
        timers["escnn"] = other.seconds
    names = list(timers)
    times = {form: ([], []) for form in timers}
    for turn in range(-2, turns):  # two to warm up
        for what in (0, 1):
            # Who goes first, changes.
            for form in names[turn % len(names) :] + names[: turn % len(names)]:
                taken = timers[form](what)
                if turn >= 0:
                    times[form][what].append(taken)
    if other:
        other.close()
    return times


def ratio(slow, fast):
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def read(lines):
    """`{(form, group, kernel size): [(width, (forward, step))]}` of a table."""
    table = {}
    forms = lines[0].split(", ms")[1].split()
    for line in lines[1:]:
        group, width, kernel_size, _, _, _, *ratios = line.split()
        for index, form in enumerate(forms[:4]):
            pair = tuple(map(float, ratios[2 * index : 2 * index + 2]))
            curve = table.setdefault((form, group, int(kernel_size)), [])
            curve.append((int(width), pair))
    return table


def picture(lines, path):
    """How many times as fast as Conv2D, over the width, from the lines of a table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    table = read(lines)
    groups = sorted({group for _, group, _ in table})
    figure, axes = plt.subplots(
        2, len(groups), figsize=(5 * len(groups), 7.5), sharex=True, sharey="row"
    )
    colours = {1: "tab:blue", 3: "tab:orange", 5: "tab:green"}
    styles = {"spectral": "o-", "expand": "s--", "escnn": "x:"}
    for (form, group, kernel_size), curve in table.items():
        if form not in styles:
            continue
        for what, row in enumerate(axes.reshape(2, len(groups))):
            row[groups.index(group)].plot(
                [width for width, _ in curve],
                [pair[what] for _, pair in curve],
                styles[form],
                color=colours[kernel_size],
                label=f"{form}, {kernel_size} x {kernel_size}",
                markersize=4,
            )
    for what, title in enumerate(("forward", "training step")):
        for group, plot in zip(groups, axes.reshape(2, len(groups))[what], strict=True):
            plot.axhline(1, color="grey", linewidth=0.8)
            plot.set_xscale("log", base=2)
            plot.set_yscale("log", base=2)
            plot.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
            marks = (0.25, 0.5, 1, 2, 4)
            plot.set_yticks(marks, [f"{mark:g}" for mark in marks])
            plot.set_title(f"{group}, {title}")
            plot.set_xlabel("channels an orientation" if what else "")
            plot.grid(alpha=0.3)
    for row in axes.reshape(2, len(groups)):
        row[0].set_ylabel("times as fast as Conv2D of equal width")
    axes.flat[0].legend(fontsize=7, ncols=3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--escnn", metavar="PYTHON", help="python that has escnn")
    parser.add_argument("--groups", nargs="+", default=["C4", "D4"], choices=ORDERS)
    parser.add_argument(
        "--kernel-sizes", nargs="+", type=int, default=[1, 3, 5], choices=(1, 3, 5)
    )
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--long-turns", type=int, default=21)
    parser.add_argument("--name", help="of the results' files")
    parser.add_argument("--redraw", action="store_true", help="only the picture")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    backend = keras.backend.backend()
    usual = "group_convolution" + ("_jax" if backend == "jax" else "")
    name = options.name or usual
    text, image = (RESULTS / f"{name}.{kind}" for kind in ("txt", "png"))
    if options.redraw:
        picture(text.read_text().splitlines()[2:], image)
        return
    forms = [form for form in FORMS if form != "escnn" or options.escnn]
    lines = [
        f"keras {keras.__version__}, {backend} {metadata.version(backend)}, "
        f"{platform.machine()}, {os.cpu_count()} cores; {SIZE} x {SIZE}; "
        f"{options.turns} pairs, {options.long_turns} where marked *",
        "times as fast as Conv2D of equal width (forward / training step):",
        f"{'group':<6}{'width':>5}{'k':>3}{'batch':>6}{'Conv2D, ms':>18}"
        + "".join(f"{form:>15}" for form in forms if form != "Conv2D")
        + ("   escnn/auto" if options.escnn else ""),
    ]
    print("\n".join(lines), flush=True)
    for group in options.groups:
        for kernel_size in options.kernel_sizes:
            for width in options.widths:
                batch = batch_of(group, width, kernel_size)
                case = (group, width, kernel_size, batch)
                is_long = case[:3] in LONG or width <= 32
                turns = options.long_turns if is_long else options.turns
                times = measure(case, forms, options.escnn, turns)
                keras.backend.clear_session()
                plain = [1e3 * statistics.median(t) for t in times["Conv2D"]]
                line = f"{group:<6}{width:>5}{kernel_size:>3}{batch:>6}"
                line += f"{plain[0]:>9.1f}{plain[1]:>9.1f}"
                for form in forms:
                    if form != "Conv2D":
                        pair = [
                            ratio(times["Conv2D"][i], times[form][i]) for i in (0, 1)
                        ]
                        line += f"{pair[0]:>8.2f}{pair[1]:>7.2f}"
                if options.escnn:
                    line += f"{ratio(times['escnn'][1], times['auto'][1]):>13.2f}"
                lines.append(line + (" *" if is_long else ""))
                print(lines[-1], flush=True)
    text.write_text("\n".join(lines) + "\n")
    picture(lines[2:], image)


if __name__ == "__main__":
    main()
