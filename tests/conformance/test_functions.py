"""Lambda's control plane: functions, versions, aliases, concurrency, and what is refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from helpers import steps
from helpers.waiting import when_role_is_ready
from tests.conformance.kit import HEAD, Declared, poll, refusal, unique

DIFFERS = {
    "LS-082": "The list of runtimes in the refusal is this server's own, shorter and in another "
    "order, and more than 3,008 MB of memory are refused with AWS's text for new accounts; other "
    "accounts have up to 10,240 MB",
    "LS-096": "The setting is kept and shown; no loop is ever stopped",
    "DF-22": "They are out of the course: a function's URL is kept and shown, and nothing listens "
    "there; provisioned concurrency is NotImplemented; Code.Location leads nowhere",
}
UNKNOWN = {
    "LS-083": "whether AWS knows a function by another account's number; here such a name is "
    "taken for one's own, as moto does",
}

CREATED = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}
IN_PROGRESS = {
    "State": "Active",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}
ONE = HEAD + "    return 1\n"
TWO = HEAD + "    return 2\n"
WHO = (
    "def who(context):\n    return [context.function_version, context.invoked_function_arn]\n"
    "def first(event, context):\n    return ['first', *who(context)]\n"
    "def second(event, context):\n    return ['second', *who(context)]\n"
)

ACTIVE = Declared(ONE)
TAGGED = Declared(ONE, Tags={"colour": "blue"})
TO_UPDATE = Declared(ONE)
BUSY_CODE = Declared(ONE)
BUSY_CONFIGURATION = Declared(ONE)
VERSIONS = Declared(WHO, Handler="lambda_function.first")
HANDLERS = Declared(WHO, Handler="lambda_function.first")
PUBLISHED = Declared(ONE, Publish=True)
ALIASED = Declared(ONE, Publish=True)
REVISED = Declared(ONE)
RESERVED = Declared(ONE)
RECURSIVE = Declared(ONE)
LOGGING = Declared(ONE)
TO_DELETE = Declared(ONE)
TO_DRY_RUN = Declared(HEAD + "    print('ran')\n")
LISTED = Declared(ONE)


def arn_of(aws: Any, name: str) -> str:
    return f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}"


def response_of(call: Any, **arguments: Any) -> dict[str, Any]:
    """What botocore makes of the error that a call ends with."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response


