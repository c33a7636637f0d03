"""The settings of the local AWS, from environment variables."""

from __future__ import annotations

import os

STATUS_PATH = "/_localaws"
DEFAULT_IDLE_MINUTES = 240.0


def idle_seconds() -> float:
    """After how long without a call the local AWS stops by itself, in s.

    LOCALAWS_IDLE_MINUTES sets it in minutes. Raises ValueError for anything but a positive
    number.
    """
    text = os.environ.get("LOCALAWS_IDLE_MINUTES", str(DEFAULT_IDLE_MINUTES))
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not minutes > 0:
        raise ValueError(
            f"LOCALAWS_IDLE_MINUTES is {text!r}; it must be a number of minutes above 0."
        )
    return minutes * 60
