"""Which machines train together: said by hand, or by what started the process.

Without TensorFlow: the answer is needed before it is imported.
"""

import json
import os
import re
from dataclasses import dataclass

FIRST_PORT = 8470
# Who is told where a setting came from, in the order they are asked.
RANKS = ("JOB_COMPLETION_INDEX", "SLURM_PROCID", "RANK")


@dataclass(frozen=True)
class Cluster:
    """The workers of one run, and which of them this process is.

    Args:
        workers: "host:port" of each; the first is the chief.
        rank: number of this process among them.
        source: who said so.
        local: None, or the number of this process on its machine, where each process
            shall take one of the machine's devices.

    Raises:
        ValueError: for an address that is none, two that are equal, or a rank outside.

    Example:

    >>> Cluster(("a:8470", "b:8470"), 1, "by hand").is_chief
    False
    """

    workers: tuple[str, ...]
    rank: int
    source: str
    local: int | None = None

    def __post_init__(self):
        for worker in self.workers:
            host, _, port = worker.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(
                    f"A worker must be host:port. Received: {worker!r} in {self.source}"
                )
        if not self.workers or len(set(self.workers)) < len(self.workers):
            raise ValueError(
                f"Each worker needs an address of its own. Received: "
                f"{','.join(self.workers) or 'none'} ({self.source})"
            )
        if not 0 <= self.rank < len(self.workers):
            raise ValueError(
                f"The rank of {len(self.workers)} workers must be 0 to "
                f"{len(self.workers) - 1}. Received: rank={self.rank} ({self.source})"
            )

    @property
    def is_chief(self):
        """Whether this process writes the files and shows the progress."""
        return self.rank == 0


def find_cluster(workers=None, rank=None, environment=None):
    """The cluster that this process is part of.

    Args:
        workers: "host:port" of each worker, as a sequence or with commas; or None.
        rank: which of them this process is; None for what the environment says
            (JOB_COMPLETION_INDEX of a Kubernetes indexed job, SLURM_PROCID, RANK).
        environment: dictionary of the variables; None for those of the process. Without
            `workers` it is asked for TF_CONFIG, for those of a SLURM step, and for
            those of torchrun (on one machine: it does not name others).

    Returns:
        A `Cluster`; None if nobody speaks of more than one worker.

    Raises:
        ValueError: for settings that do not fit together.

    Example:

    >>> find_cluster("a:8470,b:8470", rank=1).workers
    ('a:8470', 'b:8470')
    >>> slurm = {"SLURM_STEP_NODELIST": "n[08-09]", "SLURM_STEP_NUM_TASKS": "2",
    ...          "SLURM_PROCID": "1", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
    >>> find_cluster(environment=slurm).workers
    ('n08:8470', 'n09:8470')
    >>> find_cluster(environment={}) is None
    True
    """
    environment = os.environ if environment is None else environment
    if workers is not None:
        return _by_hand(workers, rank, environment)
    if rank is not None:
        raise ValueError(
            f"A rank is one of a list of workers: give them too, as workers "
            f"(--workers host:port,host:port). Received: rank={rank}"
        )
    for read in (_of_tf_config, _of_slurm, _of_torchrun):
        cluster = read(environment)
        if cluster is not None and len(cluster.workers) > 1:
            return cluster
    return None


def _by_hand(workers, rank, environment):
    if isinstance(workers, str):
        workers = workers.split(",")
    workers = tuple(worker.strip() for worker in workers)
    source = "the workers given"
    if rank is None:
        named = next((name for name in RANKS if environment.get(name)), None)
        if named is None:
            raise ValueError(
                f"Which of the {len(workers)} workers is this process? Give its rank "
                f"(--rank 0 for the first), or set one of {', '.join(RANKS)}."
            )
        rank, source = _number(environment, named), f"{source}, rank by {named}"
    return Cluster(workers, rank, source)


