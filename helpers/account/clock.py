"""A learner's clock that is off, as in a rehearsal of AWS.

Only `time.time` and `time.time_ns` of this process are shifted: cells and the course kit compare
them with AWS's timestamps. Signatures are made with the true time, as `datetime` gives it.
"""

from __future__ import annotations

import time

_true_time, _true_time_ns = time.time, time.time_ns


def set_off(seconds: float) -> None:
    """Let the clock be ahead by so many seconds, or behind; 0 makes it right again."""
    if not seconds:
        time.time, time.time_ns = _true_time, _true_time_ns
        return
    nanoseconds = int(seconds * 1e9)
    time.time = lambda: _true_time() + seconds
    time.time_ns = lambda: _true_time_ns() + nanoseconds
