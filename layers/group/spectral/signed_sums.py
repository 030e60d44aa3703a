"""A small matrix applied to a list of tensors with as few additions as it takes."""

from collections import Counter
from itertools import combinations

import numpy as np


class SignedSums:
    """`outputs[r] = sum_c matrix[r, c] * inputs[c]`, sums shared between the rows.

    What two rows both add up is added up once. Shared pairs are found greedily, the
    most frequent first: for the Fourier transform of C4 or D4 that gives back the
    butterflies of the fast one (8 additions instead of 12 for four values), and it asks
    nothing of the matrix.

    Args:
        matrix: array `(outputs, inputs)`. Entries of 1 and -1 cost an addition, others
            a multiplication as well.
    """

    def __init__(self, matrix):
        rows = [
            {column: float(value) for column, value in enumerate(row) if value}
            for row in np.asarray(matrix)
        ]
        self.shared = []
        places = np.shape(matrix)[1]
        while pair := _best_pair(rows, places):
            self.shared.append(pair)
            rows = _share(rows, pair, places)
            places += 1
        self.rows = [sorted(row.items(), key=lambda term: -term[1]) for row in rows]

    @property
    def additions(self):
        """How many additions a call makes."""
        return len(self.shared) + sum(len(row) - 1 for row in self.rows)

    def __call__(self, inputs):
        values = list(inputs)
        for first, second, ratio in self.shared:
            values.append(_add(values[first], values[second], ratio))
        return [_total(row, values) for row in self.rows]


def _pairs(rows):
    """How many rows add up `value[first] + ratio * value[second]`, for each of them."""
    return Counter(
        (first, second, row[second] / row[first])
        for row in rows
        for first, second in combinations(sorted(row), 2)
    )


def _best_pair(rows, place):
    """The pair that most rows share; of equal ones, which leaves most to be shared."""
    found = _pairs(rows)
    most = max(found.values(), default=0)
    if most < 2:
        return None

    def left(pair):
        return sum(number - 1 for number in _pairs(_share(rows, pair, place)).values())

    return max((pair for pair in found if found[pair] == most), key=left)


def _share(rows, pair, place):
    """The rows with the sum of a pair as a value of its own."""
    first, second, ratio = pair
    shared = []
    for row in rows:
        row = dict(row)
        if first in row and row.get(second) == ratio * row[first]:
            row[place] = row.pop(first)
            del row[second]
        shared.append(row)
    return shared


def _total(row, values):
    (place, factor), *others = row
    total = values[place] if factor == 1 else values[place] * factor
    for place, factor in others:
        total = _add(total, values[place], factor)
    return total


def _add(total, value, factor):
    if factor == 1:
        return total + value
    if factor == -1:
        return total - value
    return total + value * factor
