"""The trigger's inner parts: what an answer means, which pattern matches, what a crash costs."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.queues.message_store import now_ms
from helpers.localaws.runtime.executor import Stopped, Throttled
from helpers.localaws.runtime.model import Result
from helpers.localaws.triggers import poller as poller_module
from helpers.localaws.triggers.event import encode_record, make_event
from helpers.localaws.triggers.filters import is_valid_pattern, matches
from helpers.localaws.triggers.partial_batch_response import failed_ids
from helpers.localaws.triggers.poller import (
    MAX_EVENT_BYTES,
    Delivery,
    Poller,
    visible_again_ms,
    within_limit,
)
from helpers.localaws.triggers.scaling import Limits
from tests.conformance.kit import poll
from tests.localaws.kit import POSIX

SLOW_AT_FIRST = (
    "import os, time\n"
    "def lambda_handler(event, context):\n"
    "    (record,) = event['Records']\n"
    "    print('HANDLES', os.getpid(), record['body'])\n"
    "    if record['attributes']['ApproximateReceiveCount'] == '1':\n"
    "        time.sleep(2)\n"
    "    print('HANDLED', os.getpid(), record['body'])\n"
)

RAISES = "def lambda_handler(event, context):\n    raise ValueError('no')\n"
IDS = {"m1", "m2"}


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ('""', set()),
        ("[]", set()),
        ("null", set()),
        ("{}", set()),
        ('{"batchItemFailures": []}', set()),
        ('{"batchItemFailures": null}', set()),
        ('{"statusCode": 200}', set()),
        ('{"batchItemFailures": [{"itemIdentifier": "m1"}]}', {"m1"}),
        ('{"batchItemFailures": [{"itemIdentifier": 123}]}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', IDS),
        ('{"batchItemFailures": [{"foo": "notvalid"}]}', IDS),
        ('{"batchItemFailures": [{"foo": null}]}', IDS),
        ('{"batchItemFailures": "m1"}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "other"}]}', IDS),
        ("no json", IDS),
    ],
)
def test_what_a_batch_answer_means(answer, failed) -> None:
    assert failed_ids(answer.encode(), IDS) == failed


@pytest.mark.parametrize(
    "pattern",
    [
        *("null", "simple", "[]", "{}", '{"eventSource": "x"}', '{"eventSource": []}'),
        '{"body": {"a": [{"unknown": 1}]}}',
        '{"body": {"a": [{"prefix": "a", "suffix": "b"}]}}',
        '{"body": {"$or": [1]}}',
    ],
)
def test_invalid_patterns(pattern) -> None:
    assert not is_valid_pattern(pattern)


@pytest.mark.parametrize(
    "body",
    [
        {"a": ["b", 1, None, True]},
        {"a": {"b": [{"anything-but": ["c"]}]}},
        {"$or": [{"a": [1]}, {"b": {"c": [{"numeric": [">", 1]}]}}]},
        ["text"],
    ],
)
def test_valid_patterns(body) -> None:
    assert is_valid_pattern(json.dumps({"body": body}))


@pytest.mark.parametrize(
    ("pattern", "body", "passes"),
    [
        ({"body": ["a"]}, "a", True),
        ({"body": ["{}"]}, "{}", False),
        ({"body": {"a": [1]}}, "[1]", False),
        ({"body": {"a": [1]}}, "a", False),
        ({"eventSource": ["aws:sqs"]}, "anything", True),
        ({"eventSource": ["aws:sqs"]}, "{}", True),
        ({"$or": [{"body": {"a": [1]}}, {"eventSource": ["other"]}]}, '{"a": 1}', True),
    ],
)
def test_body_and_pattern_have_one_format(pattern, body, passes) -> None:
    record = {"eventSource": "aws:sqs", "body": body}
    assert matches(record, [json.dumps(pattern)]) is passes


def delivery(size: int, due: int = 0) -> Delivery:
    return Delivery(SimpleNamespace(due=due), b"x" * size)


def test_an_event_is_the_json_of_its_records() -> None:
    records = [{"body": "\u00fc"}, {"body": '"'}]
    event = make_event([encode_record(record) for record in records])
    assert json.loads(event) == {"Records": records}
    assert event == '{"Records":[{"body":"\u00fc"},{"body":"\\""}]}'.encode()


def test_a_batch_is_split_where_the_event_would_be_too_large() -> None:
    third = MAX_EVENT_BYTES // 3
    parts = within_limit([delivery(third) for _ in range(5)])
    assert [len(part) for part in parts] == [2, 2, 1]
    for part in parts:
        assert len(make_event([each.record for each in part])) <= MAX_EVENT_BYTES
    assert within_limit([]) == []
    assert [len(part) for part in within_limit([delivery(10) for _ in range(10)])] == [10]


def test_a_batch_is_visible_again_with_its_first_message() -> None:
    assert visible_again_ms([delivery(1, 30), delivery(1, 10), delivery(1, 20)]) == 10


# -- one poller alone, whose thread has ended --------------------------------------------------


class Invoked:
    """A Lambda backend with one function, which answers what `answers` says."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.events: list[bytes] = []
        self.qualifiers: list[str | None] = []
        self.function = SimpleNamespace(pending=False, account_id="1", role="r")

    def to_invoke(self, _arn: str) -> Any:
        if self.function is None:
            raise UnknownFunctionException("f")
        return self.function

    def run(self, _function: Any, event: bytes, _request_id: str, qualifier: str | None) -> Any:
        self.events.append(event)
        self.qualifiers.append(qualifier)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


