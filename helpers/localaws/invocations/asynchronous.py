"""Asynchronous invocations (InvocationType "Event"): queued, run, tried again.

After a function error Lambda tries twice more, a minute and then two minutes later
(LS-097); a throttled event, and one that met a fault of the service, is tried again after
a growing pause. What failed for good, or succeeded, goes to the function's destinations.
This has nothing to do with retries of SQS messages, which are SQS's own work.
"""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.invocations.destinations import Destinations, Queues, make_outcome_record
from helpers.localaws.metrics.services import FunctionMetrics, of_function
from helpers.localaws.runtime.alarms import Alarms
from helpers.localaws.runtime.executor import Stopped, Throttled
from helpers.localaws.runtime.kept_function import FindFunction, KeptFunction
from helpers.localaws.runtime.model import Result
from helpers.localaws.settings import MOST_AT_ONCE, RETRY_PAUSE_S

MAX_RETRIES = 2
MAX_AGE_S = 21_600
THROTTLE_PAUSE_S = 1.0
MAX_THROTTLE_PAUSE_S = 300.0


@dataclass
class Event:
    """One event on its way, and what has happened to it so far."""

    function: KeptFunction  # as it was found last
    qualifier: str | None
    payload: bytes
    request_id: str
    came_at: float = field(default_factory=time.monotonic)
    invocations: int = 0
    throttles: int = 0
    skipped_s: float = 0.0  # of pauses that were made shorter than Lambda's
    result: Result | None = None

    @property
    def age_s(self) -> float:
        """As if nobody had made the pauses shorter."""
        return time.monotonic() - self.came_at + self.skipped_s

    @property
    def metrics(self) -> FunctionMetrics:
        return of_function(self.function.function_arn, self.qualifier)


@functools.cache
def alarms() -> Alarms:
    return Alarms()


@functools.cache
def threads() -> ThreadPoolExecutor:
    """What events are run in: as many at once as the account may run."""
    return ThreadPoolExecutor(MOST_AT_ONCE, "event")


def call_later(seconds: float, action: Callable[..., None], *arguments: Any) -> None:
    """Call in one of the threads for events, when one is free and that time is over."""
    submit = functools.partial(threads().submit, action, *arguments)
    if seconds:
        alarms().set(seconds, submit)
    else:
        submit()


class AsynchronousInvocations:
    """The queue of asynchronous events of one account and region.

    `run(function, event, request_id, qualifier)` runs a function now, `settings(function,
    qualifier)` gives what is set for its asynchronous invocations, and `queues()` the queues
    that may be told how an event ended.

    `later(seconds, action, *arguments)` makes a call in so many seconds. `retry_pause_s` is
    the pause after the first function error, in s; the next one is twice that. An event ages
    as if they were Lambda's own.
    """

    def __init__(
        self,
        find_function: FindFunction,
        run: Callable[[KeptFunction, bytes, str, str | None], Result],
        settings: Callable[[KeptFunction, str | None], dict[str, Any]],
        queues: Callable[[], Queues],
        later: Callable[..., None] = call_later,
        retry_pause_s: float = RETRY_PAUSE_S,
    ) -> None:
        self._find_function = find_function
        self._run_now = run
        self._find_settings = settings
        self._destinations = Destinations(queues, find_function, self.submit)
        self._later = later
        self._retry_pause_s = retry_pause_s

    def submit(
        self, function: KeptFunction, event: bytes, request_id: str, qualifier: str | None
    ) -> None:
        made = Event(function, qualifier, event, request_id)
        made.metrics.event_received()
        self._later(0.0, self._attempt, made)

    def _attempt(self, event: Event) -> None:
        """Run an event once, and see what is to become of it.

        A fault of ours is told to the server's log. It keeps the event in the queue, as a
        fault of Lambda's own does.
        """
        try:
            self._run(event)
        except Stopped:
            pass
        except UnknownFunctionException:
            pass  # it was deleted meanwhile
        except Throttled:
            self._put_back(event)
        except Exception:  # noqa: BLE001 (a fault of ours must not lose the event)
            traceback.print_exc()
            self._put_back(event)

    def _run(self, event: Event) -> None:
        """Run an event on the function as it is now (LS-094)."""
        name = event.function.function_name
        event.function = function = self._find_function(name, event.qualifier)
        if function.reserved_concurrency is not None and not int(function.reserved_concurrency):
            self._end(event, "ZeroReservedConcurrency")
            return
        age_s = event.age_s
        event.result = self._run_now(function, event.payload, event.request_id, event.qualifier)
        event.metrics.event_age(age_s)
        event.invocations += 1
        if event.result.error is None:
            self._end(event, "Success")
        elif event.invocations > self._settings(event).get("MaximumRetryAttempts", MAX_RETRIES):
            self._end(event, "RetriesExhausted")
        else:
            count = event.invocations
            self._again(event, count * RETRY_PAUSE_S, count * (RETRY_PAUSE_S - self._retry_pause_s))

    def _put_back(self, event: Event) -> None:
        pause_s = min(THROTTLE_PAUSE_S * 2**event.throttles, MAX_THROTTLE_PAUSE_S)
        event.throttles += 1
        self._again(event, pause_s)

    def _again(self, event: Event, pause_s: float, skipped_s: float = 0.0) -> None:
        """Try again after a pause, unless the event would be too old then (LS-099).

        `skipped_s`: the part of the pause that nobody waits for.
        """
        limit_s = self._settings(event).get("MaximumEventAgeInSeconds", MAX_AGE_S)
        if event.age_s + pause_s >= limit_s:
            self._end(event, "EventAgeExceeded")
        else:
            event.skipped_s += skipped_s
            self._later(pause_s - skipped_s, self._attempt, event)

    def _settings(self, event: Event) -> dict[str, Any]:
        return self._find_settings(event.function, event.qualifier)

    def _end(self, event: Event, condition: str) -> None:
        """Tell the function's destination and its dead-letter queue how an event ended.

        When one of them cannot be told, the other one still is.
        """
        if condition != "Success":
            event.metrics.event_dropped()
        for tell in (self._tell_destination, self._tell_dead_letter_queue):
            try:
                tell(event, condition)
            except Exception:  # noqa: BLE001 (the other one is still told)
                traceback.print_exc()

    def _tell_destination(self, event: Event, condition: str) -> None:
        settings = self._settings(event).get("DestinationConfig", {})
        wanted = "OnSuccess" if condition == "Success" else "OnFailure"
        arn = settings.get(wanted, {}).get("Destination")
        if arn:
            record = make_outcome_record(
                event.function,
                event.payload,
                event.request_id,
                condition,
                event.invocations,
                event.result,
            )
            if not self._destinations.deliver(event.function, arn, record):
                event.metrics.destination_failed()

    def _tell_dead_letter_queue(self, event: Event, condition: str) -> None:
        if condition != "Success" and event.function.dead_letter_arn:
            told = self._destinations.dead_letter(
                event.function, event.payload, event.request_id, event.result
            )
            if not told:
                event.metrics.dead_letter_failed()
