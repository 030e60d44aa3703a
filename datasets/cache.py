"""The cache of prepared data sets: each built once, whole, and checked on use."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import filelock
import tensorflow_datasets as tfds

MANIFEST = "manifest.json"


def cache_root():
    """$CONVZOO_CACHE, else $XDG_CACHE_HOME/convzoo, else ~/.cache/convzoo."""
    if os.environ.get("CONVZOO_CACHE"):
        return Path(os.environ["CONVZOO_CACHE"])
    parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent) / "convzoo"


def file_hash(path):
    """Hexadecimal sha256 of one file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prepared_builder(builder_class, config=None, source_dir=None, source_hash=None):
    """The builder of a data set that stands ready in the cache.

    Args:
        builder_class: a `tfds.core.GeneratorBasedBuilder`.
        config: the builder's config or its name, if it has any.
        source_dir: folder of the source files, if the builder reads any.
        source_hash: hash of those files. The cache goes by it, so other content
            is never answered with what was prepared from this one.

    Returns:
        The builder, prepared.

    Raises:
        ValueError: the source files are not what the builder expects, or the cache
            cannot be written.
    """
    config_name = getattr(config, "name", config)
    parts = [builder_class.name, config_name, str(builder_class.VERSION), source_hash]
    folder = cache_root() / "datasets" / "-".join(part for part in parts if part)
    if not is_intact(folder):
        try:
            _build(folder, builder_class, config, source_dir)
        except OSError as error:
            raise ValueError(
                f"The data set {builder_class.name} cannot be prepared in {folder} "
                f"({error}): set CONVZOO_CACHE to a folder that can be written and has "
                f"space."
            ) from error
    return builder_class(data_dir=folder, config=config)


def _build(folder, builder_class, config, source_dir):
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        # Another process may have built it while this one waited.
        if is_intact(folder):
            return
        # What stands here is damaged, or left by a process that was killed.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            run_builder(builder_class(data_dir=folder, config=config), source_dir)
            write_manifest(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def run_builder(builder, source_dir=None):
    """`download_and_prepare` that prints nothing on stdout."""
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=source_dir, try_download_gcs=False
            )
        )


def write_manifest(folder):
    """The hash of every file, written last: without it the cache is not whole."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
    temporary = folder / f"{MANIFEST}.tmp"
    temporary.write_text(json.dumps(manifest, indent=1))
    os.replace(temporary, folder / MANIFEST)


def is_intact(folder):
    """Whether a folder has its manifest, and the files in it their hashes."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return bool(manifest) and all(
            file_hash(folder / name) == manifest[name] for name in manifest
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False
