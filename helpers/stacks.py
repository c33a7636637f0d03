"""Stacks of CloudFormation: what it says of one, and waiting until it has come to rest."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from helpers.clients import Client
from helpers.waiting import wait_until

LIMIT_S = 900.0  # a queue alone takes CloudFormation a minute or more, to make and to delete
GONE = "gone"


def describe(cloudformation: Client, name: str) -> dict[str, Any] | None:
    """What CloudFormation says of a stack of this name; None when there is none (any more)."""
    try:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        # A ValidationError, as any other mistake: DescribeStacks in CloudFormation's API.
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        return None
    return stack


def at_rest(cloudformation: Client, name: str) -> str:
    """The status of a stack as soon as nothing of it is in progress; "gone" for no stack.

    It says nothing of whether all went well: a change that failed ends too. A stack of which there
    is only a change set is at rest. Raises GaveUp after 900 s.
    """
    return wait_until(
        lambda: (describe(cloudformation, name) or {}).get("StackStatus", GONE),
        lambda status: status == "REVIEW_IN_PROGRESS" or not status.endswith("IN_PROGRESS"),
        f"the stack {name} to come to rest",
        LIMIT_S,
    )
