"""Delete everything that the course made, and nothing else; then prove that it is gone.

What the course made is what has one of its names and carries its tag. A thing with the
name but without the tag belongs to somebody else: it is shown and left alone. A log group is
made by Lambda without a tag: it is ours as long as its function or role is, and gets the tag
before they are deleted. The order matters: a trigger first (it would go on polling), then
functions, queues, tables, roles without their policies, and at last the log groups, which a
running function would make again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from helpers import course, steps
from helpers.logs import log_group
from helpers.waiting import wait_until

QUEUES = (
    *(course.QUEUE, course.PIZZA_QUEUE, course.PRACTICE_QUEUE),
    *(course.JOBS_QUEUE, course.POLLED_QUEUE),
    *(f"{name}{end}" for name in course.EXPERIMENTS for end in ("", "-dlq", ".fifo", "-dlq.fifo")),
)
FUNCTIONS = (course.FUNCTION, course.PRACTICE_FUNCTION, *course.EXPERIMENTS)
ROLES = (course.ROLE, course.PRACTICE_ROLE, *(f"{name}Role" for name in course.EXPERIMENTS))
ORDER = ("trigger", "function", "queue", "table", "role", "log group")
MISSING = ("NonExistentQueue", "ResourceNotFoundException", "NoSuchEntity")


@dataclass(frozen=True)
class Thing:
    """One thing in the account. `key` is what its delete call needs: a URL, an ARN, a name."""

    kind: str
    name: str
    key: str
    ours: bool = True


def find() -> list[Thing]:
    """What there is under the names of this course, in the order of deletion."""
    functions = find_functions()
    roles = find_roles()
    foreign = {function.name for function in functions if not function.ours}
    ours = {function.name for function in functions if function.ours}
    ours |= functions_of(role.name for role in roles if role.ours) - foreign
    found = [*functions, *find_queues(), *find_tables(), *roles, *find_log_groups(ours)]
    triggers = find_triggers(found, foreign)
    return sorted([*triggers, *found], key=lambda thing: ORDER.index(thing.kind))


def functions_of(roles: Iterable[str]) -> set[str]:
    """The functions that run with these roles of the course."""
    names = {name.removesuffix("Role") for name in roles}
    if course.name(course.FUNCTION) in names:
        names.add(course.name(course.PRACTICE_FUNCTION))
    return names


def table(things: list[Thing]) -> pd.DataFrame:
    """Things as a table to look at: what would be deleted, and what is not ours."""
    rows = [
        {"kind": t.kind, "name": t.name, "will be": "deleted" if t.ours else "left alone: no tag"}
        for t in things
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "will be"])


def clean_up() -> list[str]:
    """Delete what the course made, wait until nothing of it is listed any more.

    Returns a line for each thing deleted. May be called again, also after an interruption.
    Raises TimeoutError, naming what is left, when something is still listed after 90 s.
    """
    deleted = []
    found = find()
    groups = {log_group(each.name) for each in found if each.kind == "function" and each.ours}
    with suppress(ClientError):  # the tag only helps a clean-up that is interrupted
        tag_log_groups(found)
    for thing in found:
        if thing.ours:
            ignore_missing(lambda thing=thing: DELETE[thing.kind](thing.key))
            if thing.kind == "trigger":
                wait_until_trigger_is_gone(thing.key)
            deleted.append(f"{thing.kind} {thing.name}")
    wait_until(
        lambda: delete_late_log_groups(groups),
        lambda left: not left,
        "everything to be gone",
        90,
        every_s=2,
    )
    return deleted


def delete_late_log_groups(groups: set[str]) -> list[str]:
    """Delete those of our log groups that are there (again), and say what of ours is left.

    A function whose log comes late makes its group anew, then without a tag.
    """
    left = []
    for thing in find():
        if thing.name in groups:
            ignore_missing(lambda arn=thing.key: delete_log_group(arn))
        if thing.ours or thing.name in groups:
            left.append(f"{thing.kind} {thing.name}")
    return left


def ignore_missing(call: Any) -> Any:
    """The result of a call, or None when what it asks for does not exist."""
    try:
        return call()
    except ClientError as error:
        if not any(code in error.response["Error"]["Code"] for code in MISSING):
            raise
        return None


def is_ours(tags: dict[str, str]) -> bool:
    return tags.get(course.TAG) == course.tags()[course.TAG]


def find_queues(names: Iterable[str] | None = None) -> list[Thing]:
    """The queues that exist, of these names or of all that the course uses."""
    sqs = boto3.client("sqs")
    found = []
    if names is None:
        names = [*map(course.name, QUEUES), *broken_queues(sqs)]
    for name in names:
        url = ignore_missing(lambda name=name: sqs.get_queue_url(QueueName=name)["QueueUrl"])
        tags = url and ignore_missing(
            lambda url=url: sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        )
        if tags is not None:
            found.append(Thing("queue", name, url, is_ours(tags)))
    return found


def broken_queues(sqs: Any) -> list[str]:
    """The names of notebook 11's queues that hold the time at which they were made."""
    prefix = f"{course.name(course.BREAK_IT)}-"
    urls = sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    names = [url.rsplit("/", 1)[-1] for url in urls]
    return [name for name in names if name.removeprefix(prefix)[:1].isdigit()]


