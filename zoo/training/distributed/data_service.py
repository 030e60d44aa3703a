"""Machines that make the batches for those that train: the tf.data service."""

import re
import signal

import tensorflow as tf

from zoo._ports import check_free

# Seconds that a worker looks for its dispatcher: they may start in any order.
PATIENCE = 600
ADDRESS = re.compile(r"grpc://[^/:]+:\d+")


def check_service(address):
    """Refuses what is no address of a tf.data service.

    Raises:
        ValueError: saying how one is written.
    """
    if address is not None and not ADDRESS.fullmatch(str(address)):
        raise ValueError(
            f"`data_service` must be grpc://host:port. Received: {address!r}"
        )


def from_service(epochs, epoch, address):
    """The batches of one epoch, made by the workers of a service, in any order.

    Args:
        epochs: a `zoo.datasets.Epochs`; each of its batches is made once.
        epoch: integer from 0.
        address: "grpc://host:port" of the dispatcher.

    Returns:
        A `tf.data.Dataset`.
    """
    service = tf.data.experimental.service
    dynamic = service.ShardingPolicy.DYNAMIC
    made = epochs.dataset(epoch, counted=False).apply(
        service.distribute(dynamic, address)
    )
    count = epochs.steps * epochs.share.replicas
    return made.apply(tf.data.experimental.assert_cardinality(count))


def start_dispatcher(port, folder=None):
    """Starts the dispatcher of a service: it deals out the work.

    Args:
        port: to listen at; 0 for any that is free.
        folder: None, or where to write down what is going on: a dispatcher that is
            started again with it goes on.

    Returns:
        The server, which lives as long as it is referred to.

    Raises:
        ValueError: the port is taken.
    """
    if port:
        check_free("0.0.0.0", port, "port")
    service = tf.data.experimental.service
    config = service.DispatcherConfig(
        port=port,
        work_dir=None if folder is None else str(folder),
        fault_tolerant_mode=folder is not None,
    )
    return service.DispatchServer(config)


def start_worker(dispatcher, host, port=0):
    """Starts a worker of a service: it makes batches.

    Args:
        dispatcher: "grpc://host:port".
        host: the name by which those that train reach this machine.
        port: to listen at; 0 for any that is free.

    Returns:
        The server, which lives as long as it is referred to.

    Raises:
        ValueError: for a dispatcher that is no such address, or a port that is taken.
    """
    check_service(dispatcher)
    if port:
        check_free("0.0.0.0", port, "port")
    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=dispatcher.removeprefix("grpc://"),
        # The service puts the port that it got in the place of the last word.
        worker_address=f"{host}:{port or '%port%'}",
        port=port,
        dispatcher_timeout_ms=1000 * PATIENCE,
    )
    try:
        return service.WorkerServer(config)
    except tf.errors.OpError as error:
        raise ValueError(
            f"The worker can't reach {dispatcher}. Start the dispatcher first."
        ) from error


def wait_for_ever():
    """Waits until SIGTERM or Ctrl-C ends the process."""
    while True:
        signal.pause()
