"""What is called by an alias or a version, who may call it, and what is refused of names and tags.

Each of two versions of a function answers with the ARN that it was called by, and its number.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.kit import HEAD, Declared, refusal, unique

INVALID, VALIDATION = "InvalidParameterValueException", "ValidationException"
NOT_FOUND = "ResourceNotFoundException"
VIOLATED = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: "
PATTERN = "Member must satisfy regular expression pattern: "
NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
WHO = HEAD + "    return [context.invoked_function_arn, context.function_version]\n"

VERSIONS = Declared(WHO, Publish=True)
SHARED = Declared(HEAD + "    return 1\n", Publish=True)
TAGGED = Declared(HEAD + "    return 1\n")

UNKNOWN = {
    "DF-14": "which of two versions a retry of an asynchronous event or of a trigger runs; here "
    "each try is drawn anew",
    "DF-15": "the words for a wrong Action or Principal are those of the API's model; which "
    "principals AWS finds invalid",
    "DF-19": "the pattern of a qualifier is that of the API reference",
    "DF-20": "the pattern of what can be tagged is that of the API reference",
}


def arn_of(aws: Any, name: str, qualifier: str = "") -> str:
    return f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}" + (
        f":{qualifier}" if qualifier else ""
    )


def revision(aws: Any, name: str) -> str:
    return aws.lambda_.get_function_configuration(FunctionName=name)["RevisionId"]


@pytest.fixture(scope="module")
def name(aws) -> str:
    """A function with the versions 1 and 2, and an alias "live" of the first one."""
    name = VERSIONS.name
    aws.lambda_.update_function_configuration(FunctionName=name, Description="second")
    aws.wait_updated(name)
    assert aws.lambda_.publish_version(FunctionName=name)["Version"] == "2"
    aws.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


# -- which version, by which ARN --------------------------------------------------------------


@pytest.mark.parametrize(
    ("qualifier", "version"), [("live", "1"), ("2", "2"), ("$LATEST", "$LATEST")]
)
def test_DF_08_the_arn_ends_as_the_function_was_called(aws, name, qualifier, version) -> None:
    expected = [arn_of(aws, name, qualifier), version]
    assert aws.invoke(name, Qualifier=qualifier).value == expected
    assert aws.invoke(f"{name}:{qualifier}").value == expected


def test_DF_08_the_arn_of_a_call_without_a_qualifier(aws, name) -> None:
    assert aws.invoke(name).value == [arn_of(aws, name), "$LATEST"]


def test_DF_14_two_versions_share_the_calls_of_an_alias(aws, name) -> None:
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    alias = unique("both")
    made = aws.lambda_.create_alias(
        FunctionName=name, Name=alias, FunctionVersion="1", RoutingConfig=weights
    )
    assert made["RoutingConfig"] == weights
    answers = [aws.invoke(name, Qualifier=alias) for _ in range(40)]  # all alike: 1 in 10**12
    assert {answer.value[1] for answer in answers} == {"1", "2"}
    assert {answer.value[0] for answer in answers} == {arn_of(aws, name, alias)}
    assert all(answer.whole["ExecutedVersion"] == answer.value[1] for answer in answers)
    alone = {"AdditionalVersionWeights": {}}
    updated = aws.lambda_.update_alias(FunctionName=name, Name=alias, RoutingConfig=alone)
    assert "RoutingConfig" not in updated
    answers = [aws.invoke(name, Qualifier=alias) for _ in range(5)]
    assert {answer.value[1] for answer in answers} == {"1"}


@pytest.mark.parametrize(
    ("version", "weights", "code", "message"),
    [
        (
            "1",
            {"2": 0.1, "3": 0.1},
            INVALID,
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "1",
            {"1": 0.1},
            INVALID,
            "Invalid function version 1. Function version 1 is already included in routing "
            "configuration.",
        ),
        (
            "$LATEST",
            {"1": 0.1},
            INVALID,
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            "1",
            {"2": 1.5},
            VALIDATION,
            VIOLATED.format("{2=1.5}", "routingConfig.additionalVersionWeights")
            + "Map value must satisfy constraint: [Member must have value less than or equal to "
            "1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
        (
            "1",
            {"$LATEST": 0.5},
            VALIDATION,
            VIOLATED.format("{$LATEST=0.5}", "routingConfig.additionalVersionWeights")
            + "Map keys must satisfy constraint: [Member must have length less than or equal to "
            "1024, Member must have length greater than or equal to 1, Member must satisfy "
            "regular expression pattern: [0-9]+]",
        ),
    ],
    ids=["two", "its own", "$LATEST", "too much", "of $LATEST"],
)
def test_DF_14_refused_weights(aws, name, version, weights, code, message) -> None:
    routing = {"AdditionalVersionWeights": weights}
    call = {"FunctionName": name, "FunctionVersion": version, "RoutingConfig": routing}
    assert refusal(aws.lambda_.create_alias, Name=unique("no"), **call) == (400, code, message)
    assert refusal(aws.lambda_.update_alias, Name="live", **call) == (400, code, message)


def test_DF_14_a_version_that_is_not_there_gets_no_weight(aws, name) -> None:
    routing = {"AdditionalVersionWeights": {"7": 0.5}}
    refused = refusal(
        aws.lambda_.update_alias, FunctionName=name, Name="live", RoutingConfig=routing
    )
    assert refused == (404, NOT_FOUND, f"Function not found: {arn_of(aws, name, '7')}")


# -- who may call -----------------------------------------------------------------------------


def allow(aws: Any, name: str, sid: str, principal: str, **more: str) -> dict[str, Any]:
    answer = aws.lambda_.add_permission(
        FunctionName=name,
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal=principal,
        **more,
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    return json.loads(answer["Statement"])


def policy(aws: Any, name: str, **more: str) -> list[dict[str, Any]]:
    answer = aws.lambda_.get_policy(FunctionName=name, **more)
    whole = json.loads(answer["Policy"])
    assert {key: whole[key] for key in ("Version", "Id")} == {
        "Version": "2012-10-17",
        "Id": "default",
    }
    return whole["Statement"]


def test_DF_15_permissions_of_a_function_and_of_its_alias(aws) -> None:
    name = SHARED.name
    before = revision(aws, name)
    bucket = "arn:aws:s3:::course-bucket"
    s3 = allow(aws, name, "s3", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=aws.account)
    assert list(s3) == ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]
    assert s3["Principal"] == {"Service": "s3.amazonaws.com"}
    assert s3["Resource"] == arn_of(aws, name)
    assert s3["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": aws.account},
        "ArnLike": {"AWS:SourceArn": bucket},
    }
    role = allow(aws, name, "role", aws.role)
    assert role["Principal"] == {"AWS": aws.role}
    account = allow(aws, name, "account", aws.account)
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{aws.account}:root"}
    assert policy(aws, name) == [s3, role, account]
    assert revision(aws, name) != before
    aws.lambda_.create_alias(FunctionName=name, Name="shared", FunctionVersion="1")
    of_alias = allow(aws, name, "s3", "s3.amazonaws.com", Qualifier="shared")
    assert of_alias["Resource"] == arn_of(aws, name, "shared")
    assert policy(aws, name, Qualifier="shared") == [of_alias]
    alias = {"FunctionName": name, "Name": "shared"}
    shown = aws.lambda_.get_policy(FunctionName=name, Qualifier="shared")
    assert shown["RevisionId"] == aws.lambda_.get_alias(**alias)["RevisionId"]
    assert aws.lambda_.get_policy(FunctionName=name)["RevisionId"] == revision(aws, name)
    aws.lambda_.delete_alias(**alias)
    aws.lambda_.create_alias(**alias, FunctionVersion="1")
    text = "The resource you requested does not exist."
    refused = refusal(aws.lambda_.get_policy, FunctionName=name, Qualifier="shared")
    assert refused == (404, NOT_FOUND, text)


def test_DF_15_refused_permissions(aws, name) -> None:
    call = {
        "FunctionName": name,
        "StatementId": "once",
        "Action": "lambda:InvokeFunction",
        "Principal": "sqs.amazonaws.com",
    }
    aws.lambda_.add_permission(**call)

    def refused(**changes: str) -> tuple[int, str, str]:
        return refusal(aws.lambda_.add_permission, **{**call, **changes})

    assert refused() == (
        409,
        "ResourceConflictException",
        "The statement id (once) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.",
    )
    assert refused(StatementId="bad.id") == (
        400,
        VALIDATION,
        VIOLATED.format("bad.id", "statementId") + PATTERN + "([a-zA-Z0-9-_]+)",
    )
    assert refused(StatementId="other", Principal="nobody") == (
        400,
        INVALID,
        "The provided principal was invalid. Please check the principal and try again.",
    )
    assert refused(Qualifier="$LATEST") == (
        400,
        INVALID,
        "We currently do not support adding policies for $LATEST.",
    )
    assert refused(StatementId="other", RevisionId="0" * 8)[:2] == (
        412,
        "PreconditionFailedException",
    )
    missing = arn_of(aws, name, "missing")
    text = f"Cannot find alias arn: {missing}"
    assert refused(Qualifier="missing") == (404, NOT_FOUND, text)


def test_DF_15_permissions_that_are_taken_back(aws, name) -> None:
    of_version = {"FunctionName": name, "Qualifier": "2"}
    no_policy = refusal(aws.lambda_.remove_permission, StatementId="s3", **of_version)
    assert no_policy == (404, NOT_FOUND, "No policy is associated with the given resource.")
    allow(aws, name, "s3", "s3.amazonaws.com", Qualifier="2")
    other = refusal(aws.lambda_.remove_permission, StatementId="non-existent", **of_version)
    text = "Statement non-existent is not found in resource policy."
    assert other == (404, NOT_FOUND, text)
    answer = aws.lambda_.remove_permission(StatementId="s3", **of_version)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    text = "The resource you requested does not exist."
    assert refusal(aws.lambda_.get_policy, **of_version) == (404, NOT_FOUND, text)


# -- names, tags and revisions ----------------------------------------------------------------


def test_DF_19_a_name_with_other_characters(aws) -> None:
    text = VIOLATED.format("my-function!", "functionName") + PATTERN + NAME_PATTERN
    refused = refusal(aws.lambda_.get_function, FunctionName="my-function!")
    assert refused == (400, VALIDATION, text)


@pytest.mark.parametrize("operation", ["get_function", "invoke", "get_policy", "delete_function"])
def test_DF_19_a_malformed_qualifier(aws, name, operation) -> None:
    call = getattr(aws.lambda_, operation)
    status, code, text = refusal(call, FunctionName=name, Qualifier="in.valid!")
    assert (status, code) == (400, VALIDATION)
    assert text.startswith(VIOLATED.format("in.valid!", "qualifier") + PATTERN)


def test_DF_20_architectures(aws) -> None:
    refused = refusal(aws.create_function, name=unique("no"), source=WHO, Architectures=["X86_64"])
    assert refused == (
        400,
        VALIDATION,
        VIOLATED.format("[X86_64]", "architectures")
        + "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
        "Member must not be null]",
    )


def test_DF_20_an_alias_to_update_that_is_not_there(aws, name) -> None:
    refused = refusal(aws.lambda_.update_alias, FunctionName=name, Name="nope")
    assert refused == (404, NOT_FOUND, f"Alias not found: {arn_of(aws, name, 'nope')}")


@pytest.mark.parametrize("qualifier", ["1", "live", "$LATEST"])
def test_DF_20_only_a_function_has_tags(aws, name, qualifier) -> None:
    arn = arn_of(aws, name, qualifier)
    text = "Tags on function aliases and versions are not supported. Please specify a function ARN."
    for call, more in (
        (aws.lambda_.list_tags, {}),
        (aws.lambda_.tag_resource, {"Tags": {"a": "b"}}),
        (aws.lambda_.untag_resource, {"TagKeys": ["a"]}),
    ):
        assert refusal(call, Resource=arn, **more) == (400, INVALID, text)


def test_DF_20_fifty_tags_and_no_more(aws) -> None:
    arn = arn_of(aws, TAGGED.name)
    aws.lambda_.tag_resource(Resource=arn, Tags={f"key-{n}": "value" for n in range(50)})
    text = "Number of tags exceeds resource tag limit."
    for tags in ({"one more": "value"}, {f"other-{n}": "value" for n in range(51)}):
        refused = refusal(aws.lambda_.tag_resource, Resource=arn, Tags=tags)
        assert refused == (400, INVALID, text)
    aws.lambda_.tag_resource(Resource=arn, Tags={"key-0": "another value"})
    assert len(aws.lambda_.list_tags(Resource=arn)["Tags"]) == 50


@pytest.mark.parametrize(
    ("resource", "status", "code", "start"),
    [
        (
            "event-source-mapping:00000000-0000-0000-0000-000000000000",
            404,
            NOT_FOUND,
            "Event source mapping not found: {}",
        ),
        ("function:nobody", 404, NOT_FOUND, "Function not found: {}"),
        ("foobar", 400, VALIDATION, VIOLATED.format("{}", "resource") + PATTERN),
    ],
    ids=["mapping", "function", "nonsense"],
)
def test_DF_20_nothing_to_tag(aws, resource, status, code, start) -> None:
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}:{resource}"
    refused = refusal(aws.lambda_.list_tags, Resource=arn)
    assert refused[:2] == (status, code)
    assert refused[2].startswith(start.format(arn))


def test_DF_20_a_new_revision_after_tags_and_a_version(aws) -> None:
    name = aws.function(WHO)
    seen = [revision(aws, name)]
    aws.lambda_.tag_resource(Resource=arn_of(aws, name), Tags={"a": "b"})
    seen.append(revision(aws, name))
    aws.lambda_.untag_resource(Resource=arn_of(aws, name), TagKeys=["a"])
    seen.append(revision(aws, name))
    aws.lambda_.publish_version(FunctionName=name)
    seen.append(revision(aws, name))
    assert len({*seen}) == 4
