"""Ports to listen at."""

import socket


def check_free(host, port, name):
    """Refuses a port that another program listens at.

    gRPC would share it without a word.

    Args:
        host: address to listen on.
        port: int.
        name: of the argument, for the message.

    Raises:
        ValueError: for a number that is no port, or one that is taken.
    """
    if not 0 < port < 2**16:
        raise ValueError(f"`{name}` must be from 1 to 65535. Received: {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"{host}:{port} ({name}) can't be used: {error.strerror}. Choose "
                f"another port, or end what listens there."
            ) from error
