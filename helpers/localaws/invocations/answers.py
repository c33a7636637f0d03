"""What Lambda answers about invocations: Invoke, and settings of asynchronous ones.

moto finds an action as a method of one class of responses, by its name. So the actions of a
part of Lambda are a class that is mixed into `functions.answers.Responses`. It uses what moto
gives to each request and the parts of `self.backend`, and nothing of the others.
"""

from __future__ import annotations

import base64
import json
import traceback
import uuid
from typing import Any
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from helpers.localaws.common import arns
from helpers.localaws.common.errors import refusal, too_large
from helpers.localaws.runtime.executor import Stopped, Throttled
from helpers.localaws.runtime.kept_function import KeptFunction

REQUEST_ID = "x-amzn-requestid"
MAX_PAYLOAD_BYTES = 6_291_456
MAX_ASYNCHRONOUS_BYTES = 1_048_576


class InvokeResponses(LambdaResponse):
    """The action Invoke."""

    @staticmethod
    def _enrich_response(headers: dict[str, str], body: Any) -> tuple[dict[str, str], Any]:
        """moto gives each answer a random request id; that of Invoke is the handler's (LS-050)."""
        request_id = headers.get(REQUEST_ID)
        headers, body = LambdaResponse._enrich_response(headers, body)
        if request_id:
            headers[REQUEST_ID] = request_id
        return headers, body

    def invoke(self) -> Any:
        name = unquote(self.path.rsplit("/", 2)[-2])
        qualifier = self.querystring.get("Qualifier", [None])[0]
        qualifier = qualifier or arns.function_and_qualifier(name)[1] or None
        function = self.backend.invocations.function_to_invoke(name, qualifier)
        event = self.raw_body or b"{}"
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        check_event(event, kind)
        request_id = str(uuid.uuid4())
        headers = {REQUEST_ID: request_id, "content-type": "application/json"}
        if kind == "DryRun":
            return 204, {**headers, "status": 204}, b""
        context = client_context(self.headers.get("X-Amz-Client-Context"))
        if kind == "Event":
            self.backend.asynchronous.submit(function, event, request_id, qualifier)
            return 202, {**headers, "status": 202}, b""
        return self._invoke_now(function, event, request_id, qualifier, context, headers)

    def _invoke_now(
        self,
        function: KeptFunction,
        event: bytes,
        request_id: str,
        qualifier: str | None,
        context: dict[str, str],
        headers: dict[str, Any],
    ) -> Any:
        try:
            result = self.backend.invocations.run(function, event, request_id, qualifier, context)
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
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
        return 200, headers, result.payload


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


def throttled(reason: str) -> Any:
    body = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
    headers = {"x-amzn-errortype": "TooManyRequestsException", "status": 429}
    return 429, headers, json.dumps(body)


def service_failure(message: str) -> Any:
    """What Lambda answers when the fault is its own, and what clients repeat."""
    headers = {"x-amzn-errortype": "ServiceException", "status": 500}
    return 500, headers, json.dumps({"Type": "Service", "Message": message})


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


def client_context(encoded: str | None) -> dict[str, str]:
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
