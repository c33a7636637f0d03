"""Calls that a handler makes: allowed as far as the policies of its function's role go.

boto3 inside a handler signs with temporary credentials of the function's role. Calls with
the credentials of an assumed role are judged by that role's policies; all others, such as
a learner's own, are unrestricted. Resource-based policies (of queues, functions) are not
looked at. A call may need more than one action: those for a role that is passed on, for tags at
creation, and for what SQS does in the caller's name.

Actions and resources are those of the Service Authorization Reference; the texts and codes
are what AWS was seen to answer for SQS, Lambda, CloudWatch Logs, IAM and DynamoDB. The ARNs
of other services' resources are not worked out, and their REST APIs (S3 …) not judged.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import UnknownServiceError
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.utils import get_service_model
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from helpers.localaws.common import arns
from helpers.localaws.front.protocols import Answer, Call, Fault, error_answer, read_call
from helpers.localaws.permissions import conditions
from helpers.localaws.permissions.roles import (
    CLOUDFORMATION,
    LAMBDA_SERVICE,
    NOTHING,
    Refusal,
    Role,
    boundary_of,
)

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
OF_A_QUERY = ("GetQueryResults", "StopQuery", "DescribeQueries", "GetLogRecord")
ON_ALL_MAPPINGS = ("CreateEventSourceMapping", "ListEventSourceMappings")


def refuse(environ: dict[str, Any], service: str, region: str, session: Any) -> Answer | None:
    """The answer to a call that the role of a session does not allow; None if it may go on.

    Raises ValueError when the body of the call cannot be read.
    """
    call = read_call(environ, service, region, session.account_id)
    if call is None:
        return None if is_rest(service) else error_answer(environ, service, UNCLEAR)
    role = Role(session.account_id, session.role_arn)
    for need in needs_of(call):
        refused = role.refusal(need.action, need.resource, need.context)
        if refused is not None:
            message = describe(session.arn, call, need.action, need.resource, refused)
            fault = Fault("AccessDenied", "AccessDeniedException", message)
            return error_answer(environ, service, fault)
    return None


@functools.lru_cache(maxsize=100)
def is_rest(service: str) -> bool:
    """Whether a service has a REST API that is not judged."""
    try:
        return service != "lambda" and get_service_model(service).protocol.startswith("rest")
    except UnknownServiceError:
        return False


# -- what is called, and what that needs -------------------------------------------------


class Need(NamedTuple):
    """An action on a resource, None if that is not known, and what conditions may ask for."""

    action: str
    resource: str | None
    context: Mapping[str, str] = NOTHING


def needs_of(call: Call) -> list[Need]:
    """All that the caller must be allowed for a call."""
    action = action_of(call)
    if action == ALWAYS_ALLOWED:
        return []
    more = MORE.get(f"{call.service}:{call.operation}", no_more)
    return [Need(action, resource_of(call), context_of(call)), *more(call, call.parameters)]


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
        return str(parameters["SourceArn"])
    name = parameters.get("QueueUrl", "").rsplit("/", 1)[-1] or parameters.get("QueueName", "")
    return arns.of_queue(call.region, call.account, name)


def function_or_mapping(call: Call, parameters: dict[str, Any]) -> str:
    if call.operation in ON_ALL_MAPPINGS:
        return "*"
    if "UUID" in parameters:
        return arns.of_mapping(call.region, call.account, parameters["UUID"])
    if "FunctionName" in parameters:
        name, qualifier = arns.function_and_qualifier(parameters["FunctionName"])
        qualifier = parameters.get("Qualifier") or qualifier
        return arns.of_function(call.region, call.account, name, qualifier)
    return parameters.get("Resource", "*")


def log_stream(call: Call, parameters: dict[str, Any]) -> str:
    if parameters.get("resourceArn"):
        return str(parameters["resourceArn"])
    if call.operation in OF_A_QUERY:
        return "*"
    given = [parameters.get("logGroupName", ""), *parameters.get("logGroupNames", [])]
    given += map(arns.log_group_name, parameters.get("logGroupIdentifiers", []))
    name = next(filter(None, given), "")
    stream = parameters.get("logStreamName", "")
    return arns.of_log_stream(call.region, call.account, name, stream)


def table(call: Call, parameters: dict[str, Any]) -> str | None:
    """A DynamoDB table, which may be named by its ARN, or an index of one.

    None where a call names several tables, or none. A batch names its tables by the items.
    """
    items = parameters.get("RequestItems")
    in_batch = next(iter(items)) if isinstance(items, dict) and len(items) == 1 else None
    name = parameters.get("TableName") or parameters.get("ResourceArn") or in_batch
    if not name:
        return None
    arn = name if arns.is_arn(name) else arns.of_table(call.region, call.account, name)
    index = parameters.get("IndexName")
    return f"{arn}/index/{index}" if index else arn


def alarm_or_dashboard(call: Call, parameters: dict[str, Any]) -> str:
    """An alarm, the first of several, or a dashboard; all for metrics, which have no ARN."""
    if parameters.get("ResourceARN"):
        return str(parameters["ResourceARN"])
    dashboard = next(iter(parameters.get("DashboardNames") or []), parameters.get("DashboardName"))
    if dashboard:
        return arns.of_dashboard(call.account, dashboard)
    alarm = next(iter(parameters.get("AlarmNames") or []), parameters.get("AlarmName"))
    return arns.of_alarm(call.region, call.account, alarm) if alarm else "*"


def role_or_other(call: Call, parameters: dict[str, Any]) -> str | None:
    """An IAM role, with its path if it exists, or a managed policy."""
    name = parameters.get("RoleName")
    if not name:
        return parameters.get("PolicyArn")
    try:
        return iam_backends[call.account]["aws"].get_role(name).arn
    except NotFoundException:
        return arns.of_role(call.account, name, parameters.get("Path", "/"))


def stack(call: Call, parameters: dict[str, Any]) -> str | None:
    """A stack, by its name with the id left open, or by its ARN."""
    name = parameters.get("StackName")
    if not name or arns.is_arn(name):
        return name
    return arns.of_stack(call.region, call.account, name, "*")


RESOURCES: dict[str, Callable[[Call, dict[str, Any]], str | None]] = {
    "sqs": queue,
    "lambda": function_or_mapping,
    "logs": log_stream,
    "monitoring": alarm_or_dashboard,
    "iam": role_or_other,
    "dynamodb": table,
    "cloudformation": stack,
    "sts": lambda _call, parameters: parameters.get("RoleArn", "*"),
}


def context_of(call: Call) -> dict[str, str]:
    """What the conditions of a policy may ask for of a call itself."""
    if call.service == "iam":
        boundary = call.parameters.get("PermissionsBoundary")
        if call.operation != "CreateRole":
            boundary = boundary_of(call.account, role_or_other(call, call.parameters) or "")
        policy = call.parameters.get("PolicyArn") if "RoleName" in call.parameters else None
        known = without_none({conditions.BOUNDARY: boundary, conditions.POLICY: policy})
        return known | tags_in(call.parameters)
    if call.service == "lambda" and call.operation.endswith("EventSourceMapping"):
        return without_none({conditions.FUNCTION: function_of_mapping(call, call.parameters)})
    return {}


def tags_in(parameters: dict[str, Any]) -> dict[str, str]:
    """The tags that a call of IAM gives, as conditions ask for them."""
    tags = parameters.get("Tags") or [
        {"Key": value, "Value": parameters.get(f"{name.removesuffix('Key')}Value", "")}
        for name, value in parameters.items()
        if re.fullmatch(r"Tags\.member\.\d+\.Key", name)
    ]
    return {f"{conditions.TAG_IN_CALL}{tag['Key'].lower()}": tag["Value"] for tag in tags}


def without_none(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def function_of_mapping(call: Call, parameters: dict[str, Any]) -> str | None:
    """The ARN of the function that a mapping calls, or is to call."""
    if "UUID" not in parameters:
        name, _ = arns.function_and_qualifier(parameters.get("FunctionName", ""))
        return arns.of_function(call.region, call.account, name)
    backend = lambda_simple_backends[call.account][call.region]
    mapping = backend.get_event_source_mapping(parameters["UUID"])
    return arns.unqualified(mapping.function_arn) if mapping else None


# What a call needs beside its own action. Sources: the dependent actions in the Service
# Authorization Reference; CreateQueue and "Configuring a dead-letter queue redrive" for SQS.


def no_more(_call: Call, _parameters: dict[str, Any]) -> list[Need]:
    return []


def passing_its_role(call: Call, parameters: dict[str, Any]) -> list[Need]:
    to_stacks = call.service == "cloudformation"
    role = parameters.get("RoleARN" if to_stacks else "Role")
    context = {conditions.PASSED_TO: CLOUDFORMATION if to_stacks else LAMBDA_SERVICE}
    return [Need("iam:PassRole", role, context)] if role else []


def tagging(action: str, where: str | None = None) -> Callable[[Call, dict[str, Any]], list[Need]]:
    """The action for tags that are given at a creation, on what is created or on `where`."""

    def needs(call: Call, parameters: dict[str, Any]) -> list[Need]:
        tagged = any(parameters[key] for key in parameters if key.lower().startswith("tag"))
        arn = where.format(call=call) if where else resource_of(call)
        context = tags_in(parameters) if call.service == "iam" else {}
        return [Need(action, arn, context)] if tagged else []

    return needs


def creating_a_function(call: Call, parameters: dict[str, Any]) -> list[Need]:
    tag = tagging("lambda:TagResource")
    return [*passing_its_role(call, parameters), *tag(call, parameters)]


def moving(call: Call, parameters: dict[str, Any]) -> list[Need]:
    """SQS receives and deletes in the caller's name, and sends to where it is told to.

    Without a destination that is each queue from which the messages came: not known here.
    """
    source = resource_of(call)
    actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    taken = [Need(f"sqs:{action}", source) for action in actions]
    return [*taken, Need("sqs:SendMessage", parameters.get("DestinationArn"))]


MORE: dict[str, Callable[[Call, dict[str, Any]], list[Need]]] = {
    "sqs:CreateQueue": tagging("sqs:TagQueue"),
    "sqs:StartMessageMoveTask": moving,
    **{
        f"cloudformation:{operation}": passing_its_role
        for operation in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet")
    },
    "iam:CreateRole": tagging("iam:TagRole"),
    "dynamodb:CreateTable": tagging("dynamodb:TagResource"),
    "monitoring:PutMetricAlarm": tagging("cloudwatch:TagResource"),
    "lambda:CreateFunction": creating_a_function,
    "lambda:UpdateFunctionConfiguration": passing_its_role,
    "lambda:CreateEventSourceMapping": tagging(
        "lambda:TagResource", "arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:*"
    ),
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
    unnamed = call.service == "monitoring" and resource == "*"  # a metric has no ARN: CW-013
    where = f" on resource: {resource}" if resource and not unnamed else ""
    return f"User: {user_arn} is not authorized to perform: {action}{where} {reason}"
