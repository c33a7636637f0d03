"""Step 7: what the function wrote to CloudWatch Logs, as tables.

Line formats: "Working with Lambda function logs" in the Lambda Developer Guide. Log events
can arrive late on AWS, as a rule by seconds and at times by minutes; `wait_for_line` waits for one.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

import pandas as pd

from helpers.clients import Client
from helpers.waiting import wait_until

LINE_LIMIT_S = 180.0
REQUEST_ID = re.compile(r'(?:RequestId: |"requestId":")([0-9a-f-]{36})')
REPORT_NUMBERS = {
    "duration_ms": re.compile(r"\tDuration: ([\d.]+) ms"),
    "billed_ms": re.compile(r"\tBilled Duration: ([\d.]+) ms"),
    "memory_mb": re.compile(r"\tMemory Size: (\d+) MB"),
    "used_mb": re.compile(r"\tMax Memory Used: (\d+) MB"),
    "init_ms": re.compile(r"\tInit Duration: ([\d.]+) ms"),
}
JSON_PLATFORM_LINE = re.compile(r'\{"time":"[^"]+","type":"platform\.(\w+)"')
JSON_KINDS = {
    "initStart": "INIT_START",
    "start": "START",
    "report": "REPORT",
    "initReport": "INIT_REPORT",
}
JSON_NUMBERS = {
    "duration_ms": "durationMs",
    "billed_ms": "billedDurationMs",
    "memory_mb": "memorySizeMB",
    "used_mb": "maxMemoryUsedMB",
    "init_ms": "initDurationMs",
}
PLATFORM_LINE = re.compile(
    r"(START|END|REPORT) RequestId: |(INIT_START) Runtime Version: |(INIT_REPORT) Init Duration: "
)


class Report(TypedDict):
    """What a REPORT line tells: times in ms, memory in MB; None for what is not there.

    `status` is None when the function answered.
    """

    request_id: str
    duration_ms: float | None
    billed_ms: float | None
    memory_mb: float | None
    used_mb: float | None
    init_ms: float | None
    status: str | None


def log_group(function_name: str) -> str:
    """The log group that Lambda makes for a function."""
    return f"/aws/lambda/{function_name}"


def read_events(logs: Client, group: str, since_ms: int = 0) -> pd.DataFrame:
    """All events of a log group since a time in ms since the epoch, oldest first.

    Columns: `time` (UTC), `stream`, `kind` and `message`, without the newline at its end.
    `kind` is one of INIT_START, START, END, REPORT, INIT_REPORT and "" for what the function
    wrote itself. No rows when the log group is not there yet.
    """
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
    try:
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        events = []
    rows = [
        {
            "time": pd.Timestamp(event["timestamp"], unit="ms", tz="UTC"),
            "stream": event["logStreamName"],
            "kind": kind_of(event["message"]),
            "message": event["message"].rstrip("\n"),
        }
        for event in events
    ]
    frame = pd.DataFrame(rows, columns=["time", "stream", "kind", "message"])
    return frame.sort_values("time", kind="stable", ignore_index=True)


def kind_of(message: str) -> str:
    """Which line of the platform a message is; "" for the function's own."""
    found = PLATFORM_LINE.match(message)
    if found:
        return found[found.lastindex or 0]
    found = JSON_PLATFORM_LINE.match(message)
    return JSON_KINDS.get(found[1], "") if found else ""


def request_id_in(line: str) -> str:
    """The request id in a line of the platform. Raises ValueError when there is none."""
    found = REQUEST_ID.search(line)
    if found is None:
        raise ValueError(f"This line has no request id: {line!r}")
    return found[1]


def read_report(line: str) -> Report:
    """The fields of a REPORT line.

    The line may be in the Text or in the JSON format. Raises ValueError for any other line.
    """
    if line.startswith("{") and kind_of(line) == "REPORT":
        return read_json_report(json.loads(line)["record"])
    request_id = REQUEST_ID.search(line)
    if not line.startswith("REPORT ") or request_id is None:
        raise ValueError(f"This is no REPORT line: {line!r}")
    found = {name: pattern.search(line) for name, pattern in REPORT_NUMBERS.items()}
    numbers = {name: float(match[1]) if match else None for name, match in found.items()}
    status = re.search(r"\tStatus: (\w+)", line)
    return make_report(request_id[1], numbers, status[1] if status else None)


def read_json_report(record: dict[str, Any]) -> Report:
    metrics = record["metrics"]
    numbers = {
        name: float(metrics[key]) if key in metrics else None for name, key in JSON_NUMBERS.items()
    }
    status = record["status"] if record["status"] != "success" else None
    return make_report(record["requestId"], numbers, status)


def make_report(request_id: str, numbers: dict[str, float | None], status: str | None) -> Report:
    return Report(
        request_id=request_id,
        duration_ms=numbers["duration_ms"],
        billed_ms=numbers["billed_ms"],
        memory_mb=numbers["memory_mb"],
        used_mb=numbers["used_mb"],
        init_ms=numbers["init_ms"],
        status=status,
    )


def answered_ms(answer: dict[str, Any]) -> int:
    """When AWS answered a call, by AWS's clock: ms since the epoch, of the full second before.

    Log events have AWS's time too, while the clock of this computer may be some seconds off.
    """
    date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return int(date.timestamp() * 1000)


def wait_for_line(
    logs: Client, group: str, text: str, since_ms: int = 0, limit_s: float = LINE_LIMIT_S
) -> str:
    """The newest log message with `text` in it, waiting up to `limit_s` seconds for one.

    Only what was written at `since_ms` or later counts: `answered_ms` says when a message was
    sent. Raises TimeoutError when no such line comes.
    """

    def look() -> list[str]:
        messages = read_events(logs, group, since_ms)["message"]
        return [message for message in messages if text in message]

    return wait_until(look, bool, f"a line with {text!r} in {group}", limit_s)[-1]
