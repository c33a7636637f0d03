"""One thing in the account, and whose it is.

Ours is what carries the course's tag with this learner's value. All else is foreign, whatever
its name: the course reads it and does not change it. A foreign thing can be adopted, by name
and id; then it carries the tag, and a second one that tells the clean-up to leave it alone. A
trigger has no name: it is known by its tag alone, whatever it connects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from helpers import stacks
from helpers.account import names
from helpers.clients import Client

ADOPTED = "sqs-lambda-course-adopted"
MISSING = ("NonExistentQueue", "ResourceNotFoundException", "NoSuchEntity")
T = TypeVar("T")


@dataclass(frozen=True)
class Thing:
    """One thing in the account. `key` is what its delete call needs: a URL, an ARN, a name.

    `id` is what no other thing has: the ARN, or the UUID of a trigger. `tags` are those that
    decide whose it is; `polls` is true for a trigger that is on.
    """

    kind: str
    name: str
    key: str
    ours: bool = True
    id: str = field(default="", compare=False)
    tags: dict[str, str] = field(default_factory=dict, compare=False)
    polls: bool = field(default=False, compare=False)

    @property
    def owner(self) -> str | None:
        """Whose it is by its tag; None when it has no tag of the course."""
        return self.tags.get(names.TAG)

    @property
    def adopted(self) -> bool:
        """Whether it is ours because the learner has adopted it."""
        return self.ours and ADOPTED in self.tags

    @property
    def whose(self) -> str:
        """Why it is left alone, in two or three words."""
        if self.adopted:
            return "adopted"
        return "no tag" if self.owner is None else f"tag of {self.owner!r}"


def make_thing(kind: str, name: str, key: str, id: str, tags: dict[str, str]) -> Thing:
    return Thing(kind, name, key, is_ours(tags), id, tags)


def is_ours(tags: dict[str, str]) -> bool:
    return names.tags().items() <= tags.items()


def ignore_missing(call: Callable[[], T]) -> T | None:
    """The result of a call, or None when what it asks for does not exist."""
    try:
        return call()
    except ClientError as error:
        if not any(code in error.response["Error"]["Code"] for code in MISSING):
            raise
        return None


def as_dictionary(tags: Iterable[dict[str, str]]) -> dict[str, str]:
    """Tags as IAM and DynamoDB list them, as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as IAM and DynamoDB want them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def look_at_queue(sqs: Client, name: str) -> Thing | None:
    def look() -> Thing:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        return make_thing("queue", name, url, answer["Attributes"]["QueueArn"], tags)

    return ignore_missing(look)


def look_at_function(lambda_: Client, name: str) -> Thing | None:
    function = ignore_missing(lambda: lambda_.get_function(FunctionName=name))
    if function is None:
        return None
    arn = function["Configuration"]["FunctionArn"]
    return make_thing("function", name, name, arn, function.get("Tags", {}))


def look_at_role(iam: Client, name: str) -> Thing | None:
    role = ignore_missing(lambda: iam.get_role(RoleName=name)["Role"])
    if role is None:
        return None
    return make_thing("role", name, name, role["Arn"], as_dictionary(role.get("Tags", [])))


def look_at_table(dynamodb: Client, name: str) -> Thing | None:
    def look() -> Thing:
        arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
        tags = as_dictionary(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])
        return make_thing("table", name, name, arn, tags)

    return ignore_missing(look)


def look_at_stack(cloudformation: Client, name: str) -> Thing | None:
    stack = stacks.describe(cloudformation, name)
    if stack is None:
        return None
    return make_thing("stack", name, name, stack["StackId"], as_dictionary(stack.get("Tags", [])))


def look_at_alarm(cloudwatch: Client, name: str) -> Thing | None:
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])
    if not found["MetricAlarms"]:
        return None
    arn = found["MetricAlarms"][0]["AlarmArn"]

    def look() -> Thing:
        tags = as_dictionary(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])
        return make_thing("alarm", name, name, arn, tags)

    return ignore_missing(look)


def look_at_log_group(logs: Client, name: str) -> Thing | None:
    """The log group by its own tags, whosever its function is."""
    found = look_at_log_groups(logs, [name])
    return found[0] if found else None


def look_at_log_groups(logs: Client, wanted: Iterable[str]) -> list[Thing]:
    """Those of the log groups that exist, each by its own tags.

    One question for all: an account may list log groups ten times in a second, and a class that
    shares one would ask more often.
    """
    names_wanted = list(wanted)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=commonprefix(names_wanted)  # noqa: RUF071 (names, not paths)
    )
    arns = {group["logGroupName"]: group["arn"] for page in pages for group in page["logGroups"]}
    there = [each for each in names_wanted if each in arns]
    found = [with_own_tags(logs, each, arns[each].removesuffix(":*")) for each in there]
    return [each for each in found if each]


def with_own_tags(logs: Client, name: str, arn: str) -> Thing | None:
    answer = ignore_missing(lambda: logs.list_tags_for_resource(resourceArn=arn))
    return make_thing("log group", name, arn, arn, answer["tags"]) if answer else None


def look_at_trigger(lambda_: Client, uuid: str) -> Thing | None:
    def look() -> Thing:
        return look_at_mapping(lambda_, lambda_.get_event_source_mapping(UUID=uuid))

    return ignore_missing(look)


def look_at_mapping(lambda_: Client, mapping: dict[str, Any]) -> Thing:
    """An event source mapping as a thing, with a look at its tags."""
    tags = lambda_.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    uuid, polls = mapping["UUID"], mapping["State"] not in ("Disabled", "Deleting")
    return Thing("trigger", describe(mapping), uuid, is_ours(tags), uuid, tags, polls)


def describe(mapping: dict[str, Any]) -> str:
    """What a trigger connects, which stands for the name that it has not."""
    return " to ".join(connects(mapping))


def connects(mapping: dict[str, Any]) -> tuple[str, str]:
    """The names of a trigger's queue and function. Some kinds of source have no ARN."""
    source = mapping.get("EventSourceArn", "other source").rsplit(":", 1)[-1]
    return source, mapping["FunctionArn"].split(":function:")[-1].split(":")[0]


LOOK_AT = {
    "queue": ("sqs", look_at_queue),
    "function": ("lambda", look_at_function),
    "role": ("iam", look_at_role),
    "table": ("dynamodb", look_at_table),
    "stack": ("cloudformation", look_at_stack),
    "alarm": ("cloudwatch", look_at_alarm),
    "log group": ("logs", look_at_log_group),
    "trigger": ("lambda", look_at_trigger),
}
