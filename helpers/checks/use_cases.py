"""What the exercises of notebook 11 are checked by: an order, the entry of an event, a design."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from helpers import course, steps
from helpers.account.things import Thing, look_at_queue, look_at_table
from helpers.checks.looking import patience_s, see
from helpers.checks.points import Point, exercise, missing, point, tagged, try_out
from helpers.clients import Client, client_for
from helpers.waiting import wait_until

SHOP = "Orders"
JOBS = "PracticeJobs"
HANDLED_WITHIN_S = 3.0
TAKEN_OVER_S, FAILURES, DAY_S = 120, 3, 86_400
KEYS = ("Id", "MessageBody", "MessageGroupId", "MessageDeduplicationId")


# -- a repaired order ------------------------------------------------------------------------


@exercise
def check_repaired_order(order_id: str, amount_cents: int, country: str) -> Iterator[Point]:
    """The table of processed orders holds this order, whole, with this amount."""
    dynamodb, sqs = client_for("dynamodb"), client_for("sqs")
    table = look_at_table(dynamodb, name := course.name(course.TABLE))
    if table is None:
        yield missing("table", name)
        return
    let_shop_handle(sqs)
    item = see(
        lambda: get_order(dynamodb, name, order_id),
        lambda seen: seen.get("amount_cents") == str(amount_cents),
    )
    if not item:
        yield Point(False, about_missing(dynamodb, name, order_id))
        return
    found = item.get("amount_cents", "no")
    yield point(
        found == str(amount_cents),
        f"Order {order_id} is stored with {amount_cents:,} cents.",
        about_amount(order_id, found, amount_cents),
    )
    yield point(
        item.get("country") == country,
        f"It counts for {country}, as the customer's order did.",
        "It is stored without its country, so no country's total has it: send the whole order.",
    )
    yield tagged(table)


def let_shop_handle(sqs: Client) -> None:
    """Wait until the queue of the shop is empty."""
    queue = look_at_queue(sqs, course.name(SHOP))
    if queue is None:
        return
    with suppress(TimeoutError):
        wait_until(
            lambda: steps.queue_counts(sqs, queue.key),
            lambda counts: not any(counts.values()),
            "the shop to handle what was sent",
            patience_s(HANDLED_WITHIN_S),
            0.05,
        )


def get_order(dynamodb: Client, table: str, order_id: str) -> dict[str, str]:
    """An order as texts; nothing where there is none."""
    answer = dynamodb.get_item(
        TableName=table, Key={"order_id": {"S": order_id}}, ConsistentRead=True
    )
    return {key: str(*value.values()) for key, value in answer.get("Item", {}).items()}


def about_missing(dynamodb: Client, table: str, order_id: str) -> str:
    """Why an order is not in the table, as far as it can be told."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="contains(order_id, :id)",
        ExpressionAttributeValues={":id": {"S": order_id}},
        ConsistentRead=True,
    )
    for found in (item["order_id"]["S"] for page in pages for item in page["Items"]):
        return (
            f"{found} is stored, and {order_id} is not: keep the order's id, or the same order "
            "could be stored twice."
        )
    return (
        f"{table} has no order {order_id} yet. Send it to the queue of the shop, then run this "
        "cell again."
    )


def about_amount(order_id: str, found: str, wanted: int) -> str:
    """What is wrong with an amount."""
    cents = int(found) if found.isdecimal() else 0
    amount = f"{cents:,}" if cents else found
    says = f"Order {order_id} is stored with {amount} cents"
    if cents == wanted // 100:
        says += ": that is the amount in euros."
    elif cents * 2 == wanted:
        says += ", which is one piece, and the customer bought two."
    else:
        says += f", not with {wanted:,}."
    return (
        f"{says} The condition keeps what is stored: delete that item first, with "
        "table.delete_item, then send the order again."
    )


# -- the entry of an event -------------------------------------------------------------------

SEARCH = {"event_id": "E1", "at": "2026-11-23T08:00:00+00:00", "service": "search", "level": "INFO"}
AGAIN = {**SEARCH, "event_id": "E2"}
MAIL = {**SEARCH, "event_id": "E3", "service": "mail"}


@exercise
def check_five_lines(entry: Callable[..., Any]) -> Iterator[Point]:
    """A function makes an entry for SendMessageBatch: a group a service, an id an event."""
    made = []
    for event in (SEARCH, SEARCH, AGAIN, MAIL):
        answer, error = try_out(entry, dict(event))
        if error:
            yield Point(False, f"entry stops with {type(error).__name__}: {error}.")
            return
        if not isinstance(answer, dict):
            yield Point(False, f"entry returns {answer!r}; it should return a dictionary.")
            return
        made.append(answer)
    without = [key for key in KEYS if any(not isinstance(each.get(key), str) for each in made)]
    if without:
        *others, last = without
        named = f"{', '.join(others)} and {last}" if others else last
        yield Point(False, f"The entry has no {named}. Each is a text.")
        return
    yield point(
        as_json(made[0]["MessageBody"]) == SEARCH,
        "The body is the event as JSON.",
        "The body is not the event as JSON, which the function reads with json.loads: write "
        "json.dumps(event).",
    )
    yield from groups(*(each["MessageGroupId"] for each in made[1:]))
    yield from ids(*(each["MessageDeduplicationId"] for each in made[:3]))


def as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def groups(search: str, again: str, mail: str) -> Iterator[Point]:
    """The groups of two events of one service, and of one of another."""
    yield point(
        search == again,
        "Events of one service stay in order: they share a group.",
        "Two events of the search are in two groups, and one may overtake the other.",
    )
    yield point(
        search != mail,
        "Services do not wait for each other: each has a group of its own.",
        f"All services are in the group {mail!r}, so a slow one holds up the others.",
    )


