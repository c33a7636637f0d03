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
UNKNOWN = {
    "DF-18": "what AWS calls the matched policies and where in them the statements begin and end; "
    "here they have names and no places",
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


@pytest.mark.parametrize("version", [{}, {"Version": "2008-10-17"}], ids=["none", "older"])
def test_DF_05_a_trust_policy_without_a_version(aws, version):
    document = {**version, "Statement": steps.TRUST_POLICY["Statement"]}
    name = unique("role")
    aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    aws.later(aws.delete_role, name)
    role = aws.iam.get_role(RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"] == document
    aws.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    function = aws.function(ONE, Role=role["Arn"])
    assert aws.invoke(function).value == 1


@pytest.fixture(scope="module")
def user(aws) -> str:
    name = unique("user")
    aws.iam.create_user(UserName=name)
    aws.later(aws.iam.delete_user, UserName=name)
    return name


def test_DF_18_attach_to_a_user_what_is_no_policy(aws, user):
    refused = refusal(aws.iam.attach_user_policy, UserName=user, PolicyArn="longpolicynamebutnoarn")
    assert refused == (400, "ValidationError", "Invalid ARN:  Could not be parsed!")


def simulated(aws: Any, arn: str, **arguments: Any) -> dict[tuple[str, str], str]:
    """The decision for each action and resource."""
    answer = aws.iam.simulate_principal_policy(PolicySourceArn=arn, **arguments)
    assert answer["IsTruncated"] is False
    return {
        (each["EvalActionName"], each["EvalResourceName"]): each["EvalDecision"]
        for each in answer["EvaluationResults"]
    }


def test_DF_18_what_a_role_may_do(aws):
    mine, other = "arn:aws:sqs:us-east-1:123456789012:mine", "arn:aws:sqs:us-east-1:1:other"
    name, arn = aws.new_role(
        {"Effect": "Allow", "Action": "sqs:*", "Resource": mine},
        {"Effect": "Deny", "Action": "sqs:DeleteQueue", "Resource": "*"},
    )
    actions = ["sqs:SendMessage", "sqs:DeleteQueue"]
    assert simulated(aws, arn, ActionNames=actions, ResourceArns=[mine, other]) == {
        ("sqs:SendMessage", mine): "allowed",
        ("sqs:SendMessage", other): "implicitDeny",
        ("sqs:DeleteQueue", mine): "explicitDeny",
        ("sqs:DeleteQueue", other): "explicitDeny",
    }
    assert simulated(aws, arn, ActionNames=["logs:PutLogEvents"]) == {
        ("logs:PutLogEvents", "*"): "implicitDeny"
    }
    aws.iam.attach_role_policy(RoleName=name, PolicyArn=steps.POLICY_ARN)
    answer = aws.iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["logs:PutLogEvents"]
    )
    [matched] = answer["EvaluationResults"][0]["MatchedStatements"]
    assert matched["SourcePolicyId"] == steps.POLICY_ARN.rpartition("/")[2]
    assert matched["SourcePolicyType"] == "IAM Policy"


def test_DF_18_what_a_user_may_do_by_its_group(aws, user):
    group = unique("group")
    aws.iam.create_group(GroupName=group)
    aws.later(aws.iam.delete_group, GroupName=group)
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.iam.put_group_policy(GroupName=group, PolicyName="send", PolicyDocument=policy)
    aws.later(aws.iam.delete_group_policy, GroupName=group, PolicyName="send")
    arn = aws.iam.get_user(UserName=user)["User"]["Arn"]
    before = simulated(aws, arn, ActionNames=["sqs:SendMessage"])
    aws.iam.add_user_to_group(GroupName=group, UserName=user)
    aws.later(aws.iam.remove_user_from_group, GroupName=group, UserName=user)
    after = simulated(aws, arn, ActionNames=["sqs:SendMessage"])
    assert [*before.values(), *after.values()] == ["implicitDeny", "allowed"]


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:sts::{0}:assumed-role/role/session", "InvalidInput"),
        ("arn:aws:iam::{0}:role/nobody", "NoSuchEntity"),
    ],
)
def test_DF_18_nobody_to_simulate(aws, arn, code):
    refused = refusal(
        aws.iam.simulate_principal_policy,
        PolicySourceArn=arn.format(aws.account),
        ActionNames=["sqs:SendMessage"],
    )
    assert refused[1] == code


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
