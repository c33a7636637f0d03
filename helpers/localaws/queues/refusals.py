"""What SQS refuses, and with which words.

Error texts are AWS's, as recorded; the scenario ids (LS-…, G-…) are those of the conformance
tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from moto.sqs.constants import MAXIMUM_MESSAGE_LENGTH, MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import (
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidParameterValue,
    MissingParameter,
    SQSException,
)

MAX_BATCH_ENTRIES = 10
FIFO_ONLY = ("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit")
ATTRIBUTE_RANGES = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1024, MAXIMUM_MESSAGE_LENGTH),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, MAXIMUM_VISIBILITY_TIMEOUT),
}
ATTRIBUTE_CHOICES = {  # in small letters
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("messagegroup", "queue"),
    "FifoThroughputLimit": ("perqueue", "permessagegroupid"),
    "SqsManagedSseEnabled": ("true", "false"),
}
SETTABLE_ATTRIBUTES = {
    *ATTRIBUTE_RANGES,
    *ATTRIBUTE_CHOICES,
    "FifoQueue",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
}
MAX_RECEIVE_COUNT = 1000
QUEUE_ARN = re.compile(r"arn:[^:]+:sqs:[^:]+:[^:]+:[^:]+")
ILLEGAL_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_MESSAGE_ATTRIBUTES = 10
MAX_ATTRIBUTE_NAME = 256
ATTRIBUTE_NAME = re.compile(r"[\w.-]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
BATCH_ENTRY_ID = re.compile(r"[a-zA-Z0-9_-]{1,80}")
GROUP_ID = re.compile(r"[a-zA-Z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


def simple_queue_error(code: str, text: str) -> SQSException:
    """An error whose code AWS writes with the prefix of the old query protocol."""
    return SQSException(f"AWS.SimpleQueueService.{code}", text)


def check_attributes(
    attributes: dict[str, Any], fifo: bool, creating: bool, find_queue: Callable[[str], Any]
) -> None:
    """Queue attributes that AWS would refuse: names, ranges and policies (LS-105, LS-119).

    `find_queue` finds a queue by its ARN.
    """
    for name, value in attributes.items():
        if name not in SETTABLE_ATTRIBUTES:
            raise InvalidAttributeName(name)
        if name in FIFO_ONLY:
            check_fifo_attribute(name, value, fifo, creating)
        check_attribute_value(name, value)
        if name == "RedrivePolicy" and value:
            check_redrive_policy(value, fifo, find_queue)
        if name == "Policy" and value:
            check_policy(value)
    if creating and fifo and str(attributes.get("FifoQueue", "")).lower() != "true":
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def check_attribute_value(name: str, value: Any) -> None:
    """A number in its range, or one of the words that are allowed."""
    if name in ATTRIBUTE_RANGES:
        lowest, highest = ATTRIBUTE_RANGES[name]
        if not str(value).isdecimal() or not lowest <= int(value) <= highest:
            raise InvalidAttributeValue(name)
    if name in ATTRIBUTE_CHOICES and str(value).lower() not in ATTRIBUTE_CHOICES[name]:
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


def check_redrive_policy(text: str, fifo: bool, find_queue: Callable[[str], Any]) -> None:
    """Where a queue's dead messages go, and after how many receives (LS-119)."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        policy = None
    if policy == {}:
        return  # moto removes the policy
    if not isinstance(policy, dict):
        raise InvalidParameterValue("Redrive policy is not a dict or valid json")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if policy.get(name) is None:
            raise wrong_redrive(
                text, f"Redrive policy does not contain mandatory attribute: {name}."
            )
    check_receive_count(text, policy["maxReceiveCount"])
    check_dead_letter_queue(text, policy["deadLetterTargetArn"], fifo, find_queue)


def check_receive_count(text: str, count: Any) -> None:
    """After how many receives a message is dead, by a queue's redrive policy."""
    if not re.fullmatch("[0-9]{1,4}", str(count)) or not 1 <= int(count) <= MAX_RECEIVE_COUNT:
        raise wrong_redrive(
            text,
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to "
            f"{MAX_RECEIVE_COUNT} both inclusive.",
        )


