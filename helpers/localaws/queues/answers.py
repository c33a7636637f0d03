"""What SQS answers: moto's responses, where their shape or texts differ from AWS's."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import InvalidToken
from moto.core.request import Request
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import get_service_model
from moto.sqs.exceptions import EmptyBatchRequest, InvalidParameterValue, SQSException
from moto.sqs.responses import SQSResponse

from helpers.localaws.queues import requests as sqs_requests
from helpers.localaws.queues.message import Message
from helpers.localaws.queues.message_store import never
from helpers.localaws.queues.move_tasks import MOST_LISTED
from helpers.localaws.queues.refusals import (
    check_entries,
    check_range,
    check_receive,
    simple_queue_error,
)
from helpers.localaws.settings import CLIENT_IS_GONE

MOTOS_INVALID_PARAMETER_VALUE = "com.amazonaws.sqs#InvalidParameterValue"
INVALID_PARAMETER_VALUE = "com.amazon.coral.service#InvalidParameterValueException"


class Responses(SQSResponse):
    """moto's SQS responses, where their shape or texts differ from AWS's."""

    refusal: SQSException | None = None  # of the parameters

    def parse_parameters(self, request: Request) -> None:
        """Read the parameters; moto's own way would fail over any wrong type."""
        operation = get_service_model(self.service_name).operation_model(self._get_action())
        try:
            if self._speaks_json():
                self.params = sqs_requests.read_json(operation.input_shape, request.data)
            else:
                values = request.values.to_dict()
                self.params = sqs_requests.read_query(operation, values, request.path)
        except SQSException as error:
            self.refusal = error

    def _speaks_json(self) -> bool:
        return "X-Amz-Target" in self.headers

    def determine_response_protocol(self, service_model: Any) -> str:
        if self._speaks_json():
            return "json"
        return "query-json" if self.request_json else "query"

    def call_action(self) -> Any:
        try:
            if self.refusal is not None:
                raise self.refusal
            return super().call_action()
        except SQSException as error:
            status, headers, body = self.serialized(ActionResult(error))
            return status, *self._enrich_response(headers, body)

    def serialized(self, action_result: ActionResult) -> Any:
        """moto knows neither the status of one error nor the full name of another."""
        try:
            status, headers, body = super().serialized(action_result)
        except InvalidToken:
            raise InvalidParameterValue(
                f"Value {self._get_param('NextToken')} for parameter NextToken is invalid."
            ) from None
        code = getattr(action_result.result, "code", None)
        if code == "ResourceNotFoundException":
            status = 404  # LS-120
        elif code == "InvalidParameterValue":  # boto3 shows the full name as QueryErrorCode
            headers["X-Amzn-Errortype"] = INVALID_PARAMETER_VALUE
            body = body.replace(MOTOS_INVALID_PARAMETER_VALUE, INVALID_PARAMETER_VALUE, 1)
        return status, headers, body

    def send_message(self) -> ActionResult:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        given = self._get_param("MessageSystemAttributes") or {}
        message = self.sqs_backend.send(
            queue,
            self._get_param("MessageBody"),
            message_attributes=self._get_param("MessageAttributes") or {},
            delay_seconds=self._get_param("DelaySeconds"),
            deduplication_id=self._get_param("MessageDeduplicationId"),
            group_id=self._get_param("MessageGroupId"),
            system_attributes=given or self._traced(),
        )
        return ActionResult(describe_sent(message, queue.fifo_queue, bool(given)))

    def send_message_batch(self) -> ActionResult:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        entries = self._get_param("Entries", [])
        if not entries:
            raise EmptyBatchRequest()
        traced = self._traced()
        given = {entry["Id"]: "MessageSystemAttributes" in entry for entry in entries}
        complete = [
            {
                "MessageAttributes": {},
                "DelaySeconds": None,
                "MessageSystemAttributes": traced,
                **entry,
            }
            for entry in entries
        ]
        sent, failed = self.sqs_backend.send_batch(queue, complete)
        successful = [
            {"Id": each.user_id, **describe_sent(each, queue.fifo_queue, given[each.user_id])}
            for each in sent
        ]
        return without_empty(
            ActionResult({"Successful": successful, "Failed": failed}), "Failed", "Successful"
        )

    def _traced(self) -> dict[str, Any]:
        """The system attribute that the X-Ray header of a request becomes (LS-138)."""
        header = self.headers.get("X-Amzn-Trace-Id")
        return {"AWSTraceHeader": {"DataType": "String", "StringValue": header}} if header else {}

    def delete_message_batch(self) -> ActionResult:
        check_entries(self._get_param("Entries", []))  # before moto looks at the handles
        return without_empty(super().delete_message_batch(), "Failed", "Successful")

    def change_message_visibility(self) -> ActionResult:
        self.sqs_backend.change_message_visibility(
            self._get_queue_name(),
            self._get_param("ReceiptHandle"),
            self._get_param("VisibilityTimeout"),
        )
        return EmptyResult()

    def change_message_visibility_batch(self) -> ActionResult:
        if not self._get_param("Entries", []):
            raise simple_queue_error(
                "EmptyBatchRequest",
                "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the "
                "request.",
            )
        return without_empty(super().change_message_visibility_batch(), "Failed", "Successful")

    def list_queues(self) -> ActionResult:
        check_range("MaxResults", self._get_param("MaxResults"), 1, 1000)
        return super().list_queues()

    def list_queue_tags(self) -> ActionResult:
        return without_empty(super().list_queue_tags(), "Tags")

    def start_message_move_task(self) -> ActionResult:
        per_second = self._get_param("MaxNumberOfMessagesPerSecond")
        check_range("MaxNumberOfMessagesPerSecond", per_second, 1, 500)
        handle = self.sqs_backend.move_tasks.start(
            self._get_param("SourceArn"), self._get_param("DestinationArn"), per_second
        )
        return ActionResult({"TaskHandle": handle})

    def list_message_move_tasks(self) -> ActionResult:
        count = self._get_param("MaxResults", 1)
        check_range("MaxResults", count, 1, MOST_LISTED)
        tasks = self.sqs_backend.move_tasks.describe(self._get_param("SourceArn"), count)
        return without_empty(ActionResult({"Results": tasks}), "Results")

    def cancel_message_move_task(self) -> ActionResult:
        moved = self.sqs_backend.move_tasks.cancel(self._get_param("TaskHandle"))
        return ActionResult({"ApproximateNumberOfMessagesMoved": moved})

    def receive_message(self) -> ActionResult:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        count = self._get_param("MaxNumberOfMessages", 1)
        wait_s = self._get_param("WaitTimeSeconds", queue.receive_message_wait_time_seconds)
        visibility_s = self._get_param("VisibilityTimeout", queue.visibility_timeout)
        check_receive(count, wait_s, visibility_s)
        messages = self.sqs_backend.receive(
            queue,
            count,
            wait_s,
            visibility_s,
            self._get_param("MessageAttributeNames", []),
            self.normalized_request.environ.get(CLIENT_IS_GONE, never),
        )
        wanted = {
            *self._get_param("AttributeNames", []),
            *self._get_param("MessageSystemAttributeNames", []),
        }
        described = [describe_message(message, wanted) for message in messages]
        return ActionResult({"Messages": described}) if described else EmptyResult()


