"""Asynchronous events: the schedule of retries, with the clock left out, and what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.invocations import asynchronous, destinations
from helpers.localaws.invocations.asynchronous import AsynchronousInvocations
from helpers.localaws.invocations.destinations import Destinations
from helpers.localaws.runtime.executor import Stopped, Throttled
from helpers.localaws.runtime.model import Result
from helpers.localaws.settings import MOST_AT_ONCE

FUNCTION = SimpleNamespace(
    function_name="f",
    function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
    reserved_concurrency=None,
    dead_letter_arn=None,
)


class Fault(Exception):
    pass


class Lambda:
    """A backend whose function ends as told, one word for each invocation."""

    def __init__(self, *ends: str, **settings: int) -> None:
        self.ends = list(ends)
        self.settings = settings

    def get_function(self, _name: str, _qualifier: str | None) -> SimpleNamespace:
        return FUNCTION

    def event_invoke_config(self, _function: object, _qualifier: str | None) -> dict:
        return self.settings

    def run(self, *_arguments: object) -> Result:
        end = self.ends.pop(0)
        if end == "throttled":
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        if end == "fault":
            raise Fault
        if end == "stopped":
            raise Stopped
        return Result(b"{}", None if end == "returns" else "Unhandled")


def asynchronous_of(backend: Lambda, later, **arguments: float) -> AsynchronousInvocations:
    """The asynchronous invocations of its function. It has no queues."""
    return AsynchronousInvocations(
        backend.get_function,
        backend.run,
        backend.event_invoke_config,
        lambda: None,
        later,
        **arguments,
    )


def pauses(backend: Lambda, **arguments: float) -> list[float]:
    """The pauses before each attempt at one event, in s."""
    seen: list[float] = []

    def later(seconds: float, action, *arguments) -> None:
        seen.append(seconds)
        action(*arguments)

    asynchronous_of(backend, later, **arguments).submit(FUNCTION, b"{}", "id", None)
    return seen


@pytest.mark.parametrize(
    ("ends", "settings", "expected"),
    [
        (["raises"] * 3, {}, [0, 60, 120]),
        (["raises", "returns"], {}, [0, 60]),
        (["raises"], {"MaximumRetryAttempts": 0}, [0]),
        (["raises", "raises"], {"MaximumRetryAttempts": 1}, [0, 60]),
        (["raises"], {"MaximumEventAgeInSeconds": 60}, [0]),
        (["throttled"] * 4 + ["returns"], {}, [0, 1, 2, 4, 8]),
        (["fault"] * 2 + ["raises", "returns"], {}, [0, 1, 2, 60]),
        (["fault"], {"MaximumEventAgeInSeconds": 1}, [0]),
        (["stopped"], {}, [0]),
        (["throttled"] * 11 + ["returns"], {}, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
    ],
)
def test_pauses(ends, settings, expected) -> None:
    backend = Lambda(*ends, **settings)
    assert pauses(backend) == expected
    assert backend.ends == []


@pytest.mark.parametrize(
    ("max_age_s", "expected"),
    [(60, [0]), (170, [0, 3]), (181, [0, 3, 6])],
)
def test_an_event_ages_as_if_short_pauses_were_lambdas_own(max_age_s, expected) -> None:
    backend = Lambda(*["raises"] * len(expected), MaximumEventAgeInSeconds=max_age_s)
    assert pauses(backend, retry_pause_s=3) == expected
    assert backend.ends == []


# -- what goes wrong ------------------------------------------------------------------------


QUEUE = "arn:aws:sqs:us-east-1:123456789012:dlq"
TARGET = "arn:aws:lambda:us-east-1:123456789012:function:target"
WITH_DLQ = SimpleNamespace(
    **{
        **vars(FUNCTION),
        "dead_letter_arn": QUEUE,
        "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "version": "$LATEST",
        "account_id": "123456789012",
        "role": "role",
    }
)


@pytest.fixture
def dead_letters(monkeypatch) -> Iterator[list[str]]:
    """The events that were sent to a function's own dead-letter queue."""
    sent: list[str] = []
    monkeypatch.setattr(
        Destinations, "dead_letter", lambda _self, _function, event, *_: sent.append(event)
    )
    monkeypatch.setattr(destinations, "allows", lambda *_: True)
    return sent


def run_once(backend: Lambda, *, target: str = TARGET) -> None:
    """Run an event on a function with a dead-letter queue; it goes to `target` on failure."""
    on_failure = {"DestinationConfig": {"OnFailure": {"Destination": target}}}
    backend.settings = {"MaximumRetryAttempts": 0, **on_failure}
    backend.get_function = lambda name, _qualifier=None: WITH_DLQ if name == "f" else unknown(name)
    asynchronous_of(backend, lambda _s, action, *a: action(*a)).submit(
        WITH_DLQ, b'{"n": 1}', "id", None
    )


def unknown(name: str) -> None:
    raise UnknownFunctionException(name)


def test_the_dead_letter_queue_is_told_although_the_destination_fails(
    dead_letters, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(Destinations, "deliver", lambda *_: unknown("our own fault"))
    run_once(Lambda("raises"))
    assert dead_letters == [b'{"n": 1}']
    assert "our own fault" in capsys.readouterr().err


def test_a_destination_that_was_deleted_is_no_fault(dead_letters, capsys) -> None:
    run_once(Lambda("raises"))
    assert dead_letters == [b'{"n": 1}']
    assert capsys.readouterr().err == ""


def test_an_event_of_a_deleted_function_is_gone_and_any_other_fault_is_told(capsys) -> None:
    backend = Lambda()
    backend.get_function = lambda name, _qualifier: unknown(name)
    assert pauses(backend) == [0]
    assert capsys.readouterr().err == ""

    found = iter([Fault("not found for a fault of ours"), None])

    def at_the_second_time(_name: str, _qualifier: str | None) -> SimpleNamespace:
        fault = next(found)
        if fault:
            raise fault
        return FUNCTION

    backend = Lambda("returns")
    backend.get_function = at_the_second_time
    assert pauses(backend) == [0, 1]
    assert "not found for a fault of ours" in capsys.readouterr().err


def test_many_events_need_few_threads() -> None:
    go_on, done, count = threading.Event(), threading.Semaphore(0), 1000
    before = threading.active_count()

    def wait() -> None:
        go_on.wait(60)
        done.release()

    try:
        for _ in range(count):
            asynchronous.call_later(0.0, wait)
        assert threading.active_count() <= before + MOST_AT_ONCE
    finally:
        go_on.set()
    assert all(done.acquire(timeout=60) for _ in range(count))