def configuration(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def settled(aws: Any, name: str, **settings: Any) -> dict[str, Any]:
    """Change a function's settings and wait until that is done."""
    aws.lambda_.update_function_configuration(FunctionName=name, **settings)
    return aws.wait_updated(name)


# -- the life of a function --------------------------------------------------------------


def test_LS_030_create_function_response(aws):
    name = unique("fn")
    answer = aws.create_function(name, ONE)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    shown = configuration(answer)
    runtime = shown.pop("RuntimeVersionConfig")
    assert re.fullmatch(
        rf"arn:aws:lambda:{aws.region}::runtime:[0-9a-f]{{64}}", runtime["RuntimeVersionArn"]
    )
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown.pop("RevisionId"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", shown.pop("LastModified"))
    assert shown == {
        **CREATED,
        "FunctionName": name,
        "FunctionArn": arn_of(aws, name),
        "Runtime": "python3.13",
        "Role": aws.role,
        "Handler": "lambda_function.lambda_handler",
        "CodeSize": len(steps.make_package(ONE)),
        "CodeSha256": steps.package_hash(ONE),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }


@pytest.mark.parametrize("variables", [{}, {"COLOUR": "blue"}], ids=["empty", "one"])
def test_LS_030_environment_is_echoed_if_given(aws, variables):
    answer = aws.create_function(unique("fn"), ONE, Environment={"Variables": variables})
    assert answer["Environment"] == {"Variables": variables}


def test_LS_031_get_function_when_active(aws):
    name = unique("fn")
    created = aws.create_function(name, ONE)
    aws.wait_active(name)
    answer = configuration(aws.lambda_.get_function(FunctionName=name))
    assert set(answer) == {"Code", "Configuration"}
    assert answer["Code"].pop("Location").startswith("https://")
    assert answer["Code"] == {"RepositoryType": "S3"}
    now = answer["Configuration"]
    assert (now["State"], now["LastUpdateStatus"]) == ("Active", "Successful")
    assert not {"StateReason", "StateReasonCode", "LastUpdateStatusReason"} & set(now)
    assert now["RevisionId"] != created["RevisionId"]


def test_LS_031_tags_and_concurrency_only_if_set(aws):
    aws.lambda_.put_function_concurrency(FunctionName=TAGGED.name, ReservedConcurrentExecutions=0)
    answer = aws.lambda_.get_function(FunctionName=TAGGED.name)
    assert answer["Tags"] == {"colour": "blue"}
    assert answer["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    aws.lambda_.delete_function_concurrency(FunctionName=TAGGED.name)
    arn = answer["Configuration"]["FunctionArn"]
    answer = aws.lambda_.tag_resource(Resource=arn, Tags={"size": "small"})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    aws.lambda_.untag_resource(Resource=arn, TagKeys=["colour", "never there"])
    assert aws.lambda_.list_tags(Resource=arn)["Tags"] == {"size": "small"}
    aws.lambda_.untag_resource(Resource=arn, TagKeys=["size"])
    assert aws.lambda_.list_tags(Resource=arn)["Tags"] == {}
    assert not {"Tags", "Concurrency"} & set(aws.lambda_.get_function(FunctionName=TAGGED.name))


def test_LS_032_an_update_is_in_progress_then_successful(aws):
    def look() -> dict[str, Any]:
        return configuration(aws.lambda_.get_function_configuration(FunctionName=TO_UPDATE.name))

    before = look()
    revisions = [before["RevisionId"]]
    for call, arguments, changes in (
        (
            aws.lambda_.update_function_configuration,
            {"Timeout": 5, "Description": "new"},
            {"Timeout": 5, "Description": "new"},
        ),
        (
            aws.lambda_.update_function_code,
            {"ZipFile": steps.make_package(TWO)},
            {"CodeSha256": steps.package_hash(TWO), "CodeSize": len(steps.make_package(TWO))},
        ),
    ):
        answer = call(FunctionName=TO_UPDATE.name, **arguments)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert {key: answer[key] for key in IN_PROGRESS} == IN_PROGRESS
        revisions.append(answer["RevisionId"])
        aws.lambda_.get_waiter("function_updated_v2").wait(FunctionName=TO_UPDATE.name)
        now = look()
        revisions.append(now["RevisionId"])
        assert now["LastUpdateStatus"] == "Successful"
        changed = {key for key in {*now, *before} if now.get(key) != before.get(key)}
        assert changed - {"RevisionId", "LastModified"} == {
            key for key, value in changes.items() if before[key] != value
        }
        assert {key: now[key] for key in changes} == changes
        before = now
    assert len(set(revisions)) == 5


@pytest.mark.parametrize("second", ["code", "configuration"])
def test_LS_033_one_update_at_a_time(aws, second):
    name = (BUSY_CODE if second == "code" else BUSY_CONFIGURATION).name
    calls = {
        "code": (aws.lambda_.update_function_code, {"ZipFile": steps.make_package(TWO)}),
        "configuration": (aws.lambda_.update_function_configuration, {"Timeout": 4}),
    }
    call, arguments = calls[second]
    call(FunctionName=name, **arguments)
    response = response_of(call, FunctionName=name, **arguments)
    text = (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        + arn_of(aws, name)
    )
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert response["Error"] == {"Code": "ResourceConflictException", "Message": text}
    assert (response["Type"], response["message"]) == ("User", text)


def test_LS_086_delete_twice(aws):
    name = TO_DELETE.name
    for qualifier in ("77", "never-an-alias"):
        answer = aws.lambda_.delete_function(FunctionName=name, Qualifier=qualifier)
        assert answer["StatusCode"] == 204
    assert refusal(aws.lambda_.delete_function, FunctionName=name, Qualifier="$LATEST") == (
        400,
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    assert aws.lambda_.get_function(FunctionName=name)["Configuration"]["State"] == "Active"
    answer = aws.lambda_.delete_function(FunctionName=name)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["StatusCode"]) == (204, 204)
    response = response_of(aws.lambda_.delete_function, FunctionName=name)
    text = f"Function not found: {arn_of(aws, name)}"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["Error"] == {"Code": "ResourceNotFoundException", "Message": text}
    assert (response["Type"], response["Message"]) == ("User", text)


def test_LS_086_create_again_at_once(aws):
    source = HEAD + "    print('event', event)\n"
    name = aws.function(source)
    before = aws.lambda_.get_function_configuration(FunctionName=name)
    aws.lambda_.delete_function(FunctionName=name)
    again = aws.create_function(name, source)
    assert {key: again[key] for key in CREATED} == CREATED
    assert again["RevisionId"] != before["RevisionId"]
    aws.wait_active(name)
    aws.invoke(name, 1, InvocationType="Event")
    assert aws.wait_lines(name, 1) == ["event 1\n"]


def test_LS_076_a_deleted_function_leaves_its_trigger(aws):
    name = aws.function(ONE)
    mapping = when_role_is_ready(
        aws.create_mapping, EventSourceArn=aws.queue()[1], FunctionName=name
    )
    aws.wait_mapping(mapping["UUID"], "Enabled")
    answer = aws.lambda_.delete_function(FunctionName=name)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["StatusCode"]) == (204, 204)
    left = aws.lambda_.get_event_source_mapping(UUID=mapping["UUID"])
    assert (left["State"], left["FunctionArn"]) == ("Enabled", arn_of(aws, name))
    answer = aws.lambda_.delete_event_source_mapping(UUID=mapping["UUID"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["State"] == "Deleting"


def test_LS_092_dry_run(aws):
    answer = aws.invoke(TO_DRY_RUN.name, {"a": 1}, InvocationType="DryRun")
    assert answer.whole["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert (answer.whole["StatusCode"], answer.payload) == (204, b"")
    assert aws.own_lines(TO_DRY_RUN.name) == []


# -- versions and aliases ----------------------------------------------------------------


def test_LS_087_handler_change(aws):
    name = HANDLERS.name
    assert aws.invoke(HANDLERS.name).value[0] == "first"
    aws.lambda_.publish_version(FunctionName=name)
    assert settled(aws, name, Handler="lambda_function.second")["Version"] == "$LATEST"
    assert aws.invoke(name).value == ["second", "$LATEST", arn_of(aws, name)]
    aws.lambda_.publish_version(FunctionName=name)
    assert aws.invoke(name).value[0] == "second"
    assert aws.invoke(name, Qualifier="1").value[0] == "first"


def test_LS_087_invoke_a_published_version(aws):
    name, arn = VERSIONS.name, arn_of(aws, VERSIONS.name)
    version = aws.lambda_.publish_version(FunctionName=name, Description="the first")
    assert version["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (version["Version"], version["FunctionArn"]) == ("1", f"{arn}:1")
    assert (version["State"], version["LastUpdateStatus"]) == ("Active", "Successful")
    assert version["Description"] == "the first"
    answer = aws.invoke(name, Qualifier="1")
    assert answer.whole["ExecutedVersion"] == "1"
    assert answer.value == ["first", "1", f"{arn}:1"]
    poll(
        lambda: aws.log(name),
        lambda lines: f"START RequestId: {answer.request_id} Version: 1\n" in lines,
        "the START line",
    )
    assert aws.invoke(name).whole["ExecutedVersion"] == "$LATEST"


def test_publish_with_create(aws):
    name = unique("fn")
    created = aws.create_function(name, ONE, Publish=True)
    assert (created["Version"], created["FunctionArn"]) == ("1", arn_of(aws, name))
    assert {key: created[key] for key in CREATED} == CREATED


def test_nothing_new_to_publish(aws):
    name, arn = PUBLISHED.name, arn_of(aws, PUBLISHED.name)
    again = aws.lambda_.publish_version(FunctionName=name)
    assert (again["Version"], again["FunctionArn"]) == ("1", f"{arn}:1")
    settled(aws, name, Description="changed")
    second = [aws.lambda_.publish_version(FunctionName=name) for _ in range(2)]
    assert [version["Version"] for version in second] == ["2", "2"]
    listed = aws.lambda_.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["FunctionArn"] for version in listed] == [
        f"{arn}:$LATEST", f"{arn}:1", f"{arn}:2",
    ]  # fmt: skip
    assert [version["Description"] for version in listed] == ["changed", "", "changed"]
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & set(listed[0])
    aws.lambda_.delete_function(FunctionName=name, Qualifier="2")
    assert refusal(aws.lambda_.get_function, FunctionName=name, Qualifier="2") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:2",
    )


@pytest.mark.parametrize(
    ("expected", "status", "code"),
    [
        ({"RevisionId": "nope"}, 412, "PreconditionFailedException"),
        ({"CodeSha256": "nope"}, 400, "InvalidParameterValueException"),
    ],
    ids=["revision", "code"],
)
def test_publish_only_what_is_expected(aws, expected, status, code):
    texts = {
        "RevisionId": "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id",
        "CodeSha256": "CodeSHA256 (nope) is different from current CodeSHA256 in $LATEST "
        f"({steps.package_hash(ONE)}). Please try again with the CodeSHA256 in $LATEST.",
    }
    assert refusal(aws.lambda_.publish_version, FunctionName=REVISED.name, **expected) == (
        status,
        code,
        texts[next(iter(expected))],
    )


def test_an_update_of_another_revision_is_refused(aws):
    now = aws.lambda_.get_function_configuration(FunctionName=ACTIVE.name)
    call = aws.lambda_.update_function_configuration
    refused = refusal(call, FunctionName=ACTIVE.name, Timeout=4, RevisionId="nope")
    assert refused[:2] == (412, "PreconditionFailedException")
    call(FunctionName=ACTIVE.name, Timeout=4, RevisionId=now["RevisionId"])
    assert aws.wait_updated(ACTIVE.name)["Timeout"] == 4


def test_aliases(aws):
    lambda_, name, arn = aws.lambda_, ALIASED.name, arn_of(aws, ALIASED.name)
    made = lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    shown = configuration(made)
    revision = shown.pop("RevisionId")
    assert shown == {
        "AliasArn": f"{arn}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
    }
    assert aws.invoke(name, Qualifier="live").whole["ExecutedVersion"] == "1"
    through = lambda_.get_function(FunctionName=name, Qualifier="live")["Configuration"]
    assert (through["FunctionArn"], through["Version"]) == (f"{arn}:live", "1")
    got = lambda_.get_alias(FunctionName=name, Name="live")
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["RevisionId"]) == (200, revision)
    updated = lambda_.update_alias(FunctionName=name, Name="live", Description="new")
    assert (updated["Description"], updated["FunctionVersion"]) == ("new", "1")
    assert updated["RevisionId"] != revision
    assert refusal(lambda_.create_alias, FunctionName=name, Name="live", FunctionVersion="1") == (
        409,
        "ResourceConflictException",
        f"Alias already exists: {arn}:live",
    )
    assert refusal(lambda_.create_alias, FunctionName=name, Name="x", FunctionVersion="10") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:10",
    )
    assert refusal(lambda_.get_alias, FunctionName=name, Name="non-existent") == (
        404,
        "ResourceNotFoundException",
        f"Cannot find alias arn: {arn}:non-existent",
    )
    answer = lambda_.delete_alias(FunctionName=name, Name="live")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert lambda_.list_aliases(FunctionName=name)["Aliases"] == []


def test_listings_in_pages(aws):
    assert LISTED.name
    pages = aws.lambda_.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    found = {}
    for page in pages:
        assert len(page["Functions"]) <= 2
        found |= {function["FunctionName"]: function for function in page["Functions"]}
    assert found[LISTED.name]["FunctionArn"] == arn_of(aws, LISTED.name)
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & set(found[LISTED.name])


# -- names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "qualifier"),
    [
        ("{name}", None),
        ("{name}:$LATEST", "$LATEST"),
        ("{account}:function:{name}", None),
        ("function:{name}", None),
        ("{arn}", None),
        ("{arn}:$LATEST", "$LATEST"),
    ],
)
def test_spellings_of_a_function_name(aws, given, qualifier):
    name, arn = LISTED.name, arn_of(aws, LISTED.name)
    spelt = given.format(name=name, account=aws.account, arn=arn)
    shown = aws.lambda_.get_function_configuration(FunctionName=spelt)
    assert shown["FunctionArn"] == (f"{arn}:{qualifier}" if qualifier else arn)
    assert aws.lambda_.get_function(FunctionName=spelt)["Configuration"]["FunctionName"] == name


def test_LS_083_a_long_name(aws):
    name = "a" * 65
    assert refusal(aws.create_function, name=name, source=ONE) == (
        400,
        "InvalidParameterValueException",
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64",
    )
    for call in (aws.lambda_.get_function, aws.lambda_.delete_function):
        assert refusal(call, FunctionName=name) == (
            404,
            "ResourceNotFoundException",
            f"Function not found: {arn_of(aws, name)}",
        )


@pytest.mark.parametrize("operation", ["create", "get", "get configuration", "delete"])
def test_LS_083_a_name_with_other_characters(aws, operation):
    calls = {
        "create": lambda FunctionName: aws.create_function(FunctionName, ONE),
        "get": aws.lambda_.get_function,
        "get configuration": aws.lambda_.get_function_configuration,
        "delete": aws.lambda_.delete_function,
    }
    response = response_of(calls[operation], FunctionName="my-function!")
    text = response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Code"] == "ValidationException"
    assert text.startswith(
        "1 validation error detected: Value 'my-function!' at 'functionName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: "
    )
    assert text.endswith(r"(:(\$LATEST|[a-zA-Z0-9-_]+))?")
    assert "Type" not in response


@pytest.mark.parametrize("operation", ["get_function", "get_function_configuration", "invoke"])
def test_two_qualifiers(aws, operation):
    call = getattr(aws.lambda_, operation)
    arn = arn_of(aws, ACTIVE.name)
    assert refusal(call, FunctionName=f"{arn}:1", Qualifier="$LATEST") == (
        400,
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


@pytest.mark.parametrize(
    "operation",
    [
        *("get_function", "get_function_configuration", "get_function_concurrency"),
        *("get_function_code_signing_config", "get_function_url_config"),
        *("get_function_event_invoke_config", "delete_function", "invoke"),
    ],
)
def test_LS_142_an_arn_of_another_region(aws, operation):
    other = "eu-west-3" if aws.region != "eu-west-3" else "eu-west-1"
    arn = arn_of(aws, ACTIVE.name).replace(aws.region, other)
    response = response_of(getattr(aws.lambda_, operation), FunctionName=arn)
    text = f"Functions from '{other}' are not reachable in this region ('{aws.region}')"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["Error"] == {"Code": "ResourceNotFoundException", "Message": text}
    assert (response["Type"], response["Message"]) == ("User", text)


# -- what is refused ---------------------------------------------------------------------


ROLE_TEXT = (
    "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must "
    r"satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?"
    r"[a-zA-Z_0-9+=,.@\-_/]+"
)
ZIP_TEXT = "Could not unzip uploaded file. Please check your file, then try to upload again."
INVALID = "InvalidParameterValueException"
VALIDATION = "ValidationException"


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"Role": "r1"}, VALIDATION, ROLE_TEXT),
        (
            {"Architectures": ["x86_64", "arm64"]},
            VALIDATION,
            "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to "
            "satisfy constraint: Member must have length less than or equal to 1",
        ),
        ({"Code": {"ZipFile": b"this is not a zip file, just a random string"}}, INVALID, ZIP_TEXT),
        (
            {"Runtime": "python3.7"},
            INVALID,
            "The runtime parameter of python3.7 is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions.",
        ),
    ],
    ids=["role", "architectures", "zip", "retired runtime"],
)
def test_LS_082_create_function_errors(aws, settings, code, message):
    response = response_of(aws.create_function, name=unique("no"), source=ONE, **settings)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"] == {"Code": code, "Message": message}
    if code == INVALID:
        assert (response["Type"], response["message"]) == ("User", message)
    else:
        assert "Type" not in response


