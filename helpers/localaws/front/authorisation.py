"""Calls that a handler makes: allowed as far as the policies of its function's role go.

boto3 inside a handler signs with temporary credentials of the function's role. Calls with
the credentials of an assumed role are judged by that role's policies; all others, such as
a learner's own, are unrestricted. Resource-based policies (of queues, functions) are not
looked at.

Actions and resources are those of the Service Authorization Reference; the texts and codes
are what AWS was seen to answer for SQS, Lambda, CloudWatch Logs, IAM and DynamoDB. The ARNs
of other services' resources are not worked out, and their REST APIs (S3 …) not judged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from helpers.localaws.common import arns
from helpers.localaws.front.protocols import Answer, Call, Fault, error_answer, read_call
from helpers.localaws.permissions.roles import Refusal, Role

UNCLEAR = Fault(
    "AccessDenied",
    "AccessDeniedException",
    "Unable to determine service/operation name to be authorized",
)
ALWAYS_ALLOWED = "sts:GetCallerIdentity"
ACTION_PREFIXES = {"monitoring": "cloudwatch"}  # where it is not the name for signing
LAMBDA_ACTIONS = {
    "Invoke": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
}


def refuse(environ: dict[str, Any], service: str, region: str, session: Any) -> Answer | None:
    """The answer to a call that the role of a session does not allow; None if it may go on.

    Raises ValueError when the body of the call cannot be read.
    """
    call = read_call(environ, service, region, session.account_id)
    if call is None:
        return None if is_rest(service) else error_answer(environ, service, UNCLEAR)
    action = action_of(call)
    if action == ALWAYS_ALLOWED:
        return None
    resource = resource_of(call)
    refused = Role(session.account_id, session.role_arn).refusal(action, on=resource)
    if refused is None:
        return None
    message = describe(session.arn, call, action, resource, refused)
    return error_answer(environ, service, Fault("AccessDenied", "AccessDeniedException", message))


@functools.lru_cache(maxsize=100)
def is_rest(service: str) -> bool:
    """Whether a service has a REST API that is not judged."""
    try:
        return service != "lambda" and get_service_model(service).protocol.startswith("rest")
    except UnknownServiceError:
        return False


# -- what is called ----------------------------------------------------------------------


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
    return arns.of_queue(call.region, call.account, name)


def function_or_mapping(call: Call, parameters: dict[str, Any]) -> str:
    if "FunctionName" in parameters:
        name, qualifier = arns.function_and_qualifier(parameters["FunctionName"])
        qualifier = parameters.get("Qualifier") or qualifier
        return arns.of_function(call.region, call.account, name, qualifier)
    if "UUID" in parameters:
        return arns.of_mapping(call.region, call.account, parameters["UUID"])
    return parameters.get("Resource", "*")


def log_stream(call: Call, parameters: dict[str, Any]) -> str:
    names = [parameters.get("logGroupName", ""), *parameters.get("logGroupNames", [])]
    name = next(filter(None, names), "")
    stream = parameters.get("logStreamName", "")
    return arns.of_log_stream(call.region, call.account, name, stream)


def table(call: Call, parameters: dict[str, Any]) -> str | None:
    """A DynamoDB table, which may be named by its ARN, or an index of one.

    None where a call names several tables, or none.
    """
    name = parameters.get("TableName")
    if not name:
        return None
    arn = name if arns.is_arn(name) else arns.of_table(call.region, call.account, name)
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
        return arns.of_role(call.account, name, parameters.get("Path", "/"))


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
