"""What Lambda answers about invocations: Invoke, and settings of asynchronous ones.

Invoke is a function. Of the others moto finds an action as a method of one class of responses,
by its name. So the actions of a part of Lambda are a class that is mixed into
`functions.answers.Responses`. It uses what moto gives to each request and the parts of
`self.backend`, and nothing of the others.
"""

from __future__ import annotations

import base64
import json
import traceback
import uuid
from typing import Any, NamedTuple
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError

from helpers.localaws.common import arns
from helpers.localaws.common.errors import body_as_recorded, refusal, too_large
from helpers.localaws.common.responses import REQUEST_ID, Response
from helpers.localaws.runtime.executor import Stopped, Throttled

JSON_HEADERS = {"Content-Type": "application/json"}
MAX_PAYLOAD_BYTES = 6_291_456
MAX_ASYNCHRONOUS_BYTES = 1_048_576


class Call(NamedTuple):
    """A call of Invoke. `kind`, `log_type` and `context` are values of its headers."""

    name: str
    qualifier: str | None
    event: bytes
    kind: str = "RequestResponse"
    log_type: str = ""
    context: str = ""


def invoke(backend: Any, call: Call) -> Response:
    """The answer to a call of Invoke. `backend`: Lambda's, of the caller's account and region."""
    request_id = str(uuid.uuid4())
    try:
        return start(backend, call, {REQUEST_ID: request_id, **JSON_HEADERS}, request_id)
    except JsonRESTError as error:
        body = body_as_recorded(error.error_type, error.description)
        return failure(error.code, error.error_type, body)


def start(backend: Any, call: Call, headers: dict[str, str], request_id: str) -> Response:
    """The same, with LambdaClientError for what is refused. The id is the handler's (LS-050)."""
    qualifier = call.qualifier or arns.function_and_qualifier(call.name)[1] or None
    function = backend.invocations.function_to_invoke(call.name, qualifier)
    check_event(call.event, call.kind)
    if call.kind == "DryRun":
        return Response(204, headers, b"")
    context = client_context(call.context)
    if call.kind == "Event":
        backend.asynchronous.submit(function, call.event, request_id, qualifier)
        return Response(202, headers, b"")
    try:
        result = backend.invocations.run(function, call.event, request_id, qualifier, context)
    except Throttled as error:
        return throttled(error.reason)
    except Stopped:
        return service_failure("The local AWS is being stopped.")
    except Exception as error:  # noqa: BLE001 (the caller gets a service failure)
        traceback.print_exc()
        return service_failure(f"The local AWS could not run {function.function_name}: {error}")
    headers["X-Amz-Executed-Version"] = str(function.version)
    if result.error:
        headers["X-Amz-Function-Error"] = result.error
    if call.log_type == "Tail":
        headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
    return Response(200, headers, result.payload)


class EventInvokeConfigResponses(LambdaResponse):
    """The actions on settings of asynchronous invocations."""

    def put_function_event_invoke_config(self) -> str:
        settings = self.backend.event_settings
        return json.dumps(
            settings.put(self._configured(), self.json_body, self._config_qualifier())
        )

    def update_function_event_invoke_config(self) -> str:
        settings = self.backend.event_settings
        return json.dumps(
            settings.update(self._configured(), self.json_body, self._config_qualifier())
        )

    def get_function_event_invoke_config(self) -> str:
        settings = self.backend.event_settings
        return json.dumps(settings.get(self._configured(), self._config_qualifier()))

    def delete_function_event_invoke_config(self) -> Any:
        self.backend.event_settings.delete(self._configured(), self._config_qualifier())
        return 204, {"status": 204}, ""

    def list_function_event_invoke_configs(self) -> str:
        name = unquote(self.path.rsplit("/", 3)[1])
        return json.dumps({"FunctionEventInvokeConfigs": self.backend.event_settings.all_of(name)})

    def _configured(self) -> str:
        return unquote(self.path.rsplit("/", 2)[1])

    def _config_qualifier(self) -> str | None:
        return self.querystring.get("Qualifier", [None])[0]


def throttled(reason: str) -> Response:
    body = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
    return failure(429, "TooManyRequestsException", json.dumps(body))


def service_failure(message: str) -> Response:
    """What Lambda answers when the fault is its own, and what clients repeat."""
    return failure(500, "ServiceException", json.dumps({"Type": "Service", "Message": message}))


def failure(status: int, error_type: str, body: str) -> Response:
    headers = {REQUEST_ID: str(uuid.uuid4()), "x-amzn-ErrorType": error_type, **JSON_HEADERS}
    return Response(status, headers, body.encode())


def check_event(event: bytes, kind: str) -> None:
    """The payload: its size, and that it is JSON (LS-091).

    Texts about sizes: as users of AWS report them. The words after the last colon of the text
    about JSON are those of AWS's JSON parser there.
    """
    if kind == "Event" and len(event) > MAX_ASYNCHRONOUS_BYTES:
        raise too_large(
            f"{len(event)} byte payload is too large for the Event invocation type "
            f"(limit {MAX_ASYNCHRONOUS_BYTES} bytes)"
        )
    if len(event) > MAX_PAYLOAD_BYTES:
        raise too_large(
            f"Request must be smaller than {MAX_PAYLOAD_BYTES} bytes for the InvokeFunction "
            "operation"
        )
    try:
        json.loads(event.decode(), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise refusal(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
        ) from None


def refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON, although Python reads them."""
    raise ValueError(f"Unrecognized token '{name}'")


def client_context(encoded: str) -> dict[str, str]:
    """The client context as a header for the runtime. Raises what AWS refuses."""
    if not encoded:
        return {}
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        if not isinstance(json.loads(text), dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise refusal(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        ) from None
    return {"Lambda-Runtime-Client-Context": text}
