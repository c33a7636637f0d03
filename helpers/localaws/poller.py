"""The poller of an SQS event source mapping: receive, filter, invoke, delete.

Success is acknowledged by deleting the messages. A failure is left alone: the messages
come back when the queue's visibility timeout is over, with a higher receive count, and the
queue's own redrive policy moves them to its dead-letter queue. So the poller remembers
nothing, and when it dies nothing is lost.
"""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.executor import Throttled
from helpers.localaws.permissions import role_allows
from helpers.localaws.records import failed_ids, make_event, make_record, matches

# AWS starts with five concurrent invocations and adds up to 300 a minute while there is a
# backlog. One machine gains nothing from more, so here it stays at the first five.
OPENING_CONCURRENCY = 5
LONG_POLL_S = 20.0
PAUSE_S = 0.5  # when there is no queue, function or permission to work with
MAX_EVENT_BYTES = 6 * 2**20
MAX_CONCURRENCY = 1000


class Poller:
    """Runs one mapping from its creation to its deletion, in threads of its own."""

    def __init__(self, backend: Any, mapping: Any) -> None:
        self._backend = backend
        self._mapping = mapping
        self._wake = threading.Event()
        self._busy = 0
        self._room = threading.Condition()
        self._pool = ThreadPoolExecutor(MAX_CONCURRENCY, f"mapping-{mapping.uuid[:8]}")
        threading.Thread(target=self._run, name=f"poller-{mapping.uuid[:8]}", daemon=True).start()

    def wake(self) -> None:
        """The mapping changed: look at it again now."""
        self._wake.set()
        queue = self._queue()
        if queue is not None:
            queue.store.wake()

    def _run(self) -> None:
        while not self._mapping.deleted:
            try:
                self._look()
            except Exception:  # a trigger must outlive whatever goes wrong with one batch
                traceback.print_exc()
                self._pause(PAUSE_S)
        self._pool.shutdown(wait=False)

    def _look(self) -> None:
        queue, function = self._queue(), self._function()
        if not self._mapping.polling:
            self._pause(self._mapping.seconds_to_next_state())
        elif queue is None or function is None or not self._may(function, queue, "Receive"):
            self._pause(PAUSE_S)
        else:
            self._poll(queue, function)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _queue(self) -> Any:
        return self._backend.sqs.queue_by_arn(self._mapping.event_source_arn)

    def _function(self) -> Any:
        try:
            function = self._backend.get_function(self._mapping.function_arn)
        except UnknownFunctionException:
            return None
        return None if function.pending else function

    def _may(self, function: Any, queue: Any, action: str) -> bool:
        return role_allows(
            function.account_id, function.role, f"sqs:{action}Message", queue.queue_arn
        )

    # -- one batch ---------------------------------------------------------------------

    def _poll(self, queue: Any, function: Any) -> None:
        """Wait for room and for messages, and hand a batch over."""
        with self._room:
            if not self._room.wait_for(lambda: self._busy < self._concurrency(), PAUSE_S):
                return
        visible_again = time.monotonic() + queue.visibility_timeout
        batch = self._matching(queue, function, self._collect(queue))
        for part in self._within_limit(queue, batch):
            with self._room:
                self._busy += 1
            self._pool.submit(self._process, queue, function, part, visible_again)

    def _concurrency(self) -> int:
        scaling = self._mapping.scaling_config or {}
        return scaling.get("MaximumConcurrency", OPENING_CONCURRENCY)

    def _collect(self, queue: Any) -> list[Any]:
        """Up to BatchSize messages, waiting for more until the batching window is over."""
        mapping = self._mapping
        batch = self._receive(queue, mapping.batch_size, LONG_POLL_S)
        window_ends = time.monotonic() + mapping.max_batch_window
        while batch and len(batch) < mapping.batch_size and mapping.polling:
            left = window_ends - time.monotonic()
            if left <= 0:
                break
            batch += self._receive(queue, mapping.batch_size - len(batch), left)
        return batch

    def _receive(self, queue: Any, count: int, wait_s: float) -> list[Any]:
        return queue.receive(
            count, wait_s, queue.visibility_timeout, lambda: not self._mapping.polling
        )

    def _matching(self, queue: Any, function: Any, batch: list[Any]) -> list[Any]:
        """The messages that the filter lets through; the others are deleted (LS-023)."""
        patterns = self._mapping.patterns
        if not patterns:
            return batch
        passed = [m for m in batch if matches(self._record(queue, m), patterns)]
        kept = {message.id for message in passed}
        self._delete(queue, function, [m for m in batch if m.id not in kept])
        return passed

    def _record(self, queue: Any, message: Any) -> dict:
        return make_record(message, queue.queue_arn, queue.region, self._mapping.max_batch_window)

    def _within_limit(self, queue: Any, batch: list[Any]) -> list[list[Any]]:
        """Split a batch so that no event is larger than 6 MB."""
        parts: list[list[Any]] = []
        size = MAX_EVENT_BYTES
        for message in batch:
            length = len(self._event(queue, [message]))
            if size + length > MAX_EVENT_BYTES:
                parts.append([])
                size = 0
            parts[-1].append(message)
            size += length
        return parts

    def _event(self, queue: Any, messages: list[Any]) -> bytes:
        return make_event(messages, queue.queue_arn, queue.region, self._mapping.max_batch_window)

    def _process(self, queue: Any, function: Any, batch: list[Any], visible_again: float) -> None:
        try:
            result = self._invoke(function, self._event(queue, batch), visible_again)
            if result is not None and result.error is None:
                failed = self._reported(result.payload, {message.id for message in batch})
                self._delete(queue, function, [m for m in batch if m.id not in failed])
        except Exception:  # the messages come back; the server's log says why
            traceback.print_exc()
        finally:
            with self._room:
                self._busy -= 1
                self._room.notify_all()

    def _invoke(self, function: Any, event: bytes, visible_again: float) -> Any:
        """Invoke once; while throttled, again until the messages are visible again."""
        pause_s = 0.1
        while True:
            try:
                return self._backend.run(function, event, str(uuid.uuid4()))
            except Throttled:
                if time.monotonic() + pause_s > visible_again:
                    return None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)

    def _reported(self, payload: bytes, ids: set[str]) -> set[str]:
        if "ReportBatchItemFailures" not in (self._mapping.function_response_types or []):
            return set()
        return failed_ids(payload, ids)

    def _delete(self, queue: Any, function: Any, messages: list[Any]) -> None:
        if not messages or not self._may(function, queue, "Delete"):
            return
        for message in messages:
            queue.store.delete(message.id, message.approximate_receive_count)