@pytest.mark.parametrize("runtime", ["non-existent-runtime", "PYTHON3.13"])
@pytest.mark.parametrize("operation", ["create", "update"])
def test_LS_082_unknown_runtime(aws, operation, runtime):
    if operation == "create":
        refused = refusal(aws.create_function, name=unique("no"), source=ONE, Runtime=runtime)
    else:
        call = aws.lambda_.update_function_configuration
        refused = refusal(call, FunctionName=LISTED.name, Runtime=runtime)
    assert refused[:2] == (400, INVALID)
    start = (
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
        "value set: ["
    )
    assert refused[2].startswith(start)
    assert refused[2].endswith("] or be a valid ARN")
    supported = refused[2].removeprefix(start).removesuffix("] or be a valid ARN").split(", ")
    assert {"python3.8", "python3.12", "python3.13", "python3.14"} <= set(supported)


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"Role": "r1"}, VALIDATION, ROLE_TEXT),
        (
            {"Timeout": 901},
            VALIDATION,
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
    ],
    ids=["role", "timeout"],
)
def test_update_errors(aws, settings, code, message):
    call = aws.lambda_.update_function_configuration
    refused = refusal(call, FunctionName=LISTED.name, **settings)
    assert refused == (400, code, message)


def test_memory_of_a_new_account(aws):
    if aws.endpoint_url is None:
        pytest.skip("depends on the account's quota")
    assert refusal(aws.create_function, name=unique("no"), source=ONE, MemorySize=3009) == (
        400,
        INVALID,
        "'MemorySize' value failed to satisfy constraint: Member must have value less than or "
        "equal to 3008",
    )


