"""How the package is laid out and what importing it costs."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("zoo", "layers", "datasets", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
]


def test_nothing_imports_the_folders_bare():
    """`import layers` works from the root by accident, and registers all twice."""
    bare = re.compile(r"^\s*(import|from)\s+(layers|datasets)\b", re.MULTILINE)
    assert SOURCES
    assert [str(path) for path in SOURCES if bare.search(path.read_text())] == []


def test_arrows_go_one_way():
    def imports(folder, forbidden):
        pattern = re.compile(rf"^\s*(import|from)\s+({forbidden})\b", re.MULTILINE)
        return [
            str(path)
            for path in (ROOT / folder).rglob("*.py")
            if pattern.search(path.read_text())
        ]

    assert imports("layers", r"zoo\.(?!layers)\w+|tensorflow|jax|torch") == []
    assert imports("datasets", r"zoo\.(?!datasets)\w+|keras") == []


def test_every_folder_is_installed():
    """setuptools takes what pyproject.toml lists, and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    found = {
        ".".join((*package, *path.parent.relative_to(ROOT / folder).parts))
        for folder, *package in (
            ("zoo", "zoo"),
            ("layers", "zoo", "layers"),
            ("datasets", "zoo", "datasets"),
        )
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_import_zoo_is_light():
    program = (
        "import sys, zoo, zoo.layers, zoo.datasets, zoo.cli;"
        "print([name for name in ('tensorflow', 'keras', 'numpy', 'matplotlib')"
        " if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == "[]"


def test_every_public_name_is_there():
    import zoo

    for package in (zoo, zoo.layers, zoo.datasets, zoo.analysis):
        for name in package.__all__:
            assert getattr(package, name) is not None
    assert zoo.layers.GroupConv2D.__module__.startswith("zoo.layers")


@pytest.mark.parametrize("package", ["layers", "datasets", "analysis", "image"])
def test_public_things_are_documented(package):
    import zoo

    module = getattr(zoo, package, None) or __import__(f"zoo.{package}").image
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing):
            assert "Example" in thing.__doc__, name


@pytest.mark.parametrize(
    ("old", "new"),
    [("audio.features", "features"), ("audio.baselines", "baselines.audio")],
)
def test_paths_of_before_warn_and_lead_on(old, new):
    sys.modules.pop(f"zoo.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"has moved to zoo.{new}"):
        before = importlib.import_module(f"zoo.{old}")
    now = importlib.import_module(f"zoo.{new}")
    names = [name for name in vars(now) if not name.startswith("_")]
    assert names and all(getattr(before, name) is getattr(now, name) for name in names)


def test_public_paths_stay():
    from zoo.datasets import grooves, synthetic_speech
    from zoo.layers.groups import get_group

    assert get_group is zoo.layers.get_group
    assert callable(grooves.render) and callable(synthetic_speech.render)
