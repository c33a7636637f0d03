"""The rules of visibility and order, on the message store alone, with a clock of its own."""

from __future__ import annotations

import gc
import itertools
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from moto.core.request import Request
from moto.sqs.exceptions import QueueDoesNotExist

from helpers.localaws.front import direct
from helpers.localaws.front.access import Caller
from helpers.localaws.queues import backend as sqs
from helpers.localaws.queues import housekeeping, message_store
from helpers.localaws.queues.backend import Backend
from helpers.localaws.queues.message_store import MessageStore, Settings
from helpers.localaws.settings import CLIENT_IS_GONE
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT, make_pair

ARN = "arn:aws:sqs:us-east-1:123456789012:q"
HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "AmazonSQS.ReceiveMessage",
    "Host": "localhost",
}
RETENTION_S = 3600
_numbers = itertools.count(1)


class Clock:
    """The store's time, in ms."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def forward(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(message_store, "now_ms", lambda: made.ms)
    return made


@pytest.fixture
def fifo(clock) -> MessageStore:
    return MessageStore(ARN + ".fifo", fifo=True)


@pytest.fixture
def standard(clock) -> MessageStore:
    return MessageStore(ARN, fifo=False)


def send(store: MessageStore, *bodies: str, delay_s: int = 0) -> None:
    """Send messages; the group is what stands before the dash."""
    for body in bodies:
        store.add(new_message(body), delay_s)


def new_message(body: str) -> Any:
    return SimpleNamespace(
        id=f"id-{next(_numbers)}",
        body=body,
        group_id=body.partition("-")[0],
        sent_timestamp=message_store.now_ms(),
        approximate_receive_count=0,
        approximate_first_receive_timestamp=0,
        receipt_handle=None,
    )


def receive(
    store: MessageStore,
    count: int = 10,
    visibility_s: int = 30,
    retention_s: int = RETENTION_S,
    wait_s: float = 0,
    redrive: tuple[int, MessageStore | None] = (0, None),
    **others: Any,
) -> list[Any]:
    settings = Settings(visibility_s, retention_s, *redrive)
    return store.receive(count, wait_s, lambda: settings, **others)


def bodies(found: list[Any]) -> list[str]:
    return [message.body for message in found]


def delete(store: MessageStore, message: Any) -> bool:
    return store.delete(message.id, message.approximate_receive_count)


def hide(store: MessageStore, message: Any, seconds: int) -> bool:
    return store.change_visibility(message.id, message.approximate_receive_count, seconds)


@contextmanager
def long_poll(call: Callable[[Callable[[], bool]], list[Any]]) -> Iterator[list[Any]]:
    """Do something while a call waits; the call gets a `give_up`. Yields what it will find."""
    found: list[Any] = []
    waiting = threading.Event()
    thread = threading.Thread(target=lambda: found.extend(call(lambda: bool(waiting.set()))))
    thread.start()
    assert waiting.wait(10)
    yield found
    thread.join(10)
    assert not thread.is_alive()


# -- FIFO ----------------------------------------------------------------------------------


def test_LS_124_group_lock_and_order_after_a_timeout(fifo, clock):
    send(fifo, "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1")
    assert bodies(receive(fifo, 2)) == ["g1-m1", "g1-m2"]
    assert bodies(receive(fifo)) == ["g2-m1"]
    clock.forward(30)
    found = bodies(receive(fifo))
    assert [body for body in found if body.startswith("g1")] == ["g1-m1", "g1-m2", "g1-m3", "g1-m4"]


def test_LS_125_drain_order_with_interleaved_groups(fifo):
    send(fifo, "g1-m1", "g2-m1", "g1-m2", "g1-m3")
    assert bodies(receive(fifo)) == ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]


def test_LS_126_delete_frees_the_group(fifo):
    send(fifo, "g1-m1", "g1-m2")
    (first,) = receive(fifo, 1)
    assert receive(fifo) == []
    assert delete(fifo, first)
    assert bodies(receive(fifo)) == ["g1-m2"]


def test_LS_126_delete_wakes_a_long_poll():
    store = MessageStore(ARN + ".fifo", fifo=True)
    send(store, "g1-m1", "g1-m2")
    (first,) = receive(store, 1)
    with long_poll(lambda waits: receive(store, 1, wait_s=30, give_up=waits)) as found:
        delete(store, first)
    assert bodies(found) == ["g1-m2"]


def test_LS_127_partial_delete_keeps_the_group_locked(fifo):
    send(fifo, "g1-m1", "g1-m2", "g1-m3", "g2-m1", "g2-m2", "g3-m1")
    first, _ = receive(fifo, 2)
    assert delete(fifo, first)
    assert bodies(receive(fifo)) == ["g2-m1", "g2-m2", "g3-m1"]


def test_LS_128_visibility_0_for_one_message_of_a_group(fifo):
    send(fifo, "g1-m1", "g1-m2", "g2-m1")
    first, _ = receive(fifo, 2)
    assert hide(fifo, first, 0)
    assert sorted(bodies(receive(fifo))) == ["g1-m1", "g2-m1"]


@pytest.mark.parametrize(
    ("extended", "visible"), [(0, []), (1, ["g-foo"]), (2, ["g-foo", "g-bar"])]
)
def test_LS_129_extending_one_message_blocks_only_the_later_ones(fifo, clock, extended, visible):
    send(fifo, "g-foo", "g-bar", "g-baz")
    received = receive(fifo, visibility_s=1)
    assert hide(fifo, received[extended], 4)
    clock.forward(2.5)
    assert bodies(receive(fifo)) == visible


def test_LS_130_a_fifo_handle_does_not_delete_after_the_timeout(fifo, clock):
    send(fifo, "g-m")
    (message,) = receive(fifo, visibility_s=1)
    clock.forward(1)
    assert delete(fifo, message) is False
    assert bodies(receive(fifo)) == ["g-m"]


def test_LS_130_an_extended_fifo_handle_deletes(fifo, clock):
    send(fifo, "g-m")
    (message,) = receive(fifo, visibility_s=1)
    hide(fifo, message, 5)
    clock.forward(2)
    assert delete(fifo, message) is True
    clock.forward(60)
    assert receive(fifo) == []


def send_with_key(store: MessageStore, key: str, group: str = "") -> tuple[str, str]:
    """Send a message with a deduplication id; returns the id and number that it got."""
    message = new_message(f"{group}-m")
    store.add(message, key=(group, key))
    return message.id, message.sequence_number


def test_LS_122_deduplication_window_is_five_minutes(fifo, clock):
    first = send_with_key(fifo, "a")
    clock.forward(299.999)
    assert send_with_key(fifo, "a") == first
    assert send_with_key(fifo, "b") != first
    assert send_with_key(fifo, "a", "group") != first
    clock.forward(0.001)
    assert send_with_key(fifo, "a") != first
    assert fifo.counts(RETENTION_S)["ready"] == 4


def test_LS_122_purge_forgets_deduplication_ids(fifo):
    send_with_key(fifo, "a")
    fifo.purge()
    send_with_key(fifo, "a")
    assert fifo.counts(RETENTION_S)["ready"] == 1


def test_fifo_dead_letters_do_not_block_their_group(fifo, clock):
    send(fifo, "g-m1", "g-m2")
    receive(fifo, 1, visibility_s=1)
    clock.forward(1)
    dead_letters = MessageStore(ARN + "-dead.fifo", fifo=True)
    assert bodies(receive(fifo, 1, redrive=(1, dead_letters))) == ["g-m2"]
    assert bodies(receive(dead_letters)) == ["g-m1"]


# -- standard queues -----------------------------------------------------------------------


@pytest.mark.parametrize(("receives", "order"), [(1, "ab"), (2, "ab"), (3, "ba"), (4, "ba")])
def test_DF_10_what_comes_back_stands_before_what_came_later(standard, clock, receives, order):
    send(standard, "a")
    for _ in range(receives):
        assert bodies(receive(standard, visibility_s=1)) == ["a"]
        clock.forward(1)
    send(standard, "b")
    assert bodies(receive(standard)) == list(order)


def test_DF_10_messages_come_back_in_the_order_in_which_they_were_sent(standard, clock):
    send(standard, *"abc")
    found = receive(standard)
    send(standard, "d")
    for message in (found[2], found[0], found[1]):
        hide(standard, message, 0)
    assert bodies(receive(standard, 1)) == ["a"]
    assert bodies(receive(standard)) == ["b", "c", "d"]


def test_a_queue_keeps_no_places_of_messages_that_are_gone(standard):
    send(standard, "stays in front")
    for _ in range(1000):
        message = new_message("gone")
        standard.add(message)
        assert delete(standard, message)
    assert len(standard._places) < 200


def test_LS_056_a_message_comes_back_after_its_visibility_timeout(standard, clock):
    send(standard, "m")
    (first,) = receive(standard, visibility_s=1)
    clock.forward(0.999)
    assert receive(standard) == []
    clock.forward(0.001)
    (second,) = receive(standard)
    assert (first.id, first.approximate_receive_count) == (second.id, 1)
    assert second.approximate_receive_count == 2
    assert second.receipt_handle != first.receipt_handle
    assert (
        second.approximate_first_receive_timestamp == first.approximate_first_receive_timestamp > 0
    )


def test_LS_114_a_receive_with_visibility_0_hides_nothing(standard):
    send(standard, "m")
    (first,) = receive(standard, visibility_s=0)
    (second,) = receive(standard)
    assert first.id == second.id
    assert first.receipt_handle != second.receipt_handle
    assert receive(standard) == []


def test_a_receive_with_visibility_0_gives_each_message_once(standard):
    send(standard, "a", "b")
    assert sorted(bodies(receive(standard, visibility_s=0))) == ["a", "b"]


def test_LS_057_changing_visibility(standard, clock):
    send(standard, "m")
    (message,) = receive(standard, visibility_s=2)
    for _ in range(3):
        clock.forward(1)
        assert hide(standard, message, 2)
        assert receive(standard) == []
    clock.forward(2)
    (message,) = receive(standard, visibility_s=2)
    hide(standard, message, 0)
    assert bodies(receive(standard)) == ["m"]


def test_LS_115_an_old_handle_deletes_on_a_standard_queue(standard, clock):
    send(standard, "m")
    (message,) = receive(standard, visibility_s=1)
    clock.forward(2)
    assert delete(standard, message)
    assert receive(standard) == []


def test_LS_058_deleting_twice_is_no_error(standard, clock):
    send(standard, "m")
    (message,) = receive(standard)
    assert delete(standard, message)
    assert delete(standard, message)
    clock.forward(60)
    assert receive(standard) == []


def test_LS_113_a_delayed_message_appears_when_its_delay_is_over(standard, clock):
    send(standard, "m", delay_s=2)
    assert standard.counts(RETENTION_S) == {"ready": 0, "hidden": 0, "delayed": 1}
    clock.forward(1.999)
    assert receive(standard) == []
    clock.forward(0.001)
    assert standard.counts(RETENTION_S) == {"ready": 1, "hidden": 0, "delayed": 0}
    assert bodies(receive(standard)) == ["m"]


def test_LS_107_retention_ends_visible_hidden_and_delayed_messages(standard, clock):
    send(standard, "hidden")
    (hidden,) = receive(standard, visibility_s=10_000)
    send(standard, "visible")
    send(standard, "delayed", delay_s=10_000)
    clock.forward(59.999)
    assert standard.counts(60) == {"ready": 1, "hidden": 1, "delayed": 1}
    clock.forward(0.001)
    assert standard.counts(60) == {"ready": 0, "hidden": 0, "delayed": 0}
    assert receive(standard, retention_s=60) == []
    assert delete(standard, hidden)


def test_LS_068_purge_removes_visible_hidden_and_delayed_messages(standard, clock):
    send(standard, "hidden")
    receive(standard, visibility_s=5)
    send(standard, "visible")
    send(standard, "delayed", delay_s=5)
    standard.purge()
    clock.forward(10)
    assert receive(standard) == []
    assert standard.counts(RETENTION_S) == {"ready": 0, "hidden": 0, "delayed": 0}
    send(standard, "new")
    assert bodies(receive(standard)) == ["new"]


def test_LS_069_counts(standard, clock):
    send(standard, *"abcdef")
    receive(standard, 1)
    assert standard.counts(RETENTION_S) == {"ready": 5, "hidden": 1, "delayed": 0}
    clock.forward(30)
    assert standard.counts(RETENTION_S) == {"ready": 6, "hidden": 0, "delayed": 0}


def test_LS_065_a_message_received_too_often_goes_to_the_dead_letter_queue(standard, clock):
    dead_letters = MessageStore(ARN + "-dead", fifo=False)
    send(standard, "m")
    assert bodies(receive(standard, visibility_s=1, redrive=(1, dead_letters))) == ["m"]
    clock.forward(1)
    assert receive(standard, redrive=(1, dead_letters)) == []
    assert not any(standard.counts(RETENTION_S).values())
    (dead,) = receive(dead_letters)
    assert (dead.body, dead.dead_letter_source_arn) == ("m", ARN)
    assert dead.approximate_receive_count == 2


def test_what_was_delivered_does_not_change_with_the_next_delivery(standard, clock):
    send(standard, "m")
    (first,) = receive(standard, visibility_s=1)
    handle = first.receipt_handle
    clock.forward(1)
    receive(standard)
    assert (first.approximate_receive_count, first.receipt_handle) == (1, handle)


@pytest.mark.parametrize("text", ["garbage", "", "Z2FyYmFnZQ==", "äöü"])
def test_LS_116_a_handle_that_this_queue_did_not_make(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        message_store.read_handle(ARN, text)


def test_LS_116_handles_are_read_back_by_their_own_queue_only():
    handle = message_store.make_handle(ARN, "id", 3)
    assert message_store.read_handle(ARN, handle) == ("id", 3)
    with pytest.raises(ValueError, match=re.escape(handle)):
        message_store.read_handle(ARN + "-other", handle)


# -- dead letters that meet other things -------------------------------------------------------


@pytest.mark.parametrize("kind", ["", ".fifo"])
def test_no_message_is_lost_when_its_dead_letter_queue_is_deleted_during_a_wait(backend, kind):
    queue, dead_letters = make_pair(backend, kind)
    sent = [backend.send_message(queue.name, body, group_id="g") for body in ("m1", "m2")]
    received = queue.receive(2, 0, 600)
    with long_poll(lambda waits: queue.receive(10, 30, 600, waits)) as found:
        backend.delete_queue(dead_letters.name)
        for message in received:
            assert hide(queue.store, message, 0)
    found += queue.receive(10, 0, 600)  # the second one, if the first woke the poll up
    assert bodies(found) == ["m1", "m2"]
    for before, after, mine in zip(received, found, sent, strict=True):
        assert after.approximate_receive_count == 2
        assert after.approximate_first_receive_timestamp == (
            before.approximate_first_receive_timestamp
        )
        assert (after.sent_timestamp, after.id) == (before.sent_timestamp, mine.id)
        assert after.sequence_number == mine.sequence_number
        assert after.dead_letter_source_arn is None


def test_a_dead_letter_is_always_in_one_of_two_queues(backend):
    """Whoever looks in the middle of the move waits until it is done."""
    queue, dead_letters = make_pair(backend)
    backend.send_message(queue.name, "m")
    queue.receive(1, 0, 0)
    seen: list[int] = []

    def look() -> None:
        seen.append(sum(sum(q.store.counts(60).values()) for q in (queue, dead_letters)))

    add, looker = dead_letters.store.add, threading.Thread(target=look)

    def add_under_observation(message: Any) -> None:
        looker.start()
        looker.join(0.2)
        add(message)

    dead_letters.store.add = add_under_observation
    assert queue.receive(1, 0) == []
    looker.join(10)
    assert seen == [1]


def test_a_dead_letter_queue_that_takes_nothing_costs_no_message(backend, monkeypatch):
    queue, dead_letters = make_pair(backend)
    backend.send_message(queue.name, "m")
    queue.receive(1, 0, 0)
    with monkeypatch.context() as broken:
        broken.setattr(dead_letters.store, "add", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            queue.receive(1, 0)
    assert queue.receive(1, 0) == []
    assert bodies(dead_letters.receive(1, 0)) == ["m"]


def test_a_dead_letter_queue_deleted_at_this_moment_lets_the_message_stay(backend):
    """It was found, and is gone before the message is moved."""
    queue, dead_letters = make_pair(backend)
    backend.send_message(queue.name, "m")
    queue.receive(1, 0, 0)
    dead_letters.store.close()
    assert bodies(queue.receive(1, 0)) == ["m"]


def test_two_queues_can_be_each_others_dead_letter_queue(backend):
    queue, other = make_pair(backend)
    policy = f'{{"deadLetterTargetArn": "{queue.queue_arn}", "maxReceiveCount": 1}}'
    backend.set_queue_attributes(other.name, {"RedrivePolicy": policy})
    for number in range(50):
        backend.send_message(queue.name, str(number))
    start = threading.Barrier(4)

    def consume(mine: Any) -> None:
        start.wait()
        for _ in range(100):
            mine.receive(10, 0, 0)

    threads = [threading.Thread(target=consume, args=[each]) for each in (queue, other) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    everything = {message.body for each in (queue, other) for message in drain(each.store)}
    assert everything == {str(number) for number in range(50)}


def drain(store: MessageStore) -> list[Any]:
    found: list[Any] = []
    while more := receive(store, visibility_s=600):
        found += more
    return found


def test_a_message_that_comes_back_lives_as_long_as_a_new_one(fifo, clock):
    """It was dead-lettered away and back again; what its queue noted of it before is void."""
    other = MessageStore(ARN + "-other.fifo", fifo=True)
    send(fifo, "g-m")
    for store, next_one in ((fifo, other), (other, fifo)):
        clock.forward(40)
        receive(store, visibility_s=0)
        assert receive(store, retention_s=60, redrive=(1, next_one)) == []
    clock.forward(59)
    assert fifo.counts(60)["ready"] == 1
    clock.forward(1)
    assert fifo.counts(60)["ready"] == 0


def test_a_deleted_queue_takes_no_message(backend, monkeypatch):
    """It was found before it was deleted: who sends to it is told, also a redrive."""
    queue = backend.create_queue("q")
    backend.delete_queue("q")
    monkeypatch.setattr(backend, "get_queue", lambda _: queue)
    with pytest.raises(QueueDoesNotExist):
        backend.send_message("q", "m")


# -- order and sequence numbers ------------------------------------------------------------------


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(count: int, action: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(action, range(count)))


def test_the_order_of_a_group_is_that_of_the_sequence_numbers(backend, restless):
    queue, _ = make_pair(backend, ".fifo", 1000)
    in_threads(
        4,
        lambda thread: [
            backend.send_message(queue.name, f"{thread} {number}", group_id="g")
            for number in range(250)
        ],
    )
    numbers = [int(message.sequence_number) for message in receive(queue.store, 2000)]
    assert len(numbers) == 1000
    assert numbers == sorted(set(numbers))


def test_dead_letters_of_two_queues_have_the_order_of_their_sequence_numbers(fifo):
    other = MessageStore(ARN + "-other.fifo", fifo=True)
    dead_letters = MessageStore(ARN + "-dead.fifo", fifo=True)
    send(fifo, "g-sent first")
    send(other, "g-dead first")
    for store in (other, fifo):
        receive(store, visibility_s=0)
        receive(store, redrive=(1, dead_letters))
    found = receive(dead_letters)
    assert bodies(found) == ["g-dead first", "g-sent first"]
    assert found[0].sequence_number < found[1].sequence_number


def test_LS_122_a_duplicate_gets_the_id_and_number_of_the_first(backend, restless):
    """Also when all are sent at once: one of them is the first."""
    queue, _ = make_pair(backend, ".fifo")
    sent = in_threads(8, lambda _: backend.send_message(queue.name, "m", group_id="g"))
    (message,) = receive(queue.store)
    assert {(each.id, each.sequence_number) for each in sent} == {
        (message.id, message.sequence_number)
    }


# -- memory ----------------------------------------------------------------------------------------

SENT_MIB = 60
# Sends and removes messages in each of four ways, and prints what the process grew by, in MiB:
# with them, and without them.
GROWTH = """
import gc, sys
import psutil
from helpers.localaws.queues import housekeeping
from helpers.localaws.queues import message_store as messages
from helpers.localaws.queues.backend import Backend
from moto.sqs.models import sqs_backends

