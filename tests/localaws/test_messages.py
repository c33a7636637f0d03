"""The rules of visibility and order, on the message store alone, with a clock of its own."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws import messages
from helpers.localaws.messages import MessageStore
from helpers.localaws.sqs import Backend

ARN = "arn:aws:sqs:us-east-1:123456789012:q"
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
    monkeypatch.setattr(messages, "now_ms", lambda: made.ms)
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
        message = SimpleNamespace(
            id=f"id-{next(_numbers)}",
            body=body,
            group_id=body.partition("-")[0],
            sent_timestamp=messages.now_ms(),
            approximate_receive_count=0,
            approximate_first_receive_timestamp=0,
            receipt_handle=None,
        )
        store.add(message, delay_s)


def receive(
    store: MessageStore, count: int = 10, visibility_s: int = 30, **others: Any
) -> list[Any]:
    return store.receive(count, 0, visibility_s, RETENTION_S, **others)[0]


def bodies(found: list[Any]) -> list[str]:
    return [message.body for message in found]


def delete(store: MessageStore, message: Any) -> bool:
    return store.delete(message.id, message.approximate_receive_count)


def hide(store: MessageStore, message: Any, seconds: int) -> bool:
    return store.change_visibility(message.id, message.approximate_receive_count, seconds)


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
    found: list[Any] = []
    waits = threading.Event()

    def long_poll() -> None:
        found.extend(store.receive(1, 30, 30, RETENTION_S, give_up=waits.set)[0])

    thread = threading.Thread(target=long_poll)
    thread.start()
    assert waits.wait(10)
    delete(store, first)
    thread.join(10)
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


def test_LS_122_deduplication_window_is_five_minutes(fifo, clock):
    assert fifo.is_duplicate(("", "a")) is False
    clock.forward(299.999)
    assert fifo.is_duplicate(("", "a")) is True
    assert fifo.is_duplicate(("", "b")) is False
    assert fifo.is_duplicate(("group", "a")) is False
    clock.forward(0.001)
    assert fifo.is_duplicate(("", "a")) is False


def test_LS_122_purge_forgets_deduplication_ids(fifo):
    fifo.is_duplicate(("", "a"))
    fifo.purge()
    assert fifo.is_duplicate(("", "a")) is False


def test_fifo_dead_letters_do_not_block_their_group(fifo, clock):
    send(fifo, "g-m1", "g-m2")
    receive(fifo, 1, visibility_s=1)
    clock.forward(1)
    delivered, dead = fifo.receive(1, 0, 30, RETENTION_S, max_receives=1)
    assert (bodies(delivered), bodies(dead)) == (["g-m2"], ["g-m1"])


# -- standard queues -----------------------------------------------------------------------


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
    assert standard.receive(10, 0, 30, 60) == ([], [])
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


def test_LS_065_a_message_received_too_often_is_handed_over(standard, clock):
    send(standard, "m")
    assert bodies(receive(standard, visibility_s=1, max_receives=1)) == ["m"]
    clock.forward(1)
    delivered, dead = standard.receive(10, 0, 1, RETENTION_S, 1)
    assert (delivered, bodies(dead)) == ([], ["m"])
    assert dead[0].approximate_receive_count == 1
    clock.forward(60)
    assert standard.receive(10, 0, 1, RETENTION_S, 1) == ([], [])


def test_what_was_delivered_does_not_change_with_the_next_delivery(standard, clock):
    send(standard, "m")
    (first,) = receive(standard, visibility_s=1)
    handle = first.receipt_handle
    clock.forward(1)
    receive(standard)
    assert (first.approximate_receive_count, first.receipt_handle) == (1, handle)


@pytest.mark.parametrize("text", ["garbage", "", "Z2FyYmFnZQ==", "äöü"])
def test_LS_116_a_handle_that_this_queue_did_not_make(text):
    with pytest.raises(ValueError):
        messages.read_handle(ARN, text)


def test_LS_116_handles_are_read_back_by_their_own_queue_only():
    handle = messages.make_handle(ARN, "id", 3)
    assert messages.read_handle(ARN, handle) == ("id", 3)
    with pytest.raises(ValueError):
        messages.read_handle(ARN + "-other", handle)


# -- several threads -----------------------------------------------------------------------


def test_LS_055_a_long_poll_ends_when_a_message_arrives():
    store = MessageStore(ARN, fifo=False)
    found: list[Any] = []
    waits = threading.Event()
    thread = threading.Thread(
        target=lambda: found.extend(store.receive(10, 30, 30, RETENTION_S, give_up=waits.set)[0])
    )
    thread.start()
    assert waits.wait(10)
    send(store, "m")
    thread.join(10)
    assert bodies(found) == ["m"]


def test_a_long_poll_ends_when_its_queue_is_deleted():
    store = MessageStore(ARN, fifo=False)
    waits = threading.Event()
    thread = threading.Thread(
        target=lambda: store.receive(10, 30, 30, RETENTION_S, give_up=waits.set)
    )
    thread.start()
    assert waits.wait(10)
    store.close()
    thread.join(10)
    assert not thread.is_alive()


def test_two_threads_never_get_the_same_message():
    store = MessageStore(ARN, fifo=False)
    received: list[list[str]] = [[], []]
    start, stop = threading.Barrier(3), threading.Event()

    def consume(mine: list[str]) -> None:
        start.wait()
        while len(received[0]) + len(received[1]) < 500 and not stop.is_set():
            mine += bodies(store.receive(3, 0.05, 600, RETENTION_S)[0])

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
    backend = Backend("us-east-1", "123456789012")
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
