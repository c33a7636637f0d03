"""Follow one message from sent to handled, by what every AWS account shows."""

from __future__ import annotations

import json
import time
from typing import Any

import pandas as pd

from helpers import steps
from helpers.clients import Client
from helpers.logs import LINE_LIMIT_S, answered_ms, log_group, read_events, request_id_in
from helpers.waiting import wait_until

ORDER_IN_A_CALL = ("START", "", "END", "REPORT")


def follow(
    sqs: Client, lambda_: Client, logs: Client, queue_url: str, function: str, body: dict[str, Any]
) -> pd.DataFrame:
    """Send a message and say when each thing happened to it.

    Columns: `step` and `ms`, milliseconds since the message was sent. Log events have AWS's
    time, and sending has that of this computer; how far the two are apart, a direct call of the
    function tells, to half of the milliseconds that the call takes. When a message is deleted
    no log says. The handler must print the body, and take an event without records. Raises
    TimeoutError when the log does not show the end of the call within 180 s.
    """
    ahead_ms = clock_ahead_ms(lambda_, logs, function)
    sent_ms = time.time() * 1000 + ahead_ms
    since_ms = answered_ms(steps.send_message(sqs, queue_url, body))
    call = wait_for_call(logs, function, json.dumps(body), since_ms)
    at = {kind: rows["time"].iloc[0] for kind, rows in call.groupby("kind")}
    started, ended = (at[kind].timestamp() * 1000 - sent_ms for kind in ("START", "END"))
    times = {"sent": 0.0, "handler starts": max(started, 0.0), "handled": max(ended, 0.0)}
    return pd.DataFrame({"step": list(times), "ms": list(times.values())})


def clock_ahead_ms(lambda_: Client, logs: Client, function: str) -> float:
    """How far AWS's clock is ahead of this computer's, in ms, by the shorter of two calls."""
    calls = []
    for _ in range(2):  # the first one may have to start an environment
        began_ms = time.time() * 1000
        answer = lambda_.invoke(FunctionName=function, Payload=b'{"Records": []}')
        took_ms = time.time() * 1000 - began_ms
        calls.append((took_ms, began_ms, answer))
    took_ms, began_ms, answer = min(calls, key=lambda each: each[0])
    request_id = answer["ResponseMetadata"]["RequestId"]
    call = wait_for_call(logs, function, request_id, answered_ms(answer) - round(took_ms) - 1000)
    return float(call["time"].iloc[0].timestamp() * 1000 - began_ms - took_ms / 2)


def wait_for_call(logs: Client, function: str, text: str, since_ms: int) -> pd.DataFrame:
    """The lines of the newest call with `text` in one of them, as soon as its REPORT is there."""
    return wait_until(
        lambda: lines_of_call(read_events(logs, log_group(function), since_ms), text),
        lambda found: "REPORT" in set(found["kind"]),
        f"the REPORT line of a call with {text!r} in its log",
        LINE_LIMIT_S,
    )


def lines_of_call(events: pd.DataFrame, text: str) -> pd.DataFrame:
    """The log events of the newest call with `text` in one of them, from START to REPORT.

    `events` is as `helpers.logs.read_events` returns it. No rows when there is no such line, or
    when its START line is not there. Lines of one millisecond may come from AWS in any order.
    """
    hits = events[events["message"].str.contains(text, regex=False)]
    if hits.empty:
        return hits
    stream = events[events["stream"] == hits["stream"].iloc[-1]]
    starts = stream.loc[: hits.index[-1]].query("kind == 'START'")
    if starts.empty:
        return starts
    request_id = request_id_in(starts["message"].iloc[-1])
    named = stream["message"].str.contains(request_id, regex=False)
    places = stream.index[named]
    printed = (stream["kind"] == "") & (stream.index > places[0]) & (stream.index < places[-1])
    call = stream[named | printed]
    place = call["kind"].map(ORDER_IN_A_CALL.index)
    return call.iloc[place.argsort(kind="stable")].reset_index(drop=True)
