"""Moved to `zoo.baselines.audio`; this path stays for one version."""

import warnings

from zoo.baselines.audio import *  # noqa: F403

warnings.warn(
    "zoo.audio.baselines has moved to zoo.baselines.audio.",
    DeprecationWarning,
    stacklevel=2,
)