def test_no_code_at_all(aws):
    text = "Please provide a source for function code."
    refused = refusal(aws.create_function, name=unique("no"), source=ONE, Code={})
    assert refused == (400, INVALID, text)
    refused = refusal(aws.lambda_.update_function_code, FunctionName=LISTED.name)
    assert refused == (400, INVALID, text)


@pytest.mark.parametrize("missing", ["Runtime", "Handler"])
def test_no_runtime_or_handler(aws, missing):
    settings = {
        "FunctionName": unique("no"),
        "Runtime": "python3.13",
        "Handler": "lambda_function.lambda_handler",
        "Role": aws.role,
        "Code": {"ZipFile": steps.make_package(ONE)},
    }
    del settings[missing]
    assert refusal(aws.lambda_.create_function, **settings) == (
        400,
        INVALID,
        "Runtime and Handler are mandatory parameters for functions created with deployment "
        "packages.",
    )


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize(
    "variables",
    [{"LARGE_VAR": "x" * 4096}, {f"KEY_{n}": "x" * 1024 for n in range(4)}],
    ids=["one", "several"],
)
def test_LS_084_environment_over_4_kB(aws, operation, variables):
    arguments = {"Environment": {"Variables": variables}}
    if operation == "create":
        refused = refusal(aws.create_function, name=unique("no"), source=ONE, **arguments)
    else:
        call = aws.lambda_.update_function_configuration
        refused = refusal(call, FunctionName=LISTED.name, **arguments)
    assert refused[:2] == (400, INVALID)
    start = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: "
    )
    assert refused[2].startswith(start)
    assert json.loads(refused[2].removeprefix(start)) == variables


