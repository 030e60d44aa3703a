"""JSON that every reader takes: numbers that are not finite are written as text."""

import json
import math

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value):
    """JSON text of dictionaries, lists, tuples, strings and numbers.

    Example:

    >>> to_json([1.5, float("nan")])
    '[\\n  1.5,\\n  "NaN"\\n]'
    """
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def number(value):
    """A number as it was given to `to_json`; anything else stays as it is."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)  # as JavaScript calls it
    return value
