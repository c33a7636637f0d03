"""Redrive of a dead-letter queue: StartMessageMoveTask and its siblings (LS-067, LS-120).

A task runs in a thread of its own. It moves what is visible when it looks, and ends when
nothing is left to receive. A moved message is a new message to its destination: with an id
and a time of its own, and received zero times (SQS Developer Guide, "Configure a
dead-letter queue redrive").
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from typing import Any

from moto.sqs.exceptions import InvalidParameterValue, SQSException

HIDE_S = 30  # what is being moved is hidden from others for this long
AT_ONCE = 10
RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"
CANCELLING = "CANCELLING"


class MoveTask:
    """One task. `destination` None moves each message back to where it came from."""

    def __init__(self, backend: Any, source: Any, destination: Any, per_second: int | None) -> None:
        self.source_arn = source.queue_arn
        self.status = RUNNING
        self.moved = 0
        self.started_ms = time.time_ns() // 1_000_000
        self.handle = make_handle(self.source_arn)
        self._backend = backend
        self._source = source
        self._destination = destination
        self._per_second = per_second
        self._to_move = source.store.counts(source.message_retention_period)["ready"]
        self._failure: str | None = None
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, name="move-task", daemon=True).start()

    def cancel(self) -> None:
        self.status = CANCELLING
        self._cancelled.set()

    def describe(self) -> dict[str, Any]:
        """What ListMessageMoveTasks says of the task."""
        described = {
            "TaskHandle": self.handle if self.status in (RUNNING, CANCELLING) else None,
            "Status": self.status,
            "SourceArn": self.source_arn,
            "DestinationArn": self._destination and self._destination.queue_arn,
            "MaxNumberOfMessagesPerSecond": self._per_second,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self._to_move,
            "FailureReason": self._failure,
            "StartedTimestamp": self.started_ms,
        }
        return {key: value for key, value in described.items() if value is not None}

    def _run(self) -> None:
        try:
            while batch := self._source.receive(1 if self._per_second else AT_ONCE, 0, HIDE_S):
                for message in batch:
                    self._move(message)
                if self._cancelled.wait(1 / self._per_second if self._per_second else 0):
                    self.status = CANCELLED
                    return
            self.status = COMPLETED
        except SQSException as error:
            self._failure, self.status = error.code, FAILED

    def _move(self, message: Any) -> None:
        try:
            self._backend.move_message(message, self._destination or self._origin(message))
        except SQSException:
            self._source.store.change_visibility(message.id, message.approximate_receive_count, 0)
            raise
        self._source.store.delete(message.id, message.approximate_receive_count)
        self.moved += 1

    def _origin(self, message: Any) -> Any:
        """The queue that a dead message came from."""
        if message.dead_letter_source_arn is None:
            raise SQSException("CouldNotDetermineMessageSource", "")
        queue = self._backend.queue_by_arn(message.dead_letter_source_arn)
        if queue is None:
            raise SQSException("AWS.SimpleQueueService.NonExistentQueue", "")
        return queue


class MoveTasks:
    """The tasks of one account and region, the newest first."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._tasks: list[MoveTask] = []

    def start(self, source_arn: str, destination_arn: str | None, per_second: int | None) -> str:
        """Start a task and return its handle. Raises what AWS refuses (LS-120)."""
        source = self._queue(source_arn, "SourceArn")
        destination = destination_arn and self._queue(destination_arn, "DestinationArn")
        if not self._backend.list_dead_letter_source_queues(source.name):
            raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        with self._lock:
            if any(task.status in (RUNNING, CANCELLING) for task in self._of(source_arn)):
                raise InvalidParameterValue(
                    "There is already a task running. Only one active task is allowed for a "
                    "source queue arn at a given time."
                )
            task = MoveTask(self._backend, source, destination or None, per_second)
            self._tasks.insert(0, task)
            return task.handle

    def cancel(self, handle: str) -> int:
        """Cancel a task. Returns how many messages it has moved."""
        check_handle(handle)
        for task in self._tasks:
            if task.handle == handle and task.status == RUNNING:
                task.cancel()
                return task.moved
        raise SQSException(
            "ResourceNotFoundException",
            "The resource that you specified for the TaskHandle parameter doesn't exist.",
        )

    def list(self, source_arn: str, count: int) -> list[dict[str, Any]]:
        self._queue(source_arn, "SourceArn")
        return [task.describe() for task in self._of(source_arn)[:count]]

    def _of(self, source_arn: str) -> list[MoveTask]:
        return [task for task in self._tasks if task.source_arn == source_arn]

    def _queue(self, arn: str, parameter: str) -> Any:
        queue = self._backend.queue_by_arn(arn)
        if queue is None:
            raise SQSException(
                "ResourceNotFoundException",
                f"The resource that you specified for the {parameter} parameter doesn't exist.",
            )
        return queue


def make_handle(source_arn: str) -> str:
    """A task handle: base64 of JSON with the task's id and the ARN of its source (LS-067)."""
    text = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn})
    return base64.b64encode(text.encode()).decode()


def check_handle(handle: str) -> None:
    try:
        known = "taskId" in json.loads(base64.b64decode(handle, validate=True))
    except ValueError:
        known = False
    if not known:
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.")
