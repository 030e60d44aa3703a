import keras


@keras.saving.register_keras_serializable("convzoo")
class MomentumSGD(keras.optimizers.SGD):
    """SGD whose weight decay goes through the momentum, as in AlexNet and PyTorch.

    `v = momentum * v - learning_rate * (gradient + weight_decay * w)`, `w = w + v`.
    `keras.optimizers.SGD` takes the decay from `w` beside the momentum, which at 0.9
    is a tenth of it in the end.

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
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Nothing: the step has it already."""
