"""What the exercises of notebook 02 are checked by."""

from __future__ import annotations

import json

import boto3

from helpers import course
from helpers.account.things import (
    look_at_role,
)
from helpers.checks.points import say


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
