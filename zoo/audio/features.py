"""Moved to `zoo.features`; this path stays for one version."""

import warnings

from zoo.features import *  # noqa: F403

warnings.warn(
    "zoo.audio.features has moved to zoo.features.", DeprecationWarning, stacklevel=2
)