def test_LS_084_an_environment_that_just_fits(aws):
    value = "x" * (4096 - len('{"LARGE_VAR":""}'))
    name = unique("fn")
    answer = aws.create_function(name, ONE, Environment={"Variables": {"LARGE_VAR": value}})
    assert answer["Environment"]["Variables"] == {"LARGE_VAR": value}


def test_reserved_variables(aws):
    variables = {"COLOUR": "blue", "AWS_REGION": "x", "AWS_SESSION_TOKEN": "x"}
    assert refusal(
        aws.create_function, name=unique("no"), source=ONE, Environment={"Variables": variables}
    ) == (
        400,
        INVALID,
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        "modification. Reserved keys used in this request: AWS_REGION, AWS_SESSION_TOKEN",
    )


def stored(size: int) -> bytes:
    """A zip file of about this size, with nothing compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", bytes(size))
    return buffer.getvalue()


def unfolding(size: int) -> bytes:
    """A small zip file with a little more than so many bytes in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(size // 2**20 + 1):
            archive.writestr(str(number), bytes(2**20))
    return buffer.getvalue()


@pytest.mark.parametrize("operation", ["create", "update"])
def test_LS_085_unzipped_size(aws, operation):
    package = unfolding(262_144_000)
    if operation == "create":
        call, arguments = aws.create_function, {"name": unique("no"), "source": ONE}
        arguments["Code"] = {"ZipFile": package}
    else:
        call = aws.lambda_.update_function_code
        arguments = {"FunctionName": LISTED.name, "ZipFile": package}
    assert refusal(call, **arguments) == (
        400,
        INVALID,
        "Unzipped size must be smaller than 262144000 bytes",
    )


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (52_428_800, "Zipped size must be smaller than 52428800 bytes"),
        (
            52_700_000,
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        ),
    ],
    ids=["zip", "request"],
)
def test_LS_085_size_of_zip_and_request(aws, size, message):
    code = {"ZipFile": stored(size)}
    response = response_of(aws.create_function, name=unique("no"), source=ONE, Code=code)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert response["Error"] == {"Code": "RequestEntityTooLargeException", "Message": message}
    assert "Type" not in response


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize("wrong", ["bucket", "key", "content"])
def test_LS_088_code_from_s3(aws, operation, wrong):
    s3 = aws.client("s3")
    bucket = unique("bucket")
    if wrong != "bucket":
        s3.create_bucket(Bucket=bucket)
        aws.later(s3.delete_bucket, Bucket=bucket)
    if wrong == "content":
        s3.put_object(Bucket=bucket, Key="code.zip", Body=b"no zip")
        aws.later(s3.delete_object, Bucket=bucket, Key="code.zip")
    code = {"S3Bucket": bucket, "S3Key": "code.zip"}
    if operation == "create":
        refused = refusal(aws.create_function, name=unique("no"), source=ONE, Code=code)
    else:
        refused = refusal(aws.lambda_.update_function_code, FunctionName=LISTED.name, **code)
    start = "Error occurred while GetObject. S3 Error Code: "
    assert refused == (
        400,
        INVALID,
        {
            "bucket": f"{start}NoSuchBucket. S3 Error Message: The specified bucket does not exist",
            "key": f"{start}NoSuchKey. S3 Error Message: The specified key does not exist.",
            "content": ZIP_TEXT,
        }[wrong],
    )


