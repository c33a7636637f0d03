"""Conditions of policies: those that are judged, and those that count as if they held."""

from __future__ import annotations

import doctest
import json

import pytest
from moto.iam.models import iam_backends

from helpers.localaws.front import authorisation
from helpers.localaws.front.authorisation import Need
from helpers.localaws.front.protocols import Call
from helpers.localaws.permissions import conditions
from helpers.localaws.permissions.roles import Role

ACCOUNT = "123456789012"
TRUST = json.dumps({"Statement": []})
PASS = "iam:PassedToService"
LAMBDA, EC2 = "lambda.amazonaws.com", "ec2.amazonaws.com"
TO_LAMBDA = {conditions.PASSED_TO: LAMBDA}
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:anna-work"
OF_FUNCTION = {conditions.FUNCTION: FUNCTION}


def test_the_examples_are_right() -> None:
    assert doctest.testmod(conditions).failed == 0
    assert doctest.testmod(conditions).attempted > 3


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "context", "holds"),
    [
        ("StringEquals", PASS, LAMBDA, TO_LAMBDA, True),
        ("StringEquals", PASS, [EC2, LAMBDA], TO_LAMBDA, True),
        ("stringequals", PASS.upper(), LAMBDA, TO_LAMBDA, True),
        ("StringEquals", PASS, EC2, TO_LAMBDA, False),
        ("StringEquals", PASS, "lambda*", TO_LAMBDA, False),
        ("StringEquals", PASS, LAMBDA, {}, False),
        ("StringEqualsIfExists", PASS, LAMBDA, {}, True),
        ("StringEqualsIfExists", PASS, EC2, TO_LAMBDA, False),
        ("StringNotEquals", PASS, EC2, TO_LAMBDA, True),
        ("StringNotEquals", PASS, [EC2, LAMBDA], TO_LAMBDA, False),
        ("StringNotEquals", PASS, LAMBDA, {}, True),
        ("StringLike", PASS, "lambda.*", TO_LAMBDA, True),
        ("StringLike", PASS, "lambd?.amazonaws.com", TO_LAMBDA, True),
        ("StringLike", PASS, "lambda", TO_LAMBDA, False),
        ("StringNotLike", PASS, "?*", {}, True),
        ("StringNotLike", PASS, "?*", TO_LAMBDA, False),
        ("StringLike", "aws:PrincipalTag/Team", "?*", {"aws:principaltag/team": ""}, False),
        ("StringEquals", "aws:RequestTag/team", "a", {"aws:requesttag/team": "a"}, True),
        ("ArnLike", "lambda:FunctionArn", "arn:aws:lambda:*:*:function:anna-*", OF_FUNCTION, True),
        ("ArnEquals", "lambda:FunctionArn", "arn:*:*:*:*:function:anna-*", OF_FUNCTION, True),
        ("ArnLike", "lambda:FunctionArn", "arn:aws:lambda:*:anna-work", OF_FUNCTION, False),
        ("ArnLike", "lambda:FunctionArn", "arn:aws:lambda:*:*:function:bob-*", OF_FUNCTION, False),
        ("ArnNotLike", "lambda:FunctionArn", "arn:*:*:*:*:function:b-*", OF_FUNCTION, True),
        # what is not judged
        ("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", {}, True),
        ("StringEquals", "aws:SourceVpc", "vpc-1", {}, True),
        ("Null", PASS, "true", TO_LAMBDA, True),
    ],
)
def test_conditions(operator, key, wanted, context, holds) -> None:
    assert conditions.hold({operator: {key: wanted}}, context) == holds


def test_all_conditions_have_to_hold() -> None:
    both = {
        "StringEquals": {PASS: LAMBDA},
        "ArnLike": {"lambda:FunctionArn": "arn:*:*:*:*:function:anna-*"},
    }
    assert conditions.hold(both, TO_LAMBDA | OF_FUNCTION)
    assert not conditions.hold(both, TO_LAMBDA)


@pytest.fixture
def role() -> Role:
    iam = iam_backends[ACCOUNT]["aws"]
    tags = [{"Key": "Team", "Value": "anna"}]
    made = iam.create_role("conditional", TRUST, "/", "", "", tags, "3600")
    yield Role(ACCOUNT, made.arn)
    made.policies.clear()
    iam.delete_role("conditional")


def give(role: Role, *statements: dict) -> None:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam_backends[ACCOUNT]["aws"].put_role_policy("conditional", "p", json.dumps(document))


def test_a_statement_counts_only_where_its_conditions_hold(role) -> None:
    condition = {"StringEquals": {PASS: LAMBDA}}
    give(
        role, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition}
    )
    assert role.refusal("iam:PassRole", "arn:x", TO_LAMBDA) is None
    assert role.refusal("iam:PassRole", "arn:x", {conditions.PASSED_TO: EC2}) is not None
    assert role.refusal("iam:PassRole", "arn:x") is not None


def test_a_deny_counts_only_where_its_conditions_hold(role) -> None:
    give(
        role,
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*",
         "Condition": {"StringNotLike": {"aws:PrincipalTag/Name": "?*"}}},
    )  # fmt: skip
    assert role.refusal("sqs:ListQueues", "arn:x").explicit
    iam_backends[ACCOUNT]["aws"].tag_role("conditional", [{"Key": "name", "Value": "anna"}])
    assert role.refusal("sqs:ListQueues", "arn:x") is None


