"""How a run ends before its end, so that what started it can tell."""

import contextlib
import signal
import sys
import threading

import tensorflow as tf

# Distinct from 0, 1 and 2; a scheduler may start the same command again at both.
PREEMPTED = 75
WORKER_LOST = 76


class Preempted(SystemExit):
    """The run was told to stop (SIGTERM), and has saved what it had."""

    def __init__(self, message):
        super().__init__(PREEMPTED)
        self.message = message


class WorkerLost(SystemExit):
    """Another worker of the run is gone; this one can't go on alone."""

    def __init__(self, message):
        super().__init__(WORKER_LOST)
        self.message = message


class Terminated:
    """Notes SIGTERM while it is used as a context manager, instead of dying of it.

    Example:

    >>> with Terminated() as terminated:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     print(terminated.asked)
    True
    """

    def __init__(self):
        self.asked = False

    def __enter__(self):
        # Only the main thread may; in another, SIGTERM ends the process as ever.
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *exception):
        if self._is_main:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number, frame):
        self.asked = True


@contextlib.contextmanager
def lost_workers(together):
    """Turns what TensorFlow raises when a worker is gone into `WorkerLost`.

    Args:
        together: the `Together` of the run.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if together.workers == 1:
            raise
        raise WorkerLost(
            f"worker {together.rank} has lost another worker and stops; start all of "
            f"them again with the same commands. ({_first_words(error)})"
        ) from error


def say(message):
    """One line on standard error."""
    print(f"zoo: {message}", file=sys.stderr, flush=True)


def _first_words(error):
    return " ".join(str(error).split())[:160]