def test_code_from_s3_runs(aws):
    s3 = aws.client("s3")
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    aws.later(s3.delete_bucket, Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=steps.make_package(TWO))
    aws.later(s3.delete_object, Bucket=bucket, Key="code.zip")
    name = aws.function(ONE, Code={"S3Bucket": bucket, "S3Key": "code.zip"})
    assert aws.invoke(name).value == 2


@pytest.mark.parametrize("operation", ["create", "update"])
def test_G_03_a_role_that_does_not_exist(aws, operation):
    role = f"arn:aws:iam::{aws.account}:role/{unique('nobody')}"
    if operation == "create":
        response = response_of(aws.create_function, name=unique("no"), source=ONE, Role=role)
    else:
        call = aws.lambda_.update_function_configuration
        response = response_of(call, FunctionName=LISTED.name, Role=role)
    text = "The role defined for the function cannot be assumed by Lambda."
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"] == {"Code": INVALID, "Message": text}
    assert response["Type"] == "User"


def test_G_03_a_role_that_trusts_another_service(aws):
    name = unique("role")
    trust = json.dumps(steps.TRUST_POLICY).replace("lambda.", "ec2.")
    role = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    aws.later(aws.delete_role, name)
    assert refusal(aws.create_function, name=unique("no"), source=ONE, Role=role) == (
        400,
        INVALID,
        "The role defined for the function cannot be assumed by Lambda.",
    )


