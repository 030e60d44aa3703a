import keras


@keras.saving.register_keras_serializable("convzoo")
class MomentumSGD(keras.optimizers.SGD):
    """SGD whose weight decay goes through the momentum, as in AlexNet and PyTorch.

    `v = momentum * v - learning_rate * (gradient + weight_decay * w)`, `w = w + v`.
    `keras.optimizers.SGD` takes the decay from `w` beside the momentum, which at 0.9
    is a tenth of it in the end. On TensorFlow one kernel makes the step, in fewer
    passes over the weights than Keras's operations take.

    Args:
        learning_rate, momentum, weight_decay, **arguments: as `keras.optimizers.SGD`
            takes them.

    Example:

    >>> optimizer = MomentumSGD(0.1, momentum=0.9, weight_decay=0.5)
    >>> weight = keras.Variable([1.0])
    >>> optimizer.apply([keras.ops.zeros(1)], [weight])
    >>> float(weight[0])
    0.949999988079071

    Source: Krizhevsky, Sutskever and Hinton, NIPS 2012, section 5.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.weight_decay and self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * variable
        if self.momentum and _has_the_kernel(gradient, variable):
            self._step_in_one_kernel(gradient, variable, learning_rate)
        else:
            super().update_step(gradient, variable, learning_rate)

    def _step_in_one_kernel(self, gradient, variable, learning_rate):
        import tensorflow as tf

        velocity = self.momentums[self._get_variable_index(variable)].value
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )

    def _apply_weight_decay(self, variables):
        """Nothing: the step has it already."""


def _has_the_kernel(gradient, variable):
    """Whether TensorFlow's kernel takes them: dense, in full precision, resources."""
    return (
        keras.config.backend() == "tensorflow"
        and hasattr(variable, "handle")
        and hasattr(gradient, "dtype")
        and not hasattr(gradient, "indices")
        and variable.dtype in ("float32", "float64")
    )
