"""Where asynchronous events end: destinations and the function's own dead-letter queue.

Record formats: LS-098 to LS-100. A queue and another function can be told; SNS topics, event
buses and buckets are not modelled. The function's role must allow it, and nobody hears of it
when it does not: AWS counts such events in a metric only.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.awslambda.exceptions import UnknownFunctionException
from moto.sqs.exceptions import SQSException

from helpers.localaws.common import arns
from helpers.localaws.permissions.roles import Role
from helpers.localaws.runtime.environment import make_trace_id
from helpers.localaws.runtime.kept_function import FindFunction, KeptFunction
from helpers.localaws.runtime.model import Result


def make_outcome_record(
    function: KeptFunction,
    event: bytes,
    request_id: str,
    condition: str,
    invocations: int,
    result: Result | None,
) -> dict[str, Any]:
    """What a destination is told of an event. `result` None: it was never run."""
    version = str(function.version)
    record = {
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": arns.qualified(arns.unqualified(function.function_arn), version),
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "requestPayload": json.loads(event),
    }
    if result is not None:
        context = {"statusCode": 200, "executedVersion": version}
        record["responseContext"] = (
            {**context, "functionError": result.error} if result.error else context
        )
        record["responsePayload"] = as_json(result.payload)
    return record


def as_json(payload: bytes) -> Any:
    """What a handler returned; as text if it returned bytes that are no JSON."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


class Queues(Protocol):
    """The queues of an account and region: `queues.backend.Backend`."""

    def queue_by_arn(self, arn: str) -> Any: ...

    def send_message(
        self, queue_name: str, message_body: str, message_attributes: Any, *, system_attributes: Any
    ) -> Any: ...


class Destinations:
    """What can be told of events: the queues and the functions of one account and region.

    `submit(function, event, request_id, qualifier)` invokes a function asynchronously.
    """

    def __init__(
        self,
        queues: Callable[[], Queues],
        find_function: FindFunction,
        submit: Callable[[KeptFunction, bytes, str, str | None], None],
    ) -> None:
        self._queues = queues
        self._find_function = find_function
        self._submit = submit

    def deliver(self, function: KeptFunction, arn: str, record: dict[str, Any]) -> bool:
        """Send a record to a queue or a function. Tells whether it got there."""
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        if arns.service(arn) == "sqs":
            return self._send(function, arn, text, {})
        if arns.service(arn) == "lambda" and allows(function, "lambda:InvokeFunction", arn):
            try:
                target = self._find_function(arn)
            except UnknownFunctionException:
                return False  # it was deleted
            self._submit(target, text.encode(), str(uuid.uuid4()), None)
            return True
        return False

    def dead_letter(
        self, function: KeptFunction, event: bytes, request_id: str, result: Result | None
    ) -> bool:
        """Send an event that failed for good to the function's dead-letter queue (LS-100).

        Tells whether it got there.
        """
        attributes = {"RequestID": {"DataType": "String", "StringValue": request_id}}
        if result is not None:
            message = json.loads(result.payload).get("errorMessage") or "unknown"
            attributes["ErrorCode"] = {"DataType": "Number", "StringValue": "200"}
            attributes["ErrorMessage"] = {"DataType": "String", "StringValue": message}
        return self._send(function, function.dead_letter_arn or "", event.decode(), attributes)

    def _send(
        self, function: KeptFunction, arn: str, body: str, attributes: dict[str, Any]
    ) -> bool:
        queues = self._queues()
        queue = queues.queue_by_arn(arn)
        if queue is None or not allows(function, "sqs:SendMessage", arn):
            return False
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": make_trace_id()}}
        try:
            queues.send_message(queue.name, body, attributes, system_attributes=trace)
        except SQSException:
            return False  # too large for the queue, or the queue is a FIFO queue
        return True


def allows(function: KeptFunction, action: str, arn: str) -> bool:
    return Role.of(function).allows(action, on=arn)