def check_dead_letter_queue(
    text: str, arn: Any, fifo: bool, find_queue: Callable[[str], Any]
) -> None:
    """The dead-letter queue of a queue's redrive policy: it is there, and of the same type."""
    if not QUEUE_ARN.fullmatch(str(arn)):
        raise wrong_redrive(text, "Invalid value for deadLetterTargetArn.")
    dead_letter_queue = find_queue(arn)
    if dead_letter_queue is None:
        raise wrong_redrive(text, "Dead letter target does not exist.")
    if dead_letter_queue.fifo_queue != fifo:
        raise wrong_redrive(text, "Dead-letter queue must be same type of queue as the source.")


def wrong_redrive(text: str, reason: str) -> SQSException:
    return InvalidParameterValue(
        f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"
    )


def check_policy(text: str) -> None:
    """A queue policy: JSON with one statement or a list of them (LS-136)."""
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidAttributeValue("Policy") from None
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            raise InvalidAttributeValue("Policy")


def check_same_attributes(existing: Any, wanted: Any, given: dict[str, Any]) -> None:
    """CreateQueue is idempotent only with the same attributes (LS-102, LS-103)."""
    has, wants = existing.attributes, wanted.attributes
    for name in given:
        if has.get(name) != wants.get(name):
            raise SQSException(
                "QueueAlreadyExists",
                "A queue already exists with the same name and a different value for "
                f"attribute {name}",
            )


def check_same_tags(has: dict[str, str], given: dict[str, str]) -> None:
    """CreateQueue does not tag a queue that exists: tags that are given must be its own (G-15).

    That AWS refuses others with this error is reported (Bogdanp/dramatiq_sqs pull request 13,
    awslabs/amazon-sqs-java-temporary-queues-client pull request 70); its sentence is not.
    """
    if given and given != has:
        raise SQSException(
            "QueueAlreadyExists",
            "A queue already exists with the same name and a different value for tags",
        )


def check_message_attributes(attributes: dict[str, Any]) -> None:
    """A message's attributes: how many, and each of them (LS-118)."""
    if len(attributes) > MAX_MESSAGE_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{MAX_MESSAGE_ATTRIBUTES}]."
        )
    for name, attribute in attributes.items():
        check_attribute(name, attribute)


def check_attribute(name: str, attribute: dict[str, Any]) -> None:
    """A message attribute: its name, type and value."""
    if not is_attribute_name(name):
        raise InvalidParameterValue(
            f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, "
            "a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
        )
    data_type = attribute.get("DataType") or ""
    if not data_type:
        raise InvalidParameterValue(
            f"The message attribute '{name}' must contain non-empty message attribute value."
        )
    kind = data_type.split(".")[0]
    if kind not in ("String", "Number", "Binary") or len(data_type) > MAX_ATTRIBUTE_NAME:
        raise InvalidParameterValue(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String."
        )
    value = attribute.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not value:
        raise InvalidParameterValue(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )
    if kind == "Number" and not NUMBER.fullmatch(value):
        raise InvalidParameterValue(
            f"Can't cast the value of message (user) attribute '{name}' to a number."
        )
    if isinstance(value, str) and ILLEGAL_CHARACTERS.search(value):
        raise InvalidParameterValue(illegal_characters().message)  # DF-12: not as in a body


def check_system_attributes(attributes: dict[str, Any]) -> None:
    """The one that there is (SQS API Reference, "SendMessage"); our words."""
    for name, attribute in attributes.items():
        if name != "AWSTraceHeader" or attribute.get("DataType") != "String":
            raise InvalidParameterValue(
                f"The message system attribute '{name}' is invalid. The only supported one is "
                "AWSTraceHeader, of the type String."
            )
        check_attribute(name, attribute)


def is_attribute_name(name: str) -> bool:
    return (
        len(name) <= MAX_ATTRIBUTE_NAME
        and ATTRIBUTE_NAME.fullmatch(name) is not None
        and not name.startswith(".")
        and not name.endswith(".")
        and ".." not in name
        and not name.lower().startswith(("aws.", "amazon."))
    )


