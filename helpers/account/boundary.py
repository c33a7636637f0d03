"""Roles that the cells make get a permissions boundary, where an account asks for one.

In a class, learners may make roles only with a boundary: else they could give a function, and so
themselves, every power in the account. The cells stay plain boto3; the boundary is put into the
calls of boto3's default session. A template asks for it by a parameter `Boundary`.
"""

from __future__ import annotations

import os
import re
from typing import Any

import boto3

from helpers.account.sentences import WrongSetting

PARAMETER = "Boundary"  # of a template, for the roles in it
DEPLOYING = ("CreateStack", "UpdateStack", "CreateChangeSet")
POLICY_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+")


def wanted() -> str | None:
    """The ARN of the boundary that SQS_COURSE_BOUNDARY asks for; None when it does not.

    Raises WrongSetting for what is no ARN of a policy.
    """
    arn = os.environ.get("SQS_COURSE_BOUNDARY") or None
    if arn and not POLICY_ARN.fullmatch(arn):
        raise WrongSetting(
            f"SQS_COURSE_BOUNDARY is {arn!r}; it must be the ARN of a policy, such as "
            "arn:aws:iam::123456789012:policy/sqs-lambda-course-boundary."
        )
    return arn


def put_on_roles(arn: str) -> None:
    """Let every role that boto3's default session makes from now on have this boundary.

    Those of a template have it that has the parameter.
    """

    def add(params: dict[str, Any], **_others: Any) -> None:
        params.setdefault("PermissionsBoundary", arn)

    def fill_in(params: dict[str, Any], **_others: Any) -> None:
        given = params.get("Parameters", [])
        asks = f"\n  {PARAMETER}:\n" in params.get("TemplateBody", "")
        if asks and PARAMETER not in [each["ParameterKey"] for each in given]:
            boundary = {"ParameterKey": PARAMETER, "ParameterValue": arn}
            params["Parameters"] = [*given, boundary]

    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events
    events.register("before-parameter-build.iam.CreateRole", add)
    for operation in DEPLOYING:
        events.register(f"before-parameter-build.cloudformation.{operation}", fill_in)
