"""Templates without a server: what is read, worked out, refused, and found to be changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws.stacks import schemas, template
from helpers.localaws.stacks.backend import changes_between
from helpers.localaws.stacks.deployment import preview
from helpers.localaws.stacks.kinds import KINDS
from helpers.localaws.stacks.refusals import StackError
from helpers.localaws.stacks.stack import Order
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT

STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"
QUEUE = {"Type": "AWS::SQS::Queue"}


def seen(resources: dict[str, Any], imports: dict[str, str] | None = None, **sections: Any) -> Any:
    order = Order("", {"Resources": resources, **sections}, {}, {})
    return preview(order, "s", STACK_ID, imports or {})


def value_of(written: Any, **sections: Any) -> Any:
    """What something written in a template stands for."""
    queue = {**QUEUE, "Properties": {"QueueName": written}}
    return seen({"Queue": queue, "Other": QUEUE}, **sections)["Resources"]["Queue"]["Properties"][
        "QueueName"
    ]


def refusal_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(StackError) as refused:
        call(*arguments)
    return refused.value.message


# -- what is read ----------------------------------------------------------------------------


def test_dates_and_short_forms_are_those_of_json() -> None:
    found = template.read("Resources: {A: {Type: X, Metadata: {V: 2012-10-17, G: !GetAtt B.Arn}}}")
    assert found["Resources"]["A"]["Metadata"] == {
        "V": "2012-10-17",
        "G": {"Fn::GetAtt": ["B", "Arn"]},
    }
    assert type(found["Resources"]["A"]["Type"]) is str


def test_a_key_that_stands_twice_is_refused() -> None:
    text = "Resources:\n  A: {Type: X}\n  A: {Type: Y}\n"
    assert refusal_of(template.read, text).startswith("Template format error: YAML not well-formed")


# -- what functions stand for -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"Fn::Sub": "${AWS::StackName}-${!Kept}"}, "s-${Kept}"),
        ({"Fn::Sub": ["${a}${AWS::Partition}", {"a": {"Ref": "AWS::AccountId"}}]}, f"{ACCOUNT}aws"),
        ({"Fn::Join": ["-", ["a", 1, True]]}, "a-1-true"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::FindInMap": ["M", "a", "b"]}, 5),
        ({"Fn::FindInMap": ["M", "a", "c", {"DefaultValue": 6}]}, 6),
        ({"Fn::If": ["Never", 1, {"Fn::Base64": "x"}]}, "eA=="),
        ({"Fn::ToJsonString": {"a": [1]}}, '{"a":[1]}'),
        ({"Fn::Length": [1, 2]}, 2),
    ],
)
def test_functions(written, value) -> None:
    sections = {
        "Mappings": {"M": {"a": {"b": 5}}},
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
    }
    assert value_of(written, **sections) == value


def test_a_part_of_an_arn_that_is_not_there_yet() -> None:
    parts = {"Fn::Split": [":", {"Fn::GetAtt": ["Other", "Arn"]}]}
    first, second = (value_of({"Fn::Select": [n, parts]}) for n in (4, 5))
    assert first != second


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            {"Fn::FindInMap": ["Lost", "a", "b"]},
            "Mapping named 'Lost' is not present in the 'Mappings' section of template.",
        ),
        ({"Fn::If": ["Lost", 1, 2]}, "unresolved condition dependency Lost in Fn::If"),
        ({"Fn::Select": [2, ["a"]]}, "Fn::Select cannot select nonexistent value at index 2"),
    ],
)
def test_functions_that_give_nothing(written, text) -> None:
    assert refusal_of(value_of, written) == f"Template error: {text}"


def test_what_refers_to_a_resource_whose_condition_does_not_hold_is_refused() -> None:
    resources = {
        "Off": {**QUEUE, "Condition": "Never"},
        "On": {**QUEUE, "Properties": {"QueueName": {"Ref": "Off"}}},
    }
    conditions = {"Never": {"Fn::Equals": [1, 2]}}
    text = refusal_of(lambda: seen(resources, Conditions=conditions))
    assert "Unresolved resource dependencies [Off] in the Resources block" in text


# -- what the local AWS has not ----------------------------------------------------------------


def test_a_type_that_aws_has_and_the_local_aws_has_not_is_named() -> None:
    text = refusal_of(
        template.check, {"Resources": {"A": {"Type": "AWS::EC2::Instance"}, "B": QUEUE}}, REGION
    )
    assert "not supported: [AWS::EC2::Instance]; there are [AWS::CloudWatch::Alarm," in text
    assert text.endswith("This is a limit of the local AWS, not of AWS.")


def test_a_property_that_would_not_be_heeded_is_named() -> None:
    function = {"Type": "AWS::Lambda::Function", "Properties": {"VpcConfig": {}, "Nonsense": 1}}
    text = refusal_of(template.check, {"Resources": {"F": function}}, REGION)
    assert "Properties of AWS::Lambda::Function that are not supported: F [VpcConfig]." in text


@pytest.mark.parametrize("name", ["AWS::LanguageExtensions", "Own"])
def test_a_transform_other_than_sam_is_named(name) -> None:
    text = refusal_of(template.transforms, {"Transform": name})
    assert f"The transform {name} is not supported." in text


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_a_type_is_in_its_schema(kind) -> None:
    known, schema = KINDS[kind], schemas.schema_of(kind, REGION)
    assert known.properties <= set(schema["properties"])
    assert known.replaced_by <= known.properties
    assert {known.name_property} <= {*known.properties, ""}
    assert all(schemas.has_attribute(kind, each, REGION) for each in known.attributes)
    # What AWS's schema asks for can be given, and what cannot change is either heeded or refused.
    assert set(schema.get("required", [])) <= known.properties


def test_texts_are_taken_for_numbers_and_truth_as_the_schema_says() -> None:
    schema = schemas.schema_of("AWS::SQS::Queue", REGION)
    given = {"VisibilityTimeout": "30", "FifoQueue": "true", "QueueName": 5}
    given |= {"Tags": [{"Key": "k", "Value": 1}]}
    assert schemas.coerced(given, schema, schema) == {
        "VisibilityTimeout": 30,
        "FifoQueue": True,
        "QueueName": "5",
        "Tags": [{"Key": "k", "Value": "1"}],
    }


# -- what has changed ---------------------------------------------------------------------------


def test_a_resource_that_is_replaced_changes_those_that_refer_to_it() -> None:
    def pipeline(name: str) -> dict[str, Any]:
        mapping = {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "FunctionName": "f"}
        return {
            "Queue": {**QUEUE, "Properties": {"QueueName": name}},
            "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        }

    old = seen({**pipeline("a"), "Gone": QUEUE})
    new = seen({**pipeline("b"), "New": QUEUE})
    stack: Any = SimpleNamespace(resources={})
    changes = [each["ResourceChange"] for each in changes_between(old, new, stack, REGION)]
    assert {c["LogicalResourceId"]: (c["Action"], c.get("Replacement")) for c in changes} == {
        "Queue": ("Modify", "True"),
        "Mapping": ("Modify", "True"),
        "New": ("Add", None),
        "Gone": ("Remove", None),
    }
    mapping = next(c for c in changes if c["LogicalResourceId"] == "Mapping")
    assert mapping["Details"][0]["ChangeSource"] == "ResourceReference"