def test_a_name_that_is_taken(aws):
    name = LISTED.name
    assert refusal(aws.create_function, name=name, source=ONE) == (
        409,
        "ResourceConflictException",
        f"Function already exist: {name}",
    )


# -- settings ----------------------------------------------------------------------------


def test_LS_093_reserved_concurrency(aws):
    name, lambda_ = RESERVED.name, aws.lambda_

    def seen() -> dict[str, Any]:
        return configuration(lambda_.get_function_concurrency(FunctionName=name))

    assert seen() == {}
    for count in (0, 1, 3):
        answer = lambda_.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=count
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert configuration(answer) == {"ReservedConcurrentExecutions": count}
        assert seen() == {"ReservedConcurrentExecutions": count}
        shown = lambda_.get_function(FunctionName=name)["Concurrency"]
        assert shown == {"ReservedConcurrentExecutions": count}
    answer = lambda_.delete_function_concurrency(FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert seen() == {}
    assert "Concurrency" not in lambda_.get_function(FunctionName=name)


def test_LS_093_reserved_concurrency_refused(aws):
    call = aws.lambda_.put_function_concurrency
    unknown = unique("nope")
    arguments = {"ReservedConcurrentExecutions": 1}
    assert refusal(call, FunctionName=unknown, **arguments) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn_of(aws, unknown)}:$LATEST",
    )
    assert refusal(call, FunctionName=f"{arn_of(aws, RESERVED.name)}:1", **arguments) == (
        400,
        INVALID,
        "This operation is permitted on Lambda functions only. Aliases and versions do not "
        "support this operation. Please specify either a function name or an unqualified "
        "function ARN.",
    )


