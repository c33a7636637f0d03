"""What the learner has built, read by boto3: nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from helpers import course, steps
from helpers.account.things import (
    Thing,
    ignore_missing,
    look_at_alarm,
    look_at_function,
    look_at_queue,
    look_at_role,
    look_at_table,
)
from helpers.clients import Client, client_for

T = TypeVar("T")


@dataclass(frozen=True)
class System:
    """The things under the names that 15 gives; None, or empty, what is not there.

    `queue_settings` and `dead_settings` are all attributes; `configuration` is the function's;
    `trigger` the event source mapping; `alarm_settings` as DescribeAlarms has them. `attached` are
    the ARNs of the role's policies that AWS keeps, `statements` those of all others. `unseen`:
    why AWS did not let us look at a part, "role" or "alarm".
    """

    region: str = ""
    queue: Thing | None = None
    dead: Thing | None = None
    function: Thing | None = None
    role: Thing | None = None
    done: Thing | None = None
    payouts: Thing | None = None
    alarm: Thing | None = None
    queue_settings: dict[str, str] = field(default_factory=dict)
    dead_settings: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    trigger: dict[str, Any] | None = None
    alarm_settings: dict[str, Any] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    statements: tuple[dict[str, Any], ...] = ()
    unseen: dict[str, str] = field(default_factory=dict)

    @property
    def redrive(self) -> dict[str, Any]:
        """The redrive policy of the queue; {} without one."""
        policy: dict[str, Any] = json.loads(self.queue_settings.get("RedrivePolicy") or "{}")
        return policy

    @property
    def visibility_s(self) -> int:
        return int(self.queue_settings.get("VisibilityTimeout", 0))

    @property
    def max_receives(self) -> int:
        """How often a message is tried; 0 without a redrive policy."""
        return int(self.redrive.get("maxReceiveCount", 0))

    @property
    def batch_size(self) -> int:
        return int((self.trigger or {}).get("BatchSize", 0))

    @property
    def missing(self) -> list[str]:
        """What has to be there before anything can be sent, in words."""
        state = (self.trigger or {}).get("State", "Disabled")
        names = {
            f"queue {course.name(course.CAPSTONE)}": self.queue,
            f"function {course.name(course.CAPSTONE)}": self.function,
            "trigger that is on between the two": not state.startswith("Disabl"),
        }
        return [name for name, found in names.items() if not found]


def look() -> System:
    """The system as it is now.

    Raises ClientError when AWS does not let us look at queues, tables, function or trigger.
    """
    sqs, lambda_, dynamodb = (client_for(each) for each in ("sqs", "lambda", "dynamodb"))
    name, unseen = course.name(course.CAPSTONE), dict[str, str]()
    queue, dead = look_at_queue(sqs, name), look_at_queue(sqs, f"{name}-dlq")
    function = look_at_function(lambda_, name)
    role, attached, statements = part("role", unseen, look_at_permissions) or (None, (), ())
    alarm, alarm_settings = part("alarm", unseen, look_at_settings) or (None, {})
    return System(
        region=sqs.meta.region_name,
        queue=queue,
        dead=dead,
        function=function,
        role=role,
        done=look_at_table(dynamodb, course.name(course.REFUNDS_DONE)),
        payouts=look_at_table(dynamodb, course.name(course.PAYOUTS)),
        alarm=alarm,
        queue_settings=attributes(sqs, queue),
        dead_settings=attributes(sqs, dead),
        configuration=lambda_.get_function_configuration(FunctionName=name) if function else {},
        trigger=steps.find_trigger(lambda_, name, queue.id) if queue and function else None,
        alarm_settings=alarm_settings,
        attached=attached,
        statements=statements,
        unseen=unseen,
    )


def part(name: str, unseen: dict[str, str], look: Callable[[], T]) -> T | None:
    """What is seen of a part; None, and why in `unseen`, when AWS does not let us look."""
    try:
        return look()
    except (ClientError, BotoCoreError) as error:
        unseen[name] = str(error)
        return None


def attributes(sqs: Client, queue: Thing | None) -> dict[str, str]:
    if queue is None:
        return {}
    answer = ignore_missing(
        lambda: sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["All"])
    )
    found: dict[str, str] = (answer or {}).get("Attributes", {})
    return found


def look_at_settings() -> tuple[Thing | None, dict[str, Any]]:
    """The alarm, and its settings."""
    cloudwatch = client_for("cloudwatch")
    alarm = look_at_alarm(cloudwatch, course.name(course.REFUNDS_ALARM))
    if alarm is None:
        return None, {}
    found = cloudwatch.describe_alarms(AlarmNames=[alarm.name]).get("MetricAlarms", [])
    return alarm, found[0] if found else {}


def look_at_permissions() -> tuple[Thing | None, tuple[str, ...], tuple[dict[str, Any], ...]]:
    """The role; the ARNs of its policies that AWS keeps, and the statements of all others."""
    iam = client_for("iam")
    role = look_at_role(iam, f"{course.name(course.CAPSTONE)}Role")
    if role is None:
        return None, (), ()
    found = iam.list_attached_role_policies(RoleName=role.name)["AttachedPolicies"]
    arns = [each["PolicyArn"] for each in found]
    documents = [document_of(iam, arn) for arn in arns if not is_of_aws(arn)]
    for name in iam.list_role_policies(RoleName=role.name)["PolicyNames"]:
        answer = iam.get_role_policy(RoleName=role.name, PolicyName=name)
        documents.append(answer["PolicyDocument"])
    statements = [each for document in documents for each in as_list(document["Statement"])]
    return role, tuple(arn for arn in arns if is_of_aws(arn)), tuple(statements)


def is_of_aws(policy_arn: str) -> bool:
    return ":iam::aws:policy/" in policy_arn


def document_of(iam: Client, arn: str) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    document: dict[str, Any] = answer["PolicyVersion"]["Document"]
    return document


def as_list(value: Any) -> list[Any]:
    """IAM takes one thing, or a list of things."""
    return value if isinstance(value, list) else [value]
