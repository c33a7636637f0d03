"""Which message of a queue may be seen, by whom and when.

The rules of visibility, order and dead-lettering, and nothing else: no names, no
permissions, no HTTP. A standard queue and a FIFO queue differ in one thing only. In a
FIFO queue all messages of a message group stand in one lane, and a message can be
received when nothing before it in its lane is out. In a standard queue every message has
a lane of its own; one that comes back is handed out before those sent later (DF-10), until it
was received often.

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
from collections.abc import Callable
from typing import NamedTuple, Protocol

WINDOW_MS = 5 * 60 * 1000  # of FIFO deduplication
# After so many receives a message of a standard queue goes to the back, and has no age. SQS
# Developer Guide, "Available CloudWatch metrics for Amazon SQS": ApproximateAgeOfOldestMessage.
TRIED_OFTEN = 3
MOST_NOTES, FEW = 5, 100  # timers, arrivals and places for each message, before they are tidied
ASK_EVERY_S = 1.0  # whoever waits for a message is asked so often whether he still does

READY, HIDDEN, DELAYED, GONE = "ready", "hidden", "delayed", "gone"
TIMED = (HIDDEN, DELAYED)

# One lock for all queues: a dead letter goes from one to the other in one step, and two queues
# may be each other's dead-letter queue.
_lock = threading.RLock()
_sequence_numbers = itertools.count(18_800_000_000_000_000_000 + time.time_ns() // 1_000_000, 256)


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


class StoredMessage(Protocol):
    """What a store must find in a message, and what it notes there itself.

    The sender fills `id`, `group_id` and `sent_timestamp`; the receive count begins with 0.
    The store adds the rest.
    """

    id: str
    group_id: str  # of a FIFO queue
    sent_timestamp: int
    approximate_receive_count: int
    approximate_first_receive_timestamp: int | None
    receipt_handle: str | None
    sequence_number: str  # of a FIFO queue
    deduplication_id: str | None  # of a FIFO queue; the store replaces that of a dead letter
    dead_letter_source_arn: str | None
    state: str | None
    due: int  # when it is shown next, in ms since the epoch
    timer: int  # which note of the timers is its last one
    arrival: int  # which note of the arrivals is its own
    entered: int  # when it came into this queue, in ms since the epoch
    receives_before: int  # its receive count then: of a dead letter, that in the other queue


class Closed(Exception):
    """The queue was deleted: it takes no message any more."""


class Settings(NamedTuple):
    """What a queue's attributes say, in the moment in which somebody looks for messages.

    A message that was received `max_receives` times goes to `dead_letters` instead.
    """

    visibility_s: int
    retention_s: int
    max_receives: int = 0
    dead_letters: MessageStore | None = None


class Sent(NamedTuple):
    """What is remembered of a message for the time of FIFO deduplication."""

    at_ms: int
    message_id: str
    sequence_number: str


def never() -> bool:
    return False


class MessageStore:
    """The messages of one queue."""

    def __init__(self, queue_arn: str, fifo: bool) -> None:
        self.queue_arn = queue_arn
        self.fifo = fifo
        self.closed = False
        self._changed = threading.Condition(_lock)
        self._tickets = itertools.count(1)
        self._clear()

    def _clear(self) -> None:
        self._messages: dict[str, StoredMessage] = {}
        self._lanes: dict[str, OrderedDict[str, StoredMessage]] = {}
        self._open: dict[str, int] = {}  # lanes whose first message is ready, and their places
        self._places: list[tuple[int, str]] = []
        self._timers: list[tuple[int, int, str]] = []
        self._arrivals: list[tuple[int, int, str]] = []
        self._sent: OrderedDict[tuple[str, str], Sent] = OrderedDict()
        self._counts = {READY: 0, HIDDEN: 0, DELAYED: 0}

    # -- what the queue's owner does ---------------------------------------------------

    def add(
        self, message: StoredMessage, delay_s: int = 0, key: tuple[str, str] | None = None
    ) -> bool:
        """Put a message at the end of its lane, visible after `delay_s` seconds.

        In a FIFO queue it gets the next sequence number. `key` is for deduplication: a message
        whose key was sent in the last five minutes is put nowhere, and gets the id and the
        number of the first one; False then. Raises Closed when the queue was deleted.
        """
        with self._changed:
            if self.closed:
                raise Closed(self.queue_arn)
            if key is not None and self._is_duplicate(message, key):
                return False
            if self.fifo:
                message.sequence_number = str(next(_sequence_numbers))
            if key is not None:
                self._sent[key] = Sent(now_ms(), message.id, message.sequence_number)
            message.state, message.due, message.timer = None, 0, 0
            message.arrival, message.entered = next(self._tickets), now_ms()
            message.receives_before = message.approximate_receive_count
            self._messages[message.id] = message
            self._lanes.setdefault(self._lane_of(message), OrderedDict())[message.id] = message
            heapq.heappush(self._arrivals, (message.sent_timestamp, message.arrival, message.id))
            if delay_s:
                self._hide(message, DELAYED, now_ms() + delay_s * 1000)
            else:
                self._show(message)
            self._changed.notify_all()
            return True

    def _is_duplicate(self, message: StoredMessage, key: tuple[str, str]) -> bool:
        self._forget_sent(now_ms())
        first = self._sent.get(key)
        if first is None:
            return False
        message.id, message.sequence_number = first.message_id, first.sequence_number
        return True

    def purge(self) -> None:
        """Remove all messages: visible, delayed and in flight ones."""
        with self._changed:
            self._clear()

    def close(self) -> None:
        """The queue was deleted, with its messages: whoever waits for one stops waiting."""
        with self._changed:
            self.closed = True
            self._clear()
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

    def age_of_oldest_ms(self, now: int) -> int:
        """How long the oldest message has been in this queue; 0 without one.

        Of a standard queue those do not count that were received three times or more: AWS moves
        them to its back. A dead letter's age begins when it came here (SQS Developer Guide,
        "Available CloudWatch metrics for Amazon SQS").
        """
        with self._changed:
            for message in self._messages.values():
                receives = message.approximate_receive_count - message.receives_before
                if self.fifo or receives < TRIED_OFTEN:
                    return max(now - message.entered, 0)
        return 0

    def lanes(self) -> int:
        """How many lanes have messages, whether these are ready, hidden or delayed."""
        with self._changed:
            return len(self._lanes)

    # -- what consumers do -------------------------------------------------------------

    def receive(
        self,
        count: int,
        wait_s: float,
        settings: Callable[[], Settings],
        give_up: Callable[[], bool] = never,
    ) -> list[StoredMessage]:
        """Up to `count` messages, waiting up to `wait_s` seconds for the first one.

        Returns copies of the messages as they were delivered. `settings()` is asked each time
        that messages are looked for. When `give_up()` is true after a wait, nothing is taken
        and the wait is over; it is asked once a second, and so must be quick.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            delivered = self._take(count, settings())
            while not (delivered or self.closed):
                left = deadline - time.monotonic()
                if left <= 0 or give_up():
                    break
                self._changed.wait(min(left, self._seconds_to_next_timer(), ASK_EVERY_S))
                if not give_up():
                    delivered = self._take(count, settings())
            return delivered

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

    def _lane_of(self, message: StoredMessage) -> str:
        return message.group_id if self.fifo else message.id

    def _holds(self, message: StoredMessage, receive_count: int) -> bool:
        return message.state == HIDDEN and message.approximate_receive_count == receive_count

    def _take(self, count: int, settings: Settings) -> list[StoredMessage]:
        now = now_ms()
        self._advance(now, settings.retention_s)
        delivered: list[StoredMessage] = []
        while self._open and len(delivered) < count:
            lane = self._first_open()
            for message in self._ready_in(lane, count - len(delivered)):
                dead_letters = self._dead_letters_for(message, settings)
                if dead_letters is not None:
                    self._bury(message, dead_letters)
                else:
                    delivered.append(self._deliver(message, now + settings.visibility_s * 1000))
        self._advance(now)
        return delivered

    @staticmethod
    def _dead_letters_for(message: StoredMessage, settings: Settings) -> MessageStore | None:
        """Where a message goes that was received too often; None if it was not."""
        dead_letters = settings.dead_letters
        if dead_letters is None or dead_letters.closed:
            return None
        too_often = message.approximate_receive_count >= settings.max_receives
        return dead_letters if too_often else None

    def _bury(self, message: StoredMessage, dead_letters: MessageStore) -> None:
        """Move a message to the dead-letter queue (LS-066).

        A FIFO queue starts its retention anew and replaces its deduplication id (SQS Developer
        Guide, "Using dead-letter queues" and "Configure a dead-letter queue redrive").
        """
        dead = copy.copy(message)  # so that this queue keeps its own if the other refuses it
        dead.dead_letter_source_arn = self.queue_arn
        if self.fifo:
            dead.sent_timestamp = now_ms()
            dead.deduplication_id = dead.id
        dead_letters.add(dead)
        self._remove(message)

    def _ready_in(self, lane: str, limit: int) -> list[StoredMessage]:
        """The first messages of a lane, up to the first one that is out."""
        in_order = self._lanes[lane].values()
        return list(itertools.islice(itertools.takewhile(_is_ready, in_order), limit))

    def _deliver(self, message: StoredMessage, due: int) -> StoredMessage:
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
            note = heapq.heappop(self._timers)
            if self._is_timed(note):
                self._show(self._messages[note[2]])
        while self._arrivals:
            note = self._arrivals[0]
            arrived = self._is_here(note)
            if arrived and (retention_s is None or note[0] + retention_s * 1000 > now):
                break
            heapq.heappop(self._arrivals)
            if arrived:
                self._remove(self._messages[note[2]])
        self._forget_sent(now)

    def _is_timed(self, note: tuple[int, int, str]) -> bool:
        """Whether a note of the timers is a message's last one, and it is still to be shown."""
        message = self._messages.get(note[2])
        return message is not None and message.timer == note[1] and message.state in TIMED

    def _is_here(self, note: tuple[int, int, str]) -> bool:
        """Whether a note of the arrivals still holds: the message is in the queue since then."""
        message = self._messages.get(note[2])
        return message is not None and message.arrival == note[1]

    def _forget_sent(self, now: int) -> None:
        while self._sent and next(iter(self._sent.values())).at_ms <= now - WINDOW_MS:
            self._sent.popitem(last=False)

    def _seconds_to_next_timer(self) -> float:
        if not self._timers:
            return threading.TIMEOUT_MAX
        return max(0.001, (self._timers[0][0] - now_ms()) / 1000)

    def _first_open(self) -> str:
        """The open lane with the first place; there is one."""
        while not self._is_place(self._places[0]):
            heapq.heappop(self._places)
        return self._places[0][1]

    def _is_place(self, note: tuple[int, str]) -> bool:
        """Whether a note of the places still holds."""
        return self._open.get(note[1]) == note[0]

    def _show(self, message: StoredMessage) -> None:
        self._set_state(message, READY)

    def _hide(self, message: StoredMessage, state: str, due: int) -> None:
        message.due, message.timer = due, next(self._tickets)
        heapq.heappush(self._timers, (due, message.timer, message.id))
        self._set_state(message, state)
        self._tidy()

    def _remove(self, message: StoredMessage) -> None:
        del self._messages[message.id]
        lane = self._lane_of(message)
        del self._lanes[lane][message.id]
        self._set_state(message, GONE)
        if not self._lanes[lane]:
            del self._lanes[lane]
        self._tidy()

    def _tidy(self) -> None:
        """Drop notes that hold no more, which their time would drop only later."""
        notes = len(self._timers) + len(self._arrivals) + len(self._places)
        if notes <= MOST_NOTES * len(self._messages) + FEW:
            return
        self._timers = list(filter(self._is_timed, self._timers))
        self._arrivals = list(filter(self._is_here, self._arrivals))
        self._places = list(filter(self._is_place, self._places))
        heapq.heapify(self._timers)
        heapq.heapify(self._arrivals)
        heapq.heapify(self._places)

    def _set_state(self, message: StoredMessage, state: str) -> None:
        if message.state in self._counts:
            self._counts[message.state] -= 1
        if state in self._counts:
            self._counts[state] += 1
        message.state = state
        lane = self._lane_of(message)
        first = next(iter(self._lanes[lane].values()), None)
        if first is None or first.state != READY:
            self._open.pop(lane, None)
        elif lane not in self._open:
            self._open[lane] = self._place_of(first)
            heapq.heappush(self._places, (self._open[lane], lane))

    def _place_of(self, message: StoredMessage) -> int:
        """Where a lane stands that opens with this message: in a FIFO queue always at the end."""
        receives = message.approximate_receive_count - message.receives_before
        comes_back = 0 < receives < TRIED_OFTEN
        return message.arrival if comes_back and not self.fifo else next(self._tickets)


def _is_ready(message: StoredMessage) -> bool:
    return message.state == READY
