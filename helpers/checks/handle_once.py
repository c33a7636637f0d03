"""What the exercises of notebook 09 are checked by: a trigger, and two handlers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from helpers import course, steps
from helpers.account.things import look_at_mapping, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, point, tagged, try_out
from helpers.clients import client_for
from helpers.learning.writing import shortened

READS_ANSWERS = "ReportBatchItemFailures"
BATCH, WINDOW_S = 5, 1
READABLE = {"m-1": "1200", "m-3": "450", "m-5": "990"}
UNREADABLE = {"m-2": "12x0", "m-4": "free"}
# Two clicks on one refund, a delivery that is repeated, and a second refund of the same order.
REFUNDS = (
    ("m-1", {"refund_id": "R-1", "order_id": "A-7", "cents": 500, "clicked_at": "09:00:01"}),
    ("m-2", {"refund_id": "R-1", "order_id": "A-7", "cents": 500, "clicked_at": "09:00:02"}),
    ("m-2", {"refund_id": "R-1", "order_id": "A-7", "cents": 500, "clicked_at": "09:00:02"}),
    ("m-3", {"refund_id": "R-2", "order_id": "A-7", "cents": 120, "clicked_at": "09:05:00"}),
)


# -- a trigger that reads answers ------------------------------------------------------------


@exercise
def check_reads_answers() -> Iterator[Point]:
    """The trigger of HandleOnce is on, takes batches of 5 within 1 s, and reads the answers."""
    sqs, lambda_, name = client_for("sqs"), client_for("lambda"), course.name("HandleOnce")
    queue = look_at_queue(sqs, name)
    found = queue and steps.find_trigger(lambda_, name, queue.id)
    if not found:
        yield Point(False, f"There is no trigger from {name} to {name}: run all cells above.")
        return
    uuid = found["UUID"]
    steps.settled(lambda_, uuid)  # until then AWS would refuse the learner's next change
    trigger = see(lambda: lambda_.get_event_source_mapping(UUID=uuid), is_as_asked)
    yield point(
        READS_ANSWERS in trigger.get("FunctionResponseTypes", []),
        "Lambda reads which messages an answer names.",
        "Lambda does not read the answer, and deletes what it names: FunctionResponseTypes is a "
        f"list with {READS_ANSWERS} in it.",
    )
    size, window_s = trigger["BatchSize"], trigger["MaximumBatchingWindowInSeconds"]
    yield point(
        size == BATCH, f"A batch has up to {BATCH} messages.", f"BatchSize is {size}, not {BATCH}."
    )
    yield point(window_s == WINDOW_S, f"They are collected for {WINDOW_S} s.", collects(window_s))
    yield point(
        trigger["State"] != "Disabled",
        "The trigger is on.",
        f"The trigger is {trigger['State']}, so messages stay in the queue: Enabled=True.",
    )
    yield tagged(look_at_mapping(lambda_, trigger))


def is_as_asked(trigger: dict[str, Any]) -> bool:
    asked = itemgetter("FunctionResponseTypes", "BatchSize", "MaximumBatchingWindowInSeconds")
    return asked({"FunctionResponseTypes": [], **trigger}) == ([READS_ANSWERS], BATCH, WINDOW_S)


def collects(window_s: int) -> str:
    if window_s == 0:
        return (
            "Nothing is collected, so most batches will have one message: "
            f"MaximumBatchingWindowInSeconds is 0, not {WINDOW_S}."
        )
    return f"Messages are collected for {window_s} s, not {WINDOW_S}: the unit is seconds."


# -- refunds that are paid once --------------------------------------------------------------


@exercise
def check_refunds(handler: Callable[..., Any]) -> Iterator[Point]:
    """A handler pays each refund once, by a key of the business that it remembers before."""
    keys: list[Any] = []
    paid: list[tuple[str, int]] = []
    for message_id, refund in REFUNDS:
        [record] = batch({message_id: json.dumps(refund)})["Records"]
        _, error = try_out(handler, record, remembers(keys), pays(paid, refund))
        if error is not None:
            yield Point(False, f"It raises {type(error).__name__}: {error}.")
            return
    yield Point(True, "It raises nothing.")
    first, second = ([cents for key, cents in paid if key == which] for which in ("R-1", "R-2"))
    yield point(first == [500], "R-1 is paid once, however often it comes.", about(first, keys))
    yield point(
        second == [120],
        "R-2 is paid too: it is another refund.",
        f"R-2 {was_paid(second)}: it is the second refund of the order A-7, so the id of the "
        "order does not tell the two apart.",
    )
    yield point(
        first_come(keys) == ["R-1", "R-2"], "It remembers the refund's id.", about_keys(keys)
    )


def remembers(keys: list[Any]) -> Callable[[Any], bool]:
    """`remember` as the exercise describes it. `keys` are all that it was called with."""

    def remember(key: Any) -> bool:
        keys.append(key)
        return key not in keys[:-1]

    return remember


def pays(paid: list[tuple[str, int]], refund: dict[str, Any]) -> Callable[[int], None]:
    return lambda cents: paid.append((refund["refund_id"], cents))


def first_come(keys: list[Any]) -> list[Any]:
    return [key for place, key in enumerate(keys) if key not in keys[:place]]


def was_paid(cents: list[int]) -> str:
    often = {0: "was not paid", 1: "was paid once", 2: "was paid twice"}
    return often.get(len(cents), f"was paid {len(cents)} times")


def about(paid: list[int], keys: list[Any]) -> str:
    """What is wrong with how the refund R-1 was paid."""
    said = f"R-1 {was_paid(paid)}"
    if not keys:
        return f"{said}: nothing remembers that it was paid before."
    if not paid:
        return f"{said}: remember answers True for a key that is new."
    if len(paid) == 1:
        return f"{said}, with {paid[0]} cents and not with 500."
    if "m-1" in keys:
        return f"{said}: two clicks make two messages, and each has a message id of its own."
    if any("clicked_at" in str(key) for key in keys):
        return f"{said}: the bodies of two clicks differ in clicked_at."
    return f"{said}: pay only if remember has answered True."


def about_keys(keys: list[Any]) -> str:
    """What is wrong with the keys that were remembered."""
    if not keys:
        return (
            "It never calls remember. What stands in the memory of one execution environment no "
            "other knows: only the table knows it for all."
        )
    return f"It remembers {shortened(first_come(keys))}, not the ids of the refunds."


# -- a handler that reports ------------------------------------------------------------------


@exercise
def check_report(handler: Callable[[Any, Any], Any]) -> Iterator[Point]:
    """A handler of a batch names the messages that it cannot read, and no others.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html: an answer with an
    identifier that Lambda does not know counts as a failure of the whole batch, and no answer
    as success.
    """
    answer, error = try_out(handler, batch({**READABLE, **UNREADABLE}), None)
    if error is not None:
        yield Point(
            False,
            f"It raises {type(error).__name__}: then the whole batch comes back, and good orders "
            "are charged again.",
        )
        return
    yield Point(True, "It answers, and does not raise.")
    failed = failed_of(answer)
    if failed is None:
        yield Point(
            False,
            "Lambda looks for a dictionary like {'batchItemFailures': [{'itemIdentifier': "
            f"messageId}}]}}, and the answer is {shortened(answer)}.",
        )
        return
    yield from names_those(failed)


def batch(bodies: dict[str, str]) -> dict[str, Any]:
    """An event with these bodies, by message id and in the order of the ids."""
    return {
        "Records": [
            {
                "messageId": message_id,
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for message_id, body in sorted(bodies.items())
        ]
    }


def failed_of(answer: Any) -> list[Any] | None:
    """What an answer names as failed; None when it has not the form that Lambda reads."""
    if answer is None:
        return []
    items = answer.get("batchItemFailures", ()) if isinstance(answer, dict) else ()
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        return None
    return [each.get("itemIdentifier") for each in items]


def names_those(failed: list[Any]) -> Iterator[Point]:
    known = {**READABLE, **UNREADABLE}
    unknown = [each for each in failed if each not in [*known]]
    if unknown:
        yield Point(
            False,
            f"It names {unknown[0]!r}, which is no messageId of the batch: Lambda then takes the "
            "whole batch for failed.",
        )
        return
    left_out = [known[each] for each in UNREADABLE if each not in failed]
    yield point(not left_out, "It names each order that cannot be read.", about_lost(left_out))
    again = [known[each] for each in READABLE if each in failed]
    yield point(
        not again,
        "It names no other: Lambda deletes what was charged.",
        f"It names {', '.join(map(repr, again))} too, which were charged: they come back, and are "
        "charged again.",
    )


def about_lost(bodies: list[str]) -> str:
    if len(bodies) == len(UNREADABLE):
        return (
            "It names no order, as if all were charged: Lambda deletes those that cannot be read."
        )
    if bodies == [*UNREADABLE.values()][:1]:
        return f"It names the last that failed, and not {bodies[0]!r}: keep all of them, in a list."
    return (
        f"It does not name {', '.join(map(repr, bodies))}. It stops at the first that cannot be "
        "read, and Lambda deletes what comes after it, untouched: go on, and answer at the end."
    )
