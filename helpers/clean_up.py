"""Delete everything that the course made, and nothing else; then prove that it is gone.

What that is, `account.belongings` knows. What somebody else made, or the learner has adopted,
is shown and left alone. A log group gets the course's tag before its function and role are
deleted, by which it is known as ours. The order matters: a stack first, for what it made goes
with it; a trigger (it would go on polling), then functions, queues, tables, alarms, roles without
their policies, and at last the log groups, which a running function would make again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pandas as pd
from botocore.exceptions import ClientError

from helpers import stacks
from helpers.account import belongings
from helpers.account.names import TAG
from helpers.account.things import ADOPTED, Thing, ignore_missing
from helpers.clients import client_for
from helpers.logs import log_group
from helpers.waiting import wait_until

GONE_LIMIT_S = 180.0
ORDER = ("stack", "trigger", "function", "queue", "table", "alarm", "role", "log group")


def find() -> list[Thing]:
    """What there is under the names of this course, in the order of deletion."""
    return sorted(belongings.find(), key=lambda thing: ORDER.index(thing.kind))


def plan(things: list[Thing], adopted: bool = False) -> pd.DataFrame:
    """What the clean-up would do with these things, and why it would leave some alone."""
    rows = [
        {
            "kind": thing.kind,
            "name": thing.name,
            "will be": "deleted" if goes(thing, adopted) else f"left alone: {thing.whose}",
        }
        for thing in things
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "will be"])


def goes(thing: Thing, adopted: bool = False) -> bool:
    """Whether the clean-up deletes a thing; what was adopted only when asked to."""
    return thing.ours and (adopted or not thing.adopted)


def clean_up(*, adopted: bool = False) -> list[str]:
    """Delete what the course made, wait until nothing of it is listed any more.

    What the learner has adopted goes too when `adopted` is true. Returns a line for each thing
    deleted. May be called again, also after an interruption. Raises TimeoutError, naming what
    is left, when something is still listed after 180 s.
    """
    deleted = []
    found = [thing for thing in find() if goes(thing, adopted)]
    groups = {log_group(thing.name) for thing in found if thing.kind == "function"}
    with suppress(ClientError):  # the tag only helps a clean-up that is interrupted
        tag_log_groups(found)
    for thing in found:
        ignore_missing(partial(DELETE[thing.kind], thing.key))
        if thing.kind == "trigger":
            wait_until_trigger_is_gone(thing.key)
        deleted.append(f"{thing.kind} {thing.name}")
    wait_until(
        lambda: delete_what_is_late(groups, adopted),
        lambda left: not left,
        "everything to be gone",
        GONE_LIMIT_S,
        every_s=2,
    )
    return deleted


def delete_what_is_late(groups: set[str], adopted: bool) -> list[str]:
    """Delete our log groups that are there (again) and stacks, and say what of ours is left.

    A function whose log comes late makes its group anew, then without a tag. A stack that could
    not be deleted while something of it was in use can be by now.
    """
    left = []
    for thing in find():
        late = thing.name in groups and (thing.owner is None or goes(thing, adopted))
        late |= thing.kind == "stack" and goes(thing, adopted)
        if late:
            ignore_missing(partial(DELETE[thing.kind], thing.key))
        if late or goes(thing, adopted):
            left.append(f"{thing.kind} {thing.name}")
    return left


def tag_log_groups(found: list[Thing]) -> None:
    """Let our log groups be known as ours when their functions are gone."""
    logs = client_for("logs")
    for thing in found:
        if thing.kind == "log group" and thing.ours:
            tags = {key: thing.tags[key] for key in (TAG, ADOPTED) if key in thing.tags}
            logs.tag_resource(resourceArn=thing.key, tags=tags)


def wait_until_trigger_is_gone(uuid: str) -> None:
    lambda_ = client_for("lambda")
    wait_until(
        lambda: ignore_missing(lambda: lambda_.get_event_source_mapping(UUID=uuid)),
        lambda mapping: mapping is None,
        "the trigger to be gone",
        GONE_LIMIT_S,
    )


def delete_trigger(uuid: str) -> None:
    """Delete a trigger; Lambda refuses that while the trigger is changing its state."""
    lambda_ = client_for("lambda")

    def attempt() -> bool:
        try:
            return bool(lambda_.delete_event_source_mapping(UUID=uuid))
        except lambda_.exceptions.ResourceInUseException:
            return False

    wait_until(attempt, bool, "the trigger to be free for deletion", GONE_LIMIT_S, 0.5)


def delete_stack(name: str) -> None:
    """Delete a stack with what it made, and wait until that has ended, well or not."""
    cloudformation = client_for("cloudformation")
    cloudformation.delete_stack(StackName=name)
    stacks.at_rest(cloudformation, name)


def delete_log_group(arn: str) -> None:
    name = arn.split(":log-group:")[1]
    client_for("logs").delete_log_group(logGroupName=name)


def delete_role(name: str) -> None:
    """Detach and delete the role's policies, then the role: AWS refuses any other order."""
    iam = client_for("iam")
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    iam.delete_role(RoleName=name)


DELETE: dict[str, Callable[[str], Any]] = {
    "stack": delete_stack,
    "trigger": delete_trigger,
    "function": lambda name: client_for("lambda").delete_function(FunctionName=name),
    "queue": lambda url: client_for("sqs").delete_queue(QueueUrl=url),
    "table": lambda name: client_for("dynamodb").delete_table(TableName=name),
    "alarm": lambda name: client_for("cloudwatch").delete_alarms(AlarmNames=[name]),
    "role": delete_role,
    "log group": delete_log_group,
}
