"""Calls that are made at a given time, unless they are cancelled before."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable

MANY_CANCELLED = 100


class Alarm:
    """A call that is still to be made, or not any more."""

    __slots__ = ("_alarms", "action")

    def __init__(self, alarms: Alarms, action: Callable[[], object]) -> None:
        self._alarms = alarms
        self.action: Callable[[], object] | None = action

    def cancel(self) -> bool:
        """Call off the call. Tells whether that came in time."""
        return self._alarms.cancel(self)


class Alarms:
    """Makes calls at given times, each in a thread of its own: none waits for another.

    Setting and cancelling are cheap, for nearly every alarm is cancelled; a thread exists
    only from the time of a call on.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Alarm]] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def set(self, seconds: float, action: Callable[[], object]) -> Alarm:
        """Call `action` in `seconds`, unless the alarm returned here is cancelled before."""
        alarm = Alarm(self, action)
        entry = (time.monotonic() + seconds, next(self._numbers), alarm)
        with self._changed:
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()
        return alarm

    def cancel(self, alarm: Alarm) -> bool:
        with self._changed:
            if alarm.action is None:
                return False
            alarm.action = None
            self._cancelled += 1
            if self._cancelled > max(MANY_CANCELLED, len(self._heap) // 2):
                self._forget_cancelled()
        return True

    def _forget_cancelled(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].action is not None]
        heapq.heapify(self._heap)
        self._cancelled = 0

    def _take_due(self) -> Callable[[], object] | None:
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
            if action is None:
                continue
            try:
                threading.Thread(target=action, name="alarm", daemon=True).start()
            except RuntimeError:  # no more threads: the call comes late rather than never
                traceback.print_exc()
                self.set(1.0, action)
