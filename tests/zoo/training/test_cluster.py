"""Who trains together: from words, TF_CONFIG, SLURM, Kubernetes, torchrun."""

import json

import keras
import pytest
import tensorflow as tf

from zoo.training import Cluster, find_cluster
from zoo.training.distributed import multi_worker
from zoo.training.distributed.cluster import hosts_of

TWO = ("a:8470", "b:8470")


def tf_config(cluster, kind="worker", index=0):
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


@pytest.mark.parametrize(
    ("environment", "workers", "rank"),
    [
        (tf_config({"worker": list(TWO)}, index=1), TWO, 1),
        (tf_config({"chief": ["a:8470"], "worker": ["b:8470"]}), TWO, 1),
        (tf_config({"chief": ["a:8470"], "worker": ["b:8470"]}, "chief"), TWO, 0),
        (
            {
                "SLURM_STEP_NODELIST": "gpu[1-2]",
                "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
                "SLURM_PROCID": "3",
            },
            ("gpu1:8470", "gpu1:8471", "gpu2:8470", "gpu2:8471"),
            3,
        ),
        (
            {
                **{"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1"},
                **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"},
            },
            ("127.0.0.1:29501", "127.0.0.1:29502"),
            1,
        ),
        ({}, None, None),
        ({"WORLD_SIZE": "1", "RANK": "0"}, None, None),
        (tf_config({"worker": ["a:8470"]}), None, None),
    ],
)
def test_what_the_environment_says(environment, workers, rank):
    cluster = find_cluster(environment=environment)
    if workers is None:
        assert cluster is None
    else:
        assert (cluster.workers, cluster.rank) == (workers, rank)
        assert cluster.is_chief == (rank == 0)


def test_tf_config_as_tensorflow_reads_it(monkeypatch):
    """The same ranks as TensorFlow's own resolver gives."""
    for kind, index in (("chief", 0), ("worker", 0), ("worker", 1)):
        machines = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
        environment = tf_config(machines, kind, index)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        own = resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id)
        cluster = find_cluster()
        assert cluster.workers[cluster.rank] == own


def test_by_hand():
    for workers in ("a:8470, b:8470", list(TWO)):
        assert find_cluster(workers, 1, {}) == Cluster(TWO, 1, "the workers given")
    for name in ("JOB_COMPLETION_INDEX", "SLURM_PROCID", "RANK"):
        assert find_cluster(TWO, environment={name: "1"}).rank == 1
    # Words win.
    assert find_cluster(TWO, 0, tf_config({"worker": ["c:1", "d:1"]})).workers == TWO


@pytest.mark.parametrize(
    ("workers", "rank", "environment", "match"),
    [
        ("a,b", 0, {}, "must be host:port. Received: 'a'"),
        ("a:0,b:1", 0, {}, "must be host:port"),
        ("a:99999,b:1", 0, {}, "must be host:port"),
        ("a:1,a:1", 0, {}, "an address of its own"),
        ("a:1,b:1", 2, {}, "must be 0 to 1. Received: rank=2"),
        ("a:1,b:1", -1, {}, "must be 0 to 1"),
        ("a:1,b:1", None, {}, "Which of the 2 workers"),
        ("a:1,b:1", None, {"RANK": "first"}, "must be a whole number"),
        (None, 1, {}, "one of a list of workers"),
        (None, None, {"TF_CONFIG": "{"}, "TF_CONFIG must be JSON"),
        (None, None, {"TF_CONFIG": "[]"}, "TF_CONFIG must be JSON"),
        (None, None, tf_config({"worker": ["a:1"], "ps": ["b:1"]}), "no other kind"),
        (None, None, tf_config({"worker": ["a:1", "b:1"]}, index=5), "0 to 1"),
        (
            None,
            None,
            {"WORLD_SIZE": "4", "RANK": "0", "LOCAL_WORLD_SIZE": "2"},
            "torchrun names only the first",
        ),
        (
            None,
            None,
            {
                "SLURM_STEP_NODELIST": "a,b",
                "SLURM_PROCID": "0",
                "SLURM_STEP_TASKS_PER_NODE": "1",
            },
            "counts 1 nodes",
        ),
    ],
)
def test_settings_that_do_not_fit_together(workers, rank, environment, match):
    with pytest.raises(ValueError, match=match):
        find_cluster(workers, rank, environment)


def test_nodes_of_slurm():
    assert hosts_of("n[1,3-4]x,m[001-002]") == ["n1x", "n3x", "n4x", "m001", "m002"]
    with pytest.raises(ValueError, match=r"such as gpu\[01-04,7\]"):
        hosts_of("gpu[a-b]")


def test_keras_still_needs_mending():
    """If this fails, Keras has mended one of them: remove ours."""
    assert multi_worker.faults() == {
        multi_worker.SYMBOLIC_BUILD,
        multi_worker.MEAN_OF_FIGURES,
    }


def test_mended_keras_has_no_faults(monkeypatch):
    trainer = multi_worker._trainer()
    kind = trainer.TensorFlowTrainer
    monkeypatch.setattr(kind, "_maybe_symbolic_build", kind._maybe_symbolic_build)
    monkeypatch.setattr(trainer, "reduce_per_replica", trainer.reduce_per_replica)
    multi_worker.mend()
    assert multi_worker.faults() == set()
    once = trainer.reduce_per_replica
    multi_worker.mend()
    assert trainer.reduce_per_replica is once
    # One device trains as before.
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(tf.ones((4, 2)), tf.ones(4), verbose=0)


def test_another_keras_is_refused(monkeypatch):
    kind = multi_worker._trainer().TensorFlowTrainer
    monkeypatch.delattr(kind, "_maybe_symbolic_build")
    with pytest.raises(ValueError, match="known to work with Keras 3.13"):
        multi_worker.mend()
