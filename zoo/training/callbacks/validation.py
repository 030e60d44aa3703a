import keras
import numpy as np
import tensorflow as tf


class Validation(keras.callbacks.Callback):
    """Measures a net on held-out examples after every epoch, on all devices together.

    Under a strategy `fit` could leave a device without an example in the last batch,
    and convolutions fail on nothing. Here batches are filled up for the devices, and
    what filled them is thrown away: each example counts once.

    Args:
        dataset: batches of (input, target).
        loss: a Keras loss.
        metrics: list of Keras metrics.
        together: the `Together` of the run.
    """

    def __init__(self, dataset, loss, metrics, together):
        super().__init__()
        self.dataset = dataset
        self.loss = loss
        self.metrics = metrics
        self.together = together

    def on_train_begin(self, logs=None):
        self._predict = predictor(self.model, self.together)

    def on_epoch_end(self, epoch, logs=None):
        outputs, targets = [], []
        for inputs, target in self.dataset:
            outputs.append(self._predict(inputs))
            targets.append(target.numpy())
        outputs, targets = np.concatenate(outputs), np.concatenate(targets)
        logs["val_loss"] = float(self.loss(targets, outputs))
        for metric in self.metrics:
            metric.reset_state()
            metric.update_state(targets, outputs)
            logs[f"val_{metric.name}"] = float(metric.result())


def predictor(model, together):
    """A function from a batch to the model's outputs, by all devices of a run.

    Args:
        model: a Keras model with one output, made in the scope of the strategy.
        together: the `Together` of the run. All its processes call with the same batch.

    Returns:
        A function from a tensor to an array.
    """
    strategy = together.strategy
    devices = strategy.num_replicas_in_sync

    @tf.function
    def step(parts):
        outputs = strategy.run(lambda x: model(x, training=False), args=(parts,))
        return strategy.gather(outputs, axis=0)

    def predict(inputs):
        count = inputs.shape[0]
        missing = -count % devices
        inputs = tf.concat([inputs, tf.repeat(inputs[:1], missing, axis=0)], axis=0)
        size = (count + missing) // devices

        def part(context):
            first = context.replica_id_in_sync_group * size
            return inputs[first : first + size]

        parts = strategy.experimental_distribute_values_from_function(part)
        return step(parts).numpy()[:count]

    return predict
