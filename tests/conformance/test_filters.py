"""Filter criteria: what reaches the function, and what is deleted unseen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.kit import HEAD, Declared, Scenario, refusal

SHOWS = HEAD + "    show(event)\n"
INVALID = (400, "InvalidParameterValueException", "Invalid filter pattern definition.")

UNKNOWN = {
    "LS-025": "AWS's answer to an unknown operator, or to one with an operand of the wrong kind, "
    "is not recorded; here it is refused in the same words",
    "G-12": "AWS's treatment of string patterns on plain-text bodies is documented, not "
    "recorded; here as documented: both must have the same format, and what is neither a JSON "
    "object nor the same text is deleted.",
}


def filtered(bodies: list[Any], *patterns: Any) -> Scenario:
    """A trigger with filters on the body, created after the messages were sent."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    filters = [{"Pattern": json.dumps({"body": pattern})} for pattern in patterns]
    return Scenario(
        SHOWS, texts, FilterCriteria={"Filters": filters}, MaximumBatchingWindowInSeconds=1
    )


# The first body passes, the others do not.
RECORDED = {
    "value": filtered([{"a": "x"}, {"a": "y"}, {"b": "x"}], {"a": ["x"]}),
    "or": filtered([{"a": "y"}, {"a": "z"}], {"a": ["x", "y"]}),
    "and": filtered([{"a": "x", "b": "y"}, {"a": "x"}, {"b": "y"}], {"a": ["x"], "b": ["y"]}),
    "exists": filtered([{"a": "x"}, {"b": "x"}], {"a": [{"exists": True}]}),
    "above": filtered([{"n": 101}, {"n": 100}], {"n": [{"numeric": [">", 100]}]}),
    "below": filtered([{"n": 99}, {"n": 100}], {"n": [{"numeric": ["<", 100]}]}),
    "between": filtered(
        [{"n": 100}, {"n": 200}, {"n": 99}], {"n": [{"numeric": [">=", 100, "<", 200]}]}
    ),
    "prefix": filtered([{"a": "us-1"}, {"a": "eu-us-1"}], {"a": [{"prefix": "us-"}]}),
}
# Of the Developer Guide's table "Filter rule syntax" and of EventBridge.
DOCUMENTED = {
    "not exists": filtered([{"b": "x"}, {"a": "x"}], {"a": [{"exists": False}]}),
    "anything but": filtered([{"a": "z"}, {"a": "x"}, {"b": 1}], {"a": [{"anything-but": ["x"]}]}),
    "suffix": filtered([{"a": "x.png"}, {"a": "x.png.gz"}], {"a": [{"suffix": ".png"}]}),
    "ignore case": filtered([{"a": "AL"}, {"a": "bob"}], {"a": [{"equals-ignore-case": "al"}]}),
    "null": filtered([{"a": None}, {"a": ""}, {"b": 1}], {"a": [None]}),
    "empty": filtered([{"a": ""}, {"a": None}], {"a": [""]}),
    "numeric equals": filtered([{"n": 100}, {"n": 101}], {"n": [{"numeric": ["=", 100]}]}),
    "nested": filtered([{"a": {"b": 1}}, {"a": 1}, {"b": 1}], {"a": {"b": [1]}}),
    "or of fields": filtered([{"b": 2}, {"a": 2, "b": 1}], {"$or": [{"a": [1]}, {"b": [2]}]}),
    "two filters": filtered([{"a": "y"}, {"a": "z"}], {"a": ["x"]}, {"a": ["y"]}),
}  # fmt: skip
JSON_FILTER_ON_TEXT = filtered([{"my-key": "my-value"}, "this"], {"my-key": ["my-value"]})
TEXT_FILTER = filtered(["this", "that", {"this": 1}], ["this"])
TEXT_PREFIX = filtered(["Result: 1", "1"], [{"prefix": "Result: "}])
EVERYTHING = Scenario(
    SHOWS, ["a", '{"b": 1}'], FilterCriteria={"Filters": []}, MaximumBatchingWindowInSeconds=1
)
DEAD_LETTERS = Scenario(
    SHOWS,
    ["no match"],
    max_receives=1,
    visibility=1,
    FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": ["x"]}}'}]},
)
OTHER = Declared(HEAD + "    pass\n")


def received(aws, scenario: Scenario) -> list[str]:
    """The bodies that the function saw, when the queue is empty."""
    aws.invocations(scenario)
    aws.wait_empty(scenario.url)
    seen = aws.invocations(scenario)
    return [record["body"] for each in seen for record in each["records"]]


@pytest.mark.parametrize("kind", RECORDED)
def test_LS_023_recorded_filters(aws, kind) -> None:
    scenario = RECORDED[kind]
    assert received(aws, scenario) == scenario.bodies[:1]
    assert scenario.created["FilterCriteria"] == scenario.mapping["FilterCriteria"]
    assert len(aws.invocations(scenario)) == 1


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_LS_023_documented_filters(aws, kind) -> None:
    scenario = DOCUMENTED[kind]
    assert received(aws, scenario) == scenario.bodies[:1]


def test_LS_023_what_does_not_match_goes_to_no_dlq(aws) -> None:
    assert received(aws, DEAD_LETTERS) == []
    assert aws.receive(DEAD_LETTERS.dlq_url, wait_s=1) == []


def test_LS_024_a_json_filter_drops_plain_text(aws) -> None:
    assert received(aws, JSON_FILTER_ON_TEXT) == ['{"my-key": "my-value"}']


@pytest.mark.parametrize("scenario", [TEXT_FILTER, TEXT_PREFIX], ids=["value", "prefix"])
def test_G_12_a_text_filter_takes_only_that_text(aws, scenario) -> None:
    assert received(aws, scenario) == scenario.bodies[:1]


def test_LS_078_no_filter_takes_everything(aws) -> None:
    assert sorted(received(aws, EVERYTHING)) == ["a", '{"b": 1}']


@pytest.mark.parametrize(
    "pattern", ["null", "simple string", '{"eventSource": "aws:sqs"}', '{"eventSource": []}']
)
def test_LS_025_invalid_patterns(aws, pattern) -> None:
    _, arn = aws.queue()
    criteria = {"Filters": [{"Pattern": pattern}]}
    refused = refusal(
        aws.lambda_.create_event_source_mapping,
        EventSourceArn=arn,
        FunctionName=OTHER.name,
        FilterCriteria=criteria,
    )
    assert refused == INVALID
    mapping = aws.create_mapping(EventSourceArn=arn, FunctionName=OTHER.name, Enabled=False)
    update = aws.lambda_.update_event_source_mapping
    assert refusal(update, UUID=mapping["UUID"], FilterCriteria=criteria) == INVALID
