"""Asynchronous invocations (InvocationType "Event"): queued, run, tried again.

After a function error Lambda tries twice more, a minute and then two minutes later
(LS-097); a throttled event is tried again after a growing pause. What failed for good, or
succeeded, goes to the function's destinations. This has nothing to do with retries of SQS
messages, which are SQS's own work.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from helpers.localaws import destinations
from helpers.localaws.alarms import Alarms
from helpers.localaws.environments import Result
from helpers.localaws.executor import Stopped, Throttled

RETRY_AFTER_S = (60.0, 120.0)
MAX_RETRIES = 2
MAX_AGE_S = 21_600
THROTTLE_PAUSE_S = 1.0
MAX_THROTTLE_PAUSE_S = 300.0


@dataclass
class Event:
    """One event on its way, and what has happened to it so far."""

    name: str
    qualifier: str | None
    payload: bytes
    request_id: str
    came_at: float = field(default_factory=time.monotonic)
    invocations: int = 0
    throttles: int = 0
    result: Result | None = None


@functools.cache
def alarms() -> Alarms:
    return Alarms()


def call_later(seconds: float, action: Callable[..., None], *arguments: Any) -> None:
    """Call in a thread of its own, which exists from then on only."""
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    if seconds:
        alarms().set(seconds, thread.start)
    else:
        thread.start()


class AsynchronousInvocations:
    """The queue of asynchronous events of one account and region.

    `later(seconds, action, *arguments)` makes a call in so many seconds.
    """

    def __init__(self, backend: Any, later: Callable[..., None] = call_later) -> None:
        self._backend = backend
        self._later = later

    def submit(self, function: Any, event: bytes, request_id: str, qualifier: str | None) -> None:
        queued = Event(function.function_name, qualifier, event, request_id)
        self._later(0.0, self._attempt, queued)

    def _attempt(self, event: Event) -> None:
        """Run an event on the function as it is now (LS-094)."""
        try:
            function = self._backend.get_function(event.name, event.qualifier)
        except Exception:  # it was deleted meanwhile
            return
        if function.reserved_concurrency is not None and not int(function.reserved_concurrency):
            self._end(function, event, "ZeroReservedConcurrency")
            return
        try:
            event.result = self._backend.run(
                function, event.payload, event.request_id, event.qualifier
            )
        except Stopped:
            return
        except Throttled:
            pause = min(THROTTLE_PAUSE_S * 2**event.throttles, MAX_THROTTLE_PAUSE_S)
            event.throttles += 1
            self._again(function, event, pause)
            return
        event.invocations += 1
        if event.result.error is None:
            self._end(function, event, "Success")
        elif event.invocations > self._settings(function, event).get(
            "MaximumRetryAttempts", MAX_RETRIES
        ):
            self._end(function, event, "RetriesExhausted")
        else:
            self._again(function, event, RETRY_AFTER_S[event.invocations - 1])

    def _again(self, function: Any, event: Event, pause_s: float) -> None:
        """Try again after a pause, unless the event would be too old then (LS-099)."""
        limit_s = self._settings(function, event).get("MaximumEventAgeInSeconds", MAX_AGE_S)
        if time.monotonic() + pause_s - event.came_at >= limit_s:
            self._end(function, event, "EventAgeExceeded")
        else:
            self._later(pause_s, self._attempt, event)

    def _settings(self, function: Any, event: Event) -> dict[str, Any]:
        return self._backend.event_invoke_config(function, event.qualifier)

    def _end(self, function: Any, event: Event, condition: str) -> None:
        """Tell the function's destination and its dead-letter queue how an event ended."""
        settings = self._settings(function, event).get("DestinationConfig", {})
        wanted = "OnSuccess" if condition == "Success" else "OnFailure"
        arn = settings.get(wanted, {}).get("Destination")
        if arn:
            record = destinations.make_record(
                function,
                event.payload,
                event.request_id,
                condition,
                event.invocations,
                event.result,
            )
            destinations.deliver(self._backend, function, arn, record)
        if condition != "Success" and function.dead_letter_arn:
            destinations.dead_letter(
                self._backend, function, event.payload, event.request_id, event.result
            )
