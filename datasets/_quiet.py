"""Keeps log lines of tensorflow-datasets from users who can do nothing about them."""

import contextlib
import logging


@contextlib.contextmanager
def quiet_about(text):
    """Drops the log lines with a text in them."""

    def keep(record):
        return text not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