def _of_tf_config(environment):
    text = environment.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        machines, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        chiefs = list(machines.get("chief", []))
        workers = (*chiefs, *machines.get("worker", []))
        others = set(machines) - {"chief", "worker"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG must be JSON such as "
            f'{{"cluster": {{"worker": ["a:8470", "b:8470"]}}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text}'
        ) from error
    if others or kind not in ("chief", "worker"):
        raise ValueError(
            f"TF_CONFIG may name a chief and workers, which train alike; there is no "
            f"other kind. Received: {', '.join(sorted(others or {kind}))}"
        )
    rank = index if kind == "chief" else len(chiefs) + index
    return Cluster(workers, rank, "TF_CONFIG")


def _of_slurm(environment):
    names = environment.get("SLURM_STEP_NODELIST")
    if not names or not environment.get("SLURM_PROCID"):
        return None
    nodes = hosts_of(names)
    tasks = _tasks_of(environment.get("SLURM_STEP_TASKS_PER_NODE", ""), len(nodes))
    workers = tuple(
        f"{node}:{FIRST_PORT + number}"
        for node, count in zip(nodes, tasks, strict=True)
        for number in range(count)
    )
    return Cluster(workers, _number(environment, "SLURM_PROCID"), "SLURM")


def _of_torchrun(environment):
    if not environment.get("WORLD_SIZE") or not environment.get("RANK"):
        return None
    size = _number(environment, "WORLD_SIZE")
    if size == 1:
        return None
    on_this_machine = environment.get("LOCAL_WORLD_SIZE")
    if on_this_machine is None or _number(environment, "LOCAL_WORLD_SIZE") != size:
        raise ValueError(
            f"WORLD_SIZE={size} with LOCAL_WORLD_SIZE={on_this_machine}: processes on "
            f"several machines, and torchrun names only the first. Say where they "
            f"are, as workers (--workers host:port,host:port)."
        )
    host = environment.get("MASTER_ADDR", "localhost")
    # The first port is torchrun's own.
    first = 1 + int(environment.get("MASTER_PORT", FIRST_PORT))
    workers = tuple(f"{host}:{first + number}" for number in range(size))
    rank = _number(environment, "RANK")
    local = _number(environment, "LOCAL_RANK") if "LOCAL_RANK" in environment else None
    return Cluster(workers, rank, "RANK and WORLD_SIZE", local)


def hosts_of(nodelist):
    """The hosts that SLURM's short form names.

    Example:

    >>> hosts_of("login,gpu[08-10,12]")
    ['login', 'gpu08', 'gpu09', 'gpu10', 'gpu12']
    """
    hosts = []
    for entry in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", nodelist):
        match = re.fullmatch(r"([^\[\]]*)(?:\[([\d,-]+)\]([^\[\]]*))?", entry.strip())
        if match is None:
            raise ValueError(
                f"Expected a list of nodes such as gpu[01-04,7]. Received: {nodelist!r}"
            )
        before, numbers, after = match.groups()
        if numbers is None:
            hosts.append(before)
            continue
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                hosts.append(f"{before}{number:0{len(first)}}{after}")
    return hosts


def _tasks_of(text, nodes):
    """Tasks on each node from "2(x3),1"; one on each where nothing is said."""
    if not text:
        return [1] * nodes
    counts = []
    for entry in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", entry.strip())
        if match is None:
            raise ValueError(
                f"SLURM_STEP_TASKS_PER_NODE must look like 2(x3),1. Received: {text!r}"
            )
        counts += [int(match[1])] * int(match[2] or 1)
    if len(counts) != nodes:
        raise ValueError(
            f"SLURM_STEP_TASKS_PER_NODE={text} counts {len(counts)} nodes, "
            f"SLURM_STEP_NODELIST has {nodes}."
        )
    return counts


def _number(environment, name):
    try:
        return int(environment[name])
    except ValueError as error:
        raise ValueError(
            f"{name} must be a whole number. Received: {environment[name]!r}"
        ) from error
