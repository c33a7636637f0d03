"""Which message of a queue may be seen, by whom and when.

The rules of visibility, order and dead-lettering, and nothing else: no names, no
permissions, no HTTP. A standard queue and a FIFO queue differ in one thing only. In a
FIFO queue all messages of a message group stand in one lane, and a message can be
received when nothing before it in its lane is out. In a standard queue every message has
a lane of its own.

All times are milliseconds since the epoch, as SQS shows them. Every method is safe to
call from several threads.
"""

from __future__ import annotations

import base64
import binascii
import copy
import heapq
import itertools
import threading
import time
from collections import OrderedDict
from typing import Any

WINDOW_MS = 5 * 60 * 1000  # of FIFO deduplication
MOST_NOTES, FEW = 4, 100  # timers and arrivals for each message, before they are tidied

READY, HIDDEN, DELAYED, GONE = "ready", "hidden", "delayed", "gone"
TIMED = (HIDDEN, DELAYED)


def now_ms() -> int:
    """The time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def make_handle(queue_arn: str, message_id: str, receive_count: int) -> str:
    """A receipt handle: unlike any other one, and it can be told from garbage."""
    text = f"{queue_arn} {message_id} {receive_count}"
    return base64.b64encode(text.encode()).decode()


def read_handle(queue_arn: str, handle: str) -> tuple[str, int]:
    """The message id and receive count in a receipt handle of this queue.

    Raises ValueError when the handle was not made by this queue.
    """
    try:
        arn, message_id, count = base64.b64decode(handle, validate=True).decode().split(" ")
        if arn != queue_arn:
            raise ValueError(handle)
        return message_id, int(count)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ValueError(handle) from None


class MessageStore:
    """The messages of one queue.

    A message is any object with the attributes `id`, `group_id`, `sent_timestamp`,
    `approximate_receive_count`, `approximate_first_receive_timestamp` and
    `receipt_handle`; the store adds `state` and `due`.
    """

    def __init__(self, queue_arn: str, fifo: bool) -> None:
        self.queue_arn = queue_arn
        self.fifo = fifo
        self.closed = False
        self._changed = threading.Condition(threading.RLock())
        self._tickets = itertools.count(1)
        self._clear()

    def _clear(self) -> None:
        self._messages: dict[str, Any] = {}
        self._lanes: dict[str, OrderedDict[str, Any]] = {}
        self._open: OrderedDict[str, None] = OrderedDict()
        self._timers: list[tuple[int, int, Any]] = []
        self._arrivals: list[tuple[int, int, str]] = []
        self._sent_ids: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._counts = {READY: 0, HIDDEN: 0, DELAYED: 0}

    # -- what the queue's owner does ---------------------------------------------------

    def add(self, message: Any, delay_s: int = 0) -> None:
        """Put a message at the end of its lane, visible after `delay_s` seconds."""
        with self._changed:
            message.state, message.due = None, 0
            self._messages[message.id] = message
            self._lanes.setdefault(self._lane_of(message), OrderedDict())[message.id] = message
            heapq.heappush(
                self._arrivals, (message.sent_timestamp, next(self._tickets), message.id)
            )
            if delay_s:
                self._hide(message, DELAYED, now_ms() + delay_s * 1000)
            else:
                self._show(message)
            self._changed.notify_all()

    def is_duplicate(self, key: tuple[str, str]) -> bool:
        """Whether the deduplication key was sent in the last five minutes; remembers it."""
        with self._changed:
            now = now_ms()
            while self._sent_ids and next(iter(self._sent_ids.values())) <= now - WINDOW_MS:
                self._sent_ids.popitem(last=False)
            if key in self._sent_ids:
                return True
            self._sent_ids[key] = now
            return False

    def purge(self) -> None:
        """Remove all messages: visible, delayed and in flight ones."""
        with self._changed:
            for message in self._messages.values():
                message.state = GONE
            self._clear()

    def close(self) -> None:
        """The queue was deleted: whoever waits for a message stops waiting."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Let everyone who waits for a message look again."""
        with self._changed:
            self._changed.notify_all()

    def counts(self, retention_s: int) -> dict[str, int]:
        """How many messages are ready, hidden and delayed."""
        with self._changed:
            self._advance(now_ms(), retention_s)
            return dict(self._counts)

    # -- what consumers do -------------------------------------------------------------

    def receive(
        self,
        count: int,
        wait_s: float,
        visibility_s: int,
        retention_s: int,
        max_receives: int | None = None,
        give_up: Any = None,
    ) -> tuple[list[Any], list[Any]]:
        """Up to `count` messages, waiting up to `wait_s` seconds for the first one.

        Returns copies of the messages as they were delivered, and the messages that were
        taken out because they had been received `max_receives` times already: the caller
        moves those to the dead-letter queue. `give_up()` ends the wait early when true.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            while True:
                delivered, dead = self._take(count, visibility_s, retention_s, max_receives)
                left = deadline - time.monotonic()
                if delivered or dead or left <= 0 or self.closed or (give_up and give_up()):
                    return delivered, dead
                self._changed.wait(min(left, self._seconds_to_next_timer()))

    def delete(self, message_id: str, receive_count: int) -> bool:
        """Delete a message. False when a FIFO queue no longer honours the handle.

        A message that is gone already is no error. On a standard queue an old handle
        deletes too; a FIFO queue wants the newest one, within the visibility timeout.
        """
        with self._changed:
            self._advance(now_ms())
            message = self._messages.get(message_id)
            if message is None:
                return True
            if self.fifo and not self._holds(message, receive_count):
                return False
            self._remove(message)
            self._changed.notify_all()
            return True

    def change_visibility(self, message_id: str, receive_count: int, seconds: int) -> bool:
        """Hide a message for `seconds` from now. False when there is nothing to change."""
        with self._changed:
            now = now_ms()
            self._advance(now)
            message = self._messages.get(message_id)
            if message is None or (self.fifo and not self._holds(message, receive_count)):
                return False
            self._hide(message, HIDDEN, now + seconds * 1000)
            self._advance(now)
            self._changed.notify_all()
            return True

    # -- the rules ---------------------------------------------------------------------

    def _lane_of(self, message: Any) -> str:
        return message.group_id if self.fifo else message.id

    def _holds(self, message: Any, receive_count: int) -> bool:
        return message.state == HIDDEN and message.approximate_receive_count == receive_count

    def _take(
        self, count: int, visibility_s: int, retention_s: int, max_receives: int | None
    ) -> tuple[list[Any], list[Any]]:
        now = now_ms()
        self._advance(now, retention_s)
        delivered: list[Any] = []
        dead: list[Any] = []
        while self._open and len(delivered) < count:
            lane = next(iter(self._open))
            for message in self._ready_in(lane, count - len(delivered)):
                if max_receives is not None and message.approximate_receive_count >= max_receives:
                    self._remove(message)
                    dead.append(copy.copy(message))  # this queue's timers know the other one
                else:
                    delivered.append(self._deliver(message, now + visibility_s * 1000))
        self._advance(now)
        return delivered, dead

    def _ready_in(self, lane: str, limit: int) -> list[Any]:
        """The first messages of a lane, up to the first one that is out."""
        in_order = self._lanes[lane].values()
        return list(itertools.islice(itertools.takewhile(_is_ready, in_order), limit))

    def _deliver(self, message: Any, due: int) -> Any:
        message.approximate_receive_count += 1
        if not message.approximate_first_receive_timestamp:
            message.approximate_first_receive_timestamp = now_ms()
        message.receipt_handle = make_handle(
            self.queue_arn, message.id, message.approximate_receive_count
        )
        self._hide(message, HIDDEN, due)
        return copy.copy(message)

    def _advance(self, now: int, retention_s: int | None = None) -> None:
        """Bring the queue up to `now`: show what is due, drop what is too old."""
        while self._timers and self._timers[0][0] <= now:
            due, _, message = heapq.heappop(self._timers)
            if message.due == due and message.state in TIMED:
                self._show(message)
        while self._arrivals:
            sent, _, message_id = self._arrivals[0]
            message = self._messages.get(message_id)
            if message and (retention_s is None or sent + retention_s * 1000 > now):
                break
            heapq.heappop(self._arrivals)
            if message:
                self._remove(message)

    def _seconds_to_next_timer(self) -> float:
        if not self._timers:
            return threading.TIMEOUT_MAX
        return max(0.001, (self._timers[0][0] - now_ms()) / 1000)

    def _show(self, message: Any) -> None:
        self._set_state(message, READY)

    def _hide(self, message: Any, state: str, due: int) -> None:
        message.due = due
        heapq.heappush(self._timers, (due, next(self._tickets), message))
        self._set_state(message, state)

    def _remove(self, message: Any) -> None:
        del self._messages[message.id]
        lane = self._lane_of(message)
        del self._lanes[lane][message.id]
        self._set_state(message, GONE)
        if not self._lanes[lane]:
            del self._lanes[lane]
        if len(self._timers) + len(self._arrivals) > MOST_NOTES * len(self._messages) + FEW:
            self._forget_the_gone()

    def _forget_the_gone(self) -> None:
        """Drop notes of messages that are gone, which their time would drop only later."""
        self._timers = [
            note for note in self._timers if note[2].state in TIMED and note[2].due == note[0]
        ]
        self._arrivals = [note for note in self._arrivals if note[2] in self._messages]
        heapq.heapify(self._timers)
        heapq.heapify(self._arrivals)

    def _set_state(self, message: Any, state: str) -> None:
        if message.state in self._counts:
            self._counts[message.state] -= 1
        if state in self._counts:
            self._counts[state] += 1
        message.state = state
        lane = self._lane_of(message)
        first = next(iter(self._lanes[lane].values()), None)
        if first is not None and first.state == READY:
            self._open.setdefault(lane)
        else:
            self._open.pop(lane, None)


def _is_ready(message: Any) -> bool:
    return message.state == READY
