"""Mistakes that are easily made get an error with a code and a text, not a page of HTML."""

from __future__ import annotations

import re
from typing import Any

import pytest

from helpers import steps
from tests.conformance.kit import HEAD, Declared, refusal, unique

ONE = HEAD + "    return 1\n"
ACTIVE = Declared(ONE)

CALLS = [
    ("lambda_", "get_function", {"FunctionName": "my function"}),
    ("lambda_", "get_function", {"FunctionName": "arn:aws:sqs:us-east-1:123456789012:q"}),
    ("lambda_", "get_function", {"FunctionName": "http://127.0.0.1/123456789012/q"}),
    ("lambda_", "update_function_configuration", {"Layers": ["nope"]}),
    ("lambda_", "update_function_configuration", {"Environment": {"Variables": {"a=b": "x"}}}),
    ("lambda_", "update_function_code", {}),
    ("lambda_", "update_function_code", {"S3Bucket": "nope-nope-nope"}),
    ("lambda_", "create_alias", {"Name": "a b", "FunctionVersion": "1"}),
    ("lambda_", "remove_permission", {"StatementId": "nope"}),
    ("lambda_", "list_functions", {"Marker": "nope"}),
    ("lambda_", "list_provisioned_concurrency_configs", {}),
    ("iam", "list_roles", {"Marker": "nope"}),
    ("iam", "create_service_linked_role", {"AWSServiceName": "lambda"}),
    ("iam", "generate_service_last_accessed_details", {"Arn": steps.POLICY_ARN}),
    ("logs", "start_query", {"startTime": 0, "endTime": 1, "queryString": "fields @message"}),
    ("logs", "get_query_results", {"queryId": "nope"}),
    ("logs", "list_anomalies", {}),
]


@pytest.mark.parametrize(
    ("service", "operation", "arguments"), CALLS, ids=lambda value: value if value else "none"
)
def test_a_mistake_has_a_code_and_a_text(aws, service, operation, arguments):
    client = getattr(aws, service)
    known = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[operation]
    ).input_shape.members
    if service == "lambda_" and "FunctionName" in known:
        arguments = {"FunctionName": ACTIVE.name, **arguments}
    check(refusal(getattr(client, operation), **arguments))


@pytest.mark.parametrize(
    "settings",
    [
        {"Code": {}},
        {"Code": {"S3Bucket": "nope-nope-nope"}},
        {"Code": {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:b"}},
        {"Layers": ["nope"]},
        {"Role": steps.POLICY_ARN},
    ],
    ids=["no code", "no key", "image", "layer", "role"],
)
def test_a_mistake_in_a_new_function(aws, settings):
    check(refusal(aws.create_function, name=unique("no"), source=ONE, **settings))


def test_half_a_vpc_configuration(aws):
    answer = aws.create_function(unique("fn"), ONE, VpcConfig={"SubnetIds": ["subnet-1"]})
    assert answer["VpcConfig"]["SubnetIds"] == ["subnet-1"]


def check(refused: tuple[int, str, str]) -> Any:
    status, code, message = refused
    assert 400 <= status < 500 or status == 501
    assert re.fullmatch("[A-Z][A-Za-z.]+", code)
    assert message
    assert "<" not in message
