"""Calls that a handler makes: allowed as far as the policies of its function's role go.

boto3 inside a handler signs with temporary credentials of the function's role. Calls with
the credentials of an assumed role are judged by that role's policies; all others, such as
a learner's own, are unrestricted. Signatures and the end of a session are not checked,
and resource-based policies (of queues, functions) are not looked at.

Actions and resources are those of the Service Authorization Reference; the texts and codes
are what AWS was seen to answer for SQS, Lambda, CloudWatch Logs, IAM and DynamoDB. The ARNs
of other services' resources are not worked out, and their REST APIs (S3 …) not judged.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from werkzeug.exceptions import NotFound

from helpers.localaws.permissions import Refusal, refusal

TEMPORARY = "Credential=ASIA"
ALWAYS_ALLOWED = "sts:GetCallerIdentity"
JSON_ERROR = "AccessDeniedException"
ACTION_PREFIXES = {"monitoring": "cloudwatch"}  # where it is not the name for signing
LAMBDA_ACTIONS = {
    "Invoke": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
}
NAMESPACES = {
    "sqs": "http://queue.amazonaws.com/doc/2012-11-05/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
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


def refuse(environ: dict[str, Any]) -> Answer | None:
    """The answer to a request that the caller's role does not allow; None if it may go on."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if TEMPORARY not in authorization:
        return None
    scope = authorization.split("Credential=", 1)[1].split(",", 1)[0]
    key, _date, region, service, _ = scope.split("/")
    session = find_session(key)
    call = session and read_call(environ, service, region, session.account_id)
    if not call:
        return None
    action = action_of(call)
    if action == ALWAYS_ALLOWED:
        return None
    resource = resource_of(call)
    refused = refusal(session.account_id, session.role_arn, action, resource)
    if refused is None:
        return None
    return answer(call, describe(session.arn, call, action, resource, refused))


def find_session(access_key: str) -> Any:
    """The session of an assumed role that has this access key, if there is one."""
    for account in sts_backends.values():
        session = account["aws"].get_assumed_role_from_access_key(access_key)
        if session is not None:
            return session
    return None


# -- what is called ----------------------------------------------------------------------


def read_call(environ: dict[str, Any], service: str, region: str, account: str) -> Call | None:
    """What a request calls, in whichever protocol; None for a REST API other than Lambda's."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        parameters = json.loads(read_body(environ) or b"{}")
        return Call(service, region, account, target.rsplit(".", 1)[-1], parameters, "json")
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(read_body(environ).decode()))
        return Call(service, region, account, form.get("Action", ""), form, "query")
    if service != "lambda":
        return None
    try:
        operation, path_parameters = get_service_router("lambda").match(Request(environ))
    except NotFound:
        return None
    parameters = {name: unquote(value) for name, value in path_parameters.items()}
    if operation.name == "CreateFunction":
        parameters = json.loads(read_body(environ))
    qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier")
    if qualifier:
        parameters["Qualifier"] = qualifier[0]
    return Call(service, region, account, operation.name, parameters, "rest")


def read_body(environ: dict[str, Any]) -> bytes:
    """The body of a request, which can still be read afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def action_of(call: Call) -> str:
    """The action that IAM policies name: one for single and batch calls of SQS."""
    prefix = ACTION_PREFIXES.get(call.service, call.service)
    operation = call.operation
    if call.service == "sqs":
        operation = operation.removesuffix("Batch")
    if call.service == "lambda":
        operation = LAMBDA_ACTIONS.get(operation, operation)
    return f"{prefix}:{operation}"


def resource_of(call: Call) -> str | None:
    """The ARN that the action is judged on; None where it is not known."""
    find = RESOURCES.get(call.service)
    return find(call, call.parameters) if find else None


def queue(call: Call, parameters: dict[str, Any]) -> str:
    if parameters.get("SourceArn"):
        return parameters["SourceArn"]
    name = parameters.get("QueueUrl", "").rsplit("/", 1)[-1] or parameters.get("QueueName", "")
    return f"arn:aws:sqs:{call.region}:{call.account}:{name}"


