"""Calls that are made at a given time, unless they are cancelled before."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MANY_CANCELLED = 100


@dataclass(slots=True)
class Alarm:
    """A call that is still to be made, or not any more."""

    action: Callable[[], None] | None


class Alarms:
    """Calls functions at given times, from one thread; so they must not take long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Alarm]] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def set(self, seconds: float, action: Callable[[], None]) -> Callable[[], bool]:
        """Call `action` in `seconds` unless the function returned here is called before.

        That function tells whether it came in time.
        """
        alarm = Alarm(action)
        entry = (time.monotonic() + seconds, next(self._numbers), alarm)
        with self._changed:
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()

        def cancel() -> bool:
            with self._changed:
                if alarm.action is None:
                    return False
                alarm.action = None
                self._cancelled += 1
                if self._cancelled > max(MANY_CANCELLED, len(self._heap) // 2):
                    self._forget_cancelled()
            return True

        return cancel

    def _forget_cancelled(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].action is not None]
        heapq.heapify(self._heap)
        self._cancelled = 0

    def _take_due(self) -> Callable[[], None] | None:
        """Wait for the next alarm. None if it had been cancelled."""
        with self._changed:
            while not self._heap or self._heap[0][0] > time.monotonic():
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                self._changed.wait(left)
            alarm = heapq.heappop(self._heap)[2]
            action, alarm.action = alarm.action, None
            if action is None:
                self._cancelled -= 1
            return action

    def _run(self) -> None:
        while True:
            action = self._take_due()
            try:
                if action is not None:
                    action()
            except Exception:
                logging.exception("An alarm's call failed.")
