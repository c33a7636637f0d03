"""The story of each message, from evidence that every AWS account offers.

A handler of the course prints its event as one line of JSON, and its answer too where it
reports failures. Lambda writes lines around that: START, REPORT, errors. From both, and from
the times that SQS puts into each record, follows what happened to every message: when it was
sent, each delivery and how it ended, where the message is now.

Log lines can arrive late or be missing: then an outcome is "unknown", and `gaps` says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

import pandas as pd

from helpers.evidence.invocation_log import Invocation, read_invocations
from helpers.logs import log_group, read_events
from helpers.steps import queue_counts

OUTCOMES = ("returned", "reported", "raised", "timed out", "exited", "unknown")
FATES = ("deleted", "dead-letter queue", "in the queue", "never delivered")
LOOK_AT_DEAD_S = 30
DELIVERY_COLUMNS = (
    *("message_id", "body", "group", "receive_count", "environment", "request_id", "sent"),
    *("first_received", "started", "ended", "duration_ms", "cold", "outcome"),
)
INVOCATION_NUMBERS = ("duration_ms", "billed_ms", "memory_mb", "used_mb", "init_ms")
INVOCATION_COLUMNS = (
    *("request_id", "environment", "started", *INVOCATION_NUMBERS, "status", "records"),
)
FATE_COLUMNS = ("message_id", "attempts", "sent", "first_started", "finished", "fate")
DEPTH_COLUMNS = ("seconds", "visible", "in_flight", "delayed", "dead")

# US dollars in us-east-1, without free tiers, as third parties quoted AWS's price pages:
# cloudburn.io (14 March 2026) for SQS, cloudchipr.com (11 May 2026) for Lambda. What is valid
# now: https://aws.amazon.com/sqs/pricing and https://aws.amazon.com/lambda/pricing
SQS_PER_MILLION_REQUESTS = 0.40  # standard queue; one request holds up to 64 KB
LAMBDA_PER_MILLION_REQUESTS = 0.20
LAMBDA_PER_GB_SECOND = 0.0000166667  # x86


def record(logs: Any, function_name: str, since_ms: int = 0) -> pd.DataFrame:
    """The deliveries to a function since a time in ms since the epoch, from its log."""
    return deliveries(read_events(logs, log_group(function_name), since_ms))


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
    report = invocation.report or {}
    return [
        {
            **message_columns(record["messageId"], record["body"], record["attributes"]),
            "environment": invocation.environment,
            "request_id": invocation.request_id,
            "started": invocation.started,
            "ended": invocation.ended,
            "duration_ms": report.get("duration_ms"),
            "cold": report.get("init_ms") is not None,
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


def invocations(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each REPORT line, in order of time.

    Columns: `request_id`, `environment`, `started` (UTC), `duration_ms`, `billed_ms`,
    `memory_mb`, `used_mb`, `init_ms` (NaN when warm), `status` (None when the function
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
    frame["started"] = pd.to_datetime(frame["started"], utc=True)
    frame = frame.astype(dict.fromkeys(INVOCATION_NUMBERS, float) | {"records": "int64"})
    return frame.sort_values(["started", "request_id"], kind="stable", ignore_index=True)


def running(seen: pd.DataFrame) -> pd.DataFrame:
    """How many invocations ran at once, from deliveries: a row for each start and each end.

    Columns: `minutes` since the first start, and `running` from then on. Invocations whose
    start or end is missing are left out.
    """
    calls = seen.drop_duplicates("request_id").dropna(subset=["started", "ended"])
    starts = pd.DataFrame({"at": calls["started"], "change": 1})
    ends = pd.DataFrame({"at": calls["ended"], "change": -1})
    # Of a start and an end in the same millisecond, the end comes first.
    changes = pd.concat([ends, starts]).sort_values("at", kind="stable", ignore_index=True)
    minutes = (changes["at"] - changes["at"].min()).dt.total_seconds() / 60
    return pd.DataFrame({"minutes": minutes, "running": changes["change"].cumsum()})


def gaps(events: pd.DataFrame) -> list[str]:
    """What the log does not tell, in sentences; empty when nothing is missing.

    A receive count that was skipped is a delivery without a trace: its lines are missing or
    before the time of the first event, or Lambda could not run the function (throttling).
    """
    found = read_invocations(events)
    known = [each for each in found if each.request_id]
    seen = deliveries(events).groupby("message_id")["receive_count"]
    missing = {
        "invocation without a START line": sum(each.started is None for each in known),
        "invocation without a REPORT line": sum(each.report is None for each in known),
        "invocation without a printed event": sum(not each.records for each in known),
        "printed event without an invocation": len(found) - len(known),
        "invocation whose lines cannot be told apart": sum(each.in_doubt for each in known),
        "delivery without a trace": int((seen.max() - seen.nunique()).sum()),
    }
    return [f"{in_words(number, what)}." for what, number in missing.items() if number]


def in_words(number: int, what: str) -> str:
    noun, rest = what.split(" ", 1)
    plural = "deliveries" if noun == "delivery" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural} {rest}"


def fates(
    seen: pd.DataFrame,
    dead: pd.DataFrame | None = None,
    sent_ids: Iterable[str] = (),
    *,
    reports_count: bool = True,
) -> pd.DataFrame:
    """One row for each message, in order of sending: where it is now, by the evidence.

    `seen` are deliveries, `dead` what `read_dead_letters` found, and `sent_ids` the ids that
    SendMessage returned. Columns: `message_id`, `attempts`, `sent`, `first_started`,
    `finished` (UTC, the end of the attempt that returned, or else of the last) and `fate`,
    one of FATES. No account shows a deletion: "deleted" means that an attempt returned, and
    "in the queue" that none did. With `reports_count` False, for a trigger that lacks
    ReportBatchItemFailures, a reported message is deleted too, for Lambda then ignores the
    report.
    """
    deleting = ("returned",) if reports_count else ("returned", "reported")
    attempts = seen.assign(returned=seen["outcome"].isin(deleting))
    by_message = attempts.groupby("message_id", sort=False)
    frame = by_message.agg(
        attempts=("outcome", "size"),
        sent=("sent", "first"),
        first_started=("started", "min"),
        finished=("ended", "max"),
        returned=("returned", "any"),
    )
    of_returned = attempts[attempts["returned"]].groupby("message_id")["ended"].max()
    frame["finished"] = of_returned.reindex(frame.index).fillna(frame["finished"])
    frame["fate"] = frame["returned"].map({True: "deleted", False: "in the queue"}).astype(object)
    dead_ids = [] if dead is None else list(dead["message_id"])
    frame.loc[frame.index.isin(dead_ids), "fate"] = "dead-letter queue"
    frame = frame.reset_index().sort_values("sent", kind="stable")
    return with_undelivered(frame[list(FATE_COLUMNS)], sent_ids, dead)


def with_undelivered(
    frame: pd.DataFrame, sent_ids: Iterable[str], dead: pd.DataFrame | None
) -> pd.DataFrame:
    """Add the messages that no invocation saw: sent ones, and ones found dead."""
    known = set(frame["message_id"])
    letters = () if dead is None else dead.itertuples()
    rows = [(each.message_id, each.sent, "dead-letter queue") for each in letters]
    known_dead = {row[0] for row in rows}
    rows += [(each, pd.NaT, "never delivered") for each in sent_ids if each not in known_dead]
    more = pd.DataFrame(rows, columns=["message_id", "sent", "fate"])
    more = more[~more["message_id"].isin(known)].assign(attempts=0)
    if more.empty:
        return frame.reset_index(drop=True)
    more["sent"] = pd.to_datetime(more["sent"], utc=True)
    whole = pd.concat([frame, more], ignore_index=True)
    whole = whole.sort_values("sent", kind="stable", na_position="last", ignore_index=True)
    for column in ("first_started", "finished"):
        whole[column] = pd.to_datetime(whole[column], utc=True)
    return whole[list(FATE_COLUMNS)]


def read_dead_letters(sqs: Any, queue_url: str) -> pd.DataFrame:
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


def look_at_dead(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    return sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=LOOK_AT_DEAD_S,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])


def put_back(sqs: Any, queue_url: str, handles: list[str]) -> None:
    """Make received messages visible at once. What is visible already stays so."""
    for start in range(0, len(handles), 10):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(handles[start : start + 10])
        ]
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


class QueueWatch:
    """Looks at a queue again and again while a block of code runs.

    `with QueueWatch(sqs, url) as watch: …`, then `watch.frame()`. It looks every `every_s`
    seconds. The looking ends with the block, however it ends, or when the queue is deleted.
    Any other error while looking is raised at the end of the block; if the block itself
    raised, it is noted there. On AWS the counts are approximate and can lag by up to a
    minute.
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
        self._began_at = pd.Timestamp.now("UTC")
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> QueueWatch:
        self._began, self._began_at = time.monotonic(), pd.Timestamp.now("UTC")
        self._thread.start()
        return self

    def __exit__(self, _kind: Any, raised: BaseException | None, _trace: Any) -> None:
        self._done.set()
        self._thread.join()
        if self._error is not None and raised is None:
            raise self._error
        if self._error is not None:
            raised.add_note(f"Watching the queue failed too: {self._error}")

    def frame(self) -> pd.DataFrame:
        """Columns: `seconds` since the start, `visible`, `in_flight`, `delayed`, `dead`."""
        return pd.DataFrame(list(self._rows), columns=list(DEPTH_COLUMNS))

    def seconds(self, times: pd.Series) -> pd.Series:
        """Times of deliveries, such as `sent` or `ended`, in s since the start."""
        return (times - self._began_at).dt.total_seconds()

    def _look(self) -> None:
        try:
            while True:
                self._rows.append(self._one_look())
                if self._done.wait(self._every_s):
                    self._rows.append(self._one_look())
                    return
        except self._sqs.exceptions.QueueDoesNotExist:
            pass
        except Exception as error:  # noqa: BLE001 (it is raised where the watch ends)
            self._error = error

    def _one_look(self) -> tuple[float, int, int, int, int]:
        counts = queue_counts(self._sqs, self._queue_url)
        dead = sum(queue_counts(self._sqs, self._dlq_url).values()) if self._dlq_url else 0
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
