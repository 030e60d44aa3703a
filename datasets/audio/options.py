"""How a set of sounds is to be read: the options, checked."""

import dataclasses
import math
import numbers

from zoo.datasets.audio.table import TASKS

NORMALIZATIONS = (None, "peak", "rms")


@dataclasses.dataclass(frozen=True)
class SoundOptions:
    """The options of `audio_folder`, as the caller gave them."""

    sample_rate: int = 16000
    seconds: float = 1.0
    labels: object = "folder"
    split_by: str = "song"
    held_out: object = None
    validate_on: object = None
    task: str = "classes"
    channels: int = 1
    normalize: str | None = None

    def __post_init__(self):
        for name, low, high in (
            ("sample_rate", 100, 1_000_000),
            ("channels", 1, 64),
        ):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or not low <= value <= high:
                raise ValueError(
                    f"{name} must be an integer from {low} to {high}; received "
                    f"{value!r}."
                )
            object.__setattr__(self, name, int(value))
        if not isinstance(self.seconds, numbers.Real) or not (
            self.seconds > 0 and math.isfinite(self.seconds) and self.samples >= 1
        ):
            raise ValueError(
                f"seconds must be the length of a clip, at least one sample; received "
                f"{self.seconds!r}."
            )
        if self.task not in TASKS:
            raise ValueError(
                f"task must be one of {', '.join(TASKS)}; received {self.task!r}."
            )
        if self.normalize not in NORMALIZATIONS:
            raise ValueError(
                f'normalize must be None, "peak" or "rms"; received {self.normalize!r}.'
            )
        if not isinstance(self.split_by, str) or not self.split_by:
            raise ValueError(
                f'split_by must be "song", "speaker" or the name of a column; received '
                f"{self.split_by!r}."
            )

    @property
    def samples(self):
        """Length of a clip."""
        return round(self.seconds * self.sample_rate)


NAMES = tuple(field.name for field in dataclasses.fields(SoundOptions))