def describe_sent(message: Message, fifo: bool, system_attributes_given: bool) -> dict[str, Any]:
    """What the sender of a message is told."""
    described = {"MessageId": message.id, "MD5OfMessageBody": message.body_md5}
    if message.message_attributes:
        described["MD5OfMessageAttributes"] = message.attribute_md5
    if system_attributes_given:
        described["MD5OfMessageSystemAttributes"] = message.system_attribute_md5
    if fifo:
        described["SequenceNumber"] = message.sequence_number
    return described


def describe_message(message: Message, wanted: set[str]) -> dict[str, Any]:
    """One message of a ReceiveMessage response, with the system attributes wanted."""
    described = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.body_md5,
        "Body": message.body,
    }
    if wanted:
        system = message.received_attributes()
        keep = system if "All" in wanted else [name for name in system if name in wanted]
        described["Attributes"] = {name: system[name] for name in keep}
    if message.message_attributes:
        described["MessageAttributes"] = message.message_attributes
        described["MD5OfMessageAttributes"] = message.attribute_md5
    return described


def without_empty(result: ActionResult, *keys: str) -> ActionResult:
    """AWS leaves out keys whose list or map is empty (LS-060, LS-137)."""
    for key in keys:
        if not result.result.get(key):
            result.result.pop(key, None)
    return result
