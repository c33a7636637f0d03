"""The fields that CloudWatch Logs Insights finds in a log event by itself.

Source: "Supported logs and discovered fields" in the CloudWatch Logs User Guide; that the
sizes of memory are in bytes, a MB being a million: its sample queries for Lambda.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from helpers.localaws.logs.query_values import Discovered, Row

MOST_JSON_FIELDS = 200
LAMBDA_GROUPS = "/aws/lambda/"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TYPED = re.compile(rf"(START|END|REPORT) RequestId: ({UUID})")
OWN_LINE = re.compile(rf"\t({UUID})\t")
NUMBERS = {  # as they stand in a REPORT line, and how much one is in ms or bytes
    "@duration": (re.compile(r"\tDuration: ([\d.]+) ms"), 1),
    "@billedDuration": (re.compile(r"\tBilled Duration: ([\d.]+) ms"), 1),
    "@initDuration": (re.compile(r"\tInit Duration: ([\d.]+) ms"), 1),
    "@memorySize": (re.compile(r"\tMemory Size: (\d+) MB"), 1_000_000),
    "@maxMemoryUsed": (re.compile(r"\tMax Memory Used: (\d+) MB"), 1_000_000),
}


def fields_in(group: str, message: str) -> Row:
    """The fields of a log event of this log group, by name."""
    typed = TYPED.match(message)
    if typed:
        return {"@type": typed[1], "@requestId": typed[2], **report_numbers(typed[1], message)}
    found: Row = {}
    is_lambda = group.startswith(LAMBDA_GROUPS)
    if is_lambda and (own := OWN_LINE.search(message)):
        found["@requestId"] = own[1]
    for name, value in itertools.islice(json_fields(message, is_lambda), MOST_JSON_FIELDS):
        found.setdefault(name, value)
    return found


def report_numbers(kind: str, message: str) -> Row:
    if kind != "REPORT":
        return {}
    seen = {name: (pattern.search(message), unit) for name, (pattern, unit) in NUMBERS.items()}
    return {name: Discovered(float(at[1]) * unit) for name, (at, unit) in seen.items() if at}


def json_fields(message: str, anywhere: bool) -> Iterator[tuple[str, Any]]:
    """The fields of a message in JSON; with `anywhere`, of the first object in JSON in it."""
    start = message.find("{")
    if start < 0 or (not anywhere and message[:start].strip()):
        return
    try:
        value, _ = json.JSONDecoder().raw_decode(message, start)
    except (ValueError, RecursionError):
        return
    for name, found in flat(value, ""):
        yield (f"@{name}" if name.startswith("@") else name), found


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What is in a value, with names that have a dot for each level."""
    if isinstance(value, list):
        value = {str(number): each for number, each in enumerate(value)}
    if isinstance(value, dict):
        for key, each in value.items():
            yield from flat(each, f"{name}.{key}" if name else key)
    elif value is not None:
        yield name, value
