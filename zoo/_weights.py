from pathlib import Path

PRETRAINED = Path(__file__).parent / "pretrained"


def load_weights(model, weights, card):
    """Loads what the `weights=` of a builder names into its model.

    Args:
        model: the built model.
        weights: None, a name on the card, or the path of a `.keras` or
            `.weights.h5` file.
        card: the builder's `ModelCard`.

    Raises:
        ValueError: if it is none of these, or the file does not fit the model.
    """
    if weights is None:
        return
    path = PRETRAINED / card.weights[weights] if weights in card.weights else weights
    if not str(path).endswith((".keras", ".weights.h5")) or not Path(path).is_file():
        names = ", ".join(repr(name) for name in card.weights) or "no name as yet"
        raise ValueError(
            f"`weights` of {card.name} must be None, a name on its card ({names}), or "
            f"the path of a .keras or .weights.h5 file. Received: weights={weights!r}"
        )
    try:
        model.load_weights(path)
    except Exception as error:  # Keras raises whatever its reader meets
        raise ValueError(
            f"The weights in {path} do not fit {card.name} with input shape "
            f"{model.input_shape[1:]} and output shape {model.output_shape[1:]}: "
            f"{error}"
        ) from error
