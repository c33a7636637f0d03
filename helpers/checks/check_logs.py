"""What the exercises of notebook 07 are checked by: lines of the log, and two that are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import pandas as pd

from helpers import course
from helpers.checks.points import Point, exercise, point
from helpers.clients import client_for
from helpers.logs import REQUEST_ID, kind_of, log_group, read_events, read_report
from helpers.prices import LAMBDA_REQUEST, LAMBDA_TIME, MILLION


@exercise
def check_one_call(lines: Any) -> Iterator[Point]:
    """The lines of one call for the order 12345, as they stand in the log."""
    if isinstance(lines, pd.DataFrame):
        yield Point(False, 'That is a table; its column "message" has the lines.')
        return
    texts = list(lines) if isinstance(lines, (list, tuple, pd.Series)) else []
    if not texts or not all(isinstance(each, str) for each in texts):
        yield Point(False, "There are no lines in lines yet: make a list of texts.")
        return
    log = read_events(client_for("logs"), log_group(course.name(course.FUNCTION)))
    known = {each.rstrip("\n") for each in log["message"]}
    yield point(
        all(each.rstrip("\n") in known for each in texts),
        "All lines stand in the function's log.",
        "Not all of these lines stand in the function's log.",
    )
    ids = {found[1] for each in texts if (found := REQUEST_ID.search(each))}
    kinds = {kind_of(each) for each in texts}
    whole = {"START", "END", "REPORT"} <= kinds
    yield point(len(ids) == 1 and whole, "It is one call, from START to REPORT.", about_ids(ids))
    yield point(
        any("12345" in each for each in texts), "The call has order 12345.", about_text(texts)
    )


def about_ids(ids: set[str]) -> str:
    if not ids:
        return (
            "No line has a request id: these are the handler's own lines alone. START, END and "
            "REPORT belong to the call too."
        )
    if len(ids) > 1:
        return f"There are {len(ids)} request ids in these lines, so they are of {len(ids)} calls."
    return "A part of the call is missing: it goes from START to REPORT."


def about_text(texts: Iterable[str]) -> str:
    if any("777" in each for each in texts):
        return "This is the call for order 777, from above: look for 12345 instead."
    return "No line of this call says 12345."


# -- what it costs ---------------------------------------------------------------------------

PICTURES = "\t".join(
    (
        "REPORT RequestId: 6f1d2c7a-95b0-4f0e-8a64-3c1f0f7d2b11",
        "Duration: 180.25 ms",
        "Billed Duration: 492 ms",
        "Memory Size: 512 MB",
        "Max Memory Used: 71 MB",
        "Init Duration: 311.40 ms",
    )
)


def dollars(ms: float, mb: float, calls: float = MILLION) -> float:
    """What so many calls cost, by the formula of the notebook: time, and the calls themselves."""
    return LAMBDA_TIME.of(calls * ms / 1000 * mb / 1024) + LAMBDA_REQUEST.of(calls)


@exercise
def check_price(answer: Any) -> Iterator[Point]:
    """What a million calls like PICTURES cost."""
    if isinstance(answer, bool) or not isinstance(answer, Real):
        yield Point(False, f"dollars is {answer!r}; it should be a number, such as 0.41.")
        return
    answer, report = float(answer), read_report(PICTURES)
    ms, mb = report["billed_ms"] or 0, report["memory_mb"] or 0
    right, calls = dollars(ms, mb), LAMBDA_REQUEST.of(MILLION)
    mistakes = {
        dollars(report["duration_ms"] or 0, mb): "You took Duration. What is billed has the "
        "start of the environment in it: Billed Duration.",
        dollars(ms, report["used_mb"] or 0): "You took the memory that was used. What is paid "
        "is what the function was given: Memory Size.",
        right - calls: f"The time is right. The million calls themselves cost ${calls:.2f} more.",
        dollars(ms * 1000, mb): "Billed Duration is in milliseconds, and the price in seconds: "
        "divide by 1000.",
        dollars(ms, mb * 1024): "Memory Size is in MB, and the price in GB: divide by 1024.",
        dollars(ms, mb, 1): "That is one call; a million of them was asked for.",
    }
    near = min(mistakes, key=lambda each: abs(each - answer))
    advice = f"${answer:,.2f} is not it: billed seconds × memory in GB × price, and the calls."
    if abs(near - answer) <= 0.01 * near:
        advice = mistakes[near]
    yield point(
        abs(answer - right) <= 0.01,
        f"A million calls like this one cost ${right:.2f}.",
        advice,
    )


# -- a night's log ---------------------------------------------------------------------------

# Request ids are shortened to four letters. Two environments, A and B; their lines are mixed.
NIGHT = """\
02:10:00.012 A INIT_START Runtime Version: python:3.13
02:10:00.130 A START RequestId: 4b7e Version: $LATEST
02:10:00.131 A Received message: {"task": "process_order", "order_id": "5001"}
02:10:00.133 A END RequestId: 4b7e
02:10:00.133 A REPORT RequestId: 4b7e Duration: 2.10 ms Init Duration: 117.30 ms
02:10:04.500 A START RequestId: 91c2 Version: $LATEST
02:10:04.501 A Received message: {"task": "process_order", "order_id": "5002"}
02:10:05.020 B INIT_START Runtime Version: python:3.13
02:10:05.140 B START RequestId: 0d3a Version: $LATEST
02:10:05.141 B Received message: {"task": "process_order", "order_id": "5003"}
02:10:05.143 B [ERROR] KeyError: 'amount'
02:10:05.144 B END RequestId: 0d3a
02:10:05.144 B REPORT RequestId: 0d3a Duration: 3.80 ms Init Duration: 119.40 ms
02:10:07.500 A END RequestId: 91c2
02:10:07.500 A REPORT RequestId: 91c2 Duration: 3000.00 ms Status: timeout
02:10:34.500 B START RequestId: 77f1 Version: $LATEST
02:10:34.501 B Received message: {"task": "process_order", "order_id": "5002"}
02:10:34.504 B END RequestId: 77f1
02:10:34.504 B REPORT RequestId: 77f1 Duration: 3.20 ms
02:10:35.140 B START RequestId: 5e88 Version: $LATEST
02:10:35.141 B Received message: {"task": "process_order", "order_id": "5003"}
02:10:35.142 B [ERROR] KeyError: 'amount'
02:10:35.143 B END RequestId: 5e88
02:10:35.143 B REPORT RequestId: 5e88 Duration: 2.70 ms"""


@exercise
def check_night(
    cold_starts: Any, too_slow: Any, always_fails: Any, hidden_s: Any
) -> Iterator[Point]:
    """Four findings in NIGHT."""
    advice = f"cold_starts is {cold_starts!r}. A cold start has Init Duration in its REPORT line."
    if same_number(cold_starts, NIGHT.count(" START ")):
        advice = (
            f"{cold_starts} is the number of calls. A START is no cold start: look for Init "
            "Duration."
        )
    yield point(
        same_number(cold_starts, NIGHT.count("Init Duration")),
        "Two calls were cold: one in each environment, the first.",
        advice,
    )
    advice = f"too_slow is {too_slow!r}. Which request id has Status: timeout, and which order?"
    if same_order(too_slow, "5003"):
        advice = (
            "5003 stands right above the REPORT with the timeout, but in B; that call, 91c2, was "
            "in A. Go by the request id and the environment."
        )
    yield point(
        same_order(too_slow, "5002"),
        "Order 5002 was too slow at first: call 91c2 ran for 3 s and was ended.",
        advice,
    )
    advice = f"always_fails is {always_fails!r}. Which order has an [ERROR] each time it comes?"
    if same_order(always_fails, "5002"):
        advice = "5002 failed once, by the timeout; the second time, in call 77f1, it was handled."
    yield point(
        same_order(always_fails, "5003"),
        "Order 5003 fails each time: it has no amount. Trying again will not help.",
        advice,
    )
    advice = f"hidden_s is {hidden_s!r}. How many seconds after the first START did 5002 return?"
    if same_number(hidden_s, 3):
        advice = "3 s is how long the call was allowed to run. The message came back later."
    elif same_number(hidden_s, 27):
        advice = "27 s are from the end of the first call. The message was hidden from its start."
    yield point(
        same_number(hidden_s, 30),
        "Hidden for 30 s: so long after its first START each of the two came back.",
        advice,
    )


def same_number(answer: Any, number: int) -> bool:
    return isinstance(answer, Real) and not isinstance(answer, bool) and float(answer) == number


def same_order(answer: Any, order: str) -> bool:
    return not isinstance(answer, bool) and str(answer) == order
