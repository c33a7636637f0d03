"""AWS's protocols as far as a call is answered before its service sees it.

What a request calls, in whichever protocol, and how an error looks there: JSON with a target
header (SQS, CloudWatch Logs, DynamoDB), forms and XML (IAM, STS; SQS of older SDKs), and REST
(Lambda, S3).
"""

from __future__ import annotations

import io
import json
import uuid
from http.client import responses
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

BODY = "localaws.body"  # in a request's environ: the body, once it has been read
FORM = "application/x-www-form-urlencoded"
TARGETS = {
    "AmazonSQS": "sqs",
    "Logs_20140328": "logs",
    "DynamoDB_20120810": "dynamodb",
    "GraniteServiceVersion20100801": "monitoring",
}
QUERY_COMPATIBLE = ("sqs", "monitoring")  # whose JSON has the codes of the query protocol too
XML_OVER_REST = ("s3", "s3control", "route53", "cloudfront")
# Calls of Lambda that name in their body what the caller must be allowed to use.
WITH_BODY = (
    "CreateFunction",
    "UpdateFunctionConfiguration",
    "CreateEventSourceMapping",
    "UpdateEventSourceMapping",
)
NAMESPACES = {
    "sqs": "http://queue.amazonaws.com/doc/2012-11-05/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
}


class Answer(NamedTuple):
    """An HTTP response for WSGI."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Call(NamedTuple):
    """A call of an AWS API: `operation` with its parameters."""

    service: str
    region: str
    account: str
    operation: str
    parameters: dict[str, Any]
    protocol: str  # "json", "query" or "rest"


class Fault(NamedTuple):
    """An error in the words of AWS. Its code and status differ from protocol to protocol."""

    query_code: str  # of the query protocol, which boto3 shows for SQS in JSON too
    json_code: str
    message: str
    status: int = 403
    json_status: int = 400


def protocol_of(environ: dict[str, Any]) -> str:
    """The protocol of a request: "json", "query" or "rest"."""
    if environ.get("HTTP_X_AMZ_TARGET"):
        return "json"
    is_form = environ.get("CONTENT_TYPE", "").startswith(FORM)
    return "query" if is_form or "Action=" in environ.get("QUERY_STRING", "") else "rest"


def service_of(environ: dict[str, Any]) -> str:
    """The service that a request without a signature is for, as far as that can be told."""
    target = environ.get("HTTP_X_AMZ_TARGET", "").split(".")[0]
    if target:
        return TARGETS.get(target, "")
    if protocol_of(environ) == "query":
        return "sqs" if environ.get("PATH_INFO", "/") != "/" else ""
    return "lambda" if environ.get("PATH_INFO", "").startswith("/20") else ""


def operation_said(environ: dict[str, Any]) -> str:
    """The operation that the target header of a call in JSON names."""
    return environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2]


def read_body(environ: dict[str, Any]) -> bytes:
    """The body of a request, which can still be read afterwards."""
    if BODY not in environ:
        environ[BODY] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(environ[BODY])
    return environ[BODY]


def read_call(environ: dict[str, Any], service: str, region: str, account: str) -> Call | None:
    """What a request calls, in whichever protocol.

    None when that cannot be told, as for a REST API other than Lambda's. Raises ValueError
    when its body cannot be read.
    """
    if environ.get("HTTP_X_AMZ_TARGET"):
        return read_json_call(environ, service, region, account)
    if protocol_of(environ) == "query":
        return read_query_call(environ, service, region, account)
    return read_rest_call(environ, region, account) if service == "lambda" else None


def read_json_call(environ: dict[str, Any], service: str, region: str, account: str) -> Call | None:
    if "Action=" in environ.get("QUERY_STRING", ""):
        return None  # moto would do what the query string says
    operation = environ["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[-1]
    return Call(service, region, account, operation, read_object(environ), "json")


def read_query_call(
    environ: dict[str, Any], service: str, region: str, account: str
) -> Call | None:
    """A call of the query protocol; its form may be the body, the query string, or both."""
    given = parse_qsl(environ.get("QUERY_STRING", "")) + parse_qsl(read_body(environ).decode())
    form = dict(given)
    if len({value for name, value in given if name == "Action"}) != 1 or len(form) < len(given):
        return None  # moto might read another one of two
    return Call(service, region, account, form["Action"], form, "query")


def read_rest_call(environ: dict[str, Any], region: str, account: str) -> Call | None:
    try:
        operation, path_parameters = get_service_router("lambda").match(Request(environ))
    except NotFound:
        return None
    parameters = {name: unquote(value) for name, value in path_parameters.items()}
    if operation.name in WITH_BODY:
        parameters = read_object(environ) | parameters
    qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier")
    if qualifier:
        parameters["Qualifier"] = qualifier[0]
    return Call("lambda", region, account, operation.name, parameters, "rest")


def read_object(environ: dict[str, Any]) -> dict[str, Any]:
    """The JSON object in a request's body. Raises ValueError when there is none."""
    try:
        value = json.loads(read_body(environ) or b"{}")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def error_answer(environ: dict[str, Any], service: str, fault: Fault) -> Answer:
    """An error in the protocol of a request."""
    protocol, request_id = protocol_of(environ), str(uuid.uuid4())
    status, headers = fault.status, {"x-amzn-RequestId": request_id}
    if protocol == "query" or service in XML_OVER_REST:
        text = xml_error(service, fault, request_id)
        headers["Content-Type"] = "text/xml"
    elif protocol == "rest":
        text = json.dumps({"Message": fault.message})
        headers |= {"Content-Type": "application/json", "x-amzn-ErrorType": fault.json_code}
    else:
        code = f"com.amazon.coral.service#{fault.json_code}"
        key = "Message" if fault.json_code == "AccessDeniedException" else "message"
        text = json.dumps({"__type": code, **({key: fault.message} if fault.message else {})})
        if service in QUERY_COMPATIBLE:
            headers["Content-Type"] = "application/x-amz-json-1.0"
            headers["x-amzn-query-error"] = f"{fault.query_code};Sender"
        else:
            headers["Content-Type"] = "application/x-amz-json-1.1"
            status = fault.json_status
    return make_answer(status, headers, text)


def xml_error(service: str, fault: Fault, request_id: str) -> str:
    error = f"<Code>{fault.query_code}</Code><Message>{escape(fault.message)}</Message>"
    if service in XML_OVER_REST:
        return f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    if service == "ec2":
        errors = f"<Errors><Error>{error}</Error></Errors>"
        return f"<Response>{errors}<RequestID>{request_id}</RequestID></Response>"
    return (
        f'<ErrorResponse xmlns="{NAMESPACES.get(service, "")}"><Error><Type>Sender</Type>{error}'
        f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def plain_answer(status: int, sentence: str) -> Answer:
    """An answer to a request that is no call of an AWS API."""
    return make_answer(status, {"Content-Type": "text/plain; charset=utf-8"}, sentence + "\n")


def make_answer(status: int, headers: dict[str, str], text: str) -> Answer:
    return answer_with(status, headers, text.encode())


def answer_with(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """An answer with its length, which one without content must not have (RFC 9110, 8.6)."""
    length = {} if status == 204 else {"Content-Length": str(len(body))}
    return Answer(f"{status} {responses[status]}", list((headers | length).items()), body)
