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
import traceback
import uuid
from typing import Any

from moto.sqs.exceptions import InvalidParameterValue, SQSException

HIDE_S = 30  # what is being moved is hidden from others for this long
AT_ONCE = 10
MOST_LISTED = 10  # of a source, by ListMessageMoveTasks
RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"
CANCELLING = "CANCELLING"


class MoveTask:
    """One task. Without `destination_arn` each message goes back to where it came from."""

    def __init__(
        self, backend: Any, source: Any, destination_arn: str | None, per_second: int | None
    ) -> None:
        self.source_arn = source.queue_arn
        self._status = RUNNING
        self.moved = 0
        self.started_ms = time.time_ns() // 1_000_000
        self.handle = make_task_handle(self.source_arn)
        self._backend = backend
        self._source = source
        self._destination_arn = destination_arn
        self._per_second = per_second
        self._to_move = source.counts()["ready"]
        self._failure: str | None = None
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, name="move-task", daemon=True).start()

    @property
    def status(self) -> str:
        if self._status == RUNNING and self._cancelled.is_set():
            return CANCELLING
        return self._status

    @property
    def active(self) -> bool:
        return self._status == RUNNING

    def cancel(self) -> None:
        self._cancelled.set()

    def describe(self) -> dict[str, Any]:
        """What ListMessageMoveTasks says of the task."""
        described = {
            "TaskHandle": self.handle if self.active else None,
            "Status": self.status,
            "SourceArn": self.source_arn,
            "DestinationArn": self._destination_arn,
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
                self._move(batch)
                if self._cancelled.wait(1 / self._per_second if self._per_second else 0):
                    self._status = CANCELLED
                    return
            self._status = COMPLETED
        except SQSException as error:
            self._failure, self._status = error.code, FAILED
        except Exception:  # noqa: BLE001 (a task that fails must say so)
            traceback.print_exc()
            self._failure, self._status = "InternalError", FAILED

    def _move(self, batch: list[Any]) -> None:
        """Move messages; after an error the rest of them is visible again."""
        left = list(batch)
        try:
            while left:
                message = left[0]
                self._backend.move_message(message, self._destination_of(message))
                self._source.delete(message)
                self.moved += 1
                del left[0]
        finally:
            for message in left:
                self._source.show(message)

    def _destination_of(self, message: Any) -> Any:
        """The queue that a message goes to. It may have been deleted in the meantime."""
        arn = self._destination_arn or message.dead_letter_source_arn
        if arn is None:
            raise SQSException("CouldNotDetermineMessageSource", "")
        queue = self._backend.queue_by_arn(arn)
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
        if destination_arn is not None:
            self._queue(destination_arn, "DestinationArn")
        if not self._backend.list_dead_letter_source_queues(source.name):
            raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        with self._lock:
            if any(task.active for task in self._of(source_arn)):
                raise InvalidParameterValue(
                    "There is already a task running. Only one active task is allowed for a "
                    "source queue arn at a given time."
                )
            task = MoveTask(self._backend, source, destination_arn, per_second)
            older = self._of(source_arn)[: MOST_LISTED - 1]
            others = [each for each in self._tasks if each.source_arn != source_arn]
            self._tasks = [task, *older, *others]
            return task.handle

    def forget(self, source_arn: str) -> None:
        """The source was deleted, and with it what is listed of it."""
        with self._lock:
            self._tasks = [task for task in self._tasks if task.source_arn != source_arn]

    def cancel(self, handle: str) -> int:
        """Cancel a task. Returns how many messages it has moved."""
        self._queue(read_task_handle(handle), "SourceArn")
        for task in self._tasks:
            if task.handle == handle and task.active:
                task.cancel()
                return task.moved
        raise SQSException("ResourceNotFoundException", "Task does not exist.")

    def describe(self, source_arn: str, count: int) -> list[dict[str, Any]]:
        """What ListMessageMoveTasks says of the newest tasks of a source."""
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


def make_task_handle(source_arn: str) -> str:
    """A task handle: base64 of JSON with the task's id and the ARN of its source (LS-067)."""
    text = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn})
    return base64.b64encode(text.encode()).decode()


def read_task_handle(handle: str) -> str:
    """The ARN of the source in a task handle."""
    try:
        content = json.loads(base64.b64decode(handle, validate=True))
        return str(content["sourceArn"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.") from None
