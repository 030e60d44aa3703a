"""kill -9 of one of two workers, at 10 random moments of one run.

    python benchmarks/killed_workers.py > benchmarks/results/killed_workers.txt

Two processes on this machine train a p4cnn on turned digits by `zoo train`. Ten times
one of them, drawn at random, is killed at a random moment: while TensorFlow starts,
while it trains, while it saves. The other ends by itself; where the two had not met yet
it waits for the one that is missing. The same commands take the run up again. At the
end the weights are compared with those of a run of two workers that nobody killed, and
with those of one process.
"""

import os
import platform
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import zoo

KILLS, EPOCHS, MINUTES = 10, 16, 0.02
LINE = [sys.executable, "-c", "from zoo.cli import main; main()", "train", "p4cnn"]
LINE += ["--data", "rotated_digits", "--epochs", str(EPOCHS), "--batch-size", "400"]
LINE += ["--recipe", "krizhevsky2012", "--learning-rate", "1e-4"]
LINE += ["--checkpoint-minutes", str(MINUTES), "--out"]


def free_addresses():
    probes = [socket.socket() for _ in range(2)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    return ",".join(addresses)


def start(out, log, *more):
    environment = {
        **os.environ,
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    with open(log, "ab") as file:
        return subprocess.Popen(
            [*LINE, str(out), *more], stdout=file, stderr=file, env=environment
        )


def start_both(out, logs):
    workers = free_addresses()
    return [
        start(out, log, "--workers", workers, "--rank", str(rank))
        for rank, log in enumerate(logs)
    ]


def epochs_shown(log):
    text = log.read_text() if log.exists() else ""
    return [int(number) for number in re.findall(r"epoch (\d+)/", text)]


def difference(one, two):
    pairs = list(zip(one, two, strict=True))
    differs = sum(((a - b) ** 2).sum() for a, b in pairs)
    return float(np.sqrt(differs / sum((a**2).sum() for a, _ in pairs)))


def weights(out):
    return zoo.load_model(out).get_weights()


def ended(process):
    """How a process ends; one that has not met its other yet waits for it."""
    try:
        return str(process.wait(60))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "still waiting"


def main():
    draw = random.Random(0)
    folder = Path(tempfile.mkdtemp())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Keras {keras.__version__}")
    for name, begin in (
        ("one", lambda out, logs: [start(out, logs[0])]),
        ("two", start_both),
    ):
        processes = begin(folder / name, [folder / f"{name}-{rank}" for rank in (0, 1)])
        codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit(f"the run that nobody kills ended with {codes}")
    logs = [folder / f"killed-{rank}" for rank in (0, 1)]
    out = folder / "killed"
    print("kill  worker  after  epochs shown  the other ended  in    goes on at epoch")
    for kill in range(KILLS):
        before = epochs_shown(logs[0])
        processes = start_both(out, logs)
        moment = draw.uniform(1, 25)
        started = time.monotonic()
        while time.monotonic() - started < moment:
            if all(process.poll() is not None for process in processes):
                raise SystemExit("the run was over before all kills")
            time.sleep(0.01)
        victim = draw.randrange(2)
        processes[victim].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        code = ended(processes[1 - victim])
        processes[victim].wait()
        shown = epochs_shown(logs[0])
        again = shown[len(before)] if len(shown) > len(before) else None
        if again is not None and before and again < before[-1]:
            raise SystemExit(f"epoch {again} came again, {before[-1]} was done")
        print(
            f"{kill + 1:4}  {victim:6}  {moment:4.1f}s  {len(shown) - len(before):12}  "
            f"{code:15}  {time.monotonic() - killed:3.0f}s  {again or '(not yet)'}",
            flush=True,
        )
    codes = [process.wait() for process in start_both(out, logs)]
    print(f"the last two ended with {codes}")
    killed, two, one = (weights(folder / name) for name in ("killed", "two", "one"))
    print(f"weights, killed against two undisturbed: {difference(killed, two):.1e}")
    print(f"weights, killed against one process:     {difference(killed, one):.1e}")
    if any(codes) or difference(killed, two) > 1e-4:
        raise SystemExit("The run does not survive as it promises.")


if __name__ == "__main__":
    main()