def illegal_characters() -> SQSException:
    return SQSException(
        "InvalidMessageContents",
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | "
        "#x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    )


def check_message(queue: Any, body: str, attributes: dict[str, Any]) -> None:
    """Body and size of a message (LS-062, LS-109, LS-110)."""
    if not body:
        raise MissingParameter("MessageBody")
    if ILLEGAL_CHARACTERS.search(body):
        raise illegal_characters()
    check_message_attributes(attributes)
    if message_size(body, attributes) > queue.maximum_message_size:
        raise InvalidParameterValue(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.maximum_message_size} bytes."
        )


def message_size(body: str, attributes: dict[str, Any]) -> int:
    """The size of a message in bytes, as SQS counts it: body, attribute names, types, values."""
    size = length(body)
    for name, attribute in attributes.items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or b""
        size += length(name) + length(attribute.get("DataType", "")) + length(value)
    return size


def length(value: str | bytes) -> int:
    """In bytes; also of a text that is refused later, for it has half of a character."""
    return len(value if isinstance(value, bytes) else value.encode(errors="surrogatepass"))


def check_placement(
    queue: Any, delay_seconds: int | None, deduplication_id: str | None, group_id: str | None
) -> None:
    """Delay, message group and deduplication id (LS-121, LS-131, LS-134, LS-135)."""
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
    elif deduplication_id is not None:
        raise not_for_this_type("MessageDeduplicationId", deduplication_id)
    elif delay_seconds is not None and not 0 <= int(delay_seconds) <= 900:
        raise InvalidParameterValue(
            f"Value {delay_seconds} for parameter DelaySeconds is invalid. Reason: "
            "DelaySeconds must be >= 0 and <= 900."
        )


def check_fifo_placement(
    queue: Any, delay_seconds: int | None, deduplication_id: str | None, group_id: str | None
) -> None:
    if group_id is None:
        raise MissingParameter("MessageGroupId")
    if deduplication_id is None and not queue.content_based_deduplication:
        raise InvalidParameterValue(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    if delay_seconds:
        raise not_for_this_type("DelaySeconds", delay_seconds)


def not_for_this_type(name: str, value: Any) -> SQSException:
    return InvalidParameterValue(
        f"Value {value} for parameter {name} is invalid. Reason: The request include parameter "
        "that is not valid for this queue type."
    )


def check_fifo_entries(queue: Any, entries: list[dict[str, Any]]) -> None:
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


def check_visibility(seconds: int | None) -> int:
    """The new timeout of ChangeMessageVisibility, which is there and in its range.

    Users report the text for more than the limit: aws/aws-sdk-net #794, localstack/localstack
    #3956. For less than nothing it is that of ReceiveMessage (LS-112).
    """
    if seconds is None:
        raise MissingParameter("VisibilityTimeout")
    if seconds > MAXIMUM_VISIBILITY_TIMEOUT:
        raise InvalidParameterValue(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
            "VisibilityTimeout for the message is beyond the limit "
            f"[{MAXIMUM_VISIBILITY_TIMEOUT} seconds]."
        )
    check_upto("VisibilityTimeout", seconds, MAXIMUM_VISIBILITY_TIMEOUT)
    return seconds


def check_receive(count: int, wait_s: int, visibility_s: int) -> None:
    """The ranges of ReceiveMessage's parameters (LS-112)."""
    check_range("MaxNumberOfMessages", count, 1, 10)
    check_upto("WaitTimeSeconds", wait_s, 20)
    check_upto("VisibilityTimeout", visibility_s, MAXIMUM_VISIBILITY_TIMEOUT)


def check_upto(name: str, value: int, highest: int) -> None:
    if not 0 <= value <= highest:
        raise InvalidParameterValue(
            f"Value {value} for parameter {name} is invalid. Reason: Must be >= 0 and "
            f"<= {highest}, if provided."
        )


def check_range(name: str, value: int | None, lowest: int, highest: int) -> None:
    """A number that may be missing (LS-112; of others than ReceiveMessage's the text is ours)."""
    if value is not None and not lowest <= value <= highest:
        raise InvalidParameterValue(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {lowest} "
            f"and {highest}, if provided."
        )
