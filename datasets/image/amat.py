"""The .amat files of Larochelle et al. (2007): one digit a row, as text."""

import numpy as np

FILE_NAMES = {
    "train": "mnist_all_rotation_normalized_float_train_valid.amat",
    "test": "mnist_all_rotation_normalized_float_test.amat",
}
SIDE = 28
# The text rounds, so a pixel may stand this much outside [0, 1].
TOLERANCE = 1e-4


def find_files(folder):
    """The two .amat files in a folder, train and test, or an empty tuple.

    Raises:
        ValueError: only one of the two is there.
    """
    missing = [name for name in FILE_NAMES.values() if not (folder / name).is_file()]
    if len(missing) == 1:
        raise ValueError(
            f"{folder} holds one of the two files of the original rotated MNIST: add "
            f"{missing[0]}."
        )
    return () if missing else tuple(folder / name for name in FILE_NAMES.values())


def read_rows(path, count):
    """Yields (image, label) of each row of an .amat file, checked, reading as it goes.

    A row is 28 * 28 pixels, row by row, and the label.

    Args:
        path: the file.
        count: how many rows it must have.

    Yields:
        A float32 image (28, 28, 1) in [0, 1] and an int.

    Raises:
        ValueError: a row or the number of rows is wrong.
    """
    number = 0
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if number > count:
                    break
                yield _parsed(line, f"{path}, row {number}")
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error}).") from error
    if number != count:
        held = f"only {number:,}" if number < count else "more"
        raise ValueError(
            f"{path} must have {count:,} rows and has {held}: copy or download it "
            f"again."
        )


def _parsed(line, place):
    fields = line.split()
    if len(fields) != SIDE * SIDE + 1:
        raise ValueError(
            f"{place}: expected {SIDE * SIDE} pixels and a label, {SIDE * SIDE + 1} "
            f"numbers; received {len(fields)}. Copy or download the file again."
        )
    try:
        values = np.array(fields, dtype=np.float64)
    except ValueError as error:
        raise ValueError(
            f"{place}: expected only numbers ({error}). Copy or download the file "
            f"again."
        ) from error
    pixels, label = values[:-1], values[-1]
    # Written so that a NaN fails too.
    wrong = ~((pixels >= -TOLERANCE) & (pixels <= 1 + TOLERANCE))
    if wrong.any():
        raise ValueError(
            f"{place}: expected pixels in [0, 1]; received {pixels[wrong][0]}. Copy or "
            f"download the file again."
        )
    if label not in range(10):
        raise ValueError(
            f"{place}: expected a label from 0 to 9 as the last number; received "
            f"{label}. Copy or download the file again."
        )
    image = np.clip(pixels, 0, 1).astype(np.float32).reshape(SIDE, SIDE, 1)
    return image, int(label)
