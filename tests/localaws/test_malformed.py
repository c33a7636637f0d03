"""What is no proper call gets an error of AWS's in the service's protocol, not an empty 500."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conformance.kit import Aws

JSON = {"sqs": "AmazonSQS", "logs": "Logs_20140328", "dynamodb": "DynamoDB_20120810"}
FUNCTIONS = "/2015-03-31/functions"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def call(
    aws: Aws, service: str, body: bytes, path: str = "/", method: str = "POST", **headers: str
) -> tuple[int, str, str]:
    """Send a signed request as it stands. Returns status, code and message of the answer."""
    key = aws.client(service)._get_credentials()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, aws.endpoint_url + path, named, body)
    SigV4Auth(Credentials(key.access_key, key.secret_key), service, aws.region).add_auth(request)
    parts = urlsplit(aws.endpoint_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request(method, path, body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, *read_error(answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()


def read_error(text: str, headers: dict[str, str]) -> tuple[str, str]:
    """Code and message, in whichever protocol."""
    if text.startswith("<"):
        found = [re.search(f"<{tag}>(.*?)</{tag}>", text, re.S) for tag in ("Code", "Message")]
        return tuple(each[1] if each else "" for each in found)
    body = json.loads(text or "{}")
    code = body.get("__type", "").partition("#")[2] or body.get("__type", "")
    lower = {name.lower(): value for name, value in headers.items()}
    return code or lower.get("x-amzn-errortype", ""), body.get("message", body.get("Message", ""))


def to_json(service: str, operation: str) -> dict[str, str]:
    version = "1.0" if service in ("sqs", "dynamodb") else "1.1"
    return {
        "X_Amz_Target": f"{JSON[service]}.{operation}",
        "Content_Type": f"application/x-amz-json-{version}",
    }


@pytest.mark.parametrize("service", JSON)
@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000, b"null"])
def test_what_is_no_json_object_cannot_be_read(aws, service, body) -> None:
    operation = {"sqs": "SendMessage", "logs": "CreateLogGroup", "dynamodb": "PutItem"}[service]
    status, code, _ = call(aws, service, body, **to_json(service, operation))
    assert (status, code) == (400, "SerializationException")


def test_what_reads_nothing_of_its_body_still_looks_at_it(aws) -> None:
    for body in (b"{", b'{"a":}', b"{" + b" " * 5_000):
        status, code, _ = call(aws, "sqs", body, **to_json("sqs", "ListQueues"))
        assert (status, code) == (400, "SerializationException"), body[:10]


@pytest.mark.parametrize("service", JSON)
def test_an_operation_that_is_not_there(aws, service) -> None:
    for operation in ("Nope", "", "__init__", "call_action"):
        status, code, _ = call(aws, service, b"{}", **to_json(service, operation))
        assert (status, code) == (400, "UnknownOperationException"), operation


@pytest.mark.parametrize(
    ("service", "version", "message"),
    [
        ("sqs", "2012-11-05", "The action Nope is not valid for this endpoint."),
        ("iam", "2010-05-08", "Could not find operation Nope for version 2010-05-08"),
        ("sts", "2011-06-15", "Could not find operation Nope for version 2011-06-15"),
    ],
)
def test_an_action_that_is_not_there(aws, service, version, message) -> None:
    body = f"Action=Nope&Version={version}".encode()
    assert call(aws, service, body, Content_Type=FORM) == (400, "InvalidAction", message)
    status, code, _ = call(aws, service, b"Version=1", Content_Type=FORM)
    assert (status, code) == (400, "MissingAction")


def test_a_form_that_lacks_something(aws) -> None:
    body = b"Action=GetRole&Version=2010-05-08"
    assert call(aws, "iam", body, Content_Type=FORM) == (
        400,
        "ValidationError",
        "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: "
        "Member must not be null",
    )
    body = b"Action=AssumeRole&Version=2011-06-15"
    status, code, message = call(aws, "sts", body, Content_Type=FORM)
    assert (status, code) == (400, "ValidationError")
    assert message.startswith("2 validation errors detected: Value null at 'roleArn' ")


def test_a_form_that_is_no_text(aws) -> None:
    for service in ("sqs", "iam", "sts"):
        status, code, _ = call(aws, service, b"Action=\xff\xfe", Content_Type=FORM)
        assert (status, code) == (400, "MalformedQueryString"), service


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_what_lambda_cannot_read(aws, body) -> None:
    for method, path in (
        ("POST", FUNCTIONS),
        ("POST", "/2015-03-31/event-source-mappings/"),
        ("PUT", f"{FUNCTIONS}/f/code"),
    ):
        status, code, message = call(aws, "lambda", body, path, method)
        assert (status, code) == (400, "InvalidRequestContentException"), path
        assert message.startswith("Could not parse request body into json: ")


def test_a_path_that_lambda_does_not_have(aws) -> None:
    for path in ("/", "/2015-03-31/nope", f"{FUNCTIONS}/f/nope", "/2015-03-31//functions"):
        assert call(aws, "lambda", b"", path) == (
            403,
            "AccessDeniedException",
            "Unable to determine service/operation name to be authorized",
        ), path


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("logs", "CreateLogGroup", {"logGroupName": 5}),
        ("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": "x"}),
        ("logs", "FilterLogEvents", {"logGroupName": ["g"]}),
        ("dynamodb", "CreateTable", {"TableName": {"a": 1}}),
        ("dynamodb", "PutItem", {"TableName": "t", "Item": []}),
    ],
)
def test_a_value_of_the_wrong_type(aws, service, operation, parameters) -> None:
    body = json.dumps(parameters).encode()
    status, code, message = call(aws, service, body, **to_json(service, operation))
    assert 400 <= status < 500, (code, message)
    assert code


def test_a_malformed_authorization_header_is_no_error_of_the_server(aws) -> None:
    parts = urlsplit(aws.endpoint_url)
    for header in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b", "x" * 60_000, "\xff"):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        connection.request(
            "POST",
            "/",
            b"{}",
            {"Authorization": header, **{"X-Amz-Target": "AmazonSQS.ListQueues"}},
        )
        assert connection.getresponse().status == 403, header[:40]
        connection.close()


@pytest.mark.parametrize("length", ["-5", "x", "9" * 30])
def test_an_odd_length_is_no_error_of_the_server(aws, length) -> None:
    parts = urlsplit(aws.endpoint_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert client.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))


def test_our_own_fault_is_said_to_be_one(monkeypatch) -> None:
    from helpers.localaws.front import malformed
    from helpers.localaws.front.access import Caller

    environ: dict[str, Any] = {
        "HTTP_X_AMZ_TARGET": "AmazonSQS.ListQueues",
        "localaws.body": b"{}",
        "wsgi.input": None,
    }
    answer = malformed.explain(environ, Caller("sqs", "us-east-1"), KeyError("oops"))
    assert answer.status == "500 Internal Server Error"
    assert json.loads(answer.body)["__type"].endswith("#InternalFailure")
