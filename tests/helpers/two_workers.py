"""Runs Python code, or a command, in several processes that make one cluster."""

import os
import socket
import subprocess
import sys
from pathlib import Path

HELPERS = Path(__file__).parent
# Two threads a process: the tests share two cores.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(HELPERS),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "OMP_NUM_THREADS": "1",
}


def addresses(count=2):
    """Free ports of this machine, "host:port" with commas."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def start(command, log, environment=None):
    """Starts a process that writes all it says to a file."""
    with open(log, "ab") as file:
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **(environment or {})},
        )


def python(code, *arguments):
    """The command that runs some code."""
    return [sys.executable, "-W", "ignore", "-c", code, *arguments]


def end(processes, seconds=120):
    """Waits for processes, and returns how each ended."""
    try:
        return [process.wait(seconds) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
