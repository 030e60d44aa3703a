import numpy as np

import zoo.datasets
from zoo.audio.tasks import decode
from zoo.serving.export import export
from zoo.serving.run_exported import run_exported
from zoo.training.data.normalized import normalized
from zoo.training.evaluation import images_for, load_with_card, sounds_for

CALIBRATION_EXAMPLES = 500
MEASURED_AT_A_TIME = 1000


def export_int8(run, path, data, split="test", data_dir=None, overwrite=False, **sound):
    """Writes a LiteRT file in 8 bits, and measures what the 8 bits cost.

    The ranges of activations are taken from 500 training examples, and the accuracy is
    measured on a split that was not used for it.

    Args:
        run: a `.keras` file or a run folder.
        path: of the `.tflite` file.
        data: name of the data set, of images or of sounds with classes.
        split: to measure on.
        data_dir: folder with its source files.
        overwrite: bool. Replace a file that stands at `path`.
        **sound: of a set of sounds, what `zoo.datasets.load` takes (`held_out`, ...).

    Returns:
        A dictionary: `examples`, `accuracy` of the model, `accuracy_int8` of the file,
        both in [0, 1], and `agreement`, the share of equal answers.

    Raises:
        ValueError: as `zoo.export` and `zoo.evaluate`, and for a task without classes.

    Example:

    >>> import tempfile, zoo
    >>> folder = tempfile.mkdtemp()
    >>> zoo.p4cnn().save(folder + "/model.keras")
    >>> file = folder + "/p4cnn.tflite"
    >>> export_int8(folder, file, "rotated_digits", "test[:50]")["examples"]
    50
    """
    model, card = load_with_card(run)
    if zoo.datasets.info(data, **sound).input_name == "waveform":
        clips = sounds_for(model, card, data, data_dir, sound)
        task = clips.info.task
        size = CALIBRATION_EXAMPLES
        train = normalized(clips.load("train", size, training=True), card)
        test = clips.load(split, MEASURED_AT_A_TIME, training=False)
        test = normalized(test, card)
    else:
        task = None
        size = CALIBRATION_EXAMPLES
        train, _ = images_for(model, card, data, "train", data_dir, size, training=True)
        test, _ = images_for(model, card, data, split, data_dir, MEASURED_AT_A_TIME)
    if task not in (None, "classes", "binary"):
        raise ValueError(
            f"Accuracy is measured of classes. {data} is for the task {task!r}: give "
            f"zoo.export the argument calibration=, and compare the outputs."
        )
    calibration, _ = next(train.as_numpy_iterator())
    export(model, path, "litert", overwrite=overwrite, calibration=calibration)
    right, right_int8, equal, examples = 0, 0, 0, 0
    for inputs, targets in test.as_numpy_iterator():
        (outputs,) = run_exported(path, [inputs], "litert")
        before = _answers(task, model.predict_on_batch(inputs))
        after = _answers(task, outputs[model.output_names[0]])
        right += int(np.sum(before == targets))
        right_int8 += int(np.sum(after == targets))
        equal += int(np.sum(before == after))
        examples += len(targets)
    return {
        "examples": examples,
        "accuracy": right / examples,
        "accuracy_int8": right_int8 / examples,
        "agreement": equal / examples,
    }


def _answers(task, outputs):
    # Image nets may return scores or logits.
    return np.argmax(outputs, axis=-1) if task is None else decode(task, outputs)
