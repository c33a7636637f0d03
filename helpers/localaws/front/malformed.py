"""Requests that are no proper call: too large, unreadable, or of an operation that is not there.

Sizes are looked at before a body is read. What else is wrong is found out when a call has
failed in moto, so that a good call pays nothing for it. Sources: the quotas of each service,
"Common error types" in the API references, and what users of AWS report.
"""

from __future__ import annotations

import functools
import traceback
from typing import Any
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from helpers.localaws.front.access import Caller
from helpers.localaws.front.protocols import (
    Answer,
    Fault,
    error_answer,
    operation_said,
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
EVENT_PATHS = ("/invocations", "/invoke-async", "/invoke-async/")
SMALL_BODY = 4_096
SUSPICIOUS = ("400", "404", "405", "501")
MODELS = {"monitoring": "cloudwatch"}  # whose name is not the one that calls are signed with
NO_SUCH_PATH = Fault(
    "",
    "AccessDeniedException",
    "Unable to determine service/operation name to be authorized",
)
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
    if length < 0:
        return plain_answer(400, f"Content-Length is {length}; it must be 0 or more.")
    if length <= LARGEST_EVENT:
        return None
    service = service_said(environ)
    path = environ.get("PATH_INFO", "")
    is_event = service == "lambda" and path.endswith(EVENT_PATHS)
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


def refuse_form(environ: dict[str, Any], caller: Caller) -> Answer | None:
    """The answer to a call in JSON of an operation that is not there, or without an object.

    Of a large body only the ends are looked at: moto finds what is wrong in between.
    """
    if protocol_of(environ) != "json":
        return None
    fault, body = unknown_operation(environ, caller.service), read_body(environ)
    is_large = len(body) > SMALL_BODY and body.startswith(b"{") and body.endswith(b"}")
    if fault is None and not is_large:
        fault = unreadable(environ, caller.service)
    return error_answer(environ, caller.service, fault) if fault else None


def explain(environ: dict[str, Any], caller: Caller, error: Exception) -> Answer:
    """The answer to a call that ended with an exception: whose fault it is, and which."""
    fault = (
        find_fault(environ, caller.service)
        or fault_of_types(environ, caller.service)
        or fault_of_missing(environ, caller.service)
    )
    if fault is None and isinstance(error, NotImplementedError):
        fault = NOT_IMPLEMENTED._replace(message=str(error))
    if fault is None:
        traceback.print_exception(error)
        fault = INTERNAL_FAILURE
    return error_answer(environ, caller.service, fault)


def correct(environ: dict[str, Any], caller: Caller, body: bytes) -> Answer | None:
    """AWS's answer to a call that moto refused with `body`, where the call itself has a fault."""
    fault = find_fault(environ, caller.service)
    if fault is None and caller.service == "lambda" and (not body or body.startswith(b"<")):
        fault = NO_SUCH_PATH
    return error_answer(environ, caller.service, fault) if fault else None


def find_fault(environ: dict[str, Any], service: str) -> Fault | None:
    """What is wrong with a request by its form; None when nothing is."""
    protocol = protocol_of(environ)
    if protocol == "query":
        return fault_of_form(environ, service)
    if protocol == "json":
        return unreadable(environ, service) or unknown_operation(environ, service)
    takes_any = environ.get("PATH_INFO", "").endswith(EVENT_PATHS)
    return unreadable(environ, service) if service == "lambda" and not takes_any else None


def unreadable(environ: dict[str, Any], service: str) -> Fault | None:
    try:
        read_object(environ)
        return None
    except ValueError as error:
        if service != "lambda":
            return Fault("MalformedInput", "SerializationException", "", 400)
        text = f"Could not parse request body into json: {error}"
        return Fault("", "InvalidRequestContentException", text, 400)


def unknown_operation(environ: dict[str, Any], service: str) -> Fault | None:
    if not is_known(service) or find_operation(service, operation_said(environ)):
        return None
    return Fault("InvalidAction", "UnknownOperationException", "", 400)


def form_of(environ: dict[str, Any]) -> dict[str, list[str]]:
    """The parameters of a form, in the query string and the body. Raises ValueError."""
    return parse_qs(f"{environ.get('QUERY_STRING', '')}&{read_body(environ).decode()}")


def fault_of_form(environ: dict[str, Any], service: str) -> Fault | None:
    try:
        form = form_of(environ)
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


def fault_of_types(environ: dict[str, Any], service: str) -> Fault | None:
    """What botocore's own check finds in the parameters of a JSON call, but for base64."""
    if protocol_of(environ) != "json":
        return None
    operation = find_operation(service, operation_said(environ))
    if operation is None or operation.input_shape is None:
        return None
    report = ParamValidator().validate(read_object(environ), operation.input_shape)
    text = report.generate_report()
    if not report.has_errors() or "type: <class 'str'>, valid types: <class 'bytes'>" in text:
        return None
    return Fault("InvalidParameterValue", "SerializationException", text, 400)


def fault_of_missing(environ: dict[str, Any], service: str) -> Fault | None:
    """The parameters that a form lacks, in the words of IAM and STS."""
    if protocol_of(environ) != "query":
        return None
    form = form_of(environ)
    operation = find_operation(service, form.get("Action", [""])[0])
    if operation is None or operation.input_shape is None:
        return None
    missing = [
        f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must "
        "not be null"
        for name in operation.input_shape.required_members
        if not any(given == name or given.startswith(f"{name}.") for given in form)
    ]
    if not missing:
        return None
    errors = "error" if len(missing) == 1 else "errors"
    text = f"{len(missing)} validation {errors} detected: {'; '.join(missing)}"
    return Fault("ValidationError", "", text, 400)


@functools.lru_cache(maxsize=1_000)
def find_operation(service: str, name: str) -> OperationModel | None:
    """An operation of a service as botocore knows it."""
    try:
        return get_service_model(MODELS.get(service, service)).operation_model(name)
    except (UnknownServiceError, OperationNotFoundError):
        return None


@functools.lru_cache(maxsize=100)
def is_known(service: str) -> bool:
    """Whether botocore knows the service by the name that its calls are signed with."""
    try:
        return bool(get_service_model(MODELS.get(service, service)))
    except UnknownServiceError:
        return False
