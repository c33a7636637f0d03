"""What a standard queue does not promise: that each poll finds all, each message comes once, and
in order. A FIFO queue promises it, and is left alone."""

from __future__ import annotations

import threading
from typing import Any

from helpers.localaws.queues.backend import Backend, Queue
from helpers.localaws.queues.message import Message
from helpers.localaws.queues.message_store import MessageStore
from helpers.localaws.rehearsal.conditions import Conditions, replace
from helpers.localaws.rehearsal.profiles import FEW_MESSAGES


class WeakQueues:
    """Standard queues whose servers do not all know the same."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._lock = threading.Lock()
        self._doubled: set[tuple[str, str, int]] = set()

    def install(self) -> None:
        """Let receivers and triggers meet this, and no redrive task, which also receives."""

        def poll(
            backend: Backend, queue: Queue, count: int, wait_s: float, *given: Any, **named: Any
        ) -> list[Message]:
            if wait_s or queue.fifo_queue:
                return polled(backend, queue, count, wait_s, *given, **named)
            count = self._found_of(queue, count)
            if not count:
                return []
            return self._deliver(queue, polled(backend, queue, count, wait_s, *given, **named))

        def wait_for(
            queue: Queue, count: int, wait_s: float, *given: Any, **named: Any
        ) -> list[Message]:
            messages = received(queue, count, wait_s, *given, **named)
            return messages if queue.fifo_queue or not wait_s else self._deliver(queue, messages)

        def delete(store: MessageStore, message_id: str, receive_count: int) -> bool:
            is_lost = self._is_lost(store, message_id, receive_count)
            return is_lost or deleted(store, message_id, receive_count)

        polled = replace(Backend, "receive", poll)
        received = replace(Queue, "receive", wait_for)
        deleted = replace(MessageStore, "delete", delete)

    def _found_of(self, queue: Queue, count: int) -> int:
        """How many of `count` messages a short poll can find."""
        if not self._misses(queue):
            return count
        return 0 if self._conditions.happens("missing all", queue.queue_arn) else count // 2

    def _misses(self, queue: Queue) -> bool:
        """Whether a short poll misses messages that are there."""
        counts = queue.counts()
        if not 0 < counts["ready"] <= FEW_MESSAGES:
            return False
        missed = self._conditions.happens("short poll misses", queue.queue_arn)
        if missed:
            self._conditions.report.count("short poll")
        return missed

    def _deliver(self, queue: Queue, messages: list[Message]) -> list[Message]:
        """The messages of one delivery, some of them in another order, or to come once more."""
        for place in range(len(messages) - 1):
            if self._conditions.happens("neighbours swapped", queue.queue_arn):
                messages[place : place + 2] = messages[place + 1], messages[place]
                self._conditions.report.count("swapped")
        for message in messages:
            if self._conditions.happens("delivered twice", queue.queue_arn):
                self._double(queue, message)
        return messages

    def _double(self, queue: Queue, message: Message) -> None:
        """Show a message again at once, and let the first delivery's delete not reach it."""
        count = message.approximate_receive_count
        with self._lock:
            self._doubled.add((queue.queue_arn, message.id, count))
        queue.show(message)
        self._conditions.report.count("delivered twice")

    def _is_lost(self, store: MessageStore, message_id: str, receive_count: int) -> bool:
        """Whether a delete does not reach the copy that is to come once more."""
        key = store.queue_arn, message_id, receive_count
        with self._lock:
            if key not in self._doubled:
                return False
            self._doubled.remove(key)
            return True
