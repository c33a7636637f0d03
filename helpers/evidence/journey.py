"""Follow one message from sent to deleted, by what every AWS account shows."""

from __future__ import annotations

import json
import time
from typing import Any

import pandas as pd

from helpers import steps
from helpers.clients import Client
from helpers.logs import read_events, request_id_in
from helpers.waiting import wait_until


def follow(
    sqs: Client, logs: Client, queue_url: str, group: str, body: dict[str, Any]
) -> pd.DataFrame:
    """Send a message and say when each thing happened to it.

    Columns: `step` and `ms`, milliseconds since the message was sent. The log events give
    the start and end of the handler, to the millisecond; that the queue is empty is seen by
    asking, every 20 ms here. The handler must print the body, and nothing else may use the
    queue meanwhile. Raises TimeoutError when the message does not get through in 60 s.
    """
    sent_ms = time.time() * 1000
    steps.send_message(sqs, queue_url, body)
    wait_until(
        lambda: steps.queue_counts(sqs, queue_url),
        lambda counts: not any(counts.values()),
        "the queue to be empty",
        every_s=0.02,
    )
    gone_ms = time.time() * 1000
    printed = json.dumps(body)
    events = wait_until(
        lambda: invocation_of(read_events(logs, group, int(sent_ms)), printed),
        lambda found: "REPORT" in set(found["kind"]),
        "the REPORT line",
    )
    at = {kind: rows["time"].iloc[0] for kind, rows in events.groupby("kind")}
    started, ended = (at[kind].timestamp() * 1000 - sent_ms for kind in ("START", "END"))
    times = {
        "sent": 0.0,
        "handler starts": max(started, 0.0),
        "handler ends": max(ended, 0.0),
        "deleted": max(gone_ms - sent_ms, ended),
    }
    return pd.DataFrame({"step": list(times), "ms": list(times.values())})


def invocation_of(events: pd.DataFrame, text: str) -> pd.DataFrame:
    """The log events of the invocation that printed `text`, up to its REPORT line."""
    hits = events.index[events["message"].str.contains(text, regex=False)]
    if not len(hits):
        return events.iloc[:0]
    same_stream = events[events["stream"] == events.loc[hits[-1], "stream"]]
    before = same_stream[(same_stream["kind"] == "START") & (same_stream.index <= hits[-1])]
    request_id = request_id_in(before["message"].iloc[-1])
    return same_stream[same_stream["message"].str.contains(request_id, regex=False)]
