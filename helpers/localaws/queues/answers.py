"""What SQS answers: calls in JSON and in the query protocol, and how their results are written.

A call of either protocol becomes one of `operations`. A result is JSON nearly as it is; for
XML, and for errors, moto's serializers know the API's model.
"""

from __future__ import annotations

import base64
import functools
import json
import uuid
from typing import Any

from moto.core.serialize import (
    SerializationContext,
    XFormedAttributePicker,
    get_serializer_class,
)
from moto.core.utils import get_service_model
from moto.sqs.exceptions import SQSException

from helpers.localaws.common.responses import REQUEST_ID, Response
from helpers.localaws.queues import requests
from helpers.localaws.queues.operations import OPERATIONS, Caller, Request, Result

JSON_TYPE = "application/x-amz-json-1.0"
MOTOS_INVALID_PARAMETER_VALUE = "com.amazonaws.sqs#InvalidParameterValue"
INVALID_PARAMETER_VALUE = "com.amazon.coral.service#InvalidParameterValueException"


def answer_json(operation: str, body: bytes, caller: Caller) -> Response:
    """The answer to a call in JSON.

    Raises NotImplementedError for an operation that is not there, and ValueError or
    RecursionError for a body that is no JSON.
    """
    model = model_of(operation)
    try:
        given = requests.read_json(model.input_shape, body)
        result = OPERATIONS[operation](Request(given, caller))
    except SQSException as error:
        return write(model, "json", error)
    headers = {"Content-Type": JSON_TYPE, REQUEST_ID: str(uuid.uuid4())}
    return Response(200, headers, json.dumps(result, default=as_base64).encode())


def answer_query(form: dict[str, str], path: str, caller: Caller) -> Response:
    """The answer to a call in the query protocol, whose path may name the queue.

    Raises NotImplementedError for an operation that is not there.
    """
    operation = form.get("Action", "")
    model = model_of(operation)
    protocol = "query-json" if form.get("ContentType") == "JSON" else "query"
    try:
        given = requests.read_query(model, form, path)
        return write(model, protocol, OPERATIONS[operation](Request(given, caller)))
    except SQSException as error:
        return write(model, protocol, error)


def as_base64(value: bytes) -> str:
    """How JSON shows the value of a binary message attribute."""
    return base64.b64encode(value).decode()


@functools.cache
def model_of(operation: str) -> Any:
    """botocore's model of an operation. Raises NotImplementedError when there is none."""
    if operation not in OPERATIONS:
        raise NotImplementedError(f"The operation {operation} is not implemented.")
    return get_service_model("sqs").operation_model(operation)


def write(model: Any, protocol: str, outcome: Result | SQSException) -> Response:
    """A result or an error in a protocol.

    moto knows neither the status of one error nor the full name of another.
    """
    request_id = str(uuid.uuid4())
    serializer = get_serializer_class("sqs", protocol)(
        model, SerializationContext(request_id), value_picker=XFormedAttributePicker()
    )
    written = serializer.serialize(outcome)
    status, headers, body = written["status_code"], written["headers"], written["body"]
    code = getattr(outcome, "code", None)
    if code == "ResourceNotFoundException":
        status = 404  # LS-120
    elif code == "InvalidParameterValue":  # boto3 shows the full name as QueryErrorCode
        headers["X-Amzn-Errortype"] = INVALID_PARAMETER_VALUE
        body = body.replace(MOTOS_INVALID_PARAMETER_VALUE, INVALID_PARAMETER_VALUE, 1)
    return Response(status, {**headers, REQUEST_ID: request_id}, body.encode())
