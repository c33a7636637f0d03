"""Templates without a server: what is read, worked out, refused, and found to be changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws.stacks import schemas, template
from helpers.localaws.stacks.backend import Backend, changes_between
from helpers.localaws.stacks.deployment import preview
from helpers.localaws.stacks.kinds import KINDS
from helpers.localaws.stacks.refusals import StackError
from helpers.localaws.stacks.stack import Order
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT
from tests.notebook_files import ROOT

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


@pytest.mark.parametrize(
    ("module", "later"),
    [
        ("front.services", {"lark", "helpers.localaws.stacks.answers"}),
        ("stacks.answers", {"cfnlint", "jsonschema", "samtranslator", "moto.cloudformation"}),
    ],
)
def test_what_takes_long_to_load_is_loaded_when_it_is_asked_for(
    module: str, later: set[str]
) -> None:
    look = f"import sys, helpers.localaws.{module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert f"helpers.localaws.{module}" in loaded
    assert later & loaded == set()


FIRST_STACK = """
import sys
from helpers.localaws.stacks import sam, schemas
resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
sam.transform({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}, {}, "us-east-1")
schemas.wrong("AWS::SQS::Queue", {}, "us-east-1")
assert {"samtranslator", "jsonschema"} <= sys.modules.keys()
print("lark" in sys.modules)
"""
TWO_CALLERS = """
from unittest import mock
from botocore.loaders import JSONFileLoader
from helpers.localaws.stacks.calls import Calls
keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
Calls("http://127.0.0.1:1", "us-east-1", keys)("sqs")
with mock.patch.object(JSONFileLoader, "load_file") as load:
    Calls("http://127.0.0.1:1", "us-east-1", keys)("sqs")
print(load.called)
"""


@pytest.mark.parametrize("program", [FIRST_STACK, TWO_CALLERS], ids=["a grammar", "models"])
def test_a_stack_does_not_wait_for_what_it_does_not_need(program: str) -> None:
    """For the grammar of IRIs, and for AWS's models, which another one's calls have read."""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("False\n", "")


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


@pytest.mark.parametrize(
    "text", ["[" * 51_000, "- " * 25_000 + "a", "? " * 25_000, '{"a":' * 9_000]
)
def test_a_template_that_is_too_deep_is_refused(text: str) -> None:
    """Read as it is, it would end the server: the library that reads YAML calls itself in C."""
    assert "not well-formed" in refusal_of(template.read, text)


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


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"Rules": {"R": {}}}, "The section Rules is not supported."),
        (
            {"Resources": {"A": {**QUEUE, "UpdatePolicy": {"x": 1}}}},
            "UpdatePolicy is not supported",
        ),
        ({"Resources": {"A": {**QUEUE, "DeletionPolicy": "Snapshot"}}}, "DeletionPolicy Snapshot"),
        ({"Resources": {"A-B": QUEUE}}, "Resource name A-B is non alphanumeric."),
        ({"Outputs": {"O": {}}}, "Every Outputs member must contain a Value object"),
    ],
)
def test_what_would_be_passed_over_is_refused(changed, text) -> None:
    assert text in refusal_of(template.checked_form, {"Resources": {"A": QUEUE}, **changed})


def test_an_output_is_a_text() -> None:
    outputs = {"O": {"Value": ["a", "b"]}}
    text = refusal_of(lambda: seen({"A": QUEUE}, Outputs=outputs))
    assert "The Value field of every Outputs member must evaluate to a String." in text


WHOLE = {
    "Parameters": {"P": {"Type": "String", "Default": "a"}},
    "Mappings": {"M": {"a": {"b": "c"}}},
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "a"]}},
    "Resources": {
        "A": {
            **QUEUE,
            "Condition": "C",
            "DependsOn": ["B"],
            "Properties": {
                "QueueName": {"Fn::Sub": ["${P}${x}", {"x": {"Fn::FindInMap": ["M", "a", "b"]}}]},
                "DelaySeconds": {"Fn::Select": [0, {"Fn::Split": [",", "1,2"]}]},
            },
        },
        "B": {**QUEUE, "Properties": {"VisibilityTimeout": {"Fn::If": ["C", 1, 2]}}},
    },
    "Outputs": {
        "O": {"Value": {"Ref": "A"}, "Condition": "C", "Export": {"Name": {"Fn::Base64": "x"}}},
        "J": {"Value": {"Fn::ToJsonString": {"a": {"Fn::Not": [{"Condition": "C"}]}}}},
        "K": {"Value": {"Fn::Join": ["-", ["a", {"Fn::GetAtt": ["A", "Arn"]}]]}},
    },
}
IN_ITS_PLACE = [
    *(None, 5, "x", [], {}, ["a"], {"a": 1}, {"Ref": "B"}, {"Ref": [1]}, {"Ref": "AWS::NoValue"}),
    *({"Fn::GetAtt": 5}, {"Fn::GetAtt": [["a"], "b"]}, {"Fn::Sub": 5}, {"Fn::If": ["C", 1]}),
    *({"Fn::Select": ["x"]}, {"Fn::And": 5}, {"Condition": [1]}),
]


def variants(written: dict[Any, Any] | list[Any]) -> Iterator[Any]:
    """What is written, with something else in the place of each of its parts."""
    yield from IN_ITS_PLACE
    parts = written if isinstance(written, dict) else dict(enumerate(written))
    for key, part in parts.items():
        inside = variants(part) if isinstance(part, (dict, list)) else IN_ITS_PLACE
        for variant in inside:
            changed = written.copy()
            changed[key] = variant
            yield changed


def test_no_template_leads_to_a_fault_of_ours() -> None:
    backend = Backend(REGION, ACCOUNT, calls=lambda *_: SimpleNamespace(region=REGION))
    backend._start = lambda *_: None
    taken = 0
    for variant in [WHOLE, *variants(WHOLE)]:
        try:
            backend.create({"StackName": "s", "TemplateBody": json.dumps(variant)}, "key")
            taken += 1
        except StackError:
            pass
        backend.reset()
    assert taken > 10


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


def test_the_guide_lists_the_types() -> None:
    text = (ROOT / "docs" / "local_aws.md").read_text(encoding="utf-8")
    listed = text.partition("Types of resources:")[2].partition(".\n")[0]
    assert set(re.findall(r"`(.+?)`", listed)) == set(KINDS)


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
