"""One walk over the operations of a model, for everything that looks inside."""

import keras

SQUASHING = ("softmax", "logsoftmax", "sigmoid", "logsigmoid")


def check_is_model(model):
    """Raises ValueError for what is no Keras model."""
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"Expected a Keras model. Received: {model!r}. zoo.create_model builds one "
            f"by name, zoo.load_model reads a file."
        )


def as_functional(model):
    """The functional form of a functional or sequential model, or None.

    A subclassed or unbuilt model has no graph that could be looked into.
    """
    if any("call" in vars(kind) for kind in _own_classes(model)):
        return None  # what its graph says is not all that it does
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    # Keras has no public test for this; `operations` is on functional models only.
    return model if hasattr(model, "operations") else None


def _own_classes(model):
    return [
        kind for kind in type(model).__mro__ if not kind.__module__.startswith("keras.")
    ]


def operations_of(model):
    """All operations in the order they run, those of nested models in their place."""
    for operation in as_functional(model).operations:
        if isinstance(operation, keras.Model) and as_functional(operation) is not None:
            yield from operations_of(operation)
        elif not isinstance(operation, keras.layers.InputLayer):
            yield operation


def run(model, inputs, call):
    """Runs a model operation by operation.

    Args:
        model: a functional model.
        inputs: its input, a tensor or a symbolic tensor of perhaps another size.
        call: `call(operation, *args, **kwargs)` returns the operation's output.

    Returns:
        The model's output.
    """

    def operation_fn(operation):
        def run_operation(*args, **kwargs):
            nested = isinstance(operation, keras.Model) and as_functional(operation)
            if nested:
                return run(nested, args[0], call)
            return call(operation, *args, **kwargs)

        return run_operation

    # `Function.compute_output_spec` refuses other sizes than the model's own, so the
    # walk below it is used; it is what `Functional.call` itself runs on.
    return model._run_through_graph(inputs, operation_fn=operation_fn)


def last_operation(model):
    """The operation that makes a functional model's output, inside nested models."""
    operation = as_functional(model).outputs[0]._keras_history.operation
    nested = isinstance(operation, keras.Model) and as_functional(operation) is not None
    return last_operation(operation) if nested else operation


def ends_in_probabilities(operation):
    """Whether an operation is a softmax or sigmoid, or has it for its activation."""
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None) or type(operation).__name__
    return name.lower().replace("_", "") in SQUASHING


def works_along_channels(operation, tensor):
    """Whether the `axis` of an operation, where it has one, is the last of a tensor."""
    axis, last = getattr(operation, "axis", -1), len(tensor.shape) - 1
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return all(one in (-1, last) for one in axes)
