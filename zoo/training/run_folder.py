import importlib.metadata
import json
from pathlib import Path

from zoo._files import check_can_be_made, is_empty, remove_partial_files, replace_file
from zoo._json import number, to_json
from zoo._version import __version__


class RunFolder:
    """The folder of one training run: new, begun by the same command, or finished.

    Args:
        path: where the folder stands, or shall.
        command: dictionary of all that defines the result.

    Raises:
        ValueError: if anything else stands there, or nothing can be written there.
            Nothing has been touched then.

    Example:

    >>> import tempfile
    >>> run = RunFolder(tempfile.mkdtemp() + "/run", {"model": "p4cnn"})
    >>> run.begin()
    >>> run.write_json("metrics.json", {"test_error": 5.0})
    >>> _ = (run.path / "model.keras").write_bytes(b"")
    >>> RunFolder(run.path, {"model": "p4cnn"}).metrics
    {'test_error': 5.0}
    """

    def __init__(self, path, command):
        self.path = Path(path)
        # As JSON gives it back, so that the comparison is between equals.
        self.command = json.loads(json.dumps(command))
        check_can_be_made(self.path)
        if not is_empty(self.path):
            self._check_is_ours()

    @property
    def metrics(self):
        """The figures of a finished run, or None. Those of a net that diverged are NaN.

        Raises:
            ValueError: if they, or the model that belongs to them, are damaged.
        """
        file = self.path / "metrics.json"
        if not file.is_file():
            return None
        try:
            metrics = json.loads(file.read_text())
        except ValueError:
            metrics = None
        is_whole = isinstance(metrics, dict) and all(
            isinstance(number(value), int | float) for value in metrics.values()
        )
        if not is_whole or not (self.path / "model.keras").is_file():
            damaged = "model.keras is missing" if is_whole else f"{file} is damaged"
            raise ValueError(
                f"{self.path} holds a finished run of this command, but {damaged}. "
                f"Remove metrics.json to train it to the end again, or choose another "
                f"place."
            )
        return {name: number(value) for name, value in metrics.items()}

    def begin(self):
        """Makes the folder, where there is none yet, and writes the command down."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / "run.json").exists():
                self.write_json(
                    "run.json", {"command": self.command, "versions": _versions()}
                )
        except OSError as error:
            raise ValueError(
                f"{self.path} can't be written ({error.strerror}). Choose another "
                "place."
            ) from error

    def write_json(self, name, value):
        with replace_file(self.path / name) as path:
            path.write_text(to_json(value) + "\n")

    def finish(self, metrics):
        """Writes the figures, which marks the run as finished, and tidies up."""
        self.write_json("metrics.json", metrics)
        for name in ("backup.weights.h5", "backup.previous.weights.h5"):
            (self.path / name).unlink(missing_ok=True)
        remove_partial_files(self.path)

    def _check_is_ours(self):
        try:
            found = dict(json.loads((self.path / "run.json").read_text())["command"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} holds something else than a training run. Choose another "
                f"place, or an empty folder."
            ) from error
        if found != self.command:
            raise ValueError(
                f"{self.path} holds a run of another command "
                f"({self._difference(found)}). Choose another place, or repeat that "
                f"command."
            )

    def _difference(self, found):
        names = [name for name in self.command if found.get(name) != self.command[name]]
        return "; ".join(
            f"{name}: {found.get(name)!r} there, {self.command[name]!r} here"
            for name in names
        )


def _versions():
    names = ("keras", "tensorflow", "numpy")
    return {
        "convzoo": __version__,
        **{name: importlib.metadata.version(name) for name in names},
    }
