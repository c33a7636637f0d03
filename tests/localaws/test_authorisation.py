"""Which action on which resource a request is, and how it is refused in each protocol."""

from __future__ import annotations

import io
import json
from urllib.parse import urlencode

import pytest
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from helpers.localaws.front import authorisation
from helpers.localaws.front.protocols import Call

ACCOUNT = "123456789012"
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}"
TRUST = json.dumps({"Statement": []})


def request(service: str, body: bytes = b"", **environ: str) -> dict:
    """A signed request as WSGI hands it over."""
    scope = f"ASIAKEY/20261124/us-east-1/{service}/aws4_request"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=x",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }


def form(**parameters: str) -> tuple[bytes, dict[str, str]]:
    return urlencode(parameters).encode(), {"CONTENT_TYPE": "application/x-www-form-urlencoded"}


def judged(environ: dict, service: str) -> tuple[str, str | None]:
    call = authorisation.read_call(environ, service, "us-east-1", ACCOUNT)
    return authorisation.action_of(call), authorisation.resource_of(call)


@pytest.fixture
def session() -> object:
    """A session of a role that allows nothing."""
    iam, sts = iam_backends[ACCOUNT]["aws"], sts_backends[ACCOUNT]["aws"]
    role = iam.create_role("powerless", TRUST, "/", "", "", [], "3600")
    yield sts.assume_role("us-east-1", "fn", role.arn, "", 3600, "")
    iam.delete_role("powerless")


@pytest.mark.parametrize(
    ("method", "path", "query", "action", "resource"),
    [
        ("POST", "/2015-03-31/functions/f/invocations", "", "InvokeFunction", "function:f"),
        ("GET", "/2015-03-31/functions/f", "Qualifier=2", "GetFunction", "function:f:2"),
        ("GET", "/2015-03-31/functions/my_function:3", "", "GetFunction", "function:my_function:3"),
        (
            *("GET", f"/2015-03-31/functions/{LAMBDA}:function:f:a/configuration", ""),
            *("GetFunctionConfiguration", "function:f:a"),
        ),
        (
            *("DELETE", "/2015-03-31/event-source-mappings/u", ""),
            *("DeleteEventSourceMapping", "event-source-mapping:u"),
        ),
    ],
)
def test_lambda_calls(method, path, query, action, resource) -> None:
    environ = request("lambda", PATH_INFO=path, REQUEST_METHOD=method, QUERY_STRING=query)
    assert judged(environ, "lambda") == (f"lambda:{action}", f"{LAMBDA}:{resource}")


def test_create_function_names_its_function_in_the_body() -> None:
    body = json.dumps({"FunctionName": "new"}).encode()
    environ = request("lambda", body, PATH_INFO="/2015-03-31/functions")
    assert judged(environ, "lambda") == ("lambda:CreateFunction", f"{LAMBDA}:function:new")
    assert environ["wsgi.input"].read() == body


