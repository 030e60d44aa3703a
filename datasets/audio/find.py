from zoo.datasets import catalogue
from zoo.datasets.audio.named_sets import sound_options, sound_set


def sounds(name, data_dir=None, download=False, **sound):
    """A set of sounds by its name, with its splits, its songs and its rejected files.

    Args:
        name: one of `zoo.datasets.list_datasets()` that holds sound.
        data_dir: folder with its files, for one that needs them.
        download: whether they may be fetched from the network, where they can be.
        **sound: the arguments of `zoo.datasets.audio_folder` that it takes.

    Returns:
        A `SoundClips`.

    Raises:
        TypeError: there is no such option.
        ValueError: it is no set of sounds, an argument is not one of its choices, or
            the files are not there or not what they should be.

    Example:
        ```python
        import zoo

        digits = zoo.datasets.sounds("synthetic_speech", seconds=0.8)
        print(digits.info.splits, len(digits.rejected))
        ```
    """
    info = catalogue.info(name, **sound)
    options = sound_options(name, sound)
    if options is None:
        raise ValueError(
            f"{name} is no set of sounds in files: load it by zoo.datasets.load."
        )
    if data_dir is not None:
        catalogue.check_data_dir(data_dir)
    return sound_set(info, data_dir, download, options)
