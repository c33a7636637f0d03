"""Rules that hold for every input: batch answers, filters, and what a queue hands out.

Hypothesis draws the examples from a fixed seed: every run tries the same ones.
"""

from __future__ import annotations

import itertools
import json
import operator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from helpers.localaws.queues import message_store
from helpers.localaws.queues.message_store import MessageStore, Settings, read_handle
from helpers.localaws.triggers.filters import is_valid_pattern, matches
from helpers.localaws.triggers.partial_batch_response import failed_ids


def tries(count: int, **others: Any) -> settings:
    unimportant = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(
        deadline=None,
        derandomize=True,
        max_examples=count,
        suppress_health_check=unimportant,
        **others,
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DEEP = ("[" * 100_000, '{"a":' * 3_000 + "1" + "}" * 3_000)


# -- what a batch answer means -------------------------------------------------------------

IDS = ["m1", "m2", "m3", "m4"]
OTHER_KEYS = st.dictionaries(st.text(), JSON_VALUES, max_size=2)
NO_ID = st.just("") | JSON_VALUES.filter(lambda value: value not in IDS)
NO_ITEM = st.one_of(
    JSON_VALUES.filter(lambda value: not isinstance(value, dict)),
    OTHER_KEYS.filter(lambda value: "itemIdentifier" not in value),
    NO_ID.map(lambda value: {"itemIdentifier": value}),
)


def failed(answer: Any) -> set[str]:
    return failed_ids(json.dumps(answer).encode(), set(IDS))


@st.composite
def reports(draw: st.DrawFn, ids: st.SearchStrategy[list[str]]) -> dict[str, Any]:
    """An answer that reports some messages, maybe with other keys that mean nothing."""
    items = [{**draw(OTHER_KEYS), "itemIdentifier": message_id} for message_id in draw(ids)]
    return {**draw(OTHER_KEYS), "batchItemFailures": items}


@tries(60)
@given(reports(st.lists(st.sampled_from(IDS))))
def test_a_valid_report_fails_what_it_names(answer) -> None:
    named = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    assert failed(answer) == named


@tries(60)
@given(reports(st.lists(st.sampled_from(IDS))), NO_ITEM, st.integers(0, 4))
def test_one_wrong_item_fails_the_batch(answer, wrong, place) -> None:
    answer["batchItemFailures"].insert(place, wrong)
    assert failed(answer) == set(IDS)


@tries(100)
@given(JSON_VALUES.filter(lambda value: not isinstance(value, dict)))
def test_an_answer_that_reports_nothing_is_a_success(answer) -> None:
    assert failed(answer) == set()
    assert failed({"batchItemFailure": answer}) == set()


@tries(100)
@given(JSON_VALUES.filter(bool).filter(lambda value: not isinstance(value, list)))
def test_a_report_that_is_no_list_fails_the_batch(failures) -> None:
    assert failed({"batchItemFailures": failures}) == set(IDS)


@tries(200)
@given(st.binary() | st.text().map(str.encode) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_an_answer(payload) -> None:
    assert failed_ids(payload, set(IDS)) <= set(IDS)


@pytest.mark.parametrize("text", DEEP, ids=["no json", "json"])
def test_an_answer_that_is_nested_too_deeply_fails_the_batch(text) -> None:
    payload = f'{{"batchItemFailures": {text}}}'.encode()
    assert failed_ids(payload, set(IDS)) == set(IDS)


# -- filters -------------------------------------------------------------------------------

COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
NUMBERS = st.sampled_from([-1, 0, 1, 1.5, 99, 100, 101, 200])
TEXTS = st.sampled_from(["", "x", "y", "us", "us-", "us-1", "1", "true", "null"])
SCALARS = NUMBERS | TEXTS | st.booleans() | st.none()
FIELDS = st.sampled_from(["a", "b", "c"])
BODIES = st.recursive(
    SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
    lambda inner: st.dictionaries(FIELDS, inner, min_size=1, max_size=3),
    max_leaves=6,
)
RANGES = st.lists(st.tuples(st.sampled_from(sorted(COMPARE)), NUMBERS), min_size=1, max_size=2).map(
    lambda bounds: [part for bound in bounds for part in bound]
)
LEAF = st.one_of(
    SCALARS,
    st.just({"exists": True}),
    RANGES.map(lambda numbers: {"numeric": numbers}),
    TEXTS.map(lambda text: {"prefix": text}),
)
LEAVES = st.lists(LEAF, min_size=1, max_size=3)
RULES = st.recursive(
    st.dictionaries(FIELDS, LEAVES, min_size=1, max_size=2),
    lambda inner: st.dictionaries(FIELDS, LEAVES | inner, min_size=1, max_size=2),
    max_leaves=3,
)


def should_pass(rules: Any, value: Any) -> bool:
    """Whether a value passes: every field of an object, one of the rules of a list."""
    if isinstance(rules, dict):
        return isinstance(value, dict) and all(
            field in value and should_pass(below, value[field]) for field, below in rules.items()
        )
    values = value if isinstance(value, list) else [value]
    return any(leaf_passes(leaf, each) for leaf in rules for each in values)


def leaf_passes(leaf: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return False
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match leaf:
        case {"exists": True}:
            return True
        case {"prefix": text}:
            return isinstance(value, str) and value.startswith(text)
        case {"numeric": [*numbers]}:
            bounds = zip(numbers[::2], numbers[1::2], strict=True)
            return is_number and all(COMPARE[sign](value, bound) for sign, bound in bounds)
    return json.dumps(leaf) == json.dumps(value)  # 1 is not true


def passes(pattern: Any, body: str, *others: Any) -> bool:
    record = {"body": body, "eventSource": "aws:sqs"}
    return matches(record, [json.dumps(each) for each in (pattern, *others)])


@tries(500)
@given(RULES, BODIES)
def test_filters_pass_what_they_say(rules, body) -> None:
    assert is_valid_pattern(json.dumps({"body": rules}))
    assert passes({"body": rules}, json.dumps(body)) is should_pass(rules, body)


@tries(100)
@given(st.lists(RULES, max_size=3), BODIES)
def test_one_of_several_filters_is_enough(several, body) -> None:
    record = {"body": json.dumps(body)}
    expected = not several or any(should_pass(rules, body) for rules in several)
    assert matches(record, [json.dumps({"body": rules}) for rules in several]) is expected


@pytest.mark.parametrize(
    ("leaf", "value"),
    [(1, True), (0, False), (True, 1), (False, 0), ({"numeric": [">=", 0]}, True)],
)
def test_a_truth_value_is_no_number(leaf, value) -> None:
    assert not passes({"body": {"a": [leaf]}}, json.dumps({"a": value}))
    assert not passes({"body": {"a": [leaf]}}, json.dumps({"a": [value]}))


OPERATORS = st.sampled_from(
    [
        *("exists", "prefix", "suffix", "numeric", "anything-but", "wildcard", "cidr"),
        *("equals-ignore-case", "other"),
    ]
)
ANY_LEAF = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3) | RANGES | JSON_VALUES,
    lambda inner: st.tuples(OPERATORS, inner).map(lambda pair: dict([pair])),
    max_leaves=2,
)
ANY_RULES = st.recursive(
    st.lists(LEAF | ANY_LEAF, max_size=3) | JSON_VALUES,
    lambda inner: (
        st.dictionaries(FIELDS | st.sampled_from(["$or", "body", "eventSource"]), inner, max_size=3)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=5,
)
ANY_BODY = st.text() | JSON_VALUES.map(json.dumps) | BODIES.map(json.dumps)


@tries(400)
@given(ANY_RULES | ANY_RULES.map(lambda rules: {"body": rules}), ANY_BODY)
def test_a_filter_that_was_accepted_takes_any_body(pattern, body) -> None:
    if is_valid_pattern(json.dumps(pattern)):
        assert passes(pattern, body, {"eventSource": ["aws:sqs"]})  # it is looked at first


@tries(500)
@given(st.tuples(OPERATORS, ANY_LEAF), st.lists(SCALARS, min_size=1))
def test_an_operator_that_was_accepted_takes_any_value(operation, values) -> None:
    leaf, body = dict([operation]), json.dumps({"a": values})
    if is_valid_pattern(json.dumps({"body": {"a": [leaf]}})):
        assert passes({"body": {"a": [leaf, {"exists": True}]}}, body)


@tries(100)
@given(st.text() | JSON_VALUES)
def test_any_text_is_a_filter_or_none(pattern) -> None:
    assert not is_valid_pattern(pattern) or isinstance(json.loads(pattern), dict)


@pytest.mark.parametrize("text", DEEP, ids=["no json", "json"])
def test_nothing_is_nested_too_deeply(text) -> None:
    assert not is_valid_pattern(text)
    assert not passes({"body": {"a": [1]}}, text)


def test_what_cannot_be_read_is_text() -> None:
    assert passes({"body": [{"prefix": "[["}]}, DEEP[0])


@tries(100)
@given(RULES, st.text().filter(lambda text: not text.lstrip().startswith("{")))
def test_a_filter_on_fields_drops_what_is_no_object(rules, text) -> None:
    assert not passes({"body": rules}, text)


# -- what a queue hands out ----------------------------------------------------------------

SOURCE, DEAD_LETTERS = "source", "dead letters"
QUEUES = st.sampled_from([SOURCE, SOURCE, SOURCE, DEAD_LETTERS])
SECONDS = st.sampled_from([0, 1, 2, 5])
COUNTS = st.sampled_from([1, 2, 3, 10])
RETENTION_S, FOREVER_S = 60, 10**6


@dataclass
class Entry:
    """A message as the model knows it: visible from `due` on, in ms."""

    id: str
    group: str
    sent: int
    due: int
    receives: int = 0
    is_out: bool = False  # hidden by a receive, not by a delay


class Side:
    """A store, and the model of it: a list in the order of arrival."""

    def __init__(self, fifo: bool) -> None:
        self.arn = "arn:aws:sqs:us-east-1:123456789012:q"
        self.store = MessageStore(self.arn, fifo)
        self.fifo = fifo
        self.entries: list[Entry] = []
        self.receipts: list[tuple[str, int]] = []

    def find(self, message_id: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.id == message_id), None)

    def expire(self, now: int) -> None:
        self.entries = [e for e in self.entries if e.sent + RETENTION_S * 1000 > now]

    def visible(self, now: int) -> list[Entry]:
        """What may be received: in a FIFO queue not what stands behind a hidden message."""
        found: list[Entry] = []
        blocked: set[str] = set()
        for entry in self.entries:
            if entry.due > now:
                blocked.add(entry.group)
            elif not self.fifo or entry.group not in blocked:
                found.append(entry)
        return found

    def is_held(self, entry: Entry, receives: int, now: int) -> bool:
        return entry.is_out and entry.due > now and entry.receives == receives


class Queue(RuleBasedStateMachine):
    """A queue with a dead-letter queue against lists of entries, with a clock of its own."""

    fifo = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000_000
        self.clock = mock.patch.object(message_store, "now_ms", lambda: self.now)  # noqa: PT008 (it moves)
        self.clock.start()
        self.sides = {SOURCE: Side(self.fifo), DEAD_LETTERS: Side(self.fifo)}
        self.numbers = itertools.count(1)
        self.max_receives: int | None = None

    @initialize(
        max_receives=st.sampled_from([None, 1, 2]),
        groups=st.lists(st.sampled_from("aaabc"), min_size=4, max_size=8),
    )
    def start(self, max_receives: int | None, groups: list[str]) -> None:
        self.max_receives = max_receives
        self.send(groups, 0)

    @rule(groups=st.lists(st.sampled_from("aaabc"), min_size=1, max_size=5), delay_s=SECONDS)
    def send(self, groups: list[str], delay_s: int) -> None:
        for group in groups:
            message = SimpleNamespace(
                id=f"{group}{next(self.numbers)}",
                group_id=group,
                sent_timestamp=self.now,
                approximate_receive_count=0,
                approximate_first_receive_timestamp=0,
                receipt_handle=None,
            )
            self.sides[SOURCE].store.add(message, delay_s)
            due = self.now + delay_s * 1000
            self.sides[SOURCE].entries.append(Entry(message.id, group, self.now, due))

    @rule(name=QUEUES, count=COUNTS, visibility_s=SECONDS)
    def receive(self, name: str, count: int, visibility_s: int) -> None:
        if not self.sides[name].entries:
            name = SOURCE
        side = self.sides[name]
        limit = self.max_receives if name == SOURCE else None
        side.expire(self.now)
        visible = side.visible(self.now)
        dead_letters = None if limit is None else self.sides[DEAD_LETTERS].store
        settings = Settings(visibility_s, RETENTION_S, limit or 0, dead_letters)
        bury = self.sides[DEAD_LETTERS].store.add
        with mock.patch.object(self.sides[DEAD_LETTERS].store, "add", wraps=bury) as bury:
            delivered = side.store.receive(count, 0, lambda: settings)
        dead = [call.args[0] for call in bury.call_args_list]

        ids, dead_ids = [each.id for each in delivered], [each.id for each in dead]
        self.check_choice(side, visible, ids, dead_ids)
        assert len(ids) <= count
        assert len(ids + dead_ids) >= min(count, len(visible))
        for message in delivered:
            entry = side.find(message.id)
            assert limit is None or entry.receives < limit
            entry.receives, entry.is_out = entry.receives + 1, True
            entry.due = self.now + visibility_s * 1000
            receipt = (entry.id, entry.receives)
            assert message.approximate_receive_count == entry.receives
            assert read_handle(side.arn, message.receipt_handle) == receipt
            side.receipts.append(receipt)
        for message in dead:
            entry = side.find(message.id)
            assert entry.receives >= limit
            side.entries.remove(entry)
            entry.is_out = False
            if side.fifo:
                entry.sent = self.now
            self.sides[DEAD_LETTERS].entries.append(entry)

    def check_choice(
        self, side: Side, visible: list[Entry], ids: list[str], dead_ids: list[str]
    ) -> None:
        """Only what is visible, each once; in a FIFO queue the first ones of each group."""
        taken = ids + dead_ids
        assert len(set(taken)) == len(taken)
        assert set(taken) <= {entry.id for entry in visible}
        if not side.fifo:
            return
        for group in "abc":
            lane = [entry.id for entry in visible if entry.group == group]
            first = lane[: len([each for each in taken if each[0] == group])]
            assert [each for each in ids if each[0] == group] == [i for i in first if i in ids]
            assert [i for i in dead_ids if i[0] == group] == [i for i in first if i in dead_ids]
        runs = [group for group, _ in itertools.groupby(each[0] for each in ids)]
        assert len(set(runs)) == len(runs)  # LS-125: one group after the other

    def a_receipt(self, name: str, number: int) -> tuple[Side, Entry | None, str, int]:
        side = self.sides[name] if self.sides[name].receipts else self.sides[SOURCE]
        message_id, receives = side.receipts[-1 - number % len(side.receipts)]
        return side, side.find(message_id), message_id, receives

    def has_receipts(self) -> bool:
        return bool(self.sides[SOURCE].receipts)

    @precondition(has_receipts)
    @rule(name=QUEUES, number=st.integers(0, 5))
    def delete(self, name: str, number: int) -> None:
        side, entry, message_id, receives = self.a_receipt(name, number)
        refused = side.fifo and entry and not side.is_held(entry, receives, self.now)
        assert side.store.delete(message_id, receives) is not bool(refused)
        if entry and not refused:
            side.entries.remove(entry)

    @precondition(has_receipts)
    @rule(name=QUEUES, number=st.integers(0, 5), seconds=SECONDS)
    def change_visibility(self, name: str, number: int, seconds: int) -> None:
        side, entry, message_id, receives = self.a_receipt(name, number)
        taken = entry and (not side.fifo or side.is_held(entry, receives, self.now))
        assert side.store.change_visibility(message_id, receives, seconds) is bool(taken)
        if taken:
            entry.due = self.now + seconds * 1000

    @rule(ms=st.sampled_from([1, 500, 999, 1000, 2000, 5000]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(name=QUEUES)
    def count(self, name: str) -> None:
        side = self.sides[name]
        side.expire(self.now)
        hidden = [entry for entry in side.entries if entry.due > self.now]
        out = len([entry for entry in hidden if entry.is_out])
        assert side.store.counts(RETENTION_S) == {
            "ready": len(side.entries) - len(hidden),
            "hidden": out,
            "delayed": len(hidden) - out,
        }

    @precondition(lambda self: len(self.sides[SOURCE].entries) > 8)
    @rule()
    def purge(self) -> None:
        self.sides[SOURCE].store.purge()
        self.sides[SOURCE].entries.clear()

    def teardown(self) -> None:
        """When all is visible again, what was not deleted is there, and nothing else."""
        try:
            self.now += 60_000
            for side in self.sides.values():
                left = [message.id for message in self.drain(side)]
                wanted = [entry.id for entry in side.entries]
                assert sorted(left) == sorted(wanted)
                if side.fifo:
                    for group in "abc":
                        assert [i for i in left if i[0] == group] == [
                            i for i in wanted if i[0] == group
                        ]
        finally:
            self.clock.stop()

    @staticmethod
    def drain(side: Side) -> list[Any]:
        found: list[Any] = []
        settings = Settings(1000, FOREVER_S)
        while more := side.store.receive(10, 0, lambda: settings):
            found += more
            for message in more:
                assert side.store.delete(message.id, message.approximate_receive_count)
        assert not any(side.store.counts(FOREVER_S).values())
        return found


class FifoQueue(Queue):
    fifo = True


TestStandardQueue = Queue.TestCase
TestFifoQueue = FifoQueue.TestCase
TestStandardQueue.settings = TestFifoQueue.settings = tries(150, stateful_step_count=50)


def test_a_dead_letter_is_no_concern_of_its_old_queue() -> None:
    """Its old queue remembers a timer that ends in the same ms as the one of its new queue."""
    queue = Queue()
    queue.start(1, ["a"])
    queue.receive(SOURCE, 1, 5)
    queue.change_visibility(SOURCE, 0, 0)
    queue.receive(SOURCE, 1, 5)
    queue.receive(DEAD_LETTERS, 1, 5)
    queue.wait(5000)
    queue.count(SOURCE)
    queue.count(DEAD_LETTERS)
    queue.teardown()
