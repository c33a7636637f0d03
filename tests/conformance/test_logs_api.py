"""The CloudWatch Logs API: groups, streams and events that are not there or there already."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.conformance.kit import HEAD, Declared, poll, refusal, unique

NO_GROUP = (400, "ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = (400, "ResourceNotFoundException", "The specified log stream does not exist.")
MESSAGES = ["Status: timeout", "Task timed out", "the value 12345", "fine"]

NEVER_INVOKED = Declared(HEAD + "    return 1\n")


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def group(aws) -> str:
    """A log group with one stream "s", which holds MESSAGES."""
    name = unique("/course/group")
    aws.logs.create_log_group(logGroupName=name)
    aws.later(aws.logs.delete_log_group, logGroupName=name)
    aws.logs.create_log_stream(logGroupName=name, logStreamName="s")
    events = [{"timestamp": now_ms(), "message": message} for message in MESSAGES]
    aws.logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    poll(lambda: aws.log_events("", name), lambda seen: len(seen) == len(MESSAGES), "the events")
    return name


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("filter_log_events", {}),
        ("describe_log_streams", {}),
        ("get_log_events", {"logStreamName": "s"}),
        ("put_log_events", {"logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "x"}]}),
        ("create_log_stream", {"logStreamName": "s"}),
        ("delete_log_stream", {"logStreamName": "s"}),
        ("delete_log_group", {}),
        ("put_retention_policy", {"retentionInDays": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_LS_051_a_log_group_that_is_not_there_yet(aws, operation, arguments):
    name = f"/aws/lambda/{NEVER_INVOKED.name}"
    assert refusal(getattr(aws.logs, operation), logGroupName=name, **arguments) == NO_GROUP


@pytest.mark.parametrize("operation", ["get_log_events", "put_log_events", "delete_log_stream"])
def test_LS_051_a_log_stream_that_is_not_there(aws, group, operation):
    events = {"logEvents": [{"timestamp": now_ms(), "message": "x"}]}
    arguments = events if operation == "put_log_events" else {}
    call = getattr(aws.logs, operation)
    assert refusal(call, logGroupName=group, logStreamName="nope", **arguments) == NO_STREAM


def test_LS_139_a_log_group_that_exists_already(aws, group):
    assert refusal(aws.logs.create_log_group, logGroupName=group) == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )


def test_LS_139_a_log_stream_that_exists_already(aws, group):
    assert refusal(aws.logs.create_log_stream, logGroupName=group, logStreamName="s") == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )


def test_LS_139_events_in_the_wrong_order(aws, group):
    now = now_ms()
    events = [{"timestamp": now + after, "message": "x"} for after in (0, -1000)]
    assert refusal(
        aws.logs.put_log_events, logGroupName=group, logStreamName="s", logEvents=events
    ) == (
        400,
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )


def found(aws: Any, **arguments: Any) -> list[str]:
    events = aws.logs.filter_log_events(**arguments)["events"]
    return [event["message"] for event in events]


@pytest.mark.parametrize("form", ["name", "arn"])
def test_a_log_group_by_its_identifier(aws, group, form):
    arn = f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{group}"
    identifier = group if form == "name" else arn
    assert found(aws, logGroupIdentifier=identifier) == MESSAGES
    events = aws.logs.get_log_events(
        logGroupIdentifier=identifier, logStreamName="s", startFromHead=True
    )["events"]
    assert [event["message"] for event in events] == MESSAGES
    streams = aws.logs.describe_log_streams(logGroupIdentifier=identifier)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["s"]
    missing = identifier + "-nope"
    assert refusal(aws.logs.filter_log_events, logGroupIdentifier=missing) == NO_GROUP


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", MESSAGES),
        ("fine", MESSAGES[3:]),
        ("12345", MESSAGES[2:3]),
        ("value 12345", MESSAGES[2:3]),
        ("value nope", []),
        ('"timed out"', MESSAGES[1:2]),
        ('?"Status: timeout" ?"Task timed out"', MESSAGES[:2]),
        ("-time", MESSAGES[2:]),
        ("timed -Status", MESSAGES[1:2]),
    ],
)
def test_filter_patterns_for_text(aws, group, pattern, expected):
    assert found(aws, logGroupName=group, filterPattern=pattern) == expected


def test_LS_139_names_of_groups_and_streams(aws, group):
    for call, given in (
        (aws.logs.create_log_group, {"logGroupName": "a" * 513}),
        (aws.logs.create_log_stream, {"logGroupName": group, "logStreamName": "a" * 513}),
    ):
        text = "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
        assert refusal(call, **given) == (400, "InvalidParameterException", text)
    for call, given, parameter, value, pattern in (
        (
            *(aws.logs.create_log_group, {"logGroupName": "a b"}),
            *("logGroupName", "a b", r"[\.\-_/#A-Za-z0-9]+"),
        ),
        (
            *(aws.logs.create_log_stream, {"logGroupName": group, "logStreamName": "a:b"}),
            *("logStreamName", "a:b", "[^:*]*"),
        ),
    ):
        text = (
            f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {pattern}"
        )
        assert refusal(call, **given) == (400, "InvalidParameterException", text)


def test_DF_16_log_groups_by_a_part_of_their_names(aws, group):
    part = group.rpartition("-")[2]
    found = poll(
        lambda: aws.logs.describe_log_groups(logGroupNamePattern=part)["logGroups"],
        bool,
        "the group to be found",
    )
    assert [each["logGroupName"] for each in found] == [group]
    assert found[0]["logGroupClass"] == "STANDARD"
    assert "storedBytes" not in found[0]
    [by_prefix] = aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert by_prefix["deletionProtectionEnabled"] is False
    assert by_prefix["logGroupClass"] == "STANDARD"
    in_capitals = f"GROUP-{part}"
    assert aws.logs.describe_log_groups(logGroupNamePattern=in_capitals)["logGroups"] == []


def test_DF_16_a_part_and_a_beginning_exclude_each_other(aws):
    refused = refusal(aws.logs.describe_log_groups, logGroupNamePattern="a", logGroupNamePrefix="a")
    assert refused == (
        400,
        "InvalidParameterException",
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    )


@pytest.mark.parametrize("pattern", ["{part}", "^/course/group", "nothing|{part}"])
def test_DF_16_listed_log_groups(aws, group, pattern):
    wanted = pattern.format(part=group.rpartition("-")[2])
    found = poll(
        lambda: aws.logs.list_log_groups(logGroupNamePattern=wanted)["logGroups"],
        lambda groups: group in [each["logGroupName"] for each in groups],
        "the group to be listed",
    )
    [mine] = [each for each in found if each["logGroupName"] == group]
    assert mine["logGroupClass"] == "STANDARD"
    assert mine["logGroupArn"].endswith(f":log-group:{group}")
    assert aws.logs.list_log_groups(logGroupNamePattern="^course/group")["logGroups"] == []


def test_DF_16_pages_of_log_groups(aws, group):
    names = [f"{group}/{letter}" for letter in "abc"]
    for name in names:
        aws.logs.create_log_group(logGroupName=name)
        aws.later(aws.logs.delete_log_group, logGroupName=name)
    pages = aws.logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"{group}/", PaginationConfig={"PageSize": 2}
    )
    found = [[each["logGroupName"] for each in page["logGroups"]] for page in pages]
    assert found == [names[:2], names[2:]]
