"""Asynchronous invocation: retries, age, destinations, the function's own dead-letter queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance import kit
from tests.conformance.kit import HEAD, Aws, Early, poll, refusal, unique

FAILS = HEAD + "    print('tried')\n    raise ValueError('some error occurred')\n"
WORKS = HEAD + "    return {'result': event}\n"

started: dict[str, Any] = {}


def sending_role(aws: Aws) -> str:
    """A role that may write logs, send to any queue and invoke any function."""
    return aws.new_role(
        {
            "Effect": "Allow",
            "Action": ["logs:*", "sqs:SendMessage", "lambda:InvokeFunction"],
            "Resource": "*",
        }
    )[1]


@Early
def start_what_takes_minutes(aws: Aws) -> None:
    """One event with the default retries, and one whose age ends after its first retry."""
    started["role"] = sending_role(aws)
    for key, settings in (("default", {}), ("90 s", {"MaximumEventAgeInSeconds": 90})):
        name, url = with_destination(aws, FAILS, **settings)
        request_id = aws.invoke(name, {"key": key}, InvocationType="Event").request_id
        started[key] = (name, url, request_id)


def with_destination(
    aws: Aws, source: str, kind: str = "OnFailure", **settings: Any
) -> tuple[str, str]:
    """A function whose events end in a queue: its name and the queue's URL."""
    url, arn = aws.queue()
    name = aws.function(source, Role=started["role"])
    aws.lambda_.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={kind: {"Destination": arn}}, **settings
    )
    return name, url


def record_in(aws: Aws, url: str, limit_s: float | None = None) -> dict[str, Any]:
    [message] = poll(lambda: aws.receive(url, 1), bool, "the record", limit_s)
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-")
    return json.loads(message["Body"])


def retries_take_s() -> float:
    """How long both retries may take at the most: their pauses, and twice the usual patience."""
    return 3 * kit.retry_pause_s + 2 * kit.patience_s


def test_LS_098_the_record_of_a_failure(aws) -> None:
    name, url = with_destination(aws, FAILS, MaximumRetryAttempts=0)
    request_id = aws.invoke(name, {"a": 1}, InvocationType="Event").request_id
    record = record_in(aws, url)
    assert record.pop("timestamp").endswith("Z")
    payload = record.pop("responsePayload")
    assert list(payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert payload["errorMessage"] == "some error occurred"
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
    }


def test_LS_098_the_record_of_a_success(aws) -> None:
    name, url = with_destination(aws, WORKS, "OnSuccess")
    aws.invoke(name, {"a": 1}, InvocationType="Event")
    record = record_in(aws, url)
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"result": {"a": 1}}


def test_a_destination_may_be_a_function(aws) -> None:
    target = aws.function("import json\n" + HEAD + "    print(json.dumps(event))\n")
    arn = aws.lambda_.get_function(FunctionName=target)["Configuration"]["FunctionArn"]
    name = aws.function(WORKS, Role=started["role"])
    aws.lambda_.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    request_id = aws.invoke(name, {"a": 1}, InvocationType="Event").request_id
    record = json.loads(aws.wait_lines(target, 1)[0])
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestPayload"] == {"a": 1}
    assert record["responsePayload"] == {"result": {"a": 1}}


