"""The check after each exercise: it looks at what is really there and answers in sentences.

A check never raises for a wrong answer. It prints what it found, and what to do next. What was
made without the course's tag is not right yet: the clean-up would not know it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import boto3

from helpers import course, steps
from helpers.account.belongings import find_triggers
from helpers.account.names import TAG, tags
from helpers.account.target import aws_pace
from helpers.account.things import (
    Thing,
    ignore_missing,
    look_at_function,
    look_at_mapping,
    look_at_queue,
    look_at_role,
    look_at_table,
)
from helpers.clean_up import find, goes
from helpers.clients import Client
from helpers.evidence.dead_letters import read_dead_letters
from helpers.experiments.experiment import Experiment, printed
from helpers.learning import record
from helpers.logs import log_group, wait_for_line
from helpers.waiting import wait_until

T = TypeVar("T")
AWS_IS_LATE_S = 60  # so long a check gives AWS to show what was done

HOW_TO_TAG = {
    "queue": "pass tags=course.tags() when you create it, or tag it with tag_queue",
    "role": "pass the course's tags as Tags when you create it, or tag it with tag_role",
    "function": "pass Tags=course.tags() when you create it, or tag it with tag_resource",
    "table": "pass the course's tags as Tags when you create it, or tag it with tag_resource",
    "trigger": "pass Tags=course.tags() when you create it, or tag it with tag_resource",
}


def check_order(customer: str) -> None:
    """Notebook 00: an order of this customer waits in the pizza queue."""
    sqs = boto3.client("sqs")
    queue = find_queue(sqs, course.name(course.PIZZA_QUEUE), "Run the notebook from the top.")
    if queue is None:
        return
    if not queue.ours:  # to look at its messages is to receive them
        print("Not yet:", about_tag(queue))
        return
    bodies = list(read_dead_letters(sqs, queue.key)["body"])
    say(
        any(customer in body for body in bodies),
        f"An order of {customer} is waiting at the counter.",
        f"No order of {customer} is waiting; the counter holds {len(bodies)} orders. Send one "
        f'whose customer is "{customer}", then run this cell again.',
    )


def find_queue(sqs: Client, name: str, advice: str) -> Thing | None:
    """A queue. When there is none, says so, with what to do."""
    queue = look_at_queue(sqs, name)
    if queue is None:
        print(f"Not yet: there is no queue {name}. {advice}")
    return queue


def check_practice_queue(retention_days: int) -> None:
    """Notebook 01: the practice queue keeps its messages this long."""
    sqs = boto3.client("sqs")
    name = course.name(course.PRACTICE_QUEUE)
    queue = find_queue(sqs, name, "Create it, then run this cell again.")
    if queue is None:
        return
    retention = "MessageRetentionPeriod"

    def kept_days() -> float:
        answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=[retention])
        return int(answer["Attributes"][retention]) / 86_400

    days = see(kept_days, lambda days: days == retention_days)
    say(
        days == retention_days,
        f"{name} keeps messages for {retention_days} days.",
        f"{name} keeps messages for {days:g} days, not {retention_days}. A day has 86,400 "
        "seconds; set_queue_attributes changes a queue that exists.",
        queue,
    )


def check_practice_role() -> None:
    """Notebook 02: a role that Lambda may assume, for a function that reads no queue."""
    iam = boto3.client("iam")
    name = course.name(course.PRACTICE_ROLE)
    role = look_at_role(iam, name)
    if role is None:
        print(f"Not yet: there is no role {name}. Create it, then run this cell again.")
        return
    trusted = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    names = [policy["PolicyName"] for policy in attached]
    names += iam.list_role_policies(RoleName=name)["PolicyNames"]
    if "lambda.amazonaws.com" not in trusted:
        print(f"Not yet: the trust policy of {name} does not name lambda.amazonaws.com.")
        return
    say(
        names == ["AWSLambdaBasicExecutionRole"],
        f"{name} may be assumed by Lambda, and may write logs and nothing else.",
        f"{name} has these policies: {', '.join(names) or 'none'}. It should have "
        "AWSLambdaBasicExecutionRole alone.",
        role,
    )


def check_practice_function(memory_mb: int) -> None:
    """Notebook 03: the practice function is active and has this much memory."""
    lambda_ = boto3.client("lambda")
    name = course.name(course.PRACTICE_FUNCTION)
    function = look_at_function(lambda_, name)
    if function is None:
        print(f"Not yet: there is no function {name}. Create it, then run this cell again.")
        return
    has = see(
        lambda: lambda_.get_function_configuration(FunctionName=name),
        lambda has: has["State"] != "Pending",
        local_s=5,
    )
    say(
        has["MemorySize"] == memory_mb,
        f"{name} is {has['State'].lower()} and has {memory_mb} MB of memory.",
        f"{name} has {has['MemorySize']} MB of memory, not {memory_mb}. The parameter is "
        "called MemorySize.",
        function,
    )


def check_trigger(batch_size: int) -> None:
    """Notebook 04: the trigger of the course's function has this batch size."""
    mapping = current_trigger()
    if mapping is None:
        print("Not yet: the function has no trigger. Run the notebook from the top.")
        return
    say(
        mapping["BatchSize"] == batch_size and mapping["State"] in ("Enabled", "Updating"),
        f"The trigger is on, and hands over up to {batch_size} message(s) at a time.",
        f"The trigger is {mapping['State']} with a batch size of {mapping['BatchSize']}, not "
        f"{batch_size}. update_event_source_mapping takes UUID and BatchSize.",
        look_at_mapping(boto3.client("lambda"), mapping),
    )


