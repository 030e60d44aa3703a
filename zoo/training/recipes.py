"""How a net is trained, as data. Without Keras, so that `zoo --help` can list them."""

import dataclasses
import math
from dataclasses import dataclass

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine", "steps")


@dataclass(frozen=True)
class Recipe:
    """An optimizer, and a learning rate that stays or falls.

    Args:
        epochs: passes over the training set.
        batch_size: images a step.
        learning_rate: at the start.
        schedule: `"constant"`; `"cosine"`: down to 0 over the run, as half a cosine;
            `"steps"`: to a tenth at each of `drops`.
        weight_decay: what a kernel loses a step, as a share of it and of the learning
            rate: beside the step of Adam (AdamW), inside the momentum of SGD.
        optimizer: `"adam"` or `"sgd"`.
        momentum: share of its last step that SGD repeats.
        drops: for `"steps"`, shares of the run: 0.5 is after half of the epochs.
        warm_up: epochs over which the learning rate rises to what the schedule says,
            from `1 / warm_up_from` of it.
        warm_up_from: see there.
        augmentation: of sounds, None, `"speech"` or `"music"`: see
            `zoo/training/augmentation.py`.
        level: of sounds, the root mean square that each clip is brought to; None
            leaves them as they are.
        pre_emphasis: of sounds, the share of the sample before that each loses first;
            None for none.
        arguments: of the model's builder, where they are not its defaults.

    Raises:
        ValueError: for a value outside the above.

    Example:

    >>> Recipe(epochs=5).batch_size
    128
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-2
    schedule: str = "cosine"
    weight_decay: float = 0.0
    optimizer: str = "adam"
    momentum: float = 0.9
    drops: tuple[float, ...] = ()
    warm_up: int = 0
    warm_up_from: int = 1
    augmentation: str | None = None
    level: float | None = None
    pre_emphasis: float | None = None
    arguments: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            is_int = isinstance(value, int) and not isinstance(value, bool)
            if not is_int or not 1 <= value <= 1_000_000:
                raise ValueError(
                    f"`{name}` must be a positive integer, at most 1,000,000. "
                    f"Received: {name}={value!r}"
                )
        rate = self.learning_rate
        if not (isinstance(rate, int | float) and math.isfinite(rate) and rate > 0):
            raise ValueError(
                f"`learning_rate` must be a positive number. "
                f"Received: learning_rate={rate!r}"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"`weight_decay` must be 0 or positive. "
                f"Received: weight_decay={self.weight_decay!r}"
            )
        for name, choices in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {choices}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if not 0 <= self.momentum < 1:
            raise ValueError(
                f"`momentum` must be 0 or more and less than 1. "
                f"Received: momentum={self.momentum!r}"
            )
        rising = list(self.drops) == sorted(set(self.drops))
        if not (rising and all(0 < share < 1 for share in self.drops)):
            raise ValueError(
                f"`drops` must be rising shares of the run, between 0 and 1. "
                f"Received: drops={self.drops!r}"
            )

    def settings(self):
        """The values that decide the result, as a dictionary.

        Those that are not used are left out: older run folders stay those of the same
        command.

        Example:

        >>> Recipe(epochs=5).settings()["schedule"]
        'cosine'
        """
        values = dataclasses.asdict(self)
        if self.optimizer == "adam":
            del values["optimizer"], values["momentum"]
        if self.schedule != "steps":
            del values["drops"]
        if not self.warm_up:
            del values["warm_up"], values["warm_up_from"]
        for name in ("augmentation", "level", "pre_emphasis"):
            if getattr(self, name) is None:
                del values[name]
        if not self.arguments:
            del values["arguments"]
        return values

    def scaled(self, replicas):
        """The recipe for so many devices with its batch on each of them.

        The learning rate grows as the batch does, and is reached over five epochs from
        that of one device: Goyal et al. 2017 (arXiv:1706.02677), section 2, for SGD.
        For Adam it is our choice.

        Example:

        >>> large = Recipe(epochs=90, batch_size=32, learning_rate=0.1).scaled(8)
        >>> large.batch_size, large.learning_rate, large.warm_up
        (256, 0.8, 5)
        """
        if replicas == 1:
            return self
        return dataclasses.replace(
            self,
            batch_size=self.batch_size * replicas,
            learning_rate=self.learning_rate * replicas,
            warm_up=min(5, self.epochs),
            warm_up_from=replicas,
        )


_RECIPES = {
    # Chosen on 2,000 of the 12,000 training images of rotated_mnist: see
    # benchmarks/results/rotated_mnist.md.
    "cosine": Recipe(epochs=40, weight_decay=0.02),
    # Cohen and Welling 2016 (arXiv:1602.07576); they gave the planar net three times
    # the epochs.
    "paper": Recipe(epochs=100, learning_rate=1e-3, schedule="constant"),
    # Krizhevsky, Sutskever and Hinton 2012, for AlexNet: a tenth three times. The paper
    # decided when by the validation error; the epochs are those of the configuration
    # in their published code. There biases also learn at twice the rate, conv1 is
    # frozen and the colour noise ends before the run does; here not.
    "krizhevsky2012": Recipe(
        epochs=90,
        batch_size=128,
        learning_rate=1e-2,
        schedule="steps",
        weight_decay=5e-4,
        optimizer="sgd",
        momentum=0.9,
        drops=(25 / 90, 51 / 90, 79 / 90),
    ),
    # Our own, for sounds: see benchmarks/results/spoken_digits.md and tempo.txt.
    "sound": Recipe(epochs=40, batch_size=64, learning_rate=1e-3, level=0.1),
    "speech": Recipe(
        epochs=12,
        batch_size=64,
        learning_rate=1e-3,
        weight_decay=1e-4,
        augmentation="speech",
        level=0.1,
        pre_emphasis=0.97,
    ),
    "tempo": Recipe(epochs=30, batch_size=32, learning_rate=2e-3, level=0.1),
    # As Schreiber and Müller train (ISMIR 2018), at other speeds too. On two cores
    # the speeds cost more than the net; not measured yet.
    "music": Recipe(
        epochs=60,
        batch_size=32,
        learning_rate=2e-3,
        augmentation="music",
        level=0.1,
    ),
    # The notebook of Greydanus and Kobak (arXiv:2011.14439): 6,000 steps of Adam.
    "mnist1d": Recipe(
        epochs=150, batch_size=100, learning_rate=1e-2, schedule="constant"
    ),
}
_RECIPES_OF_MODELS = {
    # Our own. Without batch normalisation and drawn with deviation 0.01 it blows up at
    # 1e-2 (the first epoch's loss on rotated_digits: 873) and then never learns. At
    # 1e-4 it took more than 11 epochs to begin, at 3e-4 three.
    ("cosine", "alexnet"): Recipe(epochs=40, learning_rate=3e-4, weight_decay=5e-4),
    ("paper", "z2cnn"): dataclasses.replace(_RECIPES["paper"], epochs=300),
    # Karpathy's reproduction: one digit a step, as in the paper, but plain gradient
    # descent for its second-order method, and plain tanh.
    ("paper", "lecun1989"): Recipe(
        epochs=23,
        batch_size=1,
        learning_rate=0.03,
        schedule="constant",
        optimizer="sgd",
        momentum=0.0,
        arguments={"activation": "tanh"},
    ),
}
_DEFAULTS = {"lecun1989": "paper"}
_DEFAULTS_OF_DATA = {
    "imagenet2012": "krizhevsky2012",
    "mnist1d": "mnist1d",
    "mnist1d_shuffled": "mnist1d",
    "spoken_digits": "speech",
    "spoken_digit": "speech",
    "speech_commands": "speech",
    "synthetic_speech": "speech",
    "grooves_tempo": "tempo",
    "audio_folder": "sound",
    "gtzan": "sound",
    "grooves_style": "sound",
    "nsynth": "sound",
}


def list_recipes():
    """Names of the recipes, sorted.

    Example:

    >>> len(list_recipes()), list_recipes()[0]
    (8, 'cosine')
    """
    return sorted(_RECIPES)


def default_recipe(model_name, data=None):
    """Name of the recipe that a model is trained by if nobody says otherwise.

    A data set of sounds decides it, and so does ImageNet; on other images the model.

    Example:

    >>> default_recipe("p4cnn"), default_recipe("lecun1989")
    ('cosine', 'paper')
    """
    return _DEFAULTS_OF_DATA.get(data) or _DEFAULTS.get(model_name, "cosine")


def find_recipe(name, model_name=None, **changes):
    """A named recipe.

    Args:
        name: one of `list_recipes()`.
        model_name: for the recipes that differ between models.
        **changes: values of `Recipe` to use instead; None keeps the recipe's own.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: for an unknown name, or a value that no recipe can have.

    Example:

    >>> find_recipe("paper", "z2cnn", batch_size=64).epochs
    300
    """
    if name not in _RECIPES:
        raise ValueError(
            f"Unknown recipe {name!r}. Expected one of {', '.join(list_recipes())}."
        )
    recipe = _RECIPES_OF_MODELS.get((name, model_name), _RECIPES[name])
    changes = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(recipe, **changes)