def ids(first: str, repeated: str, other: str) -> Iterator[Point]:
    """The deduplication ids of an event, of the same once more, and of another."""
    yield point(
        first == repeated,
        "An event that is sent again within five minutes is dropped.",
        "The same event, sent again, gets another MessageDeduplicationId, so the queue takes it "
        "for a new one.",
    )
    yield point(
        first != other,
        "No other event is dropped.",
        "Two events of the search have the same MessageDeduplicationId: the queue drops the "
        "second.",
    )


# -- a design --------------------------------------------------------------------------------


@exercise
def check_documents(heartbeat_s: Any) -> Iterator[Point]:
    """Two queues for long work: a short timeout, heartbeats, and a place for what fails."""
    sqs = client_for("sqs")
    jobs, aside = see(
        lambda: [look_at_queue(sqs, course.name(each)) for each in (JOBS, f"{JOBS}-dlq")],
        lambda seen: all(each is None or each.ours for each in seen),  # on AWS tags come late
    )
    for queue, name in ((jobs, JOBS), (aside, f"{JOBS}-dlq")):
        if queue is None:
            yield missing("queue", course.name(name))
    if jobs is None or aside is None:
        return
    has = see(lambda: settings(sqs, jobs), lambda seen: is_designed(seen, aside))
    hidden_s = int(has["VisibilityTimeout"])
    yield taken_over(hidden_s)
    yield beats(heartbeat_s, hidden_s)
    yield from put_aside(json.loads(has.get("RedrivePolicy", "{}")), aside)
    kept_s = see(lambda: retention_s(sqs, aside), lambda seen: seen == 14 * DAY_S)
    yield point(
        kept_s == 14 * DAY_S,
        "What is put aside is kept for 14 days, as long as SQS allows.",
        f"What is put aside is kept for {kept_s / DAY_S:g} days, and 14 are possible: "
        f"MessageRetentionPeriod of {aside.name}.",
    )
    waits_s = has["ReceiveMessageWaitTimeSeconds"]
    yield point(
        waits_s == "20",
        "A receive waits up to 20 s for a job, so few answers are empty.",
        f"A receive waits for {waits_s} s, and could wait for 20."
        if waits_s != "0"
        else "A receive comes back at once from an empty queue: ReceiveMessageWaitTimeSeconds is "
        "0, and could be 20.",
    )
    yield tagged(jobs)
    yield tagged(aside)


def settings(sqs: Client, queue: Thing) -> dict[str, str]:
    answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["All"])
    has: dict[str, str] = answer["Attributes"]
    return has


def retention_s(sqs: Client, queue: Thing) -> int:
    return int(settings(sqs, queue)["MessageRetentionPeriod"])


def is_designed(has: dict[str, str], aside: Thing) -> bool:
    """Whether a queue has got all that it should have."""
    policy = json.loads(has.get("RedrivePolicy", "{}"))
    return (
        0 < int(has["VisibilityTimeout"]) <= TAKEN_OVER_S
        and has["ReceiveMessageWaitTimeSeconds"] == "20"
        and policy.get("deadLetterTargetArn") == aside.id
        and int(policy.get("maxReceiveCount", 0)) == FAILURES
    )


def taken_over(hidden_s: int) -> Point:
    """Whether the job of a dead container comes back soon."""
    advice = (
        f"The job of a dead container is hidden for {hidden_s / 60:g} minutes: the visibility "
        "timeout need not be as long as the work, for a heartbeat extends it."
    )
    if not hidden_s:
        advice = "A job is not hidden at all, so all containers take the same one."
    return point(
        0 < hidden_s <= TAKEN_OVER_S,
        f"The job of a dead container is taken over within {hidden_s} s.",
        advice,
    )


def beats(heartbeat_s: Any, hidden_s: int) -> Point:
    """Whether heartbeats come in time, also when one is late."""
    is_number = isinstance(heartbeat_s, (int, float)) and not isinstance(heartbeat_s, bool)
    if not is_number or not heartbeat_s > 0:
        return Point(
            False,
            f"heartbeat_s is {heartbeat_s!r}: write after how many seconds a container says that "
            "it is still at work.",
        )
    advice = (
        f"A heartbeat every {heartbeat_s:g} s leaves no room for one that is late: two should fit "
        f"into {hidden_s} s."
    )
    if heartbeat_s >= hidden_s:
        advice = (
            f"A heartbeat comes every {heartbeat_s:g} s, and the job is back in the queue after "
            f"{hidden_s} s: a second container takes it."
        )
    return point(
        2 * heartbeat_s <= hidden_s,
        f"A heartbeat every {heartbeat_s:g} s keeps a job hidden, also when one is late.",
        advice,
    )


def put_aside(policy: dict[str, Any], aside: Thing) -> Iterator[Point]:
    """Whether what fails three times goes into the other queue."""
    if not policy:
        yield Point(False, f"{course.name(JOBS)} has no RedrivePolicy: what fails comes for ever.")
        return
    into, most = steps.queue_name(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])
    yield point(
        into == aside.name,
        f"What fails goes into {aside.name}.",
        f"What failed goes into {into}, not into {aside.name}.",
    )
    receives = "receive" if most == 1 else "receives"
    yield point(
        most == FAILURES,
        "It goes there after three containers have had it.",
        f"A job is put aside after {most} {receives}, and the bank wants {FAILURES}.",
    )
