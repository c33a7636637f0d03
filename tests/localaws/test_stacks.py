"""Stacks on a server: in whose name they are made, and what goes on at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.kit import poll, refusal, unique

QUEUE = {"Type": "AWS::SQS::Queue"}
TEMPLATE = json.dumps({"Resources": {"Queue": QUEUE}})
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*"}]}
TRUST["Statement"][0]["Action"] = "sts:AssumeRole"  # type: ignore[index]


def role_that_may(aws: Any, *actions: str, on: str = "*") -> str:
    """The ARN of a new role with these actions."""
    name = unique("role")
    arn = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    aws.later(aws.delete_role, name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
    return arn["Role"]["Arn"]


def as_role(aws: Any, arn: str) -> Any:
    """A client of CloudFormation with the credentials of a role."""
    found = aws.sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    return aws.client(
        "cloudformation",
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )


@pytest.fixture(scope="module")
def own(aws) -> Any:
    return aws.client("cloudformation")


def ended(own: Any, name: str) -> str:
    return poll(
        lambda: own.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"],
        lambda status: not status.endswith("_IN_PROGRESS"),
        f"{name} to settle",
    )


def failure(own: Any, name: str) -> str:
    events = own.describe_stack_events(StackName=name)["StackEvents"]
    return next(e for e in events if e["ResourceStatus"] == "CREATE_FAILED")["ResourceStatusReason"]


def test_a_caller_must_be_allowed_the_call_itself(aws) -> None:
    client = as_role(aws, role_that_may(aws, "cloudformation:*", on="arn:aws:*:stack/mine-*"))
    status, code, text = refusal(client.create_stack, StackName="yours", TemplateBody=TEMPLATE)
    assert (status, code) == (403, "AccessDenied")
    assert "is not authorized to perform: cloudformation:CreateStack on resource: " in text
    assert ":stack/yours/*" in text


def test_what_a_stack_makes_its_caller_must_be_allowed(aws, own) -> None:
    name = unique("stack")
    client = as_role(aws, role_that_may(aws, "cloudformation:*"))
    client.create_stack(StackName=name, TemplateBody=TEMPLATE)
    assert ended(own, name) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: sqs:" in failure(own, name)
    assert "HandlerErrorCode: AccessDenied" in failure(own, name)


def test_a_stack_may_have_a_role_of_its_own(aws, own) -> None:
    name = unique("stack")
    client = as_role(aws, role_that_may(aws, "cloudformation:*", "iam:PassRole"))
    service_role = role_that_may(aws, "sqs:*")
    client.create_stack(StackName=name, TemplateBody=TEMPLATE, RoleARN=service_role)
    assert ended(own, name) == "CREATE_COMPLETE"
    client.delete_stack(StackName=name)
    poll(lambda: gone(own, name), bool, "it to be gone")


def test_a_role_is_passed_to_a_stack_by_who_may_do_so(aws) -> None:
    client = as_role(aws, role_that_may(aws, "cloudformation:*"))
    role = role_that_may(aws, "sqs:*")
    given = {"StackName": unique("stack"), "TemplateBody": TEMPLATE, "RoleARN": role}
    _, code, text = refusal(client.create_stack, **given)
    assert code == "AccessDenied"
    assert f"is not authorized to perform: iam:PassRole on resource: {role}" in text


def gone(own: Any, name: str) -> bool:
    return name not in [stack["StackName"] for stack in own.describe_stacks()["Stacks"]]


def test_a_stack_is_deleted_while_it_is_made(own) -> None:
    name = unique("stack")
    resources = {f"Q{n}": {**QUEUE, "DependsOn": f"Q{n - 1}"} if n else QUEUE for n in range(30)}
    body = json.dumps({"Resources": resources})
    identity = own.create_stack(StackName=name, TemplateBody=body)["StackId"]
    own.delete_stack(StackName=name)
    assert ended(own, identity) == "DELETE_COMPLETE"
    events = own.describe_stack_events(StackName=identity)["StackEvents"]
    made = {e["LogicalResourceId"] for e in events if e["ResourceStatus"] == "CREATE_COMPLETE"}
    gone = {e["LogicalResourceId"] for e in events if e["ResourceStatus"] == "DELETE_COMPLETE"}
    assert made <= gone
    assert "Q29" not in made


def test_of_two_stacks_of_one_name_there_is_one(own) -> None:
    name = unique("stack")
    own.create_stack(StackName=name, TemplateBody=TEMPLATE)
    again = refusal(own.create_stack, StackName=name, TemplateBody=TEMPLATE)
    assert again[1] == "AlreadyExistsException"
    ended(own, name)
    own.delete_stack(StackName=name)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"StackName": "under_score"}, "Value 'under_score' at 'stackName' failed to satisfy"),
        ({"TemplateBody": " " * 51_201}, "Member must have length less than or equal to 51200"),
        ({"StackPolicyBody": "{}"}, "StackPolicyBody is not supported by the local AWS for"),
        ({"NotificationARNs": ["a"]}, "NotificationARNs is not supported by the local AWS for"),
        ({"DisableRollback": True, "OnFailure": "DELETE"}, "both DisableRollback and OnFailure"),
        ({"RoleARN": "arn:aws:iam::123456789012:role/lost"}, "is invalid or cannot be assumed"),
    ],
)
def test_calls_that_are_refused(own, given, text) -> None:
    arguments = {"StackName": unique("stack"), "TemplateBody": TEMPLATE, **given}
    status, code, message = refusal(own.create_stack, **arguments)
    assert (status, code) == (400, "ValidationError")
    assert text in message


def test_operations_that_are_not_here_are_named(own) -> None:
    status, code, _ = refusal(own.create_stack_set, StackSetName="s", TemplateBody=TEMPLATE)
    assert (status, code) == (501, "NotImplemented")