def find_functions(names: Iterable[str] | None = None) -> list[Thing]:
    """The functions that exist, of these names or of all that the course uses."""
    lambda_ = boto3.client("lambda")
    found = []
    for name in map(course.name, FUNCTIONS) if names is None else names:
        function = ignore_missing(lambda name=name: lambda_.get_function(FunctionName=name))
        if function:
            found.append(Thing("function", name, name, is_ours(function.get("Tags", {}))))
    return found


def find_tables() -> list[Thing]:
    """The course's table, if there is one of that name."""
    dynamodb = boto3.client("dynamodb")
    name = course.name(course.TABLE)
    table = ignore_missing(lambda: dynamodb.describe_table(TableName=name)["Table"])
    if table is None:
        return []
    answer = ignore_missing(lambda: dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"]))
    if answer is None:
        return []
    tags = {tag["Key"]: tag["Value"] for tag in answer["Tags"]}
    return [Thing("table", name, name, is_ours(tags))]


def find_roles(names: Iterable[str] | None = None) -> list[Thing]:
    """The roles that exist, of these names or of all that the course uses."""
    iam = boto3.client("iam")
    found = []
    for name in map(course.name, ROLES) if names is None else names:
        role = ignore_missing(lambda name=name: iam.get_role(RoleName=name)["Role"])
        if role:
            tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
            found.append(Thing("role", name, name, is_ours(tags)))
    return found


def find_log_groups(ours: set[str]) -> list[Thing]:
    """The log groups of functions with the course's names.

    `ours` are the functions that are ours, or were, and so are their log groups.
    """
    logs = boto3.client("logs")
    found = []
    for function in map(course.name, FUNCTIONS):
        name = log_group(function)
        groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        for arn in (g["arn"].removesuffix(":*") for g in groups if g["logGroupName"] == name):
            mine = function in ours or is_ours(tags_of_log_group(arn))
            found.append(Thing("log group", name, arn, mine))
    return found


def tags_of_log_group(arn: str) -> dict[str, str]:
    logs = boto3.client("logs")
    answer = ignore_missing(lambda: logs.list_tags_for_resource(resourceArn=arn))
    return answer["tags"] if answer else {}


def tag_log_groups(found: list[Thing]) -> None:
    """Let our log groups be known as ours when their functions are gone."""
    logs = boto3.client("logs")
    for thing in found:
        if thing.kind == "log group" and thing.ours:
            logs.tag_resource(resourceArn=thing.key, tags=course.tags())


def find_triggers(found: list[Thing], foreign: set[str]) -> list[Thing]:
    """The event source mappings of our functions and of our queues.

    One between two things of somebody else is not looked for.
    """
    lambda_, sqs = boto3.client("lambda"), boto3.client("sqs")
    functions = [name for name in map(course.name, FUNCTIONS) if name not in foreign]
    asked: list[dict[str, str]] = [{"FunctionName": name} for name in functions]
    for thing in found:
        if thing.kind == "queue" and thing.ours:
            arn = ignore_missing(lambda url=thing.key: steps.queue_arn(sqs, url))
            asked += [{"EventSourceArn": arn}] if arn else []
    mappings = {
        mapping["UUID"]: mapping
        for question in asked
        for mapping in lambda_.list_event_source_mappings(**question)["EventSourceMappings"]
    }
    return [Thing("trigger", describe(m), uuid) for uuid, m in mappings.items()]


def describe(mapping: dict[str, Any]) -> str:
    queue = mapping["EventSourceArn"].rsplit(":", 1)[-1]
    function = mapping["FunctionArn"].split(":function:")[-1]
    return f"{queue} to {function}"


def wait_until_trigger_is_gone(uuid: str) -> None:
    lambda_ = boto3.client("lambda")
    wait_until(
        lambda: ignore_missing(lambda: lambda_.get_event_source_mapping(UUID=uuid)),
        lambda mapping: mapping is None,
        "the trigger to be gone",
        90,
    )


def delete_trigger(uuid: str) -> None:
    """Delete a trigger; Lambda refuses that while the trigger is changing its state."""
    lambda_ = boto3.client("lambda")

    def attempt() -> bool:
        try:
            return bool(lambda_.delete_event_source_mapping(UUID=uuid))
        except lambda_.exceptions.ResourceInUseException:
            return False

    wait_until(attempt, bool, "the trigger to be free for deletion", 90, 0.5)


def delete_log_group(arn: str) -> None:
    name = arn.split(":log-group:")[1]
    boto3.client("logs").delete_log_group(logGroupName=name)


def delete_role(name: str) -> None:
    """Detach and delete the role's policies, then the role: AWS refuses any other order."""
    iam = boto3.client("iam")
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    iam.delete_role(RoleName=name)


DELETE = {
    "trigger": delete_trigger,
    "function": lambda name: boto3.client("lambda").delete_function(FunctionName=name),
    "queue": lambda url: boto3.client("sqs").delete_queue(QueueUrl=url),
    "table": lambda name: boto3.client("dynamodb").delete_table(TableName=name),
    "role": delete_role,
    "log group": delete_log_group,
}
