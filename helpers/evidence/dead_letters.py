"""What is in a dead-letter queue, read without taking it out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from helpers.clients import Client

LOOK_AT_DEAD_S = 30


def read_dead_letters(sqs: Client, queue_url: str) -> pd.DataFrame:
    """What is in a dead-letter queue; the messages stay there.

    Columns: `message_id`, `body`, `receive_count`, `sent` (UTC) and `source`, the ARN of the
    queue that a message came from. Each look counts as a receive. The last look waits for
    1 s. Of a message group of a FIFO queue no more than the first messages can be seen.
    """
    found: dict[str, dict[str, Any]] = {}
    while messages := look_at_dead(sqs, queue_url):
        new = {message["MessageId"]: message for message in messages}
        seen_before = new.keys() <= found.keys()
        found |= new
        if seen_before:
            break
    put_back(sqs, queue_url, [message["ReceiptHandle"] for message in found.values()])
    rows = [
        {
            "message_id": message["MessageId"],
            "body": message["Body"],
            "receive_count": int(message["Attributes"]["ApproximateReceiveCount"]),
            "sent": pd.Timestamp(int(message["Attributes"]["SentTimestamp"]), unit="ms", tz="UTC"),
            "source": message["Attributes"].get("DeadLetterQueueSourceArn"),
        }
        for message in found.values()
    ]
    return pd.DataFrame(rows, columns=["message_id", "body", "receive_count", "sent", "source"])


def look_at_dead(sqs: Client, queue_url: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=LOOK_AT_DEAD_S,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])
    return messages


def put_back(sqs: Client, queue_url: str, handles: list[str]) -> None:
    """Make received messages visible at once. What is visible already stays so."""
    for start in range(0, len(handles), 10):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(handles[start : start + 10])
        ]
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
