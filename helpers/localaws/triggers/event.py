"""The event that an SQS trigger hands to a function: a batch of messages as records.

Keys and their order: scenarios LS-002 to LS-004 and LS-028.
"""

from __future__ import annotations

import base64
import json
from typing import Any, TypedDict

from helpers.localaws.queues.message import Message


class Value(TypedDict, total=False):
    """The value of a message attribute; the binary one in base64."""

    stringValue: str
    binaryValue: str


class RecordAttribute(Value):
    """A message attribute as the event shows it."""

    stringListValues: list[str]
    binaryListValues: list[str]
    dataType: str


class Checksum(TypedDict, total=False):
    """That of the message attributes, if there are some."""

    md5OfMessageAttributes: str | None


class Record(Checksum):
    """A message as the event shows it."""

    messageId: str
    receiptHandle: str
    body: str
    attributes: dict[str, str]
    messageAttributes: dict[str, RecordAttribute]
    md5OfBody: str
    eventSource: str
    eventSourceARN: str
    awsRegion: str


def make_event(records: list[bytes]) -> bytes:
    """The event for a batch, from the JSON of its records."""
    return b'{"Records":[' + b",".join(records) + b"]}"


def encode_record(record: Record) -> bytes:
    """The JSON of one record."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def make_record(message: Message, queue_arn: str, region: str, window_s: int) -> Record:
    """The record of a received message. `window_s`: the batching window of the trigger."""
    attributes = {n: make_attribute(a) for n, a in message.message_attributes.items()}
    checksum: Checksum = {}
    if attributes:
        checksum["md5OfMessageAttributes"] = message.attribute_md5
    elif window_s:
        checksum["md5OfMessageAttributes"] = None  # LS-004: null with a batching window
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.received_attributes(),
        "messageAttributes": attributes,
        **checksum,
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def make_attribute(attribute: dict[str, Any]) -> RecordAttribute:
    """One message attribute as the event shows it."""
    value: Value = {}
    if attribute.get("StringValue") is not None:
        value["stringValue"] = attribute["StringValue"]
    if attribute.get("BinaryValue") is not None:
        data = attribute["BinaryValue"]
        data = data if isinstance(data, bytes) else data.encode()
        value["binaryValue"] = base64.b64encode(data).decode()
    return {
        **value,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": attribute["DataType"],
    }
