"""Checks of the arguments that all loaders share."""

import numbers


def check_batch_size_and_seed(batch_size, seed, what="images"):
    """Refuses a batch_size or a seed that is none.

    Args:
        batch_size: as the caller gave it.
        seed: likewise.
        what: name of the examples.

    Raises:
        ValueError: saying what was expected.
    """
    if batch_size is not None and not (
        isinstance(batch_size, numbers.Integral) and batch_size >= 1
    ):
        raise ValueError(
            f"batch_size must be an integer of at least 1, or None for single {what}; "
            f"received {batch_size!r}."
        )
    if not (isinstance(seed, numbers.Integral) and -(2**63) <= seed < 2**63):
        raise ValueError(f"seed must be an integer of 64 bits; received {seed!r}.")
