"""What the exercises of notebook 08 are checked by: two queues, and what a handler reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from operator import not_
from typing import Any

import boto3

from helpers import course, steps
from helpers.account.things import Thing, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged, try_out
from helpers.clients import Client
from helpers.learning.writing import shortened

DAY_S = 86_400
LABEL_S = 20  # so long the function of the labels may run
READABLE = {"m-1": "1200", "m-3": "450", "m-5": "990"}
UNREADABLE = {"m-2": "12x0", "m-4": "free"}


# -- when a queue gives up -------------------------------------------------------------------


@exercise
def check_four_receives() -> Iterator[Point]:
    """The queue Retries gives up after 4 receives, into Retries-dlq, which keeps what comes."""
    sqs = boto3.client("sqs")
    queue = look_at_queue(sqs, name := course.name("Retries"))
    dead = look_at_queue(sqs, f"{name}-dlq")
    if queue is None or dead is None:
        yield Point(False, f"There is no queue {name} with a {name}-dlq: run all cells above.")
        return
    yield from gives_up(sqs, queue, dead, 4)
    yield tagged(queue)


def gives_up(sqs: Client, queue: Thing, dead: Thing, limit: int) -> Iterator[Point]:
    """Whether the queue gives up after so many receives, into this dead-letter queue."""
    policy = see(lambda: redrive_policy(sqs, queue), lambda seen: goes(seen, dead, limit))
    if not policy:
        yield Point(False, about_no_policy(sqs, queue, dead))
        return
    count, into = int(policy["maxReceiveCount"]), steps.queue_name(policy["deadLetterTargetArn"])
    yield point(
        count == limit,
        f"{queue.name} gives up after {limit} receives.",
        f"{queue.name} gives up after {count} receives, not {limit}: maxReceiveCount counts "
        "receives, the first one too.",
    )
    yield point(
        into == dead.name,
        f"What it gives up goes to {dead.name}.",
        f"What it gives up goes to {into}, not to {dead.name}: deadLetterTargetArn names it.",
    )
    yield point(
        not see(lambda: redrive_policy(sqs, dead), not_),
        f"{dead.name} keeps what it gets: it has no redrive policy itself.",
        f"{dead.name} has a redrive policy too, so what is dead moves on from there. Take it off: "
        'its RedrivePolicy is then "".',
    )


def redrive_policy(sqs: Client, queue: Thing) -> dict[str, Any]:
    """The redrive policy of a queue; empty when it has none."""
    answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["RedrivePolicy"])
    policy: dict[str, Any] = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
    return policy


def goes(policy: dict[str, Any], dead: Thing, limit: int) -> bool:
    wanted = {"deadLetterTargetArn": dead.id, "maxReceiveCount": limit}
    return {**policy, "maxReceiveCount": int(policy.get("maxReceiveCount", 0))} == wanted


def about_no_policy(sqs: Client, queue: Thing, dead: Thing) -> str:
    """What is wrong with a queue that never gives up."""
    if redrive_policy(sqs, dead):
        return (
            f"The redrive policy stands on {dead.name}. It belongs on the queue where messages "
            f"arrive, {queue.name}."
        )
    return (
        f"{queue.name} never gives up: it has no RedrivePolicy, which is JSON with "
        "deadLetterTargetArn and maxReceiveCount."
    )


# -- the printer of labels -------------------------------------------------------------------


@exercise
def check_labels() -> Iterator[Point]:
    """PracticeLabels hides for 120 s and gives up after 5 receives; its DLQ keeps for 14 days."""
    sqs = boto3.client("sqs")
    queue = look_at_queue(sqs, name := course.name("PracticeLabels"))
    dead = look_at_queue(sqs, dead_name := f"{name}-dlq")
    if queue is None or dead is None:
        yield missing("queue", dead_name if queue else name)
        return
    hidden_s = number(sqs, queue, "VisibilityTimeout", 6 * LABEL_S)
    yield point(hidden_s >= 6 * LABEL_S, f"A label is hidden for {hidden_s} s.", hides(hidden_s))
    yield from gives_up(sqs, queue, dead, 5)
    yield keeps(sqs, queue, dead)
    yield tagged(queue)
    yield tagged(dead)


def number(sqs: Client, queue: Thing, setting: str, wanted: int) -> int:
    """A setting of a queue, as soon as it is at least as wanted, or as it is."""

    def look() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=[setting])
        return int(answer["Attributes"][setting])

    return see(look, lambda seen: seen >= wanted)


def hides(hidden_s: int) -> str:
    advice = f"AWS advises six times the {LABEL_S} s of the function, which are {6 * LABEL_S}."
    if hidden_s == LABEL_S:
        return f"A label is hidden for {hidden_s} s, just as long as the function may run. {advice}"
    return f"A label is hidden for {hidden_s} s. {advice}"


def keeps(sqs: Client, queue: Thing, dead: Thing) -> Point:
    """Whether the dead-letter queue keeps messages as long as a queue can."""
    setting = "MessageRetentionPeriod"
    kept_s = number(sqs, dead, setting, 14 * DAY_S)
    advice = f"{dead.name} keeps messages for {kept_s / DAY_S:g} days, and may keep them for 14."
    if kept_s < 14 * DAY_S == number(sqs, queue, setting, 0):
        advice = (
            f"{queue.name} keeps messages for 14 days, and {dead.name} for {kept_s / DAY_S:g}: it "
            "is the dead ones that wait for a person."
        )
    return point(kept_s == 14 * DAY_S, f"{dead.name} keeps messages for 14 days.", advice)


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