DONE = Result(b"null", None, b"")


@pytest.fixture
def make_poller(monkeypatch) -> Callable[[Any], Poller]:
    monkeypatch.setattr(Poller, "_may", staticmethod(lambda *_: True))

    def make(backend: Any) -> Poller:
        mapping = SimpleNamespace(
            uuid="u" * 8,
            deleted=True,
            polling=True,
            event_source_arn="q",
            function_arn="arn:aws:lambda:us-east-1:1:function:f:live",
            scaling_config={"MaximumConcurrency": 1},
            function_response_types=[],
            batch_size=10,
            max_batch_window=0,
            metrics=None,
        )
        made = Poller(backend, mapping)
        for thread in threading.enumerate():
            if thread.name == "poller-uuuuuuuu":
                thread.join(10)
        return made

    return make


def hidden_for(ms: int, **others: Any) -> list[Delivery]:
    message = SimpleNamespace(due=now_ms() + ms, id="m", approximate_receive_count=1, **others)
    return [Delivery(message, b"{}")]


def queue_hiding_for(seconds: int) -> Any:
    deleted = []
    return SimpleNamespace(
        deleted=deleted,
        delete=lambda message: deleted.append(message.id) or True,
        is_deleted=False,
        fifo_queue=False,
        visibility_timeout=seconds,
    )


def test_a_trigger_runs_the_alias_that_it_was_given(make_poller) -> None:
    backend = Invoked(DONE)
    make_poller(backend)._process(queue_hiding_for(30), [hidden_for(1000)], object())
    assert backend.qualifiers == ["live"]


def test_a_batch_that_could_not_be_handed_over_takes_no_room(make_poller) -> None:
    """Nor does one that failed: else the trigger would stand still after a few of them."""
    poller = make_poller(Invoked(RuntimeError("no")))
    with pytest.raises(RuntimeError):
        poller._hand_over(queue_hiding_for(30), [hidden_for(1000)])  # its threads have ended
    assert poller._places.wait_for_one(0)
    poller._process(queue_hiding_for(30), [hidden_for(1000)], object())
    assert poller._places.wait_for_one(0)


def test_what_is_visible_again_is_not_handled(make_poller) -> None:
    """Somebody else may have it by now; in a queue that hides nothing that is always so."""
    backend = Invoked(DONE, DONE)
    poller = make_poller(backend)
    queue = queue_hiding_for(30)
    poller._process(queue, [hidden_for(0)], object())
    assert (backend.events, queue.deleted) == ([], [])
    poller._process(queue, [hidden_for(60_000)], object())
    poller._process(queue_hiding_for(0), [hidden_for(0)], object())
    assert len(backend.events) == 2
    assert queue.deleted == ["m"]


def test_a_function_that_is_deleted_while_it_is_throttled_is_not_run(make_poller) -> None:
    backend = Invoked(Throttled("busy"), DONE)
    run = backend.run

    def run_and_delete(*given: Any) -> Any:
        backend.function = None
        return run(*given)

    queue = queue_hiding_for(30)
    poller = make_poller(backend)
    backend.run = run_and_delete
    poller._process(queue, [hidden_for(60_000)], object())
    assert len(backend.events) == 1
    assert queue.deleted == []


@pytest.mark.parametrize("vanishes", ["function", "role", "queue"])
def test_what_vanishes_while_a_batch_is_handled_costs_no_message(
    make_poller, backend, monkeypatch, vanishes
) -> None:
    """The batch was handled; its messages stay unless the function's role may delete them."""
    queue = backend.create_queue("q")
    backend.send_message("q", "m")
    (message,) = queue.receive(1, 0, 60)
    invoked = Invoked()
    poller = make_poller(invoked)

    def run(*_: Any) -> Result:
        if vanishes == "function":
            invoked.function = None
        elif vanishes == "role":
            monkeypatch.setattr(Poller, "_may", staticmethod(lambda *_: False))
        else:
            backend.delete_queue("q")
        return DONE

    invoked.run = run
    poller._process(queue, [[Delivery(message, b"{}")]], object())
    left = {"function": 0, "role": 1, "queue": 0}[vanishes]
    assert queue.counts()["hidden"] == left
    poller._process(queue, [[Delivery(message, b"{}")]], object())
    assert queue.counts()["hidden"] == left


