"""What the exercises of notebook 08 are checked by: two queues, and a handler that has to fail."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from operator import not_
from typing import Any

from helpers import course, steps
from helpers.account.things import Thing, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged, try_out
from helpers.clients import Client, client_for
from helpers.learning.writing import shortened

DAY_S = 86_400
LABEL_S = 20  # so long the function of the labels may run
GOOD, POISON = "1200", "free"
LAST_TRY = 5


# -- when a queue gives up -------------------------------------------------------------------


@exercise
def check_four_receives() -> Iterator[Point]:
    """The queue Retries gives up after 4 receives, into Retries-dlq, which keeps what comes."""
    sqs = client_for("sqs")
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
    sqs = client_for("sqs")
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


# -- a handler that fails when it should -----------------------------------------------------


@exercise
def check_fails(handler: Callable[[Any, Any], Any]) -> Iterator[Point]:
    """A handler of one order raises for what cannot be charged, at each try, and says so.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html: Lambda deletes
    the batch when the call returns, whatever it answers, unless the trigger has the setting
    ReportBatchItemFailures.
    """
    _, error, _ = call(handler, GOOD)
    yield point(
        error is None,
        "A good order is charged, and the call returns.",
        f"It raises for {GOOD!r}, which was charged: the order comes back, and is charged again.",
    )
    answer, error, said = call(handler, POISON)
    yield point(error is not None, "It fails for what cannot be charged.", about_answer(answer))
    if error is None:
        return
    _, error, _ = call(handler, POISON, LAST_TRY)
    yield point(
        error is not None,
        "It fails at every try, so that the order ends in the dead-letter queue.",
        f"At try {LAST_TRY} it returns, so {POISON!r} is deleted and never gets to the dead-letter "
        "queue. To give up is the queue's business: raise at every try.",
    )
    yield point(
        POISON in said,
        "Its log still says which order was not charged.",
        f"Its log no longer says that {POISON!r} was not charged: keep the line, and raise after "
        "it.",
    )


def call(
    handler: Callable[[Any, Any], Any], body: str, receive_count: int = 1
) -> tuple[Any, Exception | None, str]:
    """What a handler answers to an event of one message, what it raises, and what it prints."""
    record = {
        "messageId": f"m-{body}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
        "eventSource": "aws:sqs",
    }
    printed = io.StringIO()

    def call_it() -> Any:
        with contextlib.redirect_stdout(printed):
            return handler({"Records": [record]}, None)

    return *try_out(call_it), printed.getvalue()


def about_answer(answer: Any) -> str:
    """What is wrong with a handler that returns for what it cannot charge."""
    if answer is None:
        return f"It returns, and to return means success: Lambda deletes {POISON!r}. Let it raise."
    if isinstance(answer, dict) and "batchItemFailures" in answer:
        return (
            "It names the order in an answer, which Lambda reads only if the trigger has a setting "
            f"for it, and this one has none: Lambda deletes {POISON!r}. Let it raise."
        )
    return (
        f"It returns {shortened(answer)}. Lambda does not read that: the call returned, so Lambda "
        f"deletes {POISON!r}. Let it raise."
    )
