"""What is known of a model beside its code, as data."""

import dataclasses
import json
import math
from dataclasses import dataclass

from zoo._json import number, to_json


@dataclass(frozen=True)
class Result:
    """One measured or published figure, such as a test error.

    Args:
        data: name of the data set and split.
        metric: what was measured, with its unit.
        value: the figure; NaN of a net that diverged.
        source: the paper, or the command that gives it.
    """

    data: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Normalization:
    """Constants that turn raw values into what a model expects: `(x - mean) / std`.

    Args:
        mean: a number, or one a channel.
        std: a positive number, or one a channel.
        pre_emphasis: None, or of sound the share of the sample before that is taken
            off each, after the above: high frequencies come out louder.
        level: None, or of sound the root mean square that each clip is brought to,
            after that. Silence stays silence.

    Raises:
        ValueError: if they are not finite numbers, a deviation or the level is not
            positive, or the share is not between 0 and 1.
    """

    mean: float | tuple = 0.0
    std: float | tuple = 1.0
    level: float | None = None
    pre_emphasis: float | None = None

    def __post_init__(self):
        if self.pre_emphasis is not None and not (
            isinstance(self.pre_emphasis, int | float) and 0 < self.pre_emphasis <= 1
        ):
            raise ValueError(
                f"`pre_emphasis` must be None or a number above 0, up to 1. Received: "
                f"pre_emphasis={self.pre_emphasis!r}"
            )
        if self.level is not None and not (
            isinstance(self.level, int | float) and 0 < self.level < math.inf
        ):
            raise ValueError(
                f"`level` must be None or a positive number. Received: "
                f"level={self.level!r}"
            )
        for name, value in (("mean", self.mean), ("std", self.std)):
            values = value if isinstance(value, tuple) else (value,)
            if not values or not all(
                isinstance(number, int | float) and math.isfinite(number)
                for number in values
            ):
                raise ValueError(
                    f"`{name}` must be a finite number, or one a channel. "
                    f"Received: {name}={value!r}"
                )
            if name == "std" and min(values) <= 0:
                raise ValueError(f"`std` must be positive. Received: std={value!r}")


@dataclass(frozen=True)
class ModelCard:
    """The facts of a model: where it comes from, its size, its input, its results.

    Args:
        name: as `zoo.create_model` takes it.
        summary: one sentence.
        paper: authors, title, where, and its arXiv number.
        year: of the paper.
        task: `"image classification"`, ...
        input_name: name of the model's input, `"image"`.
        input_shape: the paper's, without the batch.
        classes: number of classes of the paper's task.
        parameters: trainable parameters at the paper's settings.
        licence: of code and weights.
        sample_rate: of the sound it takes, in Hz; None for other input.
        group: name of its symmetry group, or None.
        outputs: names of the model's outputs.
        labels: names of the classes, or None where they are not fixed.
        normalization: what `zoo.preprocess_input` applies.
        results: published and measured figures.
        weights: names that `weights=` takes, to files in `zoo/pretrained`.
        notes: sentences a user should know.
    """

    name: str
    summary: str
    paper: str
    year: int
    task: str
    input_shape: tuple
    classes: int
    parameters: int
    licence: str = "Apache-2.0"
    input_name: str = "image"
    sample_rate: int | None = None
    group: str | None = None
    outputs: tuple = ("probabilities",)
    labels: tuple | None = None
    normalization: Normalization = Normalization()
    results: tuple = ()
    weights: dict = dataclasses.field(default_factory=dict)
    notes: tuple = ()

    def to_json(self):
        """The card as JSON text."""
        return to_json(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        """A card from the text of `to_json`.

        Raises:
            ValueError: if the text is not such a card.
        """
        try:
            fields = json.loads(text)
            normalization = Normalization(
                **{key: _as_tuple(v) for key, v in fields.pop("normalization").items()}
            )
            results = tuple(
                Result(**{**result, "value": number(result["value"])})
                for result in fields.pop("results")
            )
            fields = {key: _as_tuple(value) for key, value in fields.items()}
            return cls(normalization=normalization, results=results, **fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"Not a model card: {error}. Expected the JSON that "
                f"`ModelCard.to_json` writes."
            ) from error


def _as_tuple(value):
    return tuple(value) if isinstance(value, list) else value
