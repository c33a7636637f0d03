"""Which metrics AWS's own services write, with their dimensions and units.

SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"; Lambda Developer Guide, "Types
of metrics for Lambda functions". A data point of Lambda has the time at which the invocation
began; what is counted of it is 0 as well as 1.
"""

from __future__ import annotations

import functools
import time
from typing import NamedTuple

from helpers.localaws.common import arns
from helpers.localaws.metrics.store import Key, Metric, Store, make_metric, store_of

SQS, LAMBDA = "AWS/SQS", "AWS/Lambda"
COUNT, BYTES, SECONDS, MILLISECONDS = "Count", "Bytes", "Seconds", "Milliseconds"
GAUGES = {
    "ready": "ApproximateNumberOfMessagesVisible",
    "hidden": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
AGE = "ApproximateAgeOfOldestMessage"


class QueueMetrics:
    """The metrics of a queue, as its name is their only dimension."""

    def __init__(self, store: Store, queue_name: str) -> None:
        self._store = store
        self._dimensions = (("QueueName", queue_name),)
        self._sent = self._metric("NumberOfMessagesSent")
        self._size = self._metric("SentMessageSize")
        self._received = self._metric("NumberOfMessagesReceived")
        self._empty = self._metric("NumberOfEmptyReceives")
        self._deleted = self._metric("NumberOfMessagesDeleted")
        self._gauges = {state: self._metric(name) for state, name in GAUGES.items()}
        self._age = self._metric(AGE)
        self._shown: tuple[int, dict[str, int], float] | None = None

    def _metric(self, name: str) -> Metric:
        return Metric(SQS, name, self._dimensions)

    def sent(self, size_bytes: int) -> None:
        self._store.add_all(
            (((self._sent, COUNT), 1.0), ((self._size, BYTES), float(size_bytes))), time.time()
        )

    def received(self, count: int) -> None:
        """A call of ReceiveMessage brought so many messages."""
        if count:
            self._store.add(self._received, COUNT, float(count))
        else:
            self._store.add(self._empty, COUNT, 1.0)

    def deleted(self) -> None:
        self._store.add(self._deleted, COUNT, 1.0)

    def sample(self, counts: dict[str, int], age_s: float, now_s: float) -> None:
        """How many messages there are now, and how old the oldest is; written when it changed."""
        minute = int(now_s // self._store.minute_s)
        shown = (minute, counts, age_s)
        if shown == self._shown:
            return
        self._shown = shown
        for state, metric in self._gauges.items():
            self._store.sample(metric, COUNT, float(counts[state]), now_s)
        self._store.sample(self._age, SECONDS, age_s, now_s)


class Invoked(NamedTuple):
    """How an invocation went: when it began, in s, and how long it took, in ms."""

    began_s: float
    duration_ms: float
    failed: bool


class FunctionMetrics:
    """The metrics of a function as it was called: of its name, of the very resource, of all."""

    def __init__(self, store: Store, name: str, qualifier: str | None) -> None:
        resource = f"{name}:{qualifier}" if qualifier else name
        self._function = (("FunctionName", name),)
        self._resource = (*self._function, ("Resource", resource))
        self._store = store
        self._concurrency = [
            (Metric(LAMBDA, "ConcurrentExecutions", dimensions), COUNT)
            for dimensions in ((), self._function)
        ]
        self._of_invocation = (
            self._key("Invocations"),
            self._key("Errors"),
            self._key("Throttles"),
            self._key("Duration", MILLISECONDS),
        )

    def _key(self, name: str, unit: str = COUNT) -> Key:
        """The metric of the resource, which is a part of that of the function and of all."""
        metric = Metric(LAMBDA, name, self._resource)
        wholes = [Metric(LAMBDA, name, dimensions) for dimensions in ((), self._function)]
        self._store.roll_up(metric, *wholes)
        return metric, unit

    def _count(self, name: str, value: float = 1.0, unit: str = COUNT) -> None:
        self._store.add(*self._key(name, unit), value)

    def began(self, of_function: int, of_all: int) -> None:
        """So many invocations of the function, and of the account, run now."""
        values = zip(self._concurrency, (float(of_all), float(of_function)), strict=True)
        self._store.add_all(values, time.time())

    def ended(self, invoked: Invoked) -> None:
        values = (1.0, float(invoked.failed), 0.0, invoked.duration_ms)
        self._store.add_all(zip(self._of_invocation, values, strict=True), invoked.began_s)

    def throttled(self) -> None:
        self._count("Throttles")

    def event_received(self) -> None:
        self._count("AsyncEventsReceived")

    def event_age(self, age_s: float) -> None:
        """How long an asynchronous event has waited when it is run."""
        self._count("AsyncEventAge", age_s * 1000, MILLISECONDS)

    def event_dropped(self) -> None:
        self._count("AsyncEventsDropped")

    def dead_letter_failed(self) -> None:
        self._count("DeadLetterErrors")

    def destination_failed(self) -> None:
        self._count("DestinationDeliveryFailures")


@functools.lru_cache(maxsize=1_000)
def of_function(function_arn: str, qualifier: str | None) -> FunctionMetrics:
    """The metrics of a function of this server. `qualifier`: as it was called with."""
    region, account = function_arn.split(":")[3:5]
    name, _ = arns.function_and_qualifier(function_arn)
    return FunctionMetrics(store_of(account, region), name, qualifier)


class MappingMetrics:
    """The event counts of an event source mapping, which MetricsConfig switches on."""

    def __init__(self, store: Store, uuid: str) -> None:
        self._store = store
        self._dimensions = [("EventSourceMappingUUID", uuid)]

    def count(self, name: str, events: int) -> None:
        """`name`: Polled, FilteredOut, Invoked, FailedInvoke or Deleted."""
        if events:
            metric = make_metric(LAMBDA, f"{name}EventCount", self._dimensions)
            self._store.add(metric, COUNT, float(events))