def current_trigger() -> dict[str, Any] | None:
    sqs, lambda_ = boto3.client("sqs"), boto3.client("lambda")
    name = course.name(course.QUEUE)
    url = ignore_missing(lambda: sqs.get_queue_url(QueueName=name)["QueueUrl"])
    if url is None:
        return None
    return steps.find_trigger(lambda_, course.name(course.FUNCTION), steps.queue_arn(sqs, url))


def check_handler(handler: Callable[[dict[str, Any], None], Any], expected: int) -> None:
    """Notebook 05: a handler that counts the orders in an event."""
    orders = ['{"task": "process_order"}'] * expected
    bodies = [*orders, '{"task": "say_hello"}']
    try:
        answer = handler({"Records": [{"body": body} for body in bodies]}, None)
    except Exception as error:  # noqa: BLE001 (a learner's handler may raise anything)
        print(f"Not yet: your handler raised {type(error).__name__}: {error}")
        return
    say(
        isinstance(answer, dict) and answer.get("orders") == expected,
        f"Your handler found {expected} orders among {len(bodies)} messages.",
        f"For {expected} orders among {len(bodies)} messages your handler returned {answer!r}; "
        f'it should return {{"orders": {expected}}}.',
    )


def check_received(text: str, limit_s: float = 5) -> None:
    """Notebook 06: a message with this text went through the function."""
    group = log_group(course.name(course.FUNCTION))
    try:
        line = wait_for_line(boto3.client("logs"), group, text, limit_s=patience_s(limit_s))
    except TimeoutError:
        line = None
    say(
        line is not None,
        f"The function has received your message: {line}",
        f"No line of the log has {text} in it. Send the message, then run this cell again.",
    )


def check_answer(answer: Any, right: Any, hint: str) -> None:
    """Notebook 07: an answer read from the log."""
    say(answer == right, f"{answer!r} is right.", f"{answer!r} is not it. {hint}")


def check_max_receives(experiment: str, wanted: int) -> None:
    """Notebook 08: the queue of an experiment gives up after so many deliveries."""
    sqs = boto3.client("sqs")
    name = course.name(experiment)
    queue = find_queue(sqs, name, "Run the notebook from the top.")
    if queue is None:
        return
    answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
    found, dead = policy.get("maxReceiveCount"), f"{name}-dlq"
    has = "has no redrive policy, so never gives up"
    if found:
        into = steps.queue_name(policy["deadLetterTargetArn"])
        has = f"gives up after {found} receives, into {into}"
    say(
        has == f"gives up after {wanted} receives, into {dead}",
        f"{name} gives up after {wanted} receives.",
        f"{name} {has}. It should give up after {wanted}, into {dead}. The attribute RedrivePolicy "
        "is JSON with deadLetterTargetArn and maxReceiveCount.",
        queue,
    )


