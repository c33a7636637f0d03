"""SQS: moto's API in front of the message store, with moto's answers corrected to AWS's.

moto keeps the queues, their attributes, tags and policies. The messages live in a
`MessageStore`, and moto's own Lambda trigger, which sits inside moto's SendMessage, never
sees a mapping (it is the poller's work). Error texts are AWS's, as recorded; the scenario
ids (LS-…, G-…) name the recordings in the conformance tests.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sqs import models as moto_sqs
from moto.sqs import urls as moto_urls
from moto.sqs.constants import MAXIMUM_MESSAGE_LENGTH, MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import (
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidParameterValue,
    MissingParameter,
    QueueDoesNotExist,
    SQSException,
)
from moto.sqs.responses import SQSResponse

from helpers.localaws.messages import MessageStore, now_ms, read_handle

RECREATE_AFTER_S = 60  # LS-104
MAX_BATCH_ENTRIES = 10
FIFO_ONLY = ("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit")
SYSTEM_ATTRIBUTES = (
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
)
ATTRIBUTE_RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, MAXIMUM_MESSAGE_LENGTH),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, MAXIMUM_VISIBILITY_TIMEOUT),
}
KNOWN_ATTRIBUTES = {
    *moto_sqs.Queue.BASE_ATTRIBUTES,
    *moto_sqs.Queue.FIFO_ATTRIBUTES,
    *moto_sqs.Queue.KMS_ATTRIBUTES,
    "RedriveAllowPolicy",
}
ILLEGAL_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BATCH_ENTRY_ID = re.compile(r"[a-zA-Z0-9_-]{1,80}")
GROUP_ID = re.compile(r"[a-zA-Z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")

_sequence_numbers = itertools.count(18_800_000_000_000_000_000 + time.time_ns() // 1_000_000, 256)


def simple_queue_error(code: str, text: str) -> SQSException:
    """An error whose code AWS writes with the prefix of the old query protocol."""
    return SQSException(f"AWS.SimpleQueueService.{code}", text)


class Queue(moto_sqs.Queue):
    """A queue whose messages are in a `MessageStore`."""

    def __init__(self, name: str, region: str, account_id: str, **attributes: Any) -> None:
        super().__init__(name, region, account_id, **attributes)
        self.created_timestamp = int(self.created_timestamp)
        self.store = MessageStore(self.queue_arn, self.fifo_queue)

    def _set_attributes(self, attributes: dict[str, Any], now: float | None = None) -> None:
        super()._set_attributes(attributes, now)
        self.last_modified_timestamp = int(self.last_modified_timestamp)

    def _counts(self) -> dict[str, int]:
        return self.store.counts(self.message_retention_period)

    @property
    def approximate_number_of_messages(self) -> int:
        return self._counts()["ready"]

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        return self._counts()["hidden"]

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        return self._counts()["delayed"]

    def receive(
        self, count: int, wait_s: float, visibility_s: int, give_up: Any = None
    ) -> list[moto_sqs.Message]:
        """Receive up to `count` messages; what was received too often goes to the DLQ."""
        dead_letter_queue = self.dead_letter_queue
        max_receives = self.redrive_policy["maxReceiveCount"] if dead_letter_queue else None
        deadline = time.monotonic() + wait_s
        while True:
            delivered, dead = self.store.receive(
                count,
                max(0.0, deadline - time.monotonic()),
                visibility_s,
                self.message_retention_period,
                max_receives,
                give_up,
            )
            for message in dead:
                message.dead_letter_source_arn = self.queue_arn
                dead_letter_queue.store.add(message)
            if delivered or not dead:
                return delivered


class Backend(moto_sqs.SQSBackend):
    """moto's queues of one account and region, with the rules that AWS adds."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._deleted_at: dict[str, float] = {}

    @property
    def _url_module(self) -> Any:
        return moto_urls

    # -- queues ------------------------------------------------------------------------

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> Queue:
        kwargs.pop("region", None)
        existing = self.queues.get(name)
        check_attributes(kwargs, fifo=name.endswith(".fifo"), creating=True)
        if existing is None:
            self._check_not_deleted_recently(name)
        queue = Queue(name, self.region_name, self.account_id, **kwargs)
        if existing is not None:
            check_same_attributes(existing, queue, kwargs)
            queue = existing
        self.queues[name] = queue
        if tags:
            queue.tags = tags
        return queue

    def _check_not_deleted_recently(self, name: str) -> None:
        if time.monotonic() - self._deleted_at.get(name, float("-inf")) < RECREATE_AFTER_S:
            raise simple_queue_error(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create "
                "another with the same name.",
            )

    def delete_queue(self, queue_name: str) -> None:
        queue = self.get_queue(queue_name)
        super().delete_queue(queue_name)
        self._deleted_at[queue_name] = time.monotonic()
        queue.store.close()

    def set_queue_attributes(self, queue_name: str, attributes: dict[str, Any]) -> Queue:
        queue = self.get_queue(queue_name)
        check_attributes(attributes, fifo=queue.fifo_queue, creating=False)
        return super().set_queue_attributes(queue_name, attributes)

    def queue_by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it is in this account and region."""
        queue = self.queues.get(arn.rsplit(":", 1)[-1])
        return queue if queue is not None and queue.queue_arn == arn else None

    def purge_queue(self, queue_name: str) -> None:
        super().purge_queue(queue_name)
        self.get_queue(queue_name).store.purge()

    # -- sending -----------------------------------------------------------------------

    def send_message(
        self,
        queue_name: str,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        system_attributes: dict[str, Any] | None = None,
        validate_group_id: bool = True,
    ) -> moto_sqs.Message:
        queue = self.get_queue(queue_name)
        check_message(queue, message_body, message_attributes or {})
        check_placement(queue, delay_seconds, deduplication_id, group_id)
        message = moto_sqs.Message(str(moto_sqs.random.uuid4()), message_body, system_attributes)
        message.message_attributes = message_attributes or {}
        message.group_id = group_id
        message.dead_letter_source_arn = None
        message.sent_timestamp = now_ms()
        self._enqueue(queue, message, delay_seconds, deduplication_id)
        return message

    def _enqueue(
        self, queue: Queue, message: Any, delay_seconds: int | None, deduplication_id: str | None
    ) -> None:
        delay_s = queue.delay_seconds if delay_seconds is None else int(delay_seconds)
        if queue.fifo_queue:
            message.sequence_number = str(next(_sequence_numbers))
            message.deduplication_id = (
                deduplication_id or hashlib.sha256(message.body.encode()).hexdigest()
            )
            scope = message.group_id if queue.deduplication_scope == "messageGroup" else ""
            if queue.store.is_duplicate((scope, message.deduplication_id)):
                return
            delay_s = queue.delay_seconds
        queue.store.add(message, delay_s)

    def send_message_batch(
        self, queue_name: str, entries: dict[str, dict[str, Any]]
    ) -> tuple[list[Any], list[dict[str, Any]]]:
        queue = self.get_queue(queue_name)
        check_entries(list(entries.values()))
        check_batch_size(list(entries.values()))
        if queue.fifo_queue:
            check_fifo_entries(queue, list(entries.values()))
        sent, failed = [], []
        for entry in entries.values():
            try:
                message = self.send_message(
                    queue_name,
                    entry["MessageBody"],
                    message_attributes=entry["MessageAttributes"],
                    delay_seconds=entry["DelaySeconds"],
                    deduplication_id=entry.get("MessageDeduplicationId"),
                    group_id=entry.get("MessageGroupId"),
                    system_attributes=entry.get("MessageSystemAttributes"),
                )
            except SQSException as error:
                failed.append(failed_entry(entry["Id"], error))
            else:
                message.user_id = entry["Id"]
                sent.append(message)
        return sent, failed

    # -- receiving ---------------------------------------------------------------------

    def receive_message(
        self,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[moto_sqs.Message]:
        queue = self.get_queue(queue_name)
        messages = queue.receive(count, wait_seconds_timeout, visibility_timeout)
        names = ["All"] if "*" in (message_attribute_names or []) else message_attribute_names
        for message in messages:
            moto_sqs._filter_message_attributes(message, names or [])
        return messages

    def delete_message(self, queue_name: str, receipt_handle: str) -> None:
        queue = self.get_queue(queue_name)
        if not queue.store.delete(*self._read_handle(queue, receipt_handle)):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. "
                "Reason: The receipt handle has expired."
            )

    def delete_message_batch(
        self, queue_name: str, receipts: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        return self._each_entry(
            receipts, lambda entry: self.delete_message(queue_name, entry["ReceiptHandle"])
        )

    def change_message_visibility(
        self, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        queue = self.get_queue(queue_name)
        message_id, receive_count = self._read_handle(queue, receipt_handle)
        if not queue.store.change_visibility(message_id, receive_count, int(visibility_timeout)):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: "
                "Message does not exist or is not available for visibility timeout change."
            )

    def change_message_visibility_batch(
        self, queue_name: str, entries: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        return self._each_entry(
            entries,
            lambda entry: self.change_message_visibility(
                queue_name, entry["ReceiptHandle"], entry["VisibilityTimeout"]
            ),
        )

    @staticmethod
    def _each_entry(entries: list[dict[str, Any]], action: Any) -> tuple[list[str], list[Any]]:
        check_entries(entries)
        successful, failed = [], []
        for entry in entries:
            try:
                action(entry)
                successful.append(entry["Id"])
            except QueueDoesNotExist:
                raise
            except SQSException as error:
                failed.append(failed_entry(entry["Id"], error))
        return successful, failed

    @staticmethod
    def _read_handle(queue: Queue, receipt_handle: str) -> tuple[str, int]:
        try:
            return read_handle(queue.queue_arn, receipt_handle)
        except ValueError:
            raise SQSException(
                "ReceiptHandleIsInvalid",
                f'The input receipt handle "{receipt_handle}" is not a valid receipt handle.',
            ) from None


# -- what AWS refuses ------------------------------------------------------------------


def check_attributes(attributes: dict[str, Any], fifo: bool, creating: bool) -> None:
    """Queue attributes that AWS would refuse: names and ranges (LS-105)."""
    for name, value in attributes.items():
        if name not in KNOWN_ATTRIBUTES:
            raise InvalidAttributeName(name)
        if name in ATTRIBUTE_RANGES:
            check_range(name, value)
        if name in FIFO_ONLY:
            check_fifo_attribute(name, value, fifo, creating)
        if name == "RedrivePolicy":
            check_redrive_policy(value)
    if creating and fifo and str(attributes.get("FifoQueue", "")).lower() != "true":
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def check_range(name: str, value: Any) -> None:
    lowest, highest = ATTRIBUTE_RANGES[name]
    if not str(value).isdecimal() or not lowest <= int(value) <= highest:
        raise InvalidAttributeValue(name)


def check_fifo_attribute(name: str, value: Any, fifo: bool, creating: bool) -> None:
    if creating and name == "FifoQueue" and str(value).lower() == "true":
        return  # moto checks the suffix of the name
    if not fifo and name in ("FifoQueue", "ContentBasedDeduplication"):
        raise InvalidAttributeName(name)
    if not fifo:
        raise only_on_fifo(name)
    if name == "FifoQueue" and str(value).lower() != "true":
        raise SQSException(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is "
            "not supported.",
        )


def only_on_fifo(name: str) -> SQSException:
    return SQSException(
        "InvalidAttributeName", f"You can specify the {name} only when FifoQueue is set to true."
    )


def check_redrive_policy(value: Any) -> None:
    """A maxReceiveCount that is not a number (LS-119); moto checks the rest."""
    try:
        policy = json.loads(value) if value else {}
        int(policy.get("maxReceiveCount", 1))
    except (TypeError, ValueError, AttributeError):
        raise InvalidParameterValue(
            f"Value {value} for parameter RedrivePolicy is invalid."
        ) from None


def check_same_attributes(existing: Queue, wanted: Queue, given: dict[str, Any]) -> None:
    """CreateQueue is idempotent only with the same attributes (LS-102, LS-103)."""
    has, wants = existing.attributes, wanted.attributes
    for name in given:
        if has.get(name) != wants.get(name):
            raise SQSException(
                "QueueAlreadyExists",
                "A queue already exists with the same name and a different value for "
                f"attribute {name}",
            )


def check_message(queue: Queue, body: str, attributes: dict[str, Any]) -> None:
    """Body and size of a message (LS-062, LS-109, LS-110)."""
    if not body:
        raise MissingParameter("MessageBody")
    if ILLEGAL_CHARACTERS.search(body):
        raise SQSException(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | "
            "#x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    if message_size(body, attributes) > queue.maximum_message_size:
        raise InvalidParameterValue(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.maximum_message_size} bytes."
        )


def message_size(body: str, attributes: dict[str, Any]) -> int:
    """The size of a message in bytes, as SQS counts it: body, attribute names, types, values."""
    size = len(body.encode())
    for name, attribute in attributes.items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or b""
        size += len(name.encode()) + len(attribute.get("DataType", "").encode())
        size += len(value.encode() if isinstance(value, str) else value)
    return size


def check_placement(
    queue: Queue, delay_seconds: int | None, deduplication_id: str | None, group_id: str | None
) -> None:
    """Delay, message group and deduplication id (LS-121, LS-131, LS-135)."""
    for name, value in (
        ("MessageGroupId", group_id),
        ("MessageDeduplicationId", deduplication_id),
    ):
        if value is not None and not GROUP_ID.fullmatch(value):
            raise InvalidParameterValue(
                f"Value {value} for parameter {name} is invalid. Reason: {name} can only include "
                "alphanumeric and punctuation characters. 1 to 128 in length."
            )
    if queue.fifo_queue:
        check_fifo_placement(queue, delay_seconds, deduplication_id, group_id)
    elif delay_seconds is not None and not 0 <= int(delay_seconds) <= 900:
        raise InvalidParameterValue(
            f"Value {delay_seconds} for parameter DelaySeconds is invalid. Reason: "
            "DelaySeconds must be >= 0 and <= 900."
        )


def check_fifo_placement(
    queue: Queue, delay_seconds: int | None, deduplication_id: str | None, group_id: str | None
) -> None:
    if group_id is None:
        raise MissingParameter("MessageGroupId")
    if deduplication_id is None and not queue.content_based_deduplication:
        raise InvalidParameterValue(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    if delay_seconds:
        raise InvalidParameterValue(
            f"Value {delay_seconds} for parameter DelaySeconds is invalid. Reason: The request "
            "include parameter that is not valid for this queue type."
        )


def check_fifo_entries(queue: Queue, entries: list[dict[str, Any]]) -> None:
    """In a batch to a FIFO queue one entry without its ids fails the call (LS-121)."""
    for entry in entries:
        try:
            check_fifo_placement(
                queue, None, entry.get("MessageDeduplicationId"), entry.get("MessageGroupId")
            )
        except MissingParameter as error:
            raise InvalidParameterValue(error.message) from None


def check_entries(entries: list[dict[str, Any]]) -> None:
    """The entries of a batch request: how many, and their ids (LS-061, G-07)."""
    ids = [entry["Id"] for entry in entries]
    if len(ids) > MAX_BATCH_ENTRIES:
        raise simple_queue_error(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {len(ids)}.",
        )
    if not all(BATCH_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise simple_queue_error(
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and "
            "underscores. It can be at most 80 letters long.",
        )
    for index, entry_id in enumerate(ids):
        if entry_id in ids[:index]:
            raise simple_queue_error("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")


def check_batch_size(entries: list[dict[str, Any]]) -> None:
    size = sum(message_size(e["MessageBody"], e["MessageAttributes"]) for e in entries)
    if size > MAXIMUM_MESSAGE_LENGTH:
        raise simple_queue_error(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MAXIMUM_MESSAGE_LENGTH} bytes. "
            f"You have sent {size} bytes.",
        )


def failed_entry(entry_id: str, error: SQSException) -> dict[str, Any]:
    """What a batch response says of an entry that failed (LS-111)."""
    text = error.message.replace("parameters are invalid", "parameters cannot be validated")
    return {"Id": entry_id, "SenderFault": True, "Code": error.code, "Message": text}


# -- responses -------------------------------------------------------------------------


class Responses(SQSResponse):
    """moto's SQS responses, where their shape or texts differ from AWS's."""

    def send_message_batch(self) -> ActionResult:
        return without_empty(super().send_message_batch(), "Failed", "Successful")

    def delete_message_batch(self) -> ActionResult:
        return without_empty(super().delete_message_batch(), "Failed", "Successful")

    def change_message_visibility_batch(self) -> ActionResult:
        return without_empty(super().change_message_visibility_batch(), "Failed", "Successful")

    def list_queue_tags(self) -> ActionResult:
        return without_empty(super().list_queue_tags(), "Tags")

    def receive_message(self) -> ActionResult:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        count = self._get_param("MaxNumberOfMessages", 1)
        wait_s = self._get_param("WaitTimeSeconds", queue.receive_message_wait_time_seconds)
        visibility_s = self._get_param("VisibilityTimeout", queue.visibility_timeout)
        check_receive(count, wait_s, visibility_s)
        messages = self.sqs_backend.receive_message(
            queue.name, count, wait_s, visibility_s, self._get_param("MessageAttributeNames", [])
        )
        wanted = {
            *self._get_param("AttributeNames", []),
            *self._get_param("MessageSystemAttributeNames", []),
        }
        described = [describe_message(message, wanted) for message in messages]
        return ActionResult({"Messages": described}) if described else EmptyResult()


def check_receive(count: int, wait_s: int, visibility_s: int) -> None:
    """The ranges of ReceiveMessage's parameters (LS-112)."""
    if not 1 <= count <= 10:
        raise InvalidParameterValue(
            f"Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be "
            "between 1 and 10, if provided."
        )
    if not 0 <= wait_s <= 20:
        raise InvalidParameterValue(
            f"Value {wait_s} for parameter WaitTimeSeconds is invalid. Reason: Must be "
            ">= 0 and <= 20, if provided."
        )
    if not 0 <= visibility_s <= MAXIMUM_VISIBILITY_TIMEOUT:
        raise InvalidParameterValue(
            f"Value {visibility_s} for parameter VisibilityTimeout is invalid. Reason: Must be "
            f">= 0 and <= {MAXIMUM_VISIBILITY_TIMEOUT}, if provided."
        )