def test_without_a_function_nothing_is_handled_and_nothing_deleted(make_poller) -> None:
    backend = Invoked(DONE)
    poller, queue = make_poller(backend), queue_hiding_for(30)
    backend.function = None
    poller._process(queue, [hidden_for(60_000)], object())
    assert (backend.events, queue.deleted) == ([], [])


def test_a_batch_leaves_before_any_of_its_messages_is_visible_again(make_poller, monkeypatch):
    """Also when the visibility timeout became shorter while it was collected."""
    poller = make_poller(Invoked())
    poller._mapping.max_batch_window = 300
    clock = SimpleNamespace(ms=0)
    monkeypatch.setattr(poller_module, "now_ms", lambda: clock.ms)
    arrivals = [[SimpleNamespace(due=600_000)], [SimpleNamespace(due=1_000)]]

    def receive(_count: int, wait_s: float, **_others: Any) -> list[Any]:
        if not arrivals:
            clock.ms += int(wait_s * 1000)
        return arrivals.pop(0) if arrivals else []

    queue = queue_hiding_for(600)
    queue.receive = receive
    assert len(poller._collect(queue)) == 2
    assert clock.ms < 1_000


def counted(poller: Poller) -> tuple[int, int]:
    return poller._places._invocations, poller._places._failures


FAILED = Result(b"", "Unhandled", b"")


@pytest.mark.parametrize(
    "answer",
    [
        DONE,
        Result(b'{"batchItemFailures": [{"itemIdentifier": "m"}]}', None, b""),
        Result(b"no json", None, b""),
        FAILED,
    ],
)
def test_with_partial_responses_a_failure_makes_a_trigger_no_slower(make_poller, answer) -> None:
    poller = make_poller(Invoked(answer))
    poller._mapping.function_response_types = ["ReportBatchItemFailures"]
    poller._process(queue_hiding_for(30), [hidden_for(60_000)], object())
    assert counted(poller) == (1, 0)


def test_failures_and_throttles_count_for_the_scaling(make_poller) -> None:
    poller = make_poller(Invoked(FAILED, Throttled("busy"), DONE, Stopped()))
    for expected in ((1, 1), (3, 2), (3, 2)):
        poller._process(queue_hiding_for(30), [hidden_for(60_000)], object())
        assert counted(poller) == expected


def test_a_trigger_may_have_what_its_settings_and_its_queue_allow(
    make_poller, backend, monkeypatch
) -> None:
    monkeypatch.setenv("LOCALAWS_MOST_CONCURRENCY", "7")
    queue = backend.create_queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for group in "aab":
        backend.send(queue, group * 3, group_id=group)
    invoked = Invoked()
    invoked.sqs = backend
    poller = make_poller(invoked)
    assert poller._limits() == Limits(computer=7, maximum=1, groups=None)
    poller._mapping.event_source_arn = queue.queue_arn
    poller._mapping.scaling_config = None
    assert poller._limits() == Limits(computer=7, maximum=None, groups=2)
    assert poller._is_backlog()
    for message in queue.receive(10, 0, 60):
        queue.delete(message)
    assert poller._limits().groups == 0
    assert not poller._is_backlog()


# -- triggers that work ----------------------------------------------------------------------------


def test_new_settings_of_the_queue_count_at_once(aws) -> None:
    """Also for a poller that is waiting for a message: else the first would be hidden for 30 s."""
    dlq_url, dlq_arn = aws.queue()
    url, arn = aws.queue(VisibilityTimeout=30)
    mapping = aws.create_mapping(EventSourceArn=arn, FunctionName=aws.function(RAISES))
    aws.wait_mapping(mapping["UUID"], "Enabled")
    policy = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 2})
    settings = {"VisibilityTimeout": "1", "RedrivePolicy": policy}
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes=settings)
    aws.sqs.send_message(QueueUrl=url, MessageBody="broken")
    [dead] = poll(lambda: aws.receive(dlq_url, 1), bool, "the dead message")
    assert dead["Body"] == "broken"


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_a_killed_worker_loses_no_message(aws) -> None:
    url, arn = aws.queue(VisibilityTimeout=3)
    name = aws.function(SLOW_AT_FIRST, Timeout=3)
    for body in "abcde":
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    aws.create_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=1)

    def lines(word: str) -> list[list[str]]:
        return [line.split()[1:] for line in aws.own_lines(name) if line.startswith(word)]

    pid, body = poll(lambda: lines("HANDLES"), bool, "a worker in the middle of a batch")[0]
    os.kill(int(pid), signal.SIGKILL)
    aws.wait_empty(url)
    assert sorted({each[1] for each in lines("HANDLED")}) == list("abcde")
    assert [each[1] for each in lines("HANDLES")].count(body) == 2
    assert any("Error Type: Runtime.ExitError" in line for line in aws.log(name))
