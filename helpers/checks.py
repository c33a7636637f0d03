"""The check after each exercise: it looks at what is really there and answers in sentences.

A check never raises for a wrong answer. It prints what it found, and what to do next.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3

from helpers import course, steps
from helpers.clean_up import find, ignore_missing
from helpers.experiments import Experiment, printed
from helpers.logs import log_group, wait_for_line
from helpers.recorder import read_dead_letters
from helpers.waiting import wait_until


def check_order(customer: str) -> None:
    """Notebook 00: an order of this customer waits in the pizza queue."""
    sqs = boto3.client("sqs")
    url = find_queue(sqs, course.name(course.PIZZA_QUEUE), "Run the notebook from the top.")
    if url is None:
        return
    bodies = list(read_dead_letters(sqs, url)["body"])
    say(
        any(customer in body for body in bodies),
        f"An order of {customer} is waiting at the counter.",
        f"No order of {customer} is waiting; the counter holds {len(bodies)} orders. Send one "
        f'whose customer is "{customer}", then run this cell again.',
    )


def find_queue(sqs: Any, name: str, advice: str) -> str | None:
    """The URL of a queue. When there is none, says so, with what to do."""
    url = ignore_missing(lambda: sqs.get_queue_url(QueueName=name)["QueueUrl"])
    if url is None:
        print(f"Not yet: there is no queue {name}. {advice}")
    return url


def check_practice_queue(retention_days: int) -> None:
    """Notebook 01: the practice queue keeps its messages this long."""
    sqs = boto3.client("sqs")
    name = course.name(course.PRACTICE_QUEUE)
    url = find_queue(sqs, name, "Create it, then run this cell again.")
    if url is None:
        return
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    days = int(answer["Attributes"]["MessageRetentionPeriod"]) / 86_400
    say(
        days == retention_days,
        f"{name} keeps messages for {retention_days} days.",
        f"{name} keeps messages for {days:g} days, not {retention_days}. A day has 86,400 "
        "seconds; set_queue_attributes changes a queue that exists.",
    )


def check_practice_role() -> None:
    """Notebook 02: a role that Lambda may assume, for a function that reads no queue."""
    iam = boto3.client("iam")
    name = course.name(course.PRACTICE_ROLE)
    role = ignore_missing(lambda: iam.get_role(RoleName=name)["Role"])
    if role is None:
        print(f"Not yet: there is no role {name}. Create it, then run this cell again.")
        return
    trusted = json.dumps(role["AssumeRolePolicyDocument"])
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
    )


def check_practice_function(memory_mb: int) -> None:
    """Notebook 03: the practice function is active and has this much memory."""
    lambda_ = boto3.client("lambda")
    name = course.name(course.PRACTICE_FUNCTION)
    function = ignore_missing(lambda: lambda_.get_function_configuration(FunctionName=name))
    if function is None:
        print(f"Not yet: there is no function {name}. Create it, then run this cell again.")
        return
    say(
        function["MemorySize"] == memory_mb,
        f"{name} is {function['State'].lower()} and has {memory_mb} MB of memory.",
        f"{name} has {function['MemorySize']} MB of memory, not {memory_mb}. The parameter is "
        "called MemorySize.",
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
    )


def current_trigger() -> dict[str, Any] | None:
    sqs, lambda_ = boto3.client("sqs"), boto3.client("lambda")
    name = course.name(course.QUEUE)
    url = ignore_missing(lambda: sqs.get_queue_url(QueueName=name)["QueueUrl"])
    if url is None:
        return None
    return steps.find_trigger(lambda_, course.name(course.FUNCTION), steps.queue_arn(sqs, url))


def check_handler(handler: Callable[[dict, Any], Any], expected: int) -> None:
    """Notebook 05: a handler that counts the orders in an event."""
    orders = ['{"task": "process_order"}'] * expected
    bodies = [*orders, '{"task": "say_hello"}']
    try:
        answer = handler({"Records": [{"body": body} for body in bodies]}, None)
    except Exception as error:
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
        line = wait_for_line(boto3.client("logs"), group, text, limit_s=limit_s)
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
    url = find_queue(sqs, name, "Run the notebook from the top.")
    if url is None:
        return
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
    found = policy.get("maxReceiveCount")
    has = (
        f"gives up after {found} receives" if found else "has no redrive policy, so never gives up"
    )
    say(
        found == wanted,
        f"{name} gives up after {wanted} receives.",
        f"{name} {has}. It should give up after {wanted}. The attribute RedrivePolicy is JSON "
        "with deadLetterTargetArn and maxReceiveCount.",
    )


def check_stored_order(order_id: str, amount_cents: int, limit_s: float = 3) -> None:
    """Notebook 10: the table of processed orders holds this order with this amount."""
    dynamodb, name = boto3.client("dynamodb"), course.name(course.TABLE)
    key = {"order_id": {"S": order_id}}

    def look() -> dict[str, Any] | None:
        answer = ignore_missing(lambda: dynamodb.get_item(TableName=name, Key=key))
        return answer and answer.get("Item")

    try:
        item = wait_until(look, bool, f"order {order_id} in {name}", limit_s)
    except TimeoutError:
        print(f"Not yet: {name} has no order {order_id}. Send it, then run this cell again.")
        return
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
        return lines[lines.str.startswith("charged")].nunique()

    try:
        wait_until(charged, lambda number: number >= orders, "the orders", limit_s)
    except TimeoutError:
        counts = steps.queue_counts(boto3.client("sqs"), experiment.queue_url)
        waiting = sum(counts.values())
        advice = "What should take them, and what does it say of itself?"
        if not waiting:
            advice = "On AWS log lines come late: then run this cell again."
        print(f"Not yet: {waiting} of {orders} orders are in the queue. {advice}")
        return
    print(f"Right: all {orders} orders are charged.")


def check_nothing_left() -> None:
    """Notebook 99: nothing of this course is listed any more."""
    left = [f"{thing.kind} {thing.name}" for thing in find() if thing.ours]
    say(not left, "Nothing of this course is left.", f"Still there: {', '.join(left)}.")


def say(right: bool, praise: str, advice: str) -> None:
    print(f"Right: {praise}" if right else f"Not yet: {advice}")
