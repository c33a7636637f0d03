"""What the exercises of notebook 12 are checked by: a seventh fault, a log, and a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from helpers import course, steps
from helpers.account.target import aws_pace
from helpers.account.things import Thing, look_at_mapping, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import Client, client_for
from helpers.experiments.experiment import Experiment, printed
from helpers.experiments.faults import ONLY_B

DAY_S = 86_400
ORDERS = 3

# -- the seventh fault -----------------------------------------------------------------------


@exercise
def check_cured(experiment: Experiment) -> Iterator[Point]:
    """Fault 7: the trigger hands over every order, and three are charged."""
    lambda_ = client_for("lambda")
    answer = lambda_.list_event_source_mappings(
        EventSourceArn=experiment.queue_arn, FunctionName=experiment.name
    )
    found = [each for each in answer["EventSourceMappings"] if each["State"] != "Deleting"]
    if not found:
        yield Point(
            False,
            f"Nothing takes orders from {steps.queue_name(experiment.queue_url)} any more: its "
            "trigger is deleted. Build fault 7 again, or create a trigger with the course's tags.",
        )
        return
    advice = about_trigger(found[0], experiment)
    yield point(not advice, "The trigger is on and hands over every order.", advice)
    if not advice:
        charged = charged_in(experiment)
        yield point(
            charged >= ORDERS,
            f"{ORDERS} orders are charged.",
            f"The trigger hands over every order now, but {charged} of {ORDERS} are charged. What "
            "it has thrown away is lost: whoever sent the orders has to send them again. On AWS "
            "log lines come late: if you have done so, run this cell again.",
        )
    yield tagged(look_at_mapping(lambda_, found[0]))


def about_trigger(mapping: dict[str, Any], experiment: Experiment) -> str:
    """What is wrong with the trigger, without its name as long as the learner looks for it."""
    filters = mapping.get("FilterCriteria", {}).get("Filters", [])
    patterns = [each.get("Pattern", "") for each in filters]
    if mapping["State"].startswith("Disabl"):
        return (
            "The trigger is off, so orders stay in the queue and nobody handles them. Ask what it "
            "does with them when it is on."
        )
    if not patterns:
        return ""
    if patterns != [ONLY_B]:
        return (
            f"The trigger has a filter still, {' and '.join(patterns)}: what does not match is "
            "deleted, and no function sees it. Without any filter every order is handed over."
        )
    sent = len(experiment.sent)
    if sent > ORDERS:
        return (
            f"{sent} orders were sent by now, and none has reached the function. To send again "
            "cures nothing: find out first who throws them away."
        )
    return (
        "None of the orders has reached the function: the log shows no delivery. Who takes "
        "messages from a queue before a function sees them?"
    )


def charged_in(experiment: Experiment) -> int:
    """How many orders the log calls charged; as soon as it is enough, or none is on its way."""
    sqs = client_for("sqs")

    def look() -> tuple[int, bool]:
        waiting = any(steps.queue_counts(sqs, experiment.queue_url).values())
        lines = printed(experiment.events())
        # Counts on AWS are up to a minute old: no order in the queue is no proof there.
        more_to_come = waiting or bool(aws_pace())
        return int(lines[lines.str.startswith("charged")].nunique()), more_to_come

    return see(look, lambda seen: seen[0] >= ORDERS or not seen[1], local_s=5)[0]


# -- a log that nobody has seen --------------------------------------------------------------

PARCELS = {
    "P1": "P1 was delivered once and shipped once",
    "P2": "P2 was shipped twice, by two deliveries at the same time",
    "P3": "P3 was delivered twice, but the first delivery raised an exception: it was shipped once",
    "P4": "P4 was delivered once, and the handler left it out and returned",
    "P5": "P5 raised an exception at each of three deliveries: it was never shipped, but SQS keeps "
    "what failed, so it is not lost",
    "P6": "P6 was delivered twice, but the first delivery timed out: it was shipped once",
}


@exercise
def check_parcels(found: dict[str, str | None]) -> Iterator[Point]:
    """What was found in the log of the parcels: two parcels, and an action."""
    given = found if isinstance(found, dict) else {}
    twice, lost, action = (
        in_short(given.get(key)) for key in ("shipped twice", "lost", "forbidden")
    )
    yield about_parcel("shipped twice", twice, "P2", "two deliveries overlap, and both returned")
    yield about_parcel("lost", lost, "P4", "the handler returned, so Lambda deleted the message")
    yield point(
        action.lower() == "s3:putobject",
        "Forbidden is s3:PutObject: the role of the function has no policy that allows it.",
        about_action(action),
    )


def in_short(given: Any) -> str:
    """What a learner wrote, as far as it is one word."""
    return str(given or "").strip(" '\"")[:40]


def about_parcel(what: str, given: str, right: str, because: str) -> Point:
    """Whether it is the right parcel; a wrong one gets its own story."""
    if given.upper() == right:
        return Point(True, f"{right} was {what}: {because}.")
    if not given:
        return Point(False, f"Which parcel was {what}? Write its name, such as P1.")
    story = PARCELS.get(given.upper(), f"There is no parcel {given!r}; there are P1 to P6")
    return Point(False, f"{story}. Which one was {what}?")


def about_action(given: str) -> str:
    """What is wrong with an action."""
    if not given:
        return "What must the function not do? The log names the action, as a policy would."
    if given.lower() == "putobject":
        return "PutObject is the call. A policy names the service before it, as in sqs:SendMessage."
    if given.upper() in PARCELS:
        return f"{given} is a parcel. Asked is for the action that the role does not allow."
    return f"{given} is not it. Look for lines that begin with [ERROR], and read what follows."


# -- a script that makes queues --------------------------------------------------------------


@exercise
def check_shop() -> Iterator[Point]:
    """PracticeShop and its dead-letter queue are as the shop wants them."""
    sqs = client_for("sqs")

    def look() -> list[Point]:
        return list(points_of_shop(sqs))

    yield from see(look, lambda points: all(each.right for each in points))


def points_of_shop(sqs: Client) -> Iterator[Point]:
    """All points in one look: on AWS tags may be late too."""
    names = [course.name(each) for each in ("PracticeShop", "PracticeShop-dlq")]
    found = [look_at_queue(sqs, each) for each in names]
    if (shop := found[0]) is None or (dead := found[1]) is None:
        yield from (
            missing("queue", name)
            for name, queue in zip(names, found, strict=True)
            if queue is None
        )
        return
    yield from about_shop(sqs, shop, dead)
    yield from map(tagged, (shop, dead))


def about_shop(sqs: Client, shop: Thing, dead: Thing) -> list[Point]:
    """All that the shop wants of its two queues, in one look."""
    of_shop, of_dead = (
        sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["All"])["Attributes"]
        for queue in (shop, dead)
    )
    return [
        about_hiding(shop, int(of_shop["VisibilityTimeout"])),
        *about_policy(shop, dead, policy_in(of_shop), policy_in(of_dead)),
        about_keeping(dead, int(of_dead["MessageRetentionPeriod"])),
    ]


def policy_in(attributes: dict[str, str]) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy


def about_hiding(shop: Thing, hidden_s: int) -> Point:
    """Six times what a call may take, as AWS advises; ten times as much is too long."""
    advice = (
        f"{shop.name} hides an order for {hidden_s:,} s: after a failure it lies there as long. "
        "Six times the 20 s of a call are enough."
    )
    if hidden_s < 120:
        advice = (
            f"{shop.name} hides an order for {hidden_s} s, and a call may take 20: an order that "
            "waits a little before its call may be charged twice. AWS advises six times as long."
        )
    praise = f"An order stays hidden for {hidden_s:,} s, at least six times as long as a call."
    return point(120 <= hidden_s <= 1_200, praise, advice)


def about_policy(
    shop: Thing, dead: Thing, policy: dict[str, Any], policy_of_dead: dict[str, Any]
) -> list[Point]:
    """Whether the queue gives up after three tries, into the right one."""
    if not policy:
        advice = (
            f"{shop.name} names no dead-letter queue, so nobody counts: an order that fails comes "
            "back until it expires. The script makes a policy; does it use it?"
        )
        if policy_of_dead:
            advice = (
                f"The redrive policy is on {dead.name}, and {shop.name} has none. It belongs on "
                "the queue where orders arrive and fail."
            )
        return [Point(False, advice)]
    target, tries = policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])
    return [
        point(
            target == dead.id,
            f"What fails goes to {dead.name}.",
            f"{shop.name} sends what fails to {steps.queue_name(target)}, not to {dead.name}.",
        ),
        point(
            tries == 3,
            "An order is tried 3 times.",
            f"An order is tried {tries:,} times, not 3: maxReceiveCount says how often.",
        ),
    ]


def about_keeping(dead: Thing, kept_s: int) -> Point:
    """The dead letters are kept for as long as SQS allows.

    Nothing is said of the other queue's retention: on AWS a change of it may show after 15 minutes
    only. Source: SQS API Reference, SetQueueAttributes.
    """
    return point(
        kept_s == 14 * DAY_S,
        "Dead orders are kept for 14 days.",
        f"{dead.name} keeps dead orders for {kept_s / DAY_S:g} days, and SQS allows 14. Which "
        "queue does the script set it for?",
    )
