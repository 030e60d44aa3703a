"""Peak memory of a training step in both forms of GroupConv2D, a process each.

    python benchmarks/group_convolution_memory.py \\
        > benchmarks/results/group_convolution_memory.txt

The figure is the peak resident size of the whole process, TensorFlow included, after
four steps; the ratio is "spectral" over "expand", and the target is 1.5. The second
ratio leaves out what a process holds after the first convolution of one image.
"""

import os
import resource
import subprocess
import sys

CASES = (
    ("C4", 64, 3, 16),
    ("C4", 128, 3, 16),
    ("C4", 128, 3, 64),
    ("C4", 256, 3, 8),
    ("C4", 256, 1, 16),
    ("D4", 64, 3, 16),
    ("D4", 128, 3, 8),
    ("D4", 64, 5, 16),
)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step(form, group, width, kernel_size, batch):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from group_convolution import keras_steps

    keras_steps(form, "C4", 4, 3, 1)[1]()
    before = peak()
    _, training_step = keras_steps(form, group, width, kernel_size, batch)
    for _ in range(4):
        training_step()
    print(before, peak())


def measure(form, case):
    """`(before, peak)` in MB, of a process of its own."""
    command = [sys.executable, __file__, form, *map(str, case)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return tuple(map(float, done.stdout.split()[-2:]))


def main():
    if sys.argv[1:]:
        form, group, *numbers = sys.argv[1:]
        step(form, group, *map(int, numbers))
        return
    print(f"{'group':<6}{'width':>5}{'k':>3}{'batch':>6}{'expand, MB':>12}", end="")
    print(f"{'spectral':>10}{'ratio':>7}{'of the rest':>13}")
    for case in CASES:
        (start, expand), (_, spectral) = (
            measure(form, case) for form in ("expand", "spectral")
        )
        group, width, kernel_size, batch = case
        rest = (spectral - start) / (expand - start)
        print(f"{group:<6}{width:>5}{kernel_size:>3}{batch:>6}{expand:>12.0f}", end="")
        print(f"{spectral:>10.0f}{spectral / expand:>7.2f}{rest:>13.2f}", flush=True)


if __name__ == "__main__":
    main()
