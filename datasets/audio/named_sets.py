"""The sound sets by their names: how each is read unless the caller says otherwise."""

import re
from pathlib import Path

from zoo.datasets.audio.options import NAMES, SoundOptions

DEFAULTS = {
    "audio_folder": {},
    "spoken_digits": {"sample_rate": 8000, "seconds": 1.0, "split_by": "speaker"},
    "speech_commands": {"sample_rate": 16000, "seconds": 1.0},
    "spoken_digit": {"sample_rate": 8000, "seconds": 1.0, "split_by": "speaker"},
    "nsynth": {"sample_rate": 16000, "seconds": 4.0},
    # 59,049 samples, 3 to the tenth: what SampleCNN takes.
    "gtzan": {"sample_rate": 22050, "seconds": 59049 / 22050},
    "synthetic_speech": {
        "sample_rate": 8000,
        "seconds": 1.0,
        "labels": "labels.csv",
        "split_by": "voice",
    },
    "grooves_style": {
        "sample_rate": 11025,
        "seconds": 130560 / 11025,  # 255 hops of 512: what tempo_cnn takes
        "labels": "labels.csv",
        "split_by": "family",
    },
    "grooves_tempo": {
        "sample_rate": 11025,
        "seconds": 130560 / 11025,  # 255 hops of 512: what tempo_cnn takes
        "labels": "labels.csv",
        "split_by": "family",
        "task": "tempo",
    },
}
COMMON = ("sample_rate", "seconds", "normalize", "held_out", "validate_on")
FIXED_SPLIT = ("sample_rate", "seconds", "normalize")
# What a caller may change of them; of audio_folder everything.
CHANGEABLE = {
    "spoken_digits": COMMON,
    "speech_commands": FIXED_SPLIT,
    "spoken_digit": COMMON,
    "nsynth": FIXED_SPLIT,
    "gtzan": COMMON,
    "synthetic_speech": (*COMMON, "split_by"),
    "grooves_style": (*COMMON, "split_by"),
    "grooves_tempo": (*COMMON, "split_by"),
}
SPOKEN_DIGIT = re.compile(r"(\d)_([^_]+)_(\d+)\.\w+")


def sound_options(name, given):
    """The options of a sound set.

    Args:
        name: of the data set.
        given: dictionary of what the caller said.

    Returns:
        A `SoundOptions`, or None where the data set is none of sounds.

    Raises:
        TypeError: there is no such option.
        ValueError: the data set does not take it, or not that value.
    """
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        raise TypeError(
            f"There is no option {', '.join(unknown)}: sound sets take "
            f"{', '.join(NAMES)}."
        )
    if name not in DEFAULTS:
        if given:
            raise ValueError(
                f"{name} does not take {', '.join(sorted(given))}: these are options "
                f"of sound sets ({', '.join(DEFAULTS)})."
            )
        return None
    fixed = sorted(set(given) - set(CHANGEABLE.get(name, NAMES)))
    if fixed:
        raise ValueError(
            f"{name} does not take {', '.join(fixed)}; it takes "
            f"{', '.join(CHANGEABLE[name])}."
        )
    return SoundOptions(**{**DEFAULTS[name], **given})


def sound_set(info, data_dir, download, options):
    """The clips of a sound set.

    Args:
        info: its `DatasetInfo`.
        data_dir: folder of its files, or None.
        download: whether it may be downloaded.
        options: `SoundOptions`.

    Returns:
        A `SoundClips`.

    Raises:
        ValueError: the files are not there, or not what they should be.
    """
    # Here, not above: options and facts cost no TensorFlow.
    from zoo.datasets.audio.folder import folder_clips

    name = info.name
    if name in ("speech_commands", "gtzan", "nsynth", "spoken_digit"):
        from zoo.datasets.audio.tfds_builders import tfds_clips

        return tfds_clips(info, data_dir, download, options)
    if name == "synthetic_speech" or name.startswith("grooves_"):
        return folder_clips(info, _rendered(name, data_dir), options)
    if data_dir is None:
        raise ValueError(
            f"{name} needs the folder of the sounds as data_dir; received None."
        )
    if name == "spoken_digits":
        return _spoken_digits(info, Path(data_dir), options)
    return folder_clips(info, data_dir, options)


def _spoken_digits(info, folder, options):
    """Files that are named {digit}_{speaker}_{index}.wav."""
    from zoo.datasets.audio.folder import row_clips
    from zoo.datasets.audio.table import Row

    places = (folder, folder / "fsdd", folder / "recordings")
    for place in places:
        rows, rejected = [], {}
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            found = SPOKEN_DIGIT.fullmatch(path.name)
            if found:
                rows.append(Row(path.name, path, found[1], found[2]))
            elif path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3"):
                rejected[path.name] = "is not named digit_speaker_index"
        if rows:
            return row_clips(info, place, rows, rejected, options)
    raise ValueError(
        f"spoken_digits needs files named as 7_jackson_32.wav in data_dir or its fsdd "
        f"or recordings; {folder} has none."
    )


def _rendered(name, data_dir):
    """The folder of a set that is made on this machine, made if need be."""
    import filelock

    from zoo.datasets.cache import cache_root

    maker = "grooves" if name.startswith("grooves_") else name
    if data_dir is not None:
        folder = Path(data_dir)
    else:
        folder = cache_root() / "rendered" / maker
    if (folder / "labels.csv").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{name} cannot be made in {folder} ({error}): set CONVZOO_CACHE to a "
            f"folder that can be written and has space."
        ) from error
    with filelock.FileLock(f"{folder}.lock"):
        try:
            if maker == "grooves":
                from zoo.datasets.audio import grooves

                grooves.render(folder)
            else:
                from zoo.datasets.audio import synthetic_speech

                synthetic_speech.render(folder)
        except ImportError as error:  # what to install, which is no fault of ours
            raise ValueError(f"{name} can't be made: {error}") from error
    return folder
