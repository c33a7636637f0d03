"""Requests to SQS that no SDK would send: each gets one of AWS's refusals, none a status of 500."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from moto.core.request import Request

from helpers.localaws.front import direct
from helpers.localaws.front.access import Caller
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT

# moto warns of a code that is in no model of the API; AWS answers with it all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Exception.SQSException.:UserWarning")

URL = f"http://localhost/{ACCOUNT}/q"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
TEXT = {"DataType": "String", "StringValue": "v"}
MESSAGE = {
    "MessageBody": "b",
    "DelaySeconds": 0,
    "MessageAttributes": {"a": TEXT, "b": {"DataType": "Binary", "BinaryValue": "YQ=="}},
    "MessageSystemAttributes": {"AWSTraceHeader": TEXT},
    "MessageGroupId": "g",
}
RECEIVED = {"ReceiptHandle": "h"}
REQUESTS = {  # one that could be right, of each operation
    "AddPermission": {"Label": "l", "AWSAccountIds": [ACCOUNT], "Actions": ["SendMessage"]},
    "CancelMessageMoveTask": {"TaskHandle": "eA=="},
    "ChangeMessageVisibility": {**RECEIVED, "VisibilityTimeout": 5},
    "ChangeMessageVisibilityBatch": {"Entries": [{"Id": "1", **RECEIVED, "VisibilityTimeout": 5}]},
    "CreateQueue": {
        "QueueName": "n",
        "Attributes": {"DelaySeconds": "1", "RedrivePolicy": "{}", "Policy": "{}"},
        "tags": {"a": "b"},
    },
    "DeleteMessage": RECEIVED,
    "DeleteMessageBatch": {"Entries": [{"Id": "1", **RECEIVED}]},
    "DeleteQueue": {},
    "GetQueueAttributes": {"AttributeNames": ["All"]},
    "GetQueueUrl": {"QueueName": "q", "QueueOwnerAWSAccountId": ACCOUNT},
    "ListDeadLetterSourceQueues": {"MaxResults": 5},
    "ListMessageMoveTasks": {"SourceArn": ARN, "MaxResults": 5},
    "ListQueueTags": {},
    "ListQueues": {"QueueNamePrefix": "q", "MaxResults": 5, "NextToken": "t"},
    "PurgeQueue": {},
    "ReceiveMessage": {
        "AttributeNames": ["All"],
        "MaxNumberOfMessages": 1,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["All"],
        "VisibilityTimeout": 0,
        "WaitTimeSeconds": 0,
    },
    "RemovePermission": {"Label": "l"},
    "SendMessage": MESSAGE,
    "SendMessageBatch": {"Entries": [{"Id": "1", **MESSAGE}]},
    "SetQueueAttributes": {"Attributes": {"DelaySeconds": "0", "Policy": "{}"}},
    "StartMessageMoveTask": {
        "SourceArn": ARN,
        "DestinationArn": ARN,
        "MaxNumberOfMessagesPerSecond": 5,
    },
    "TagQueue": {"Tags": {"a": "b"}},
    "UntagQueue": {"TagKeys": ["a"]},
}
OWN_URL = ("CreateQueue", "GetQueueUrl", "ListQueues")
DROPPED = object()
WRONG = [
    *(DROPPED, None, True, 0, -1, 10**30, -(10**30), 1.5),
    *("", "x", "a" * 300, "(", "\0", "\ud800", "NaN", "{", "-1", "9" * 30),
    *([], [None], [1], [[]], [{}], {}, {"a": None}, {"a": 1}, {"a": {}}),
]


def ask(operation: str, body: bytes, **headers: str) -> tuple[int, str]:
    """Status and body of an answer."""
    address = "http://localhost/"
    if "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-amz-json-1.0"
        headers["X-Amz-Target"] = f"AmazonSQS.{operation}"
    request = Request.from_primitives("POST", address, {"Host": "localhost", **headers}, body)
    answer = direct.answer(request.environ, Caller("sqs", REGION))
    assert answer is not None
    return int(answer.status[:3]), answer.body.decode()


def ask_json(operation: str, parameters: Any, **headers: str) -> tuple[int, Any]:
    status, answer = ask(operation, json.dumps(parameters).encode(), **headers)
    return status, json.loads(answer or "null")


def ask_query(operation: str, **parameters: str) -> tuple[int, str]:
    body = urlencode({"Action": operation, "Version": "2012-11-05", **parameters}).encode()
    return ask(operation, body, **{"Content-Type": "application/x-www-form-urlencoded"})


def spoiled(value: Any) -> Iterator[Any]:
    """The value with each of its parts, and itself, replaced by each wrong thing."""
    yield from (wrong for wrong in WRONG if wrong is not DROPPED)
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        for wrong in spoiled(part) if isinstance(part, (dict, list)) else WRONG:
            changed = copy.copy(value)
            if wrong is DROPPED:
                del changed[key]
            else:
                changed[key] = wrong
            yield changed
    for key in value if isinstance(value, dict) else ():
        yield {other: part for other, part in value.items() if other != key}


@pytest.mark.parametrize("operation", REQUESTS)
def test_no_wrong_type_is_an_error_of_the_server(backend, operation) -> None:
    backend.create_queue("q")
    parameters = REQUESTS[operation]
    if operation not in OWN_URL and "MoveTask" not in operation:
        parameters = {"QueueUrl": URL, **parameters}
    statuses = {}
    for wrong in spoiled(parameters):
        status, answer = ask_json(operation, wrong)
        statuses[status] = wrong
        if status >= 400:
            assert answer["__type"].partition("#")[2], (wrong, answer)
    assert set(statuses) <= {200, 400, 403, 404}
    assert 400 in statuses


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "text"),
    [
        ("SendMessage", {"QueueUrl": URL}, "MissingRequiredParameterException",
         "The request must contain the parameter MessageBody."),
        ("SendMessage", {"QueueUrl": URL, "MessageBody": None}, "MissingRequiredParameterException",
         "The request must contain the parameter MessageBody."),
        ("ReceiveMessage", {}, "MissingRequiredParameterException",
         "The request must contain the parameter QueueUrl."),
        ("DeleteMessageBatch", {"QueueUrl": URL, "Entries": [{"Id": "1", **RECEIVED}, {}]},
         "MissingRequiredParameterException",
         "The request must contain the parameter DeleteMessageBatchRequestEntry.2.Id."),
        ("SendMessage", {"QueueUrl": URL, "MessageBody": 1}, "SerializationException",
         "NUMBER_VALUE can not be converted to a String"),
        ("SendMessage", {"QueueUrl": URL, "MessageBody": {}}, "SerializationException",
         "Start of structure or map found where not expected."),
        ("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": "20"}, "SerializationException",
         "STRING_VALUE can not be converted to an Integer"),
        ("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": 10**30},
         "SerializationException", "NUMBER_VALUE can not be converted to an Integer"),
        ("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": 10**6},
         "InvalidParameterValueException",
         "Value 1000000 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and "
         "<= 20, if provided."),
        ("GetQueueAttributes", {"QueueUrl": URL, "AttributeNames": "All"},
         "SerializationException", "Expected list or null"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_words_of_aws(
    backend, operation, parameters, code, text
) -> None:
    backend.create_queue("q")
    status, answer = ask_json(operation, parameters)
    assert (status, answer["__type"].partition("#")[2]) == (400, code)
    assert answer["Message"] == text


def test_the_header_says_which_protocol_a_request_has(backend) -> None:
    """Whatever type it gives its content."""
    backend.create_queue("q")
    sent = {"QueueUrl": URL, "MessageBody": "b"}
    headers = {"Content-Type": "application/json", "X-Amz-Target": "AmazonSQS.SendMessage"}
    status, answer = ask_json("SendMessage", sent, **headers)
    assert (status, "MessageId" in answer) == (200, True)


BATCH_ENTRY = {
    "SendMessageBatchRequestEntry.1.Id": "1",
    "SendMessageBatchRequestEntry.1.MessageBody": "b",
    "SendMessageBatchRequestEntry.1.DelaySeconds": "0",
}
QUERIES = {
    "CreateQueue": {"QueueName": "n", "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "1"},
    "DeleteMessage": {"QueueUrl": URL, "ReceiptHandle": "h"},
    "ListQueues": {"QueueNamePrefix": "q", "MaxResults": "5"},
    "ReceiveMessage": {"QueueUrl": URL, "MaxNumberOfMessages": "1", "AttributeName.1": "All"},
    "SendMessage": {
        "QueueUrl": URL,
        "MessageBody": "b",
        "DelaySeconds": "0",
        "MessageAttribute.1.Name": "a",
        "MessageAttribute.1.Value.DataType": "Binary",
        "MessageAttribute.1.Value.BinaryValue": "YQ==",
    },
    "SendMessageBatch": {"QueueUrl": URL, **BATCH_ENTRY},
}


@pytest.mark.parametrize("operation", QUERIES)
def test_no_wrong_text_of_a_query_is_an_error_of_the_server(backend, operation) -> None:
    backend.create_queue("q")
    right = QUERIES[operation]
    for name in right:
        for wrong in ("", "x", "-1", "1.5", "9" * 30, "NaN", "(", "\0", "a" * 300, "é"):
            assert ask_query(operation, **{**right, name: wrong})[0] in (200, 400, 404)
        assert ask_query(operation, **{key: right[key] for key in right if key != name})[0] < 500


def test_a_query_that_lacks_something_or_has_no_number(backend) -> None:
    backend.create_queue("q")
    status, answer = ask_query("SendMessage", QueueUrl=URL)
    assert status == 400
    assert "<Message>The request must contain the parameter MessageBody.</Message>" in answer
    status, answer = ask_query("ReceiveMessage", QueueUrl=URL, WaitTimeSeconds="soon")
    assert status == 400
    assert "<Code>InvalidParameterValue</Code>" in answer
    assert "Value soon for parameter WaitTimeSeconds is invalid." in answer