MIB = 2**20
backend = sqs_backends["123456789012"]["us-east-1"] = Backend("us-east-1", "123456789012")
give_back = housekeeping.find_trim()

def used():
    gc.collect()
    give_back()
    return psutil.Process().memory_info().rss // MIB

def fill(name, count):
    backend.create_queue(name, MessageRetentionPeriod="60")
    for number in range(count):
        backend.send_message(name, f"{number:08}" + "x" * (MIB - 8))

def receive(name):
    while found := backend.get_queue(name).receive(10, 0, 600):
        yield from found

def purge(name):
    list(receive(name))
    backend.purge_queue(name)

def delete(name):
    for message in receive(name):
        backend.delete_message(name, message.receipt_handle)

def delete_queue(name):
    list(receive(name))
    backend.delete_queue(name)

def grow_old(name):
    now = messages.now_ms
    messages.now_ms = lambda: now() + 60_000
    housekeeping.look_at_queues()
    messages.now_ms = now

fill("first", 3)
purge("first")
for way in (purge, delete, delete_queue, grow_old):
    before = used()
    fill(way.__name__, int(sys.argv[1]))
    full = used()
    way(way.__name__)
    print(way.__name__, full - before, used() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take memory back in time")
def test_no_memory_is_kept_for_messages_that_are_gone():
    command = [sys.executable, "-c", GROWTH, str(SENT_MIB)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    growth = {
        way: (int(full), int(after)) for way, full, after in map(str.split, ran.stdout.splitlines())
    }
    assert list(growth) == ["purge", "delete", "delete_queue", "grow_old"]
    for way, (full, after) in growth.items():
        assert full > SENT_MIB * 0.8, way
        assert after < SENT_MIB * 0.2, way


def test_a_queue_at_which_nobody_looks_drops_what_is_too_old(backend, clock):
    queue = backend.create_queue("q", MessageRetentionPeriod="60")
    backend.send_message("q", "m")
    clock.forward(61)
    housekeeping.look_at_queues()
    assert queue.store._messages == {}


def test_a_message_that_was_received_three_times_has_no_age_any_more(standard, clock):
    send(standard, "poison")
    clock.forward(10)
    ages = []
    for times in range(1, 4):
        (poison,) = receive(standard)
        standard.change_visibility(poison.id, times, 0)
        ages.append(standard.age_of_oldest_ms(clock.ms))
    assert ages == [10_000, 10_000, 0]
    send(standard, "young")
    clock.forward(5)
    assert standard.age_of_oldest_ms(clock.ms) == 5_000


def test_a_fifo_queue_s_oldest_message_keeps_its_age(fifo, clock):
    send(fifo, "poison")
    for times in range(1, 5):
        (poison,) = receive(fifo, 1)
        fifo.change_visibility(poison.id, times, 0)
    clock.forward(7)
    assert fifo.age_of_oldest_ms(clock.ms) == 7_000


def test_the_age_of_a_dead_letter_begins_when_it_came_and_an_empty_queue_has_none(clock):
    queue, dead = MessageStore(ARN, fifo=False), MessageStore(ARN + "-dead", fifo=False)
    send(queue, "m")
    settings = Settings(0, RETENTION_S, 3, dead)
    for _ in range(3):
        queue.receive(1, 0, lambda: settings)
    clock.forward(60)
    queue.receive(1, 0, lambda: settings)
    assert queue.age_of_oldest_ms(clock.ms) == 0
    clock.forward(4)
    assert dead.age_of_oldest_ms(clock.ms) == 4_000


def test_a_heartbeat_leaves_no_trace(standard):
    send(standard, "m")
    (message,) = receive(standard)
    for _ in range(2_000):
        hide(standard, message, 43_200)
    assert len(standard._timers) < 200


def test_deduplication_ids_are_forgotten_when_their_time_is_over(fifo, clock):
    for number in range(100):
        send_with_key(fifo, str(number))
    clock.forward(300)
    fifo.counts(RETENTION_S)
    assert not fifo._sent


def test_deleted_queues_are_forgotten_when_their_names_are_free(backend, monkeypatch):
    monkeypatch.setattr(sqs, "RECREATE_AFTER_S", -1)
    for number in range(20):
        backend.create_queue(f"q{number}")
        backend.delete_queue(f"q{number}")
    assert len(backend._deleted_at) == 1


def test_no_queue_is_remembered_that_is_gone(backend):
    """moto has a list of all instances of its models, for ever."""
    queue = weakref.ref(backend.create_queue("q"))
    backend.create_queue("q")
    backend.delete_queue("q")
    gc.collect()
    assert queue() is None


# -- several threads -----------------------------------------------------------------------


def test_LS_055_a_long_poll_ends_when_a_message_arrives():
    store = MessageStore(ARN, fifo=False)
    with long_poll(lambda waits: receive(store, wait_s=30, give_up=waits)) as found:
        send(store, "m")
    assert bodies(found) == ["m"]


def test_a_long_poll_ends_when_its_queue_is_deleted():
    store = MessageStore(ARN, fifo=False)
    with long_poll(lambda waits: receive(store, wait_s=30, give_up=waits)) as found:
        store.close()
    assert found == []


def test_nothing_is_taken_for_a_client_that_is_gone():
    """It went while it waited: the message is left for somebody else."""
    store = MessageStore(ARN, fifo=False)
    gone = threading.Event()
    with long_poll(
        lambda waits: receive(store, wait_s=30, give_up=lambda: gone.is_set() or waits())
    ) as found:
        gone.set()
        send(store, "m")
    assert found == []
    assert bodies(receive(store, give_up=gone.is_set)) == ["m"]  # nobody waited: nobody is asked


def test_a_wait_ends_soon_after_its_client(monkeypatch):
    monkeypatch.setattr(message_store, "ASK_EVERY_S", 0.01)
    answers = iter([False, False, True])
    assert receive(MessageStore(ARN, fifo=False), wait_s=20, give_up=lambda: next(answers)) == []
    assert list(answers) == []


@pytest.mark.parametrize("there", [True, False])
def test_the_front_tells_a_receive_whether_its_client_is_gone(backend, monkeypatch, there):
    """As a callable in the WSGI environ of the request; nobody is gone where there is none."""
    monkeypatch.setattr(message_store, "ASK_EVERY_S", 0.01)
    backend.create_queue("q")
    asked: list[bool] = []
    gone = {CLIENT_IS_GONE: lambda: bool(asked.append(True)) or len(asked) > 2} if there else {}
    body = b'{"QueueUrl": "http://localhost/123456789012/q", "WaitTimeSeconds": %d}' % there
    request = Request.from_primitives("POST", "http://localhost/", HEADERS, body)
    request.environ.update(gone)
    answer = direct.answer(request.environ, Caller("sqs", REGION))
    assert answer is not None
    assert (answer.status, answer.body) == ("200 OK", b"{}")
    assert len(asked) == (3 if there else 0)


def test_two_threads_never_get_the_same_message():
    store = MessageStore(ARN, fifo=False)
    received: list[list[str]] = [[], []]
    start, stop = threading.Barrier(3), threading.Event()

    def consume(mine: list[str]) -> None:
        start.wait()
        while len(received[0]) + len(received[1]) < 500 and not stop.is_set():
            mine += bodies(receive(store, 3, 600, wait_s=0.05))

    threads = [threading.Thread(target=consume, args=[mine]) for mine in received]
    for thread in threads:
        thread.start()
    wanted = [f"m{number}" for number in range(500)]
    start.wait()
    send(store, *wanted)
    for thread in threads:
        thread.join(20)
    stop.set()
    assert sorted(received[0] + received[1]) == sorted(wanted)


@pytest.mark.parametrize("names", [["All"], ["ApproximateNumberOfMessages", "QueueArn"]])
def test_LS_069_the_counters_of_an_answer_are_read_in_one_look(names, monkeypatch):
    """Else a message that becomes visible between two looks is in neither counter."""
    backend = Backend(REGION, ACCOUNT)
    queue = backend.create_queue("q")
    looks, counts = [], queue.store.counts
    monkeypatch.setattr(queue.store, "counts", lambda *given: looks.append(given) or counts(*given))
    assert backend.get_queue_attributes("q", names)["ApproximateNumberOfMessages"] == 0
    assert len(looks) == 1


def test_what_is_gone_is_forgotten_long_before_its_time(standard) -> None:
    send(standard, "poison")
    for _ in range(20):
        send(standard, *map(str, range(50)))
        for message in receive(standard, 51, visibility_s=43_200):
            assert message.body == "poison" or delete(standard, message)
    assert len(standard._timers) + len(standard._arrivals) < 500
    assert standard.counts(RETENTION_S)["hidden"] == 1