def test_LS_099_an_event_that_would_be_too_old_is_not_tried_again(aws) -> None:
    name, url = with_destination(aws, FAILS, MaximumEventAgeInSeconds=60)
    aws.invoke(name, InvocationType="Event")
    context = record_in(aws, url)["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_LS_099_no_concurrency(aws) -> None:
    name, url = with_destination(aws, WORKS)
    aws.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    answer = aws.invoke(name, {"a": 1}, InvocationType="Event")
    assert answer.whole["StatusCode"] == 202
    record = record_in(aws, url)
    context = record["requestContext"]
    assert context["condition"] == "ZeroReservedConcurrency"
    assert context["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert "responsePayload" not in record


def test_LS_100_the_functions_own_dead_letter_queue(aws) -> None:
    url, arn = aws.queue()
    name = aws.function(FAILS, Role=started["role"], DeadLetterConfig={"TargetArn": arn})
    aws.lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    request_id = aws.invoke(name, {"a": 1}, InvocationType="Event").request_id
    [message] = poll(lambda: aws.receive(url, 1, MessageAttributeNames=["All"]), bool, "the event")
    assert json.loads(message["Body"]) == {"a": 1}
    assert message["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "some error occurred"},
    }
    answer = aws.lambda_.update_function_configuration(FunctionName=name, DeadLetterConfig={})
    assert answer["DeadLetterConfig"] == {"TargetArn": arn}
    assert "DeadLetterConfig" not in aws.wait_updated(name)


def test_LS_101_event_invoke_config(aws) -> None:
    name = aws.function(WORKS)
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}"
    _, queue_arn = aws.queue()
    get = aws.lambda_.get_function_event_invoke_config
    assert refusal(get, FunctionName=name) == (
        404,
        "ResourceNotFoundException",
        f"The function {arn}:$LATEST doesn't have an EventInvokeConfig",
    )
    answer = aws.lambda_.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    assert answer["FunctionArn"] == f"{arn}:$LATEST"
    assert answer["DestinationConfig"] == {
        "OnSuccess": {},
        "OnFailure": {"Destination": queue_arn},
    }
    assert get(FunctionName=name)["MaximumRetryAttempts"] == 1
    aws.lambda_.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=100)
    seen = get(FunctionName=name)
    assert (seen["MaximumRetryAttempts"], seen["MaximumEventAgeInSeconds"]) == (1, 100)
    listed = aws.lambda_.list_function_event_invoke_configs(FunctionName=name)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1
    aws.lambda_.delete_function_event_invoke_config(FunctionName=name)
    assert refusal(get, FunctionName=name)[0] == 404


def test_LS_101_refusals(aws) -> None:
    name = aws.function(WORKS)
    arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}"
    put = aws.lambda_.put_function_event_invoke_config
    assert refusal(put, FunctionName=unique("nope"), MaximumRetryAttempts=1) == (
        404,
        "ResourceNotFoundException",
        "The function doesn't exist.",
    )
    assert refusal(put, FunctionName=name) == (
        400,
        "InvalidParameterValueException",
        "You must specify at least one of error handling or destination setting.",
    )
    itself = {"OnSuccess": {"Destination": arn}}
    assert refusal(put, FunctionName=name, DestinationConfig=itself) == (
        400,
        "InvalidParameterValueException",
        "You can't specify the function as a destination for itself.",
    )


def test_settings_end_with_their_function(aws) -> None:
    name = aws.function(WORKS)
    aws.lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    aws.lambda_.delete_function(FunctionName=name)
    aws.create_function(name, WORKS)
    aws.wait_active(name)
    get = aws.lambda_.get_function_event_invoke_config
    assert refusal(get, FunctionName=name)[0] == 404


@pytest.mark.at_end
@pytest.mark.slow
def test_LS_099_one_retry_fits_into_90_s(aws) -> None:
    name, url, _ = started["90 s"]
    context = record_in(aws, url, retries_take_s())["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 2)
    assert aws.own_lines(name).count("tried\n") == 2


@pytest.mark.at_end
@pytest.mark.slow
def test_LS_050_LS_097_LS_098_two_retries_after_one_and_two_minutes(aws) -> None:
    name, url, request_id = started["default"]
    record = record_in(aws, url, retries_take_s())
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    starts = [event for event in aws.log_events(name) if event["message"].startswith("START")]
    assert {event["message"] for event in starts} == {
        f"START RequestId: {request_id} Version: $LATEST\n"
    }
    first, second, third = [event["timestamp"] / 1000 for event in starts]
    assert second - first >= 0.99 * kit.retry_pause_s
    assert third - second >= 0.99 * 2 * kit.retry_pause_s
