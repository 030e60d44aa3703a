"""JSON that every reader takes: what is not finite is null, which reads back as NaN."""

import json
import math


def to_json(value):
    """JSON text of dictionaries, lists, tuples, strings and numbers.

    Example:

    >>> to_json([1.5, float("nan")])
    '[\\n  1.5,\\n  null\\n]'
    """
    return json.dumps(_without_nan(value), indent=2, allow_nan=False)


def number(value):
    """A number as it was given to `to_json`, but NaN for what was not finite."""
    return float("nan") if value is None else value


def _without_nan(value):
    if isinstance(value, dict):
        return {name: _without_nan(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
