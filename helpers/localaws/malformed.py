"""Requests that are no proper call: too large, unreadable, or of an operation that is not there.

Sizes are looked at before a body is read. What else is wrong is found out when a call has
failed in moto, so that a good call pays nothing for it. Sources: the quotas of each service,
"Common error types" in the API references, and what users of AWS report.
"""

from __future__ import annotations

import json
import traceback
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError
from botocore.validate import ParamValidator

from helpers.localaws.access import Caller
from helpers.localaws.protocols import (
    Answer,
    Fault,
    error_answer,
    plain_answer,
    protocol_of,
    read_body,
    read_object,
    service_of,
)

MIB = 2**20
# The largest bodies in bytes. Lambda's and DynamoDB's are AWS's own; a message of 1 MiB, each
# byte of it escaped, needs less than that of SQS.
LARGEST = {"sqs": 8 * MIB, "logs": 8 * MIB, "lambda": 70_167_211, "s3": 256 * MIB}
LARGEST_EVENT = 6_291_456
LARGEST_OF_OTHERS = 16 * MIB
INTERNAL_FAILURE = Fault(
    "InternalFailure",
    "InternalFailure",
    "The request processing has failed because of an unknown error, exception or failure.",
    500,
    500,
)
NOT_IMPLEMENTED = Fault("NotImplemented", "NotImplemented", "", 501, 501)


def refuse_length(environ: dict[str, Any]) -> Answer | None:
    """The answer to a body that is too large, or whose length is not said."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return plain_answer(411, "The local AWS takes a body with a Content-Length only.")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length <= LARGEST_EVENT:
        return None
    service = service_said(environ)
    path = environ.get("PATH_INFO", "")
    is_event = service == "lambda" and path.endswith(("/invocations", "/invoke-async"))
    limit = LARGEST_EVENT if is_event else LARGEST.get(service, LARGEST_OF_OTHERS)
    if length <= limit:
        return None
    operation = "InvokeFunction" if is_event else "CreateFunction"
    where = f" for the {operation} operation" if service == "lambda" else ""
    message = f"Request must be smaller than {limit} bytes{where}"
    codes = ("RequestEntityTooLarge", "RequestEntityTooLargeException")
    return error_answer(environ, service, Fault(*codes, message, 413, 413))


def service_said(environ: dict[str, Any]) -> str:
    """The service that a request says it is for, before its signature has been looked at."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0]
    parts = scope.split("/")
    return parts[3] if len(parts) == 5 else service_of(environ)


def explain(environ: dict[str, Any], caller: Caller, error: Exception) -> Answer:
    """The answer to a call that ended with an exception: whose fault it is, and which."""
    fault = find_fault(environ, caller)
    if fault is None and isinstance(error, NotImplementedError):
        fault = NOT_IMPLEMENTED._replace(message=str(error))
    if fault is None:
        traceback.print_exception(error)
        text = (
            "The request processing has failed because of an unknown error, exception or failure."
        )
        fault = Fault("InternalFailure", "InternalFailure", text, 500, 500)
    return error_answer(environ, caller.service, fault)


def find_fault(environ: dict[str, Any], caller: Caller) -> Fault | None:
    """What is wrong with a request by its form; None when nothing is."""
    if protocol_of(environ) == "query":
        return fault_of_form(environ, caller.service)
    if not read_body(environ):
        return None
    try:
        parameters = read_object(environ)
    except ValueError as error:
        return unreadable(caller.service, str(error))
    if protocol_of(environ) != "json":
        return None
    operation = find_operation(caller.service, environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2])
    if operation is None:
        return Fault("InvalidAction", "UnknownOperationException", "", 400)
    return fault_of_types(parameters, operation)


def fault_of_form(environ: dict[str, Any], service: str) -> Fault | None:
    try:
        form = parse_qs(read_body(environ).decode())
    except ValueError:
        text = "The query string contains a syntax error."
        return Fault("MalformedQueryString", "", text, 400)
    action = form.get("Action", [""])[0]
    if not action:
        text = "The request must contain the parameter Action."
        return Fault("MissingAction", "", text, 400)
    if find_operation(service, action):
        return None
    text = f"The action {action} is not valid for this endpoint."
    if service != "sqs":
        version = form.get("Version", [""])[0]
        text = f"Could not find operation {action} for version {version}"
    return Fault("InvalidAction", "", text, 400)


def fault_of_types(parameters: dict[str, Any], operation: OperationModel) -> Fault | None:
    """What botocore's own check finds in parameters, but for values of base64."""
    if operation.input_shape is None:
        return None
    report = ParamValidator().validate(parameters, operation.input_shape)
    text = report.generate_report()
    if not report.has_errors() or "type: <class 'str'>, valid types: <class 'bytes'>" in text:
        return None
    return Fault("InvalidParameterValue", "SerializationException", text, 400)


def unreadable(service: str, reason: str) -> Fault:
    if service == "lambda":
        text = f"Could not parse request body into json: {reason}"
        return Fault("", "InvalidRequestContentException", text, 400)
    return Fault("MalformedInput", "SerializationException", "", 400)


def find_operation(service: str, name: str) -> OperationModel | None:
    """An operation of a service as botocore knows it."""
    try:
        return botocore.session.get_session().get_service_model(service).operation_model(name)
    except (UnknownServiceError, OperationNotFoundError):
        return None


def no_such_path(_error: Exception) -> Any:
    """Lambda's answer to a path that is none of its API."""
    body = json.dumps({"Message": "Unable to determine service/operation name to be authorized"})
    return body, 403, {"x-amzn-ErrorType": "AccessDeniedException"}