def describe_message(message: Any, wanted: set[str]) -> dict[str, Any]:
    """One message of a ReceiveMessage response, with the system attributes wanted."""
    described = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.body_md5,
        "Body": message.body,
    }
    if wanted:
        system = system_attributes(message)
        keep = system if "All" in wanted else [name for name in system if name in wanted]
        described["Attributes"] = {name: system[name] for name in keep}
    if message.message_attributes:
        described["MessageAttributes"] = message.message_attributes
        described["MD5OfMessageAttributes"] = message.attribute_md5
    return described


def system_attributes(message: Any) -> dict[str, str]:
    """The system attributes of a received message, in the order of Lambda's event."""
    trace = (message.system_attributes or {}).get("AWSTraceHeader", {}).get("StringValue")
    values = {
        "ApproximateReceiveCount": message.approximate_receive_count,
        "AWSTraceHeader": trace,
        "SentTimestamp": message.sent_timestamp,
        "SequenceNumber": message.sequence_number,
        "MessageGroupId": message.group_id,
        "SenderId": message.sender_id,
        "MessageDeduplicationId": message.deduplication_id,
        "ApproximateFirstReceiveTimestamp": message.approximate_first_receive_timestamp,
        "DeadLetterQueueSourceArn": message.dead_letter_source_arn,
    }
    return {name: str(values[name]) for name in SYSTEM_ATTRIBUTES if values[name] is not None}


def without_empty(result: ActionResult, *keys: str) -> ActionResult:
    """AWS leaves out keys whose list or map is empty (LS-060, LS-137)."""
    for key in keys:
        if not result.result.get(key):
            result.result.pop(key, None)
    return result


def install() -> None:
    """Make moto's server use these queues and responses."""
    moto_sqs.sqs_backends.backend = Backend
    dispatch = Responses().dispatch
    for path in moto_urls.url_paths:
        moto_urls.url_paths[path] = dispatch
