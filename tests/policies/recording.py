"""What notebooks call, recorded through botocore's hooks, and what IAM must allow for it.

Which actions a call needs, `helpers.localaws.front.authorisation` knows; here all that differs
from run to run is taken out: prefix, times and UUIDs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import boto3
from botocore.model import OperationModel

from helpers.account import target
from helpers.localaws.common import arns
from helpers.localaws.front.authorisation import needs_of
from helpers.localaws.front.protocols import Call
from helpers.localaws.permissions import conditions
from tests.notebook_files import ROOT

FOLDER = ROOT / "data" / "policies"
CALLS = Path(__file__).with_name("calls.json")
PREFIX, ACCOUNT = "anna-", "123456789012"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/sqs-lambda-course-boundary"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
AN_ID, A_TIME = "11111111-2222-3333-4444-555555555555", "1700000000000"
# Whose answer tells which function a mapping belongs to, and what tells which role has a boundary.
OF_A_FUNCTION = ("UpdateEventSourceMapping", "DeleteEventSourceMapping")
OF_A_ROLE = ("AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy")
# What CloudFormation calls in the caller's name, and no cell calls as well. Sources: what the local
# AWS asks for, and `handlers` in the schemas of the types, for what AWS reads of them.
READ_BY_AWS = {
    "function": (
        *("lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionRecursionConfig"),
        *("lambda:GetFunctionScalingConfig", "lambda:GetRuntimeManagementConfig"),
    ),
    "log-group": ("logs:DescribeIndexPolicies", "logs:GetDataProtectionPolicy"),
}
OF_LOG_GROUP = ("logs:CreateLogGroup", "logs:PutRetentionPolicy", *READ_BY_AWS["log-group"])
SAM = "Transform: AWS::Serverless-2016-10-31"


class Need(NamedTuple):
    """What IAM must allow: an action on a resource, with what conditions ask for.

    `resource` is "*" where there is none, and "" where it is not known.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


class Recorder:
    """What one notebook calls. `needs`: what IAM must allow; `grants`: what roles are given."""

    def __init__(self) -> None:
        self.needs: set[Need] = set()
        self.grants: set[Need] = set()

    def before(self, params: dict[str, Any], context: dict[str, Any], **_others: Any) -> None:
        context["recorded parameters"] = dict(params)

    def after(
        self, parsed: dict[str, Any], model: OperationModel, context: dict[str, Any], **_others: Any
    ) -> None:
        given = context.get("recorded parameters", {})
        service, region = model.service_model.signing_name, target.REGION
        call = Call(service, region, ACCOUNT, model.name, given, "json")
        if call.operation in OF_A_FUNCTION and "FunctionArn" not in parsed:
            return  # refused, and made again
        for need in needs_of(call):
            known = dict(need.context)
            if call.operation in OF_A_ROLE:
                known[conditions.BOUNDARY] = BOUNDARY_ARN
            if call.operation in OF_A_FUNCTION:
                known[conditions.FUNCTION] = parsed["FunctionArn"]
            self.needs.add(lasting(need.action, need.resource or "", known))
            if need.action == "lambda:GetFunction":  # its API: it shows tags to no one else
                self.needs.add(lasting("lambda:ListTags", need.resource or "", {}))
        self.needs |= set(needed_by_stack(call))
        self.grants |= set(granted(call))


def lasting(action: str, resource: str, context: dict[str, str]) -> Need:
    """A need without what differs from run to run."""
    named = UUID.sub(AN_ID, re.sub(r"(BreakIt-)\d+", rf"\g<1>{A_TIME}", resource))
    return Need(action, named, tuple(sorted(context.items())))


def needed_by_stack(call: Call) -> Iterator[Need]:
    """What is needed to make a stack whose functions and log groups have names like its own."""
    template, name = call.parameters.get("TemplateBody", ""), call.parameters.get("StackName", "")
    if "::Function\n" in template:
        for action in READ_BY_AWS["function"]:
            yield lasting(action, arns.of_function(call.region, ACCOUNT, name), {})
    if "::LogGroup\n" in template:
        group = f"arn:aws:logs:{call.region}:{ACCOUNT}:log-group:/aws/lambda/{name}"
        for action in OF_LOG_GROUP:
            yield lasting(action, group, {})
    if SAM in template:
        arn = f"arn:aws:cloudformation:{call.region}:aws:transform/{SAM.split('::')[1]}"
        yield lasting("cloudformation:CreateChangeSet", arn, {})


def granted(call: Call) -> Iterator[Need]:
    """What a call lets functions do with their role: by an inline policy, or as a trigger."""
    if call.operation == "PutRolePolicy":
        for statement in json.loads(call.parameters["PolicyDocument"])["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                yield lasting(action, statement["Resource"], {})
    if call.operation == "CreateEventSourceMapping":
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            yield lasting(f"sqs:{action}", call.parameters["EventSourceArn"], {})
    if call.operation == "CreateFunction":
        group = f"log-group:/aws/lambda/{call.parameters['FunctionName']}"
        for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents"):
            yield lasting(f"logs:{action}", f"arn:aws:logs:{call.region}:{ACCOUNT}:{group}", {})


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record what cells call from now on, each time that they connect anew."""
    recorder, connect = Recorder(), target.connect_wanted

    def connect_and_listen(wanted: str) -> target.Target:
        found = connect(wanted)
        boto3.DEFAULT_SESSION.events.register("before-parameter-build", recorder.before)
        boto3.DEFAULT_SESSION.events.register("after-call", recorder.after)
        return found

    with mock.patch.object(target, "connect_wanted", connect_and_listen):
        yield recorder


# -- kept in a file --------------------------------------------------------------------------


def as_rows(needs: Iterable[Need]) -> list[list[Any]]:
    return [[need.action, need.resource, dict(need.context)] for need in sorted(needs)]


def write(needs: dict[str, set[Need]], grants: dict[str, set[Need]]) -> None:
    """Store what the notebooks need, and what they give to the roles of functions."""
    kept = {
        kind: {name: as_rows(each) for name, each in found.items()}
        for kind, found in (("needs", needs), ("grants", grants))
    }
    text = json.dumps(kept, indent=1)
    # One need on one line: a change can be read.
    text = re.sub(r"\n {3}\[.*?\n {3}\]", lambda row: one_line(row[0]), text, flags=re.S)
    CALLS.write_text(text + "\n", encoding="utf-8")


def one_line(row: str) -> str:
    return "\n   " + json.dumps(json.loads(row))


def stored(kind: str = "needs") -> dict[str, set[Need]]:
    """What was recorded, by notebook: "needs" of the learner, or "grants" to functions."""
    kept = json.loads(CALLS.read_text(encoding="utf-8"))[kind]
    return {
        name: {Need(action, arn, tuple(sorted(context.items()))) for action, arn, context in rows}
        for name, rows in kept.items()
    }
