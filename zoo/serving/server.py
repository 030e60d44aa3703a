import importlib.util
import os
import sys
from pathlib import Path

from zoo._ports import check_free
from zoo.serving._places import newest_version
from zoo.serving.formats import find_format
from zoo.serving.run_exported import run_exported

SETTINGS = "model-settings.json"
# Of one gRPC message: some hundred colour images of 227 x 227.
LARGEST_MESSAGE = 2**28


def server_command(path, host="127.0.0.1", http_port=8080, grpc_port=8081, workers=0):
    """What to run so that MLServer serves exported models, over REST and gRPC.

    Each model is loaded once before, in a process of its own. The server answers the
    KServe V2 protocol: `POST /v2/models/NAME/infer`.

    Args:
        path: of a folder that `zoo.export` wrote, or of one with several of them.
        host: address to listen on; `"0.0.0.0"` for all.
        http_port: int, of REST.
        grpc_port: int, of gRPC. Metrics are at the port behind it.
        workers: int, processes that compute; 0 for the server's own.

    Returns:
        A list of arguments and a dictionary of the environment, as `os.execve` takes.

    Raises:
        ValueError: if MLServer is not installed, no model stands at `path`, one can't
            be loaded, or a port is taken.

    Example:
        ```python
        import os
        arguments, environment = zoo.serving.server_command("served/p4cnn")
        os.execve(arguments[0], arguments, environment)
        ```
    """
    if not importlib.util.find_spec("mlserver"):
        raise ValueError(
            'Serving needs MLServer, not installed here: pip install "convzoo[serve]"'
        )
    path = Path(path)
    folders = [file.parent for file in path.glob(f"**/{SETTINGS}")]
    folders = [folder for folder in folders if not _is_hidden(folder, path)]
    if not folders:
        newest_version(path, find_format("saved_model"))  # says what is missing
        raise ValueError(f"{path} has no {SETTINGS}: export the model anew.")
    ports = {"http_port": http_port, "grpc_port": grpc_port}
    ports["metrics_port"] = grpc_port + 1
    for name, port in ports.items():
        check_free(host, port, name)
    for folder in folders:
        run_exported(folder, [])
    settings = {
        "host": host,
        **ports,
        "parallel_workers": workers,
        "debug": False,
        "grpc_max_message_length": LARGEST_MESSAGE,
        "metrics_dir": os.environ.get("TMPDIR", "/tmp"),
    }
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    for name, value in settings.items():
        environment[f"MLSERVER_{name.upper()}"] = str(value)
    start = "from mlserver.cli import main; main()"
    arguments = [sys.executable, "-c", start, "start", str(path.resolve())]
    return arguments, environment


def _is_hidden(folder, root):
    return any(part.startswith(".") for part in folder.relative_to(root).parts)
