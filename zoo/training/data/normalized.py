from zoo.preprocessing import preprocess_input


def normalized(dataset, card):
    """A `tf.data` set of (input, target) with the constants of a card applied.

    Args:
        dataset: batches of (input, target).
        card: a `ModelCard`, or None to leave the inputs as they are.

    Returns:
        A `tf.data.Dataset`.
    """
    if card is None:
        return dataset
    return dataset.map(lambda x, target: (preprocess_input(x, card), target))