def test_a_tag_of_the_caller_stands_for_a_variable(role) -> None:
    for variable, right in (("Team", True), ("team", True), ("Other", False)):
        arn = f"arn:aws:sqs:*:*:${{aws:PrincipalTag/{variable}}}-*"
        give(role, {"Effect": "Allow", "Action": "sqs:*", "Resource": arn})
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:anna-q"
        assert (role.refusal("sqs:SendMessage", queue) is None) == right
        assert role.refusal("sqs:SendMessage", queue.replace("anna", "bob")) is not None


# -- what a call needs -----------------------------------------------------------------------


def needs(call: str, **parameters: object) -> list[Need]:
    service, _, operation = call.partition(":")
    called = Call(service, "us-east-1", ACCOUNT, operation, parameters, "json")
    return authorisation.needs_of(called)


def actions(call: str, **parameters: object) -> list[str]:
    return [need.action for need in needs(call, **parameters)]


def test_to_use_a_role_it_has_to_be_passed() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/x"
    wanted = Need("iam:PassRole", arn, TO_LAMBDA)
    assert needs("lambda:CreateFunction", FunctionName="f", Role=arn)[1:] == [wanted]
    update = "lambda:UpdateFunctionConfiguration"
    assert needs(update, FunctionName="f", Role=arn)[1:] == [wanted]
    assert actions(update, FunctionName="f", Timeout=3) == [update]


@pytest.mark.parametrize(
    ("call", "parameters", "action"),
    [
        ("sqs:CreateQueue", {"QueueName": "q", "tags": {"a": "b"}}, "sqs:TagQueue"),
        ("sqs:CreateQueue", {"QueueName": "q", "Tag.1.Key": "a"}, "sqs:TagQueue"),
        ("iam:CreateRole", {"RoleName": "r", "Tags": [{"Key": "a", "Value": "b"}]}, "iam:TagRole"),
        ("iam:CreateRole", {"RoleName": "r", "Tags.member.1.Key": "a"}, "iam:TagRole"),
        ("dynamodb:CreateTable", {"TableName": "t", "Tags": [{}]}, "dynamodb:TagResource"),
        ("lambda:CreateFunction", {"FunctionName": "f", "Tags": {"a": "b"}}, "lambda:TagResource"),
        (
            *("lambda:CreateEventSourceMapping", {"FunctionName": "f", "Tags": {"a": "b"}}),
            "lambda:TagResource",
        ),
    ],
)
def test_tags_at_a_creation_need_an_action_of_their_own(call, parameters, action) -> None:
    assert actions(call, **parameters) == [call, action]
    untagged = {
        key: value for key, value in parameters.items() if not key.lower().startswith("tag")
    }
    assert actions(call, **untagged) == [call]


def test_who_moves_messages_has_to_be_allowed_what_sqs_does_for_it() -> None:
    dlq, back = (f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}" for name in ("q-dlq", "q"))
    found = needs("sqs:StartMessageMoveTask", SourceArn=dlq, DestinationArn=back)
    assert [(need.action.partition(":")[2], need.resource) for need in found] == [
        ("StartMessageMoveTask", dlq),
        ("ReceiveMessage", dlq),
        ("DeleteMessage", dlq),
        ("GetQueueAttributes", dlq),
        ("SendMessage", back),
    ]
    assert needs("sqs:StartMessageMoveTask", SourceArn=dlq)[-1].resource is None


def test_a_trigger_is_of_no_resource_and_of_a_function() -> None:
    [need] = needs("lambda:CreateEventSourceMapping", FunctionName="anna-work")
    assert need == Need("lambda:CreateEventSourceMapping", "*", OF_FUNCTION)
    assert needs("lambda:ListEventSourceMappings", FunctionName="f")[0].resource == "*"
    assert needs("lambda:DeleteEventSourceMapping", UUID="u")[0].context == {}  # there is none


def test_what_iam_tells_of_a_call_on_a_role(role) -> None:
    boundary, policy = (f"arn:aws:iam::{ACCOUNT}:policy/{name}" for name in "bp")
    tags = [{"Key": "Team", "Value": "a"}]
    made = needs("iam:CreateRole", RoleName="r", PermissionsBoundary=boundary, Tags=tags)
    tag = {"aws:requesttag/team": "a"}
    assert [need.context for need in made] == [tag | {conditions.BOUNDARY: boundary}, tag]
    form = {"Tags.member.1.Key": "Team", "Tags.member.1.Value": "a"}
    assert needs("iam:TagRole", RoleName="r", **form)[0].context == tag
    attach = {"RoleName": "conditional", "PolicyArn": policy}
    assert needs("iam:AttachRolePolicy", **attach)[0].context == {conditions.POLICY: policy}
    iam_backends[ACCOUNT]["aws"].get_role("conditional").permissions_boundary_arn = boundary
    assert needs("iam:AttachRolePolicy", **attach)[0].context == {
        conditions.POLICY: policy,
        conditions.BOUNDARY: boundary,
    }


@pytest.mark.parametrize(
    ("call", "parameters", "arn"),
    [
        ("logs:TagResource", {"resourceArn": "arn:aws:logs:x"}, "arn:aws:logs:x"),
        ("dynamodb:TagResource", {"ResourceArn": "arn:aws:dynamodb:x"}, "arn:aws:dynamodb:x"),
        ("iam:GetPolicy", {"PolicyArn": "arn:aws:iam::aws:policy/p"}, "arn:aws:iam::aws:policy/p"),
        (
            *("lambda:UpdateEventSourceMapping", {"UUID": "u", "FunctionName": "f"}),
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:u",
        ),
    ],
)
def test_what_is_named_by_its_arn_or_uuid(call, parameters, arn) -> None:
    assert needs(call, **parameters)[0].resource == arn
