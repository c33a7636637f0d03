"""What a rehearsal did: how often, and for how long at most."""

from __future__ import annotations

import threading
from collections import Counter

# What is told, in this order: the effect, and how one and several of it are said.
WORDS = (
    ("stale read", "stale read", "stale reads"),
    ("delivered twice", "message delivered twice", "messages delivered twice"),
    ("swapped", "pair of messages out of order", "pairs of messages out of order"),
    ("short poll", "short poll that missed messages", "short polls that missed messages"),
    ("throttled", "throttled call", "throttled calls"),
    ("stray error", "stray HTTP 500", "stray HTTP 500s"),
    ("role refused", "call before its role was known", "calls before their role was known"),
    ("new queue", "call before its queue was there", "calls before their queue was there"),
    ("ghost queue", "answer of a queue that was deleted", "answers of queues that were deleted"),
    ("empty page", "empty page of log events", "empty pages of log events"),
    ("late line", "late log line", "late log lines"),
    ("late point", "late data point", "late data points"),
    ("table", "call of a table that was not ready", "calls of tables that were not ready"),
)
DELAYS = (
    ("role known", "role known after {:.1f} s"),
    ("policy enforced", "policy enforced after {:.1f} s"),
    ("function settled", "function settled after {:.1f} s"),
    ("mapping settled", "trigger settled after {:.1f} s"),
    ("mapping polls", "trigger polled {:.1f} s after it was enabled"),
    ("alarm sees data", "alarm saw its data after {:.1f} s"),
    ("mapping polls on", "trigger polled for {:.1f} s after it was disabled"),
)


class Report:
    """Counts what was done. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._longest: dict[str, float] = {}

    def count(self, effect: str, times: int = 1) -> None:
        with self._lock:
            self._counts[effect] += times

    def lasted(self, effect: str, seconds: float) -> None:
        """A delay of so many seconds; the longest one of each effect is told."""
        with self._lock:
            self._longest[effect] = max(seconds, self._longest.get(effect, 0.0))

    def sentence(self) -> str:
        """All that was done, as "14 stale reads, role known after 6.2 s"."""
        with self._lock:
            counts, longest = Counter(self._counts), dict(self._longest)
        said = [
            f"{counts[effect]} {one if counts[effect] == 1 else several}"
            for effect, one, several in WORDS
            if counts[effect]
        ]
        said += [text.format(longest[effect]) for effect, text in DELAYS if longest.get(effect)]
        return ", ".join(said) or "nothing yet"
