"""The poller of an SQS event source mapping: receive, filter, invoke, delete.

Success is acknowledged by deleting the messages. A failure is left alone: the messages
come back when the queue's visibility timeout is over, with a higher receive count, and the
queue's own redrive policy moves them to its dead-letter queue. So the poller remembers
nothing of a message, and when it dies nothing is lost. How many invocations it may have at
once follows from the last minutes (`scaling`), and begins anew with each poller.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.common import arns
from helpers.localaws.metrics.services import MappingMetrics
from helpers.localaws.metrics.store import store_of
from helpers.localaws.permissions.roles import Role
from helpers.localaws.queues.backend import Queue
from helpers.localaws.queues.message import Message
from helpers.localaws.queues.message_store import now_ms
from helpers.localaws.runtime.executor import Stopped, Throttled
from helpers.localaws.runtime.model import Result
from helpers.localaws.settings import most_concurrency
from helpers.localaws.triggers.event import encode_record, make_event, make_record
from helpers.localaws.triggers.filters import matches
from helpers.localaws.triggers.partial_batch_response import failed_ids
from helpers.localaws.triggers.places import Places
from helpers.localaws.triggers.scaling import Limits

LONG_POLL_S = 1.0  # after this long the role, the function and the queue are looked at again
LOOKS_A_RECEIVE = 4  # that find nothing, to what AWS counts: five pollers ask for 20 s each
PAUSE_S = 0.5  # when there is no queue, function or permission to work with
MAX_EVENT_BYTES = 6 * 2**20
MARGIN_MS = 50


class Polled(Protocol):
    """What a poller must know of its mapping, at each moment anew."""

    uuid: str
    deleted: bool
    event_source_arn: str
    function_arn: str
    batch_size: int
    max_batch_window: int  # in s
    scaling_config: dict[str, int] | None
    metrics: dict[str, Any] | None  # MetricsConfig
    function_response_types: list[str] | None

    @property
    def polling(self) -> bool: ...
    @property
    def patterns(self) -> list[str]: ...
    def seconds_to_next_state(self) -> float: ...


class Functions(Protocol):
    """What a poller needs of Lambda, which finds functions and runs them, and of SQS."""

    @property
    def sqs(self) -> Any: ...
    def to_invoke(self, name: str) -> Any: ...
    def run(
        self, function: Any, event: bytes, request_id: str, qualifier: str | None
    ) -> Result: ...


class Delivery(NamedTuple):
    """A received message and its record of the event, as JSON."""

    message: Message
    record: bytes


class Poller:
    """Runs one mapping from its creation to its deletion, in threads of its own."""

    def __init__(self, backend: Functions, mapping: Polled) -> None:
        self._backend = backend
        self._mapping = mapping
        self._wake = threading.Event()
        self._most = most_concurrency()
        self._places = Places(self._limits, self._is_backlog)
        self._obstacle = ""
        self._empty_looks = 0
        self._pool = ThreadPoolExecutor(self._most, f"mapping-{mapping.uuid[:8]}")
        threading.Thread(target=self._run, name=f"poller-{mapping.uuid[:8]}", daemon=True).start()

    def wake(self) -> None:
        """The mapping changed: look at it again now."""
        self._wake.set()
        queue = self._queue()
        if queue is not None:
            queue.wake()

    def _run(self) -> None:
        while not self._mapping.deleted:
            try:
                self._look()
            except Exception:  # noqa: BLE001 (a trigger must outlive what goes wrong with a batch)
                traceback.print_exc()
                self._wake.wait(PAUSE_S)
        self._pool.shutdown(wait=False)

    def _look(self) -> None:
        self._wake.clear()
        if not self._mapping.polling:
            self._places.begin_anew()
            self._wake.wait(self._mapping.seconds_to_next_state())
            return
        queue, function = self._queue(), self._function()
        self._say(self._find_obstacle(queue, function))
        if queue is None or self._obstacle:
            self._wake.wait(PAUSE_S)
        else:
            self._poll(queue, function)

    def _find_obstacle(self, queue: Queue | None, function: Any) -> str:
        """Why nothing can be received now; empty when it can."""
        if queue is None:
            return "the queue does not exist"
        if function is None:
            return "the function does not exist or is not active"
        if not self._may("Receive", function, queue):
            return f"{function.role} does not allow sqs:ReceiveMessage"
        return ""

    def _say(self, obstacle: str) -> None:
        """Tell the server's log when the flow stops and when it goes on."""
        if obstacle != self._obstacle:
            arn = self._mapping.event_source_arn
            print(f"Trigger on {arn}: {obstacle or 'goes on'}", file=sys.stderr, flush=True)
            self._obstacle = obstacle

    def _queue(self) -> Queue | None:
        return self._backend.sqs.queue_by_arn(self._mapping.event_source_arn)

    def _function(self) -> Any:
        try:
            function = self._backend.to_invoke(self._mapping.function_arn)
        except UnknownFunctionException:
            return None
        return None if function.pending else function

    @staticmethod
    def _may(action: str, function: Any, queue: Queue) -> bool:
        return Role.of(function).allows(f"sqs:{action}Message", on=queue.queue_arn)

    # -- one batch ---------------------------------------------------------------------

    def _poll(self, queue: Queue, function: Any) -> None:
        """Wait for room and for messages, and hand a batch over."""
        if not self._places.wait_for_one(PAUSE_S):
            return
        parts = within_limit(self._matching(queue, function, self._collect(queue)))
        if queue.fifo_queue:  # parts may hold messages of one group: one after the other
            self._hand_over(queue, parts)
            return
        for part in parts:
            self._places.wait_for_one(None)
            self._hand_over(queue, [part])

    def _limits(self) -> Limits:
        maximum = (self._mapping.scaling_config or {}).get("MaximumConcurrency")
        is_fifo = self._mapping.event_source_arn.endswith(".fifo")
        queue = self._queue() if is_fifo else None
        return Limits(self._most, maximum, None if queue is None else queue.groups())

    def _is_backlog(self) -> bool:
        queue = self._queue()
        return queue is not None and queue.counts()["ready"] > 0

    def _collect(self, queue: Queue) -> list[Message]:
        """Up to BatchSize messages, waiting for more until the batching window is over.

        A batch leaves before its first message is visible again: else it might be in it twice.
        """
        mapping = self._mapping
        batch = self._receive(queue, mapping.batch_size, LONG_POLL_S)
        if not batch:
            self._count_empty(queue)
        leaves_ms = min([now_ms() + mapping.max_batch_window * 1000, *map(time_of_leaving, batch)])
        while batch and len(batch) < mapping.batch_size and not self._to_stop(queue):
            left_ms = leaves_ms - now_ms()
            if left_ms <= 0:
                break
            more = self._receive(queue, mapping.batch_size - len(batch), left_ms / 1000)
            leaves_ms = min([leaves_ms, *map(time_of_leaving, more)])
            batch += more
        self._count(queue, "Polled", len(batch))
        return batch

    def _count_empty(self, queue: Queue) -> None:
        self._empty_looks = (self._empty_looks + 1) % LOOKS_A_RECEIVE
        if not self._empty_looks:
            queue.metrics.received(0)

    def _count(self, queue: Queue, what: str, events: int) -> None:
        """Count events for the mapping's own metrics, if they are switched on."""
        if "EventCount" in (self._mapping.metrics or {}).get("Metrics", []):
            store = store_of(queue.account_id, queue.region)
            MappingMetrics(store, self._mapping.uuid).count(what, events)

    def _receive(self, queue: Queue, count: int, wait_s: float) -> list[Message]:
        return queue.receive(count, wait_s, give_up=lambda: self._to_stop(queue))

    def _to_stop(self, queue: Queue) -> bool:
        return self._wake.is_set() or queue.is_deleted or not self._mapping.polling

    def _matching(self, queue: Queue, function: Any, batch: list[Message]) -> list[Delivery]:
        """What the filter lets through, as records; the rest is deleted (LS-023)."""
        patterns, window_s = self._mapping.patterns, self._mapping.max_batch_window
        passed, others = [], []
        for message in batch:
            record = make_record(message, queue.queue_arn, queue.region, window_s)
            if matches(record, patterns):
                passed.append(Delivery(message, encode_record(record)))
            else:
                others.append(message)
        self._count(queue, "FilteredOut", len(others))
        self._delete(queue, function, others)
        return passed

    def _hand_over(self, queue: Queue, parts: list[list[Delivery]]) -> None:
        if not parts:
            return
        place = self._places.take()
        try:
            self._pool.submit(self._process, queue, parts, place)
        except BaseException:
            self._places.leave(place)
            raise

    def _process(self, queue: Queue, parts: list[list[Delivery]], place: object) -> None:
        """Invoke for each part in turn. After a failure the rest comes back with it."""
        try:
            for part in parts:
                if is_visible_again(queue, part) or not self._process_part(queue, part):
                    break
        except Exception:  # noqa: BLE001 (the messages come back; the log says why)
            traceback.print_exc()
        finally:
            self._places.leave(place)

    def _process_part(self, queue: Queue, part: list[Delivery]) -> bool:
        """Whether every message was handled."""
        function = self._function()
        if function is None:
            return False
        event = make_event([delivery.record for delivery in part])
        result = self._invoke(function, event, visible_again_ms(part))
        self._count(queue, "Invoked", 0 if result is None else len(part))
        if result is None or result.error is not None:
            self._count(queue, "FailedInvoke", len(part))
            return False
        failed = self._reported(result.payload, {each.message.id for each in part})
        self._count(queue, "FailedInvoke", len(failed))
        done = [each.message for each in part if each.message.id not in failed]
        self._count(queue, "Deleted", self._delete(queue, function, done))
        return not failed

    def _invoke(self, function: Any, event: bytes, until_ms: int) -> Result | None:
        """Invoke once; while throttled, again until the messages are visible again.

        None when the function never ran.
        """
        pause_s = 0.1
        _, qualifier = arns.function_and_qualifier(self._mapping.function_arn)
        while True:
            try:
                result = self._backend.run(function, event, str(uuid.uuid4()), qualifier or None)
                self._places.count(failed=result.error is not None and not self._reports)
                return result
            except Stopped:
                return None
            except Throttled:
                self._places.count(failed=True)
                left_s = (until_ms - now_ms()) / 1000
                if pause_s > left_s:
                    return None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
                function = self._function()  # it may have been deleted
                if function is None:
                    return None

    @property
    def _reports(self) -> bool:
        """Whether answers name the messages that failed.

        Then failures of the function make the trigger no slower (Lambda Developer Guide,
        "Handling errors for an SQS event source").
        """
        return "ReportBatchItemFailures" in (self._mapping.function_response_types or [])

    def _reported(self, payload: bytes, ids: set[str]) -> set[str]:
        return failed_ids(payload, ids) if self._reports else set()

    def _delete(self, queue: Queue, function: Any, messages: list[Message]) -> int:
        """Delete messages, if the function's role allows it; else they come back.

        How many are deleted.
        """
        if not messages or not self._may("Delete", function, queue):
            return 0
        return sum(queue.delete(message) for message in messages)


def visible_again_ms(part: list[Delivery]) -> int:
    """When the first message of a batch is visible again, in ms since the epoch."""
    return min(delivery.message.due for delivery in part)


def time_of_leaving(message: Message) -> int:
    """When a batch with this message leaves at the latest, in ms since the epoch."""
    return message.due - MARGIN_MS


def is_visible_again(queue: Queue, part: list[Delivery]) -> bool:
    """Whether somebody else may have received a part of a batch while it waited for its turn.

    With a visibility timeout of 0 s a message is never hidden, and nothing waits.
    """
    return queue.visibility_timeout > 0 and now_ms() >= visible_again_ms(part)


def within_limit(deliveries: list[Delivery]) -> list[list[Delivery]]:
    """Split a batch so that no event is larger than 6 MB."""
    parts: list[list[Delivery]] = []
    size = MAX_EVENT_BYTES
    for delivery in deliveries:
        length = len(delivery.record) + 1  # and a comma
        if size + length > MAX_EVENT_BYTES:
            parts.append([])
            size = len(make_event([]))
        parts[-1].append(delivery)
        size += length
    return parts
