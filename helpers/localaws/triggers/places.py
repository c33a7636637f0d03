"""The places of a trigger's invocations: who has one, and how many there are just now.

`scaling` says how many, once a second; here is the clock, and what is counted in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from helpers.localaws.triggers.scaling import Limits, Observation, State, next_state

LOOK_EVERY_S = 1.0
LATEST_LOOK_S = 2.0  # after the last one, also when each message is the first of a burst
BACKLOG_SHARE = 0.1  # of the time in which messages had to wait for a place, to be a backlog


class Places:
    """Places that are taken and left, in threads of their own.

    `limits()` and `is_backlog()`, whether messages are waiting, are asked at each moment anew.
    `clock()` gives seconds that only grow.
    """

    def __init__(
        self,
        limits: Callable[[], Limits],
        is_backlog: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._is_backlog = is_backlog
        self._clock = clock
        self._changed = threading.Condition()
        self._taken: set[object] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget how it went: the trigger was switched off."""
        with self._changed:
            self._state = State()
            self._invocations = self._failures = 0
            self._most_taken = len(self._taken)
            self._last_look = self._clock()
            self._next_look = self._last_look + LOOK_EVERY_S
            self._full_since: float | None = None
            self._full_s = 0.0

    def take(self) -> object:
        """Take a place, whether there is one or not. Whoever takes it has to leave it."""
        place = object()
        with self._changed:
            if not self._taken:  # a burst begins, and its first second with it
                begins = self._clock() + LOOK_EVERY_S
                self._next_look = min(begins, self._last_look + LATEST_LOOK_S)
            self._taken.add(place)
            self._most_taken = max(self._most_taken, len(self._taken))
        return place

    def leave(self, place: object) -> None:
        with self._changed:
            self._taken.discard(place)
            self._changed.notify_all()

    def count(self, failed: bool) -> None:
        """An invocation ended or was throttled."""
        with self._changed:
            self._invocations += 1
            self._failures += failed

    def wait_for_one(self, limit_s: float | None) -> bool:
        """Wait for a free place. False when there is none after `limit_s` seconds."""
        began = self._clock()
        with self._changed:
            while not self._is_free():
                now = self._clock()
                left_s = float("inf") if limit_s is None else began + limit_s - now
                if left_s <= 0:
                    return False
                self._changed.wait(max(0.0, min(left_s, self._next_look - now)))
        return True

    def _is_free(self) -> bool:
        """Whether a place is free now; when it is time, after a look at how many there are."""
        now = self._clock()
        if self._full_since is not None:
            self._full_s += now - self._full_since
        limits = self._limits()
        if now >= self._next_look:
            self._look(now, limits)
        free = len(self._taken) < self._state.allowed(limits)
        self._full_since = None if free else now
        return free

    def _look(self, now: float, limits: Limits) -> None:
        seconds = now - self._last_look
        is_full = self._full_s >= BACKLOG_SHARE * seconds
        seen = Observation(
            seconds=seconds,
            backlog=is_full and self._is_backlog(),
            most_busy=self._most_taken,
            invocations=self._invocations,
            failures=self._failures,
            limits=limits,
        )
        self._state = next_state(self._state, seen)
        self._invocations = self._failures = 0
        self._most_taken, self._full_s = len(self._taken), 0.0
        self._last_look = now
        missed = (now - self._next_look) // LOOK_EVERY_S
        self._next_look += (missed + 1) * LOOK_EVERY_S
