"""Calls that are made at a given time, unless they are cancelled before."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Alarms:
    """Calls functions at given times, from one thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._ids = itertools.count()
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def set(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Call `action` in `seconds` unless the function returned here is called before."""
        with self._changed:
            entry = (time.monotonic() + seconds, next(self._ids), action)
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()

        def cancel() -> None:
            with self._changed:
                self._cancelled.add(entry[1])
                while self._heap and self._heap[0][1] in self._cancelled:
                    self._cancelled.discard(heapq.heappop(self._heap)[1])

        return cancel

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    left = self._heap[0][0] - time.monotonic() if self._heap else None
                    self._changed.wait(left)
                _, number, action = heapq.heappop(self._heap)
                if number in self._cancelled:
                    self._cancelled.discard(number)
                    continue
            action()
