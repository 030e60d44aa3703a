import keras
from keras import ops


@keras.saving.register_keras_serializable("convzoo")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly to what another schedule says.

    Args:
        after: a number or a schedule.
        steps: how long the rise takes.
        start: share of the learning rate at step 0.

    Example:

    >>> rate = WarmUp(0.8, steps=10, start=0.125)
    >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 99)]
    [0.1, 0.45, 0.8, 0.8]

    Source: Goyal et al. 2017 (arXiv:1706.02677), section 2.2.
    """

    def __init__(self, after, steps, start):
        self.after = after
        self.steps = steps
        self.start = start

    def __call__(self, step):
        rate = self.after(step) if callable(self.after) else self.after
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return rate * (self.start + (1 - self.start) * done)

    def get_config(self):
        return {
            "after": keras.saving.serialize_keras_object(self.after),
            "steps": self.steps,
            "start": self.start,
        }

    @classmethod
    def from_config(cls, config):
        after = keras.saving.deserialize_keras_object(config["after"])
        return cls(after, config["steps"], config["start"])
