"""The time that a notebook really took, from when its cells ran."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from IPython import get_ipython

from helpers.learning import record

PAUSE_MIN = 10.0  # whoever runs no cell for longer does something else: it does not count
EVERY_S = 60.0  # so often at most a run of a cell is noted


class Watch:
    """When a run was noted last, in s of the monotonic clock; whether this kernel is watched."""

    noted_s = 0.0
    on = False


def watch() -> None:
    """From now on note when cells run in this kernel, not more than once a minute."""
    shell = get_ipython()
    if shell is not None and not Watch.on and record.file() is not None:
        Watch.on = True
        shell.events.register("post_run_cell", note_run)


def note_run(_result: Any = None) -> None:
    now_s = time.monotonic()
    if now_s - Watch.noted_s >= EVERY_S:
        Watch.noted_s = now_s
        record.note("run", "a cell")


def taken(entries: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The minutes that each notebook took: the time from one entry to the next, without pauses.

    A stretch belongs to the notebook in which it began, so that two that are open at once share
    the time. It is no measure of seconds: a run is noted once a minute.
    """
    minutes: dict[str, float] = defaultdict(float)
    moments = sorted(
        (datetime.fromisoformat(entry["at"]), str(entry["notebook"])) for entry in entries
    )
    for (start, notebook), (end, _) in pairwise(moments):
        stretch = (end - start).total_seconds() / 60
        minutes[notebook] += stretch if stretch <= PAUSE_MIN else 0
    return dict(minutes)
