"""The story of each message, from evidence that every AWS account offers.

A handler of the course prints its event as one line of JSON, and its answer too where it
reports failures. Lambda writes lines around that: START, REPORT, errors. From both, and from
the times that SQS puts into each record, follows what happened to every message: when it was
sent, each delivery and how it ended, where the message is now.

Log lines can arrive late or be missing: then an outcome is "unknown", and `gaps` says why.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from helpers.logs import REQUEST_ID, read_report
from helpers.steps import queue_counts

OUTCOMES = ("returned", "reported", "raised", "timed out", "exited", "unknown")
FATES = ("deleted", "dead-letter queue", "in the queue", "never delivered")
LOOK_AT_DEAD_S = 5
DELIVERY_COLUMNS = (
    *("message_id", "body", "group", "receive_count", "environment", "request_id", "sent"),
    *("first_received", "started", "ended", "duration_ms", "cold", "outcome"),
)
INVOCATION_COLUMNS = (
    *("request_id", "environment", "started", "duration_ms", "billed_ms", "memory_mb"),
    *("used_mb", "init_ms", "status", "records"),
)

# US dollars in us-east-1, as third parties quoted them in 2026. What is valid now:
# https://aws.amazon.com/sqs/pricing and https://aws.amazon.com/lambda/pricing
SQS_PER_MILLION_REQUESTS = 0.40
LAMBDA_PER_MILLION_REQUESTS = 0.20
LAMBDA_PER_GB_SECOND = 0.0000166667


@dataclass
class Invocation:
    """One invocation, as far as the log shows it."""

    request_id: str
    environment: str
    started: pd.Timestamp | None = None
    ended: pd.Timestamp | None = None
    report: dict[str, Any] | None = None
    raised: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)
    reported: set[str] = field(default_factory=set)

    def outcome(self, message_id: str) -> str:
        """How the delivery of a message ended: one of OUTCOMES."""
        if self.report is None:
            return "raised" if self.raised else "unknown"
        if self.report["status"] in ("timeout", "error"):
            return "timed out" if self.report["status"] == "timeout" else "exited"
        if self.raised:
            return "raised"
        return "reported" if message_id in self.reported else "returned"


def read_invocations(events: pd.DataFrame) -> list[Invocation]:
    """The invocations in a frame of log events, as `helpers.logs.read_events` returns it."""
    found: dict[tuple[str, str], Invocation] = {}
    unique = events.drop_duplicates(["time", "stream", "message"])
    for stream, lines in unique.sort_values("time", kind="stable").groupby("stream", sort=False):
        current: Invocation | None = None
        for line in lines.itertuples():
            if line.kind in ("START", "END", "REPORT"):
                request_id = REQUEST_ID.search(line.message)[1]
                key = (stream, request_id)
                current = found.setdefault(key, Invocation(request_id, stream))
                note_platform_line(current, line)
                if line.kind == "REPORT":
                    current = None  # what follows belongs to an invocation without a START line
            elif line.kind == "" and current is not None:
                note_own_line(current, line.message)
    return list(found.values())


def note_platform_line(invocation: Invocation, line: Any) -> None:
    if line.kind == "START":
        invocation.started = line.time
    else:
        invocation.ended = line.time
    if line.kind == "REPORT":
        invocation.report = read_report(line.message)


def note_own_line(invocation: Invocation, text: str) -> None:
    """What a line of the function itself tells: the event, its answer, or an error."""
    if text.startswith("[ERROR]"):
        invocation.raised = True
        return
    if not text.startswith("{"):
        return
    try:
        line = json.loads(text)
    except ValueError:
        return
    if "Records" in line:
        invocation.records = line["Records"]
    elif "batchItemFailures" in line:
        failures = line["batchItemFailures"] or []
        invocation.reported = {failure.get("itemIdentifier") for failure in failures}
    elif line.get("level") == "ERROR" and "errorType" in line:
        invocation.raised = True


def deliveries(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each delivery attempt of each message, in order of time.

    Columns: `message_id`, `body`, `group` (None on a standard queue), `receive_count`,
    `environment` (the log stream), `request_id`, `sent`, `first_received`, `started` and
    `ended` (UTC; NaT when the line is missing), `duration_ms`, `cold`, and `outcome`, one of
    OUTCOMES. A returned delivery means that Lambda then deleted the message: AWS shows the
    deletion itself nowhere.
    """
    rows = [row for each in read_invocations(events) for row in delivery_rows(each)]
    frame = pd.DataFrame(rows, columns=list(DELIVERY_COLUMNS))
    for column in ("sent", "first_received", "started", "ended"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame.sort_values(["started", "message_id"], kind="stable", ignore_index=True)


def delivery_rows(invocation: Invocation) -> list[dict[str, Any]]:
    report = invocation.report or {}
    return [
        {
            "message_id": record["messageId"],
            "body": record["body"],
            "group": record["attributes"].get("MessageGroupId"),
            "receive_count": int(record["attributes"]["ApproximateReceiveCount"]),
            "environment": invocation.environment,
            "request_id": invocation.request_id,
            "sent": from_ms(record["attributes"]["SentTimestamp"]),
            "first_received": from_ms(record["attributes"]["ApproximateFirstReceiveTimestamp"]),
            "started": invocation.started,
            "ended": invocation.ended,
            "duration_ms": report.get("duration_ms"),
            "cold": report.get("init_ms") is not None,
            "outcome": invocation.outcome(record["messageId"]),
        }
        for record in invocation.records
    ]


def from_ms(text: str) -> pd.Timestamp:
    return pd.Timestamp(int(text), unit="ms", tz="UTC")


def invocations(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each REPORT line, in order of time.

    Columns: `request_id`, `environment`, `started` (UTC), `duration_ms`, `billed_ms`,
    `memory_mb`, `used_mb`, `init_ms` (None when warm), `status` (None when the function
    answered) and `records`, the number of messages that it was handed.
    """
    rows = [
        {
            "environment": each.environment,
            "started": each.started,
            "records": len(each.records),
            **each.report,
        }
        for each in read_invocations(events)
        if each.report
    ]
    frame = pd.DataFrame(rows, columns=list(INVOCATION_COLUMNS))
    return frame.sort_values("started", kind="stable", ignore_index=True)


def gaps(events: pd.DataFrame) -> list[str]:
    """What the log does not tell, in sentences; empty when nothing is missing."""
    seen = read_invocations(events)
    missing = {
        "START line": sum(each.started is None for each in seen),
        "REPORT line": sum(each.report is None for each in seen),
        "printed event": sum(not each.records for each in seen),
    }
    return [f"{count} invocation(s) have no {what}." for what, count in missing.items() if count]


def fates(
    seen: pd.DataFrame, dead: pd.DataFrame | None = None, sent_ids: Iterable[str] = ()
) -> pd.DataFrame:
    """One row for each message: where it is now, by the evidence.

    `seen` are deliveries, `dead` what `read_dead_letters` found, and `sent_ids` the ids that
    SendMessage returned. Columns: `message_id`, `attempts`, `sent`, `first_started`,
    `finished` (UTC) and `fate`, one of FATES.
    """
    dead_ids = set() if dead is None else set(dead["message_id"])
    rows = []
    for message_id, attempts in seen.groupby("message_id", sort=False):
        returned = attempts[attempts["outcome"] == "returned"]
        fate = "deleted" if len(returned) else "in the queue"
        rows.append(
            {
                "message_id": message_id,
                "attempts": len(attempts),
                "sent": attempts["sent"].iloc[0],
                "first_started": attempts["started"].min(),
                "finished": (returned if len(returned) else attempts)["ended"].max(),
                "fate": "dead-letter queue" if message_id in dead_ids else fate,
            }
        )
    known = {row["message_id"] for row in rows}
    rows += [
        {"message_id": each, "attempts": 0, "fate": "never delivered"}
        for each in sent_ids
        if each not in known
    ]
    columns = ["message_id", "attempts", "sent", "first_started", "finished", "fate"]
    return pd.DataFrame(rows, columns=columns)


def read_dead_letters(sqs: Any, queue_url: str) -> pd.DataFrame:
    """What is in a dead-letter queue; the messages stay there.

    Columns: `message_id`, `body`, `receive_count`, `sent` (UTC) and `source`, the ARN of the
    queue that a message came from. Each look counts as a receive.
    """
    found: dict[str, dict[str, Any]] = {}
    while messages := sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=LOOK_AT_DEAD_S,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", []):
        found |= {message["MessageId"]: message for message in messages}
    for message in found.values():
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    rows = [
        {
            "message_id": message["MessageId"],
            "body": message["Body"],
            "receive_count": int(message["Attributes"]["ApproximateReceiveCount"]),
            "sent": from_ms(message["Attributes"]["SentTimestamp"]),
            "source": message["Attributes"].get("DeadLetterQueueSourceArn"),
        }
        for message in found.values()
    ]
    return pd.DataFrame(rows, columns=["message_id", "body", "receive_count", "sent", "source"])


class QueueWatch:
    """Looks at a queue again and again while a block of code runs.

    `with QueueWatch(sqs, url) as watch: …`, then `watch.frame()`. The looking ends with the
    block, however it ends. An error while looking is raised at the end of the block. On AWS
    the counts are approximate and can lag by up to a minute.
    """

    def __init__(
        self, sqs: Any, queue_url: str, dlq_url: str | None = None, every_s: float = 0.1
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._every_s = every_s
        self._rows: list[tuple[float, int, int, int, int]] = []
        self._error: Exception | None = None
        self._done = threading.Event()
        self._began = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> QueueWatch:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: Any, *_exception: Any) -> None:
        self._done.set()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def frame(self) -> pd.DataFrame:
        """Columns: `seconds` since the start, `visible`, `in_flight`, `delayed`, `dead`."""
        columns = ["seconds", "visible", "in_flight", "delayed", "dead"]
        return pd.DataFrame(list(self._rows), columns=columns)

    def _look(self) -> None:
        try:
            while True:
                self._rows.append(self._one_look())
                if self._done.wait(self._every_s):
                    self._rows.append(self._one_look())
                    return
        except Exception as error:
            self._error = error

    def _one_look(self) -> tuple[float, int, int, int, int]:
        counts = queue_counts(self._sqs, self._queue_url)
        dead = queue_counts(self._sqs, self._dlq_url)["visible"] if self._dlq_url else 0
        seconds = time.monotonic() - self._began
        return (seconds, counts["visible"], counts["in flight"], counts["delayed"], dead)


def cost_per_million(
    batch_size: int, duration_ms: float, memory_mb: int, send_batch: int = 1
) -> dict[str, float]:
    """What a million messages cost on AWS, in US dollars, by kind of request.

    A message is sent, received and deleted; receiving and deleting are shared by the
    messages of a batch of up to 10. `duration_ms` is that of one invocation, which handles
    `batch_size` messages; `send_batch` is how many messages a SendMessageBatch holds. Free
    tiers, data transfer, logs and empty receives are left out.
    """
    shared = min(batch_size, 10)
    sqs_requests = 1 / send_batch + 2 / shared
    gb_seconds = duration_ms / 1000 * memory_mb / 1024 / batch_size
    costs = {
        "SQS requests": sqs_requests * SQS_PER_MILLION_REQUESTS,
        "Lambda requests": LAMBDA_PER_MILLION_REQUESTS / batch_size,
        "Lambda time": gb_seconds * 1_000_000 * LAMBDA_PER_GB_SECOND,
    }
    return {**costs, "total": sum(costs.values())}
