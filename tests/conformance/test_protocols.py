"""The form of answers, which SDKs show and logs keep: errors, request ids, content types."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from tests.conformance.kit import HEAD, Declared

ECHO = Declared(HEAD + "    return 1\n")
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def refused_form(aws: Any, **form: str) -> ElementTree.Element:
    """The XML that SQS refuses a call of its query protocol with."""
    request = AWSRequest("POST", f"{aws.sqs.meta.endpoint_url}/", FORM, urlencode(form))
    credentials = aws.sqs._get_credentials()
    SigV4Auth(credentials, "sqs", aws.region).add_auth(request)
    signed = urllib.request.Request(request.url, request.body, dict(request.headers.items()))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(signed, timeout=60)
    return ElementTree.fromstring(refused.value.read())


def test_DF_13_an_error_of_the_query_protocol_says_its_message_once(aws) -> None:
    with pytest.raises(ClientError) as refused:
        aws.iam.get_role(RoleName="nobody")
    assert {*refused.value.response} == {"Error", "ResponseMetadata"}
    assert refused.value.response["Error"] == {
        "Code": "NoSuchEntity",
        "Message": "The role with name nobody cannot be found.",
        "Type": "Sender",
    }
    answer = refused_form(aws, Action="GetQueueUrl", QueueName="no-such-queue")
    names = [part.tag.rpartition("}")[2] for part in answer.iter()]
    assert sorted(names) == ["Code", "Error", "ErrorResponse", "Message", "RequestId", "Type"]


def test_a_call_of_the_query_protocol_may_be_a_presigned_url(aws) -> None:
    """For its own region, and for the queue that its path names."""
    form = {"Action": "SendMessage", "Version": "2012-11-05", "MessageBody": "signed & sent"}
    url, _ = aws.queue()
    request = AWSRequest("GET", url, params=form)
    SigV4QueryAuth(aws.sqs._get_credentials(), "sqs", aws.region).add_auth(request)
    with urllib.request.urlopen(request.prepare().url, timeout=60) as answer:
        assert b"<SendMessageResult>" in answer.read()
    [message] = aws.receive(url, 5)
    assert message["Body"] == "signed & sent"


@pytest.mark.parametrize("service", ["sqs", "lambda_", "iam", "logs", "sts"])
def test_DF_13_a_request_id_is_a_uuid(aws, service) -> None:
    call = {
        "sqs": aws.sqs.list_queues,
        "lambda_": aws.lambda_.list_functions,
        "iam": aws.iam.list_roles,
        "logs": aws.logs.describe_log_groups,
        "sts": aws.sts.get_caller_identity,
    }[service]
    told = call()["ResponseMetadata"]["RequestId"]
    assert str(uuid.UUID(told)) == told


def test_DF_13_content_types(aws) -> None:
    aws.invoke(ECHO.name)
    group = f"/aws/lambda/{ECHO.name}"
    seen = [
        answer["ResponseMetadata"]["HTTPHeaders"]["content-type"]
        for answer in (
            aws.logs.filter_log_events(logGroupName=group),
            aws.lambda_.get_function(FunctionName=ECHO.name),
            aws.sqs.list_queues(),
        )
    ]
    assert seen == ["application/x-amz-json-1.1", "application/json", "application/x-amz-json-1.0"]