@pytest.mark.parametrize(
    ("service", "target", "parameters", "action", "resource"),
    [
        ("sqs", "AmazonSQS.SendMessageBatch", {"QueueUrl": "http://x/1/q"}, "SendMessage", "q"),
        ("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": "q"}, "GetQueueUrl", "q"),
        ("logs", "Logs_20140328.GetLogEvents", {"logGroupName": "g", "logStreamName": "s"},
         "GetLogEvents", "log-group:g:log-stream:s"),
        ("logs", "Logs_20140328.DescribeLogGroups", {}, "DescribeLogGroups",
         "log-group::log-stream:"),
        ("logs", "Logs_20140328.StartQuery", {"logGroupIdentifiers": ["g"]}, "StartQuery",
         "log-group:g:log-stream:"),
        ("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "t"}, "PutItem", "table/t"),
        ("dynamodb", "DynamoDB_20120810.Query",
         {"TableName": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t", "IndexName": "i"},
         "Query", "table/t/index/i"),
        ("dynamodb", "DynamoDB_20120810.BatchWriteItem", {"RequestItems": {"t": []}},
         "BatchWriteItem", "table/t"),
    ],
)  # fmt: skip
def test_json_calls(service, target, parameters, action, resource) -> None:
    environ = request(service, json.dumps(parameters).encode(), HTTP_X_AMZ_TARGET=target)
    arn = f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"
    assert judged(environ, service) == (f"{service}:{action}", arn)


@pytest.mark.parametrize(
    ("operation", "parameters", "resource"),
    [
        ("GetMetricData", {}, "*"),
        ("PutMetricAlarm", {"AlarmName": "a"}, f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a"),
        ("DeleteAlarms", {"AlarmNames": ["a"]}, f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a"),
        ("ListTagsForResource", {"ResourceARN": "arn:x"}, "arn:x"),
    ],
)
def test_calls_of_cloudwatch(operation, parameters, resource) -> None:
    call = Call("monitoring", "us-east-1", ACCOUNT, operation, parameters, "json")
    assert authorisation.action_of(call) == f"cloudwatch:{operation}"
    assert authorisation.resource_of(call) == resource


def test_an_alarm_with_tags_needs_the_action_for_tags() -> None:
    tags = [{"Key": "k", "Value": "v"}]
    call = Call("monitoring", "us-east-1", ACCOUNT, "PutMetricAlarm",
                {"AlarmName": "a", "Tags": tags}, "json")  # fmt: skip
    actions = [need.action for need in authorisation.needs_of(call)]
    assert actions == ["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"]


def test_the_results_of_a_query_are_of_no_log_group() -> None:
    body = json.dumps({"queryId": "q"}).encode()
    environ = request("logs", body, HTTP_X_AMZ_TARGET="Logs_20140328.GetQueryResults")
    assert judged(environ, "logs") == ("logs:GetQueryResults", "*")


def test_a_call_that_names_several_tables_has_no_resource() -> None:
    body = json.dumps({"RequestItems": {"t": [], "u": []}}).encode()
    environ = request("dynamodb", body, HTTP_X_AMZ_TARGET="DynamoDB_20120810.BatchWriteItem")
    assert judged(environ, "dynamodb") == ("dynamodb:BatchWriteItem", None)


def refuse(environ: dict, service: str, session: object) -> object:
    return authorisation.refuse(environ, service, "us-east-1", session)


def test_the_query_protocol_gets_xml(session) -> None:
    body, kind = form(Action="SendMessage", QueueUrl="http://localhost/1/q", MessageBody="<&>")
    environ = request("sqs", body, **kind)
    refused = refuse(environ, "sqs", session)
    assert refused.status == "403 Forbidden"
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    assert (
        f"<Code>AccessDenied</Code><Message>User: arn:aws:sts::{ACCOUNT}:assumed-role/powerless/fn "
        f"is not authorized to perform: sqs:sendmessage on resource: {arn} because no "
        "identity-based policy allows the sqs:sendmessage action</Message>"
    ) in refused.body.decode()
    assert environ["wsgi.input"].read() == body


def test_a_form_is_judged_wherever_it_stands(session) -> None:
    text = "Action=CreateQueue&QueueName=q"
    for environ in (
        request("sqs", QUERY_STRING=text, REQUEST_METHOD="GET"),
        request("sqs", text.encode()),
        request("iam", b"Action=CreateUser&UserName=u"),
        request("sqs", QUERY_STRING="QueueName=q", **form(Action="CreateQueue")[1]),
        request("sqs", b"Action=CreateQueue", QUERY_STRING="Action=ListQueues"),
        request("sqs", b"{}", QUERY_STRING=text, HTTP_X_AMZ_TARGET="AmazonSQS.ListQueues"),
        request("lambda", PATH_INFO="/2015-03-31/nope"),
    ):
        service = environ["HTTP_AUTHORIZATION"].split("/")[3]
        assert refuse(environ, service, session).status.startswith("403"), environ


def test_of_two_actions_none_is_allowed_and_no_other_parameter_twice(session) -> None:
    iam = iam_backends[ACCOUNT]["aws"]
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy("powerless", "inline", policy)
    try:
        assert refuse(request("sqs", QUERY_STRING="Action=ListQueues"), "sqs", session) is None
        for text in ("Action=ListQueues&Action=DeleteQueue", "Action=DeleteQueue&Q=a&Q=b"):
            assert refuse(request("sqs", QUERY_STRING=text), "sqs", session) is not None
    finally:
        iam.delete_role_policy("powerless", "inline")


def test_get_caller_identity_needs_no_permission(session) -> None:
    body, kind = form(Action="GetCallerIdentity")
    assert refuse(request("sts", body, **kind), "sts", session) is None


def test_services_without_known_resources_are_judged_by_action(session) -> None:
    iam = iam_backends[ACCOUNT]["aws"]

    def refused() -> bool:
        environ = request("sns", HTTP_X_AMZ_TARGET="SNS.Publish")
        return refuse(environ, "sns", session) is not None

    assert refused()
    statement = {"Effect": "Allow", "Action": "SNS:Publish", "Resource": "arn:aws:sns:*:*:one"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy("powerless", "inline", policy)
    assert not refused()
    iam.delete_role_policy("powerless", "inline")
