"""The 1,000 classes of ILSVRC 2012, by their number in WordNet and by name."""

import functools
from pathlib import Path


@functools.cache
def imagenet_classes():
    """A name for each synset, in the order of the labels: sorted, as everywhere.

    A name is the first word that WordNet 3.0 has for the synset. Two words stand for
    two classes each, crane and maillot: there the thing is said too, our choice.

    Returns:
        A dictionary, `{"n01440764": "tench", ...}`.
    """
    text = Path(__file__).with_name("imagenet_classes.txt").read_text("utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines())
