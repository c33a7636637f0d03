"""Which metrics AWS's own services write, with their dimensions and units.

SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"; Lambda Developer Guide, "Types
of metrics for Lambda functions". A data point of Lambda has the time at which the invocation
began; what is counted of it is 0 as well as 1.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from helpers.localaws.common import arns
from helpers.localaws.metrics.store import Metric, Store, make_metric, store_of

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
        self._store.add(self._sent, COUNT, 1.0)
        self._store.add(self._size, BYTES, float(size_bytes))

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
        function = ("FunctionName", name)
        self._store = store
        self._of_name = (function,)
        self._all = ((), (function,), (function, ("Resource", resource)))

    @classmethod
    def of(cls, function_arn: str, qualifier: str | None) -> FunctionMetrics:
        """Those of a function of this server. `qualifier`: as it was called with."""
        region, account = function_arn.split(":")[3:5]
        name, _ = arns.function_and_qualifier(function_arn)
        return cls(store_of(account, region), name, qualifier)

    def _each(self, name: str, unit: str, value: float, at_s: float | None = None) -> None:
        for dimensions in self._all:
            self._store.add(Metric(LAMBDA, name, dimensions), unit, value, at_s=at_s)

    def began(self, of_function: int, of_all: int) -> None:
        """So many invocations of the function, and of the account, run now."""
        self._store.add(concurrency(()), COUNT, float(of_all))
        self._store.add(concurrency(self._of_name), COUNT, float(of_function))

    def ended(self, invoked: Invoked) -> None:
        self._each("Invocations", COUNT, 1.0, invoked.began_s)
        self._each("Errors", COUNT, float(invoked.failed), invoked.began_s)
        self._each("Throttles", COUNT, 0.0, invoked.began_s)
        self._each("Duration", MILLISECONDS, invoked.duration_ms, invoked.began_s)

    def throttled(self) -> None:
        self._each("Throttles", COUNT, 1.0)

    def event_received(self) -> None:
        self._each("AsyncEventsReceived", COUNT, 1.0)

    def event_age(self, age_s: float) -> None:
        """How long an asynchronous event has waited when it is run."""
        self._each("AsyncEventAge", MILLISECONDS, age_s * 1000)

    def event_dropped(self) -> None:
        self._each("AsyncEventsDropped", COUNT, 1.0)

    def dead_letter_failed(self) -> None:
        self._each("DeadLetterErrors", COUNT, 1.0)

    def destination_failed(self) -> None:
        self._each("DestinationDeliveryFailures", COUNT, 1.0)


@functools.lru_cache(maxsize=1_000)
def concurrency(dimensions: tuple[tuple[str, str], ...]) -> Metric:
    return Metric(LAMBDA, "ConcurrentExecutions", dimensions)


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
