"""IAM: roles for Lambda and their policies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers import steps
from helpers.waiting import when_role_is_ready
from tests.conformance.kit import HEAD, Declared, refusal, unique

DIFFERS = {
    "LS-072": "A new role and a policy attached to it are usable at once; AWS needs about 10 s, "
    "in which CreateFunction is refused as in G-03",
}

ONE = HEAD + "    return 1\n"
TRUST = json.dumps(steps.TRUST_POLICY)
SERVICE_ROLE = "arn:aws:iam::aws:policy/service-role/"
WRITE_LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
CONSUME = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

POLLED = Declared(ONE)


def arn_of(aws: Any, name: str) -> str:
    return f"arn:aws:iam::{aws.account}:role/{name}"


def default_document(iam: Any, policy_arn: str) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    answer = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)
    return answer["PolicyVersion"]["Document"]


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("AWSLambdaBasicExecutionRole", WRITE_LOGS),
        ("AWSLambdaSQSQueueExecutionRole", WRITE_LOGS | CONSUME),
    ],
)
def test_LS_029_managed_policies(aws, name, actions):
    (statement,) = default_document(aws.iam, SERVICE_ROLE + name)["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    assert set(statement["Action"]) == actions


def test_LS_029_the_role_of_a_generated_stack_may_poll(aws):
    url, queue_arn = aws.queue()
    more = {"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"}
    statement = {"Effect": "Allow", "Action": sorted(CONSUME | more), "Resource": queue_arn}
    role_name, role = aws.new_role(statement)
    aws.iam.attach_role_policy(
        RoleName=role_name, PolicyArn=f"{SERVICE_ROLE}AWSLambdaBasicExecutionRole"
    )
    name = aws.function(HEAD + "    print(event['Records'][0]['body'])\n", Role=role)
    made = when_role_is_ready(
        aws.create_mapping, EventSourceArn=queue_arn, FunctionName=name, BatchSize=1
    )
    mapping = aws.wait_mapping(made["UUID"], "Enabled")
    assert (mapping["BatchSize"], mapping["State"]) == (1, "Enabled")
    aws.sqs.send_message(QueueUrl=url, MessageBody="polled")
    assert aws.wait_lines(name, 1) == ["polled\n"]
    aws.wait_empty(url)


def test_LS_070_create_get_and_delete_a_role(aws):
    name = unique("role")
    created = aws.iam.create_role(RoleName=name, Path="/course/", AssumeRolePolicyDocument=TRUST)[
        "Role"
    ]
    aws.later(aws.delete_role, name)
    assert set(created) == {
        *("Arn", "AssumeRolePolicyDocument", "CreateDate", "Path", "RoleId", "RoleName"),
    }
    assert created["Arn"] == f"arn:aws:iam::{aws.account}:role/course/{name}"
    assert created["AssumeRolePolicyDocument"] == steps.TRUST_POLICY
    assert (created["RoleName"], created["Path"]) == (name, "/course/")
    assert created["RoleId"].startswith("AROA")
    got = aws.iam.get_role(RoleName=name)["Role"]
    assert got == {**created, "MaxSessionDuration": 3600, "RoleLastUsed": {}}
    answer = aws.iam.delete_role(RoleName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    refused = refusal(aws.iam.get_role, RoleName=name)
    assert refused == (404, "NoSuchEntity", f"The role with name {name} cannot be found.")


def test_LS_071_the_role_exists_already(aws):
    refused = refusal(aws.iam.create_role, RoleName=aws.role_name, AssumeRolePolicyDocument=TRUST)
    text = f"Role with name {aws.role_name} already exists."
    assert refused == (409, "EntityAlreadyExists", text)


def test_LS_071_delete_a_role_that_has_policies(aws):
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    name, _ = aws.new_role(statement)
    aws.iam.attach_role_policy(RoleName=name, PolicyArn=steps.POLICY_ARN)
    assert refusal(aws.iam.delete_role, RoleName=name)[:2] == (409, "DeleteConflict")
    aws.iam.detach_role_policy(RoleName=name, PolicyArn=steps.POLICY_ARN)
    assert refusal(aws.iam.delete_role, RoleName=name)[:2] == (409, "DeleteConflict")
    aws.iam.delete_role_policy(RoleName=name, PolicyName="inline")
    answer = aws.iam.delete_role(RoleName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_LS_072_a_fresh_role_is_usable_after_a_while(aws):
    name = unique("role")
    role = steps.create_role(aws.iam, name, {"course": "yes"})
    aws.later(aws.delete_role, name)
    function = aws.function(ONE, Role=role)
    assert aws.lambda_.get_function(FunctionName=function)["Configuration"]["Role"] == role


@pytest.mark.parametrize("document", ['{"malformed"}', str(steps.TRUST_POLICY)])
def test_LS_133_a_trust_policy_that_is_not_json(aws, document):
    refused = refusal(
        aws.iam.create_role, RoleName=unique("role"), AssumeRolePolicyDocument=document
    )
    assert refused == (400, "MalformedPolicyDocument", "This policy contains invalid Json")


@pytest.mark.parametrize("document", ["{}", "[]", '{"Version": "2012-10-17"}'])
def test_a_trust_policy_that_is_none(aws, document):
    refused = refusal(
        aws.iam.create_role, RoleName=unique("role"), AssumeRolePolicyDocument=document
    )
    assert refused[:2] == (400, "MalformedPolicyDocument")


def test_LS_133_attach_what_is_no_policy(aws):
    attach = aws.iam.attach_role_policy
    refused = refusal(attach, RoleName=aws.role_name, PolicyArn="longpolicynamebutnoarn")
    assert refused == (400, "ValidationError", "Invalid ARN:  Could not be parsed!")
    arn = f"arn:aws:iam::{aws.account}:policy/{unique('nope')}"
    refused = refusal(attach, RoleName=aws.role_name, PolicyArn=arn)
    text = f"Policy {arn} does not exist or is not attachable."
    assert refused == (404, "NoSuchEntity", text)


@pytest.mark.parametrize("operation", ["get_policy", "delete_policy"])
def test_LS_133_a_policy_that_does_not_exist(aws, operation):
    arn = f"arn:aws:iam::{aws.account}:policy/{unique('nope')}"
    refused = refusal(getattr(aws.iam, operation), PolicyArn=arn)
    assert refused == (404, "NoSuchEntity", f"Policy {arn} was not found.")


def test_detach_a_policy_that_is_not_attached(aws):
    refused = refusal(
        aws.iam.detach_role_policy,
        RoleName=aws.new_role()[0],
        PolicyArn=steps.POLICY_ARN,
    )
    assert refused == (404, "NoSuchEntity", f"Policy {steps.POLICY_ARN} was not found.")


def test_a_role_given_by_its_arn(aws):
    refused = refusal(aws.iam.get_role, RoleName=arn_of(aws, aws.role_name))
    assert refused == (
        400,
        "ValidationError",
        "The specified value for roleName is invalid. It must contain only alphanumeric "
        "characters and/or the following: +=,.@_-",
    )
