"""The names of the models: who registers them, and who asks."""

import dataclasses
import difflib
import fnmatch
import functools
import importlib
import sys

FAMILIES = ("zoo.image", "zoo.audio")

_builders = {}
_cards = {}


def register_model(card):
    """Decorates a builder: its name becomes known, together with its `ModelCard`.

    Raises:
        ValueError: if a model of that name is registered already.

    Example:

    >>> from zoo import ModelCard
    >>> card = ModelCard("mine", "An example.", "-", 2026, "-", (28, 28, 1), 2, 0)
    >>> @register_model(card)
    ... def mine(**arguments): ...
    >>> create_model("mine")
    """

    def register(builder):
        if card.name in _builders:
            raise ValueError(
                f"A model named {card.name!r} is registered already, by "
                f"{_builders[card.name].__module__}. Choose another name."
            )
        synchronized = _synchronized(builder)
        _builders[card.name] = synchronized
        _cards[card.name] = card
        return synchronized

    return register


def _synchronized(builder):
    """The builder; under a strategy its batch normalisation sees the whole batch."""

    @functools.wraps(builder)
    def build(*arguments, **options):
        model = builder(*arguments, **options)
        # Nobody makes a strategy without TensorFlow, and other backends do without.
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is not None and model is not None:
            if tensorflow.distribute.get_strategy().num_replicas_in_sync > 1:
                from zoo.training.distributed.synchronized import (
                    synchronize_batch_normalization,
                )

                synchronize_batch_normalization(model)
        return model

    return build


def list_models(pattern="*", task=None):
    """Names of the models, sorted.

    Args:
        pattern: a shell pattern, such as `"p4*"`.
        task: keep the models of one task, such as `"image classification"`.

    Returns:
        A list of names; empty if none fits the pattern.

    Raises:
        ValueError: for a task that no model has.

    Example:

    >>> list_models("p4*")
    ['p4cnn', 'p4cnn_rotation_pooling', 'p4mcnn']
    """
    _import_families()
    tasks = sorted({card.task for card in _cards.values()})
    if task is not None and task not in tasks:
        raise ValueError(
            f"Unknown task {task!r}. Expected one of {', '.join(map(repr, tasks))}."
        )
    return sorted(
        name
        for name in fnmatch.filter(_builders, pattern)
        if task is None or _cards[name].task == task
    )


def card(name):
    """The `ModelCard` of a model.

    Raises:
        ValueError: if there is no model of that name.

    Example:

    >>> card("p4cnn").parameters
    24680
    """
    _require(name)
    return _cards[name]


def card_by_model_name(name):
    """The card for a model that came without one: that of its name, or None.

    It has no labels: which classes such a model was trained to tell apart is not known.

    Example:

    >>> card_by_model_name("lecun1989").labels is None
    True
    >>> card_by_model_name("functional_1") is None
    True
    """
    _import_families()
    known = _cards.get(name)
    return None if known is None else dataclasses.replace(known, labels=None)


def create_model(name, **arguments):
    """Builds a model by name; `zoo.create_model("p4cnn")` is `zoo.p4cnn()`.

    Args:
        name: one of `list_models()`.
        **arguments: of the builder.

    Raises:
        ValueError: if there is no model of that name.

    Example:

    >>> create_model("p4cnn", classes=2).output_shape
    (None, 2)
    """
    return builder(name)(**arguments)


def builder(name):
    """The function that builds a model.

    Raises:
        ValueError: if there is no model of that name.

    Example:

    >>> builder("p4cnn").__name__
    'p4cnn'
    """
    _require(name)
    return _builders[name]


def _import_families():
    for family in FAMILIES:
        importlib.import_module(family)


def _require(name):
    _import_families()
    if name not in _builders:
        close = difflib.get_close_matches(str(name), _builders, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown model {name!r}.{hint} Expected one of "
            f"{', '.join(sorted(_builders))}."
        )
