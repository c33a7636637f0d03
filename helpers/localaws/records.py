"""The event that an SQS trigger hands to a function, and the answer that it understands.

Keys and their order: scenarios LS-002 to LS-004 and LS-028. What an answer means:
LS-009 to LS-013, and "Implementing partial batch responses" in the Lambda Developer Guide.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from moto.events.models import EventPattern

from helpers.localaws.sqs_answers import system_attributes


def make_event(messages: list[Any], queue_arn: str, region: str, window_s: int) -> bytes:
    """The JSON event for a batch of received messages."""
    records = [make_record(message, queue_arn, region, window_s) for message in messages]
    return json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False).encode()


def make_record(message: Any, queue_arn: str, region: str, window_s: int) -> dict[str, Any]:
    attributes = {n: make_attribute(a) for n, a in message.message_attributes.items()}
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": attributes,
    }
    if attributes:
        record["md5OfMessageAttributes"] = message.attribute_md5
    elif window_s:
        record["md5OfMessageAttributes"] = None  # LS-004: null with a batching window
    record["md5OfBody"] = message.body_md5
    record["eventSource"] = "aws:sqs"
    record["eventSourceARN"] = queue_arn
    record["awsRegion"] = region
    return record


def make_attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    """One message attribute as the event shows it."""
    made: dict[str, Any] = {}
    if attribute.get("StringValue") is not None:
        made["stringValue"] = attribute["StringValue"]
    if attribute.get("BinaryValue") is not None:
        value = attribute["BinaryValue"]
        value = value if isinstance(value, bytes) else value.encode()
        made["binaryValue"] = base64.b64encode(value).decode()
    made["stringListValues"] = []
    made["binaryListValues"] = []
    made["dataType"] = attribute["DataType"]
    return made


def failed_ids(payload: bytes, batch_ids: set[str]) -> set[str]:
    """The ids of the messages that a partial batch response reports as failed.

    An answer that breaks the rules fails the whole batch, so that nothing is lost.
    """
    try:
        answer = json.loads(payload)
    except ValueError:
        return batch_ids
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures:
        return set()
    try:
        reported = {failure["itemIdentifier"] for failure in failures}
    except (KeyError, TypeError):
        return batch_ids
    return reported if reported <= batch_ids else batch_ids


# -- filters ---------------------------------------------------------------------------


def is_valid_pattern(pattern: Any) -> bool:
    """Whether AWS takes a filter pattern: an object whose leaves are lists (LS-025)."""
    try:
        pattern = json.loads(pattern)
    except (TypeError, ValueError):
        return False
    return isinstance(pattern, dict) and bool(pattern) and all(map(_is_rule, pattern.values()))


def _is_rule(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(map(_is_rule, value.values()))
    return isinstance(value, list) and bool(value)


def matches(record: dict[str, Any], patterns: list[str]) -> bool:
    """Whether a record passes one of the filter patterns (LS-023, LS-024)."""
    return not patterns or any(_matches_one(record, pattern) for pattern in patterns)


def _matches_one(record: dict[str, Any], pattern: str) -> bool:
    seen = dict(record)
    if isinstance(json.loads(pattern).get("body"), dict):
        try:
            seen["body"] = json.loads(record["body"])
        except ValueError:
            return False
        if not isinstance(seen["body"], dict):
            return False
    return EventPattern.load(pattern).matches_event(seen)