def check_stored_order(order_id: str, amount_cents: int, limit_s: float = 3) -> None:
    """Notebook 10: the table of processed orders holds this order with this amount."""
    dynamodb, name = boto3.client("dynamodb"), course.name(course.TABLE)
    get = {"TableName": name, "Key": {"order_id": {"S": order_id}}, "ConsistentRead": True}
    table = look_at_table(dynamodb, name)
    if table and not table.ours:
        print("Not yet:", about_tag(table))
        return

    def look() -> dict[str, Any] | None:
        answer = ignore_missing(lambda: dynamodb.get_item(**get))
        return answer.get("Item") if answer else None

    try:
        item = wait_until(look, bool, f"order {order_id} in {name}", patience_s(limit_s))
    except TimeoutError:
        print(f"Not yet: {name} has no order {order_id}. Send it, then run this cell again.")
        return
    assert item is not None  # by `bool`
    found = item.get("amount_cents", {}).get("N")
    say(
        found == str(amount_cents),
        f"Order {order_id} is stored, with {amount_cents:,} cents.",
        f"Order {order_id} is stored with {found} cents, not {amount_cents}.",
    )


def check_cured(experiment: Experiment, orders: int = 3, limit_s: float = 3) -> None:
    """Notebook 11: all orders that were sent to an experiment have been charged."""

    def charged() -> int:
        lines = printed(experiment.events())
        return int(lines[lines.str.startswith("charged")].nunique())

    try:
        wait_until(charged, lambda number: number >= orders, "the orders", patience_s(limit_s))
    except TimeoutError:
        print(
            f"Not yet: the log calls {charged()} of {orders} orders charged. What should take them "
            "from the queue, and what does it say of itself? On AWS log lines come late: if you "
            "have cured it, run this cell again."
        )
        return
    foreign = [each for each in find_triggers([experiment.name]) if not each.ours]
    say(True, f"all {orders} orders are charged.", "", *foreign)


def check_log_groups(answer: Any, function: str) -> None:
    """Notebook 99: the log groups whose names begin as that of a function of the course."""
    group = log_group(course.name(function))
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    there = [each["logGroupName"] for each in groups]
    say(
        answer == there,
        f"AWS lists {there or 'none'}.",
        f"{answer!r} is not what AWS lists. describe_log_groups takes logGroupNamePrefix.",
    )


def check_nothing_left() -> None:
    """Notebook 99: nothing that the clean-up deletes is listed any more.

    What it leaves alone is named, with the reason, and triggers that go on polling.
    """
    found = find()
    left = [f"{thing.kind} {thing.name}" for thing in found if goes(thing)]
    kept = [
        f"{thing.kind} {thing.name} ({thing.whose}{', still polls' if thing.polls else ''})"
        for thing in found
        if not goes(thing)
    ]
    praise = "Nothing of this course is left."
    if kept:
        praise = "What the course made is deleted."
    say(not left, praise, f"Still there: {', '.join(left)}.", exercise="nothing left")
    if kept:
        print(f"Left alone: {', '.join(kept)}.")


def patience_s(local_s: float) -> float:
    """How long a check waits, in s: so long on the local AWS, and a minute more on AWS."""
    return local_s + AWS_IS_LATE_S * aws_pace()


def see(look: Callable[[], T], right: Callable[[T], bool], local_s: float = 0) -> T:
    """What is seen as soon as it is right, or last; AWS gets a minute more to show it."""
    seen: list[T] = []

    def look_again() -> T:
        seen.append(look())
        return seen[-1]

    with suppress(TimeoutError):
        wait_until(look_again, right, "what was done", patience_s(local_s))
    return seen[-1] if seen else look()


def about_tag(thing: Thing) -> str:
    """What is wrong with the tag of something that is not ours, and what to do."""
    wrong = f"has no tag {TAG}"
    if thing.owner is not None:
        wrong = f"has the tag {TAG} with {thing.owner!r}, not {tags()[TAG]!r}"
    return (
        f"the {thing.kind} {thing.name} {wrong}: {HOW_TO_TAG[thing.kind]}. The "
        "clean-up would leave it alone."
    )


def say(right: bool, praise: str, advice: str, *made: Thing | None, exercise: str = "1") -> None:
    """Print whether an answer is right, and if not what to do; note it in the learner's record.

    It is not right as long as something of `made` does not carry the course's tag.
    """
    untagged = [thing for thing in made if thing and not thing.ours]
    if right and not untagged:
        said = f"Right: {praise}"
    else:
        start = f"{praise[:-1]}, but" if right else advice
        said = " ".join(["Not yet:", start, *map(about_tag, untagged)])
    print(said)
    record.note("check", exercise, passed=right and not untagged, said=said)
