"""The examples in the documentation of public things run."""

import doctest
import re
import sys
import textwrap

import pytest

import zoo
import zoo.serving
import zoo.training
from zoo import _registry

PACKAGES = (
    *(zoo, zoo.analysis, zoo.datasets, zoo.layers),
    *(zoo.training, zoo.training.metrics),
)
FENCED = re.compile(r"^([ ]*)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def public_things():
    for package in PACKAGES:
        for name in package.__all__:
            thing = getattr(package, name)
            if callable(thing):
                yield pytest.param(thing, id=f"{package.__name__}.{name}")


@pytest.mark.parametrize("thing", list(public_things()))
def test_examples_run(thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for known in ("_builders", "_cards"):  # what an example registers, goes again
        monkeypatch.setattr(_registry, known, dict(getattr(_registry, known)))
    module = vars(sys.modules[thing.__module__])
    fenced = [textwrap.dedent(code) for _, code in FENCED.findall(thing.__doc__)]
    for code in fenced:
        exec(compile(code, thing.__name__, "exec"), {"zoo": zoo})
    examples = doctest.DocTestFinder(recurse=False).find(
        thing, thing.__name__, globs=dict(module)
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    printed = []
    for example in examples:
        runner.run(example, out=printed.append)
    assert runner.failures == 0, "".join(printed)
    # What only holds facts needs none.
    if thing not in (zoo.ModelCard, zoo.Normalization, zoo.Result):
        assert fenced or runner.tries, "no example"
