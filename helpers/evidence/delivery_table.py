"""A table of deliveries: each attempt of each message, and how it ended.

A handler of the course prints its event as one line of JSON, and its answer too where it
reports failures. Lambda writes lines around that: START, REPORT, errors. From both, and from
the times that SQS puts into each record, follows how every delivery went. Every AWS account
offers as much.

Log lines can arrive late or be missing: then an outcome is "unknown", and `missing_lines.gaps`
says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from helpers.evidence.invocation_log import Invocation, read_invocations

DELIVERY_COLUMNS = (
    *("message_id", "body", "group", "receive_count", "environment", "request_id", "sent"),
    *("first_received", "started", "ended", "duration_ms", "cold", "outcome"),
)


def deliveries(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each delivery attempt of each message, in order of time.

    `events` is a frame of `helpers.logs.read_events`; the order of its rows does not matter.
    Columns: `message_id`, `body`, `group` (None where the message has none),
    `receive_count`, `environment` (the log stream), `request_id`, `sent`, `first_received`,
    `started` and `ended` (UTC; NaT when the line is missing), `duration_ms` (NaN when the
    REPORT line is missing), `cold` (by the REPORT line), and `outcome`, one of OUTCOMES:
    "reported" is a message that the printed answer names as failed, or all messages of an
    answer that AWS cannot read; "exited" means that the process ended, also for want of
    memory. A returned delivery means that Lambda then deleted the message: AWS shows the
    deletion itself nowhere.
    """
    return delivery_frame(row for each in read_invocations(events) for row in delivery_rows(each))


def delivery_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(DELIVERY_COLUMNS))
    for column in ("sent", "first_received"):
        frame[column] = pd.to_datetime(frame[column].astype("int64"), unit="ms", utc=True)
    for column in ("started", "ended"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    frame["duration_ms"] = frame["duration_ms"].astype(float)
    frame = frame.astype({"receive_count": "int64", "cold": bool})
    order = ["started", "first_received", "message_id", "receive_count"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def delivery_rows(invocation: Invocation) -> list[dict[str, Any]]:
    report = invocation.report
    return [
        {
            **message_columns(record["messageId"], record["body"], record["attributes"]),
            "environment": invocation.environment,
            "request_id": invocation.request_id,
            "started": invocation.started,
            "ended": invocation.ended,
            "duration_ms": report["duration_ms"] if report else None,
            "cold": report is not None and report["init_ms"] is not None,
            "outcome": invocation.outcome(record["messageId"]),
        }
        for record in invocation.records
    ]


def message_columns(message_id: str, body: str, attributes: dict[str, str]) -> dict[str, Any]:
    """What a delivery tells of its message; a record and a received message name it alike."""
    return {
        "message_id": message_id,
        "body": body,
        "group": attributes.get("MessageGroupId"),
        "receive_count": int(attributes["ApproximateReceiveCount"]),
        "sent": int(attributes["SentTimestamp"]),
        "first_received": int(attributes["ApproximateFirstReceiveTimestamp"]),
    }


def worker_deliveries(done: Iterable[tuple[dict[str, Any], float, float]]) -> pd.DataFrame:
    """The deliveries to a consumer of your own: a frame as `deliveries` gives it.

    `done` holds what the consumer noted for each delivery that it handled: the message as
    ReceiveMessage returned it with all its system attributes, and when the handling started
    and ended, in s since the epoch.
    """
    rows = [
        {
            **message_columns(message["MessageId"], message["Body"], message["Attributes"]),
            "started": pd.Timestamp(started, unit="s", tz="UTC"),
            "ended": pd.Timestamp(ended, unit="s", tz="UTC"),
            "duration_ms": (ended - started) * 1000,
            "cold": False,
            "outcome": "returned",
        }
        for message, started, ended in done
    ]
    return delivery_frame(rows)
