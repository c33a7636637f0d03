"""How AWS counts the size of a call: SQS in chunks of 64 KB, DynamoDB in writes and reads.

Sources: Amazon SQS pricing, "every 64 KB chunk of a payload is billed as 1 request"; DynamoDB
Developer Guide, "DynamoDB on-demand capacity mode": a write of up to 1 KB, a read of up to 4 KB,
half of it when the read need not be consistent.
"""

from __future__ import annotations

import json
from math import ceil
from typing import Any

CHUNK = 64 * 1024  # bytes
WRITE, READ = 1024, 4096  # bytes

Fields = dict[str, Any]  # of a request or an answer, as boto3 has them


def chunks(asked: Fields, answer: Fields) -> int:
    """How many requests SQS bills for a call: what was sent or what was received counts."""
    entries = (asked, *asked.get("Entries", ()), *answer.get("Messages", ()))
    return max(1, ceil(sum(map(message_bytes, entries)) / CHUNK))


def message_bytes(message: Fields) -> int:
    """Bytes of a message's body and of its attributes; 0 for what is no message."""
    body = message.get("MessageBody") or message.get("Body") or ""
    attributes: dict[str, Fields] = message.get("MessageAttributes", {})
    return bytes_of(body) + sum(
        bytes_of(name) + sum(map(bytes_of, attribute.values()))
        for name, attribute in attributes.items()
    )


def bytes_of(value: Any) -> int:
    return len(value if isinstance(value, bytes) else str(value).encode())


def metrics_read(operation: str, asked: Fields) -> int:
    """How many metrics CloudWatch bills for a call: GetMetricData pays for each, formulas do not.

    Source: Amazon CloudWatch pricing, "API requests".
    """
    if operation != "GetMetricData":
        return 0
    return sum("MetricStat" in query for query in asked.get("MetricDataQueries", ()))


def item_bytes(item: Fields) -> int:
    """About what an item of a table weighs; its JSON is a little longer than AWS counts."""
    return len(json.dumps(item, default=str).encode())


def writes(operation: str, asked: Fields) -> float:
    """How many writes DynamoDB bills for a call."""
    if operation == "BatchWriteItem":
        puts = [each for table in asked["RequestItems"].values() for each in table]
        return sum(ceil(item_bytes(put) / WRITE) for put in puts)
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        return max(1, ceil(item_bytes(asked.get("Item", {})) / WRITE))
    return 0


def reads(operation: str, asked: Fields, answer: Fields) -> float:
    """How many reads DynamoDB bills for a call."""
    if operation not in ("GetItem", "Query", "Scan"):
        return 0
    items = answer.get("Items", [answer.get("Item", {})])
    units = max(1, ceil(sum(map(item_bytes, items)) / READ))
    return units if asked.get("ConsistentRead") else units / 2