def function_or_mapping(call: Call, parameters: dict[str, Any]) -> str:
    base = f"arn:aws:lambda:{call.region}:{call.account}"
    if "FunctionName" in parameters:
        name = parameters["FunctionName"].rsplit("function:", 1)[-1]
        qualifier = parameters.get("Qualifier")
        return f"{base}:function:{name}" + (f":{qualifier}" if qualifier else "")
    if "UUID" in parameters:
        return f"{base}:event-source-mapping:{parameters['UUID']}"
    return parameters.get("Resource", "*")


def log_stream(call: Call, parameters: dict[str, Any]) -> str:
    names = [parameters.get("logGroupName", ""), *parameters.get("logGroupNames", [])]
    name = next(filter(None, names), "")
    stream = parameters.get("logStreamName", "")
    return f"arn:aws:logs:{call.region}:{call.account}:log-group:{name}:log-stream:{stream}"


def table(call: Call, parameters: dict[str, Any]) -> str | None:
    """A DynamoDB table, which may be named by its ARN, or an index of one.

    None where a call names several tables, or none.
    """
    name = parameters.get("TableName")
    if not name:
        return None
    base = f"arn:aws:dynamodb:{call.region}:{call.account}:table/"
    arn = name if name.startswith("arn:") else base + name
    index = parameters.get("IndexName")
    return f"{arn}/index/{index}" if index else arn


def role_or_other(call: Call, parameters: dict[str, Any]) -> str | None:
    """An IAM role, with its path if it exists."""
    name = parameters.get("RoleName")
    if not name:
        return None
    try:
        return iam_backends[call.account]["aws"].get_role(name).arn
    except NotFoundException:
        return f"arn:aws:iam::{call.account}:role{parameters.get('Path', '/')}{name}"


RESOURCES: dict[str, Callable[[Call, dict[str, Any]], str | None]] = {
    "sqs": queue,
    "lambda": function_or_mapping,
    "logs": log_stream,
    "iam": role_or_other,
    "dynamodb": table,
    "sts": lambda _call, parameters: parameters.get("RoleArn", "*"),
}


# -- how a call is refused ---------------------------------------------------------------


def describe(user_arn: str, call: Call, action: str, resource: str | None, refused: Refusal) -> str:
    """AWS's sentence; SQS writes its actions in lower case."""
    action = action.lower() if call.service == "sqs" else action
    if refused.explicit:
        article = "an" if refused.policy[0] in "aeiou" else "a"
        reason = f"with an explicit deny in {article} {refused.policy}"
    else:
        reason = f"because no {refused.policy} allows the {action} action"
    where = f" on resource: {resource}" if resource else ""
    return f"User: {user_arn} is not authorized to perform: {action}{where} {reason}"


def answer(call: Call, message: str) -> Answer:
    """An error in the protocol of the call; its code is AccessDenied or AccessDeniedException."""
    request_id = str(uuid.uuid4())
    if call.protocol == "query":
        text = query_error(call.service, message, request_id)
        status, headers = "403 Forbidden", {"Content-Type": "text/xml"}
    elif call.protocol == "rest":
        text = json.dumps({"Message": message})
        status = "403 Forbidden"
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": JSON_ERROR}
    else:
        text = json.dumps({"__type": f"com.amazon.coral.service#{JSON_ERROR}", "Message": message})
        status, headers = "400 Bad Request", {"Content-Type": "application/x-amz-json-1.1"}
        if call.service == "sqs":
            status = "403 Forbidden"
            headers = {
                "Content-Type": "application/x-amz-json-1.0",
                "x-amzn-query-error": "AccessDenied;Sender",
            }
    body = text.encode()
    headers |= {"x-amzn-RequestId": request_id, "Content-Length": str(len(body))}
    return Answer(status, list(headers.items()), body)


def query_error(service: str, message: str, request_id: str) -> str:
    return (
        f'<ErrorResponse xmlns="{NAMESPACES.get(service, "")}"><Error><Type>Sender</Type>'
        f"<Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