def test_LS_093_more_than_the_account_can_spare(aws):
    limit = aws.lambda_.get_account_settings()["AccountLimit"]
    response = response_of(
        aws.lambda_.put_function_concurrency,
        FunctionName=RESERVED.name,
        ReservedConcurrentExecutions=limit["ConcurrentExecutions"] + 1,
    )
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Code"] == INVALID
    assert re.fullmatch(
        "Specified ReservedConcurrentExecutions for function decreases account's "
        r"UnreservedConcurrentExecution below its minimum value of \[\d+\]\.",
        response["Error"]["Message"],
    )
    assert "Type" not in response


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (
            {"LogFormat": "JSON"},
            {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"},
        ),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"},
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"},
        ),
        ({"LogFormat": "Text"}, {"LogFormat": "Text"}),
        ({"LogGroup": "cool_lambda"}, {"LogFormat": "Text", "LogGroup": "cool_lambda"}),
    ],
    ids=["JSON", "levels", "Text", "group"],
)
def test_LS_095_logging_config(aws, change, shown):
    name = LOGGING.name
    expected = {"LogGroup": f"/aws/lambda/{name}", **shown}
    aws.wait_updated(name)
    updated = aws.lambda_.update_function_configuration(FunctionName=name, LoggingConfig=change)
    assert updated["LoggingConfig"] == expected
    assert aws.wait_updated(name)["LoggingConfig"] == expected
    # The next case starts from the defaults again.
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert settled(aws, name, LoggingConfig=defaults)["LoggingConfig"] == defaults


def test_LS_096_recursion_guard(aws):
    name, lambda_ = RECURSIVE.name, aws.lambda_

    def seen() -> dict[str, Any]:
        return configuration(lambda_.get_function_recursion_config(FunctionName=name))

    assert seen() == {"RecursiveLoop": "Terminate"}
    answer = lambda_.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert configuration(answer) == {"RecursiveLoop": "Allow"}
    assert seen() == {"RecursiveLoop": "Allow"}
    assert refusal(
        lambda_.put_function_recursion_config, FunctionName=name, RecursiveLoop="invalidVal"
    ) == (
        400,
        VALIDATION,
        "1 validation error detected: Value 'invalidVal' at 'recursiveLoop' failed to satisfy "
        "constraint: Member must satisfy enum value set: [Terminate, Allow]",
    )
