"""CloudWatch Logs Insights: queries of the log groups of one account and region.

A query sees the log as it was when it started, and says for a moment that it runs, as AWS does.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import unix_time
from moto.logs.exceptions import (
    InvalidParameterException,
    LogsClientError,
    ResourceNotFoundException,
)

from helpers.localaws.logs import query_values
from helpers.localaws.logs.discovered_fields import fields_in
from helpers.localaws.logs.query_language import compile_query
from helpers.localaws.logs.query_parts import MOST_ROWS, Malformed, Result
from helpers.localaws.logs.query_values import Row, Time

SCHEDULED_S, RUNS_S = 0.05, 0.2  # after the start; on AWS it is a second and more
MOST_KEPT, MOST_ROWS_KEPT = 100, 100_000  # queries, and rows of all; AWS keeps them seven days
MOST_GROUPS = 50
MOST_CHARACTERS = 10_000
LEAST_MS = 100_000_000_000  # a time that is larger is in ms, not in s
POINTER, PART = "@ptr", "\n"


class MalformedQuery(LogsClientError):
    """MalformedQueryException, with the place in the query string."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__("MalformedQueryException", message)
        place = {"startCharOffset": start, "endCharOffset": end}
        details = {"location": place, "message": message}
        self.description = json.dumps(
            {"__type": self.error_type, "message": message, "queryCompileError": details}
        )


@dataclass(slots=True)
class Started:
    """A query that was started, and what came of it."""

    text: str
    groups: list[str]
    result: Result
    records: int
    size: int
    started: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    stopped: bool = False


class Insights:
    """The queries of one account and region. `groups` are moto's log groups by name.

    `clock` gives the seconds by which a query runs.
    """

    def __init__(
        self, account: str, groups: dict[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._groups = groups
        self._clock = clock
        self._lock = threading.Lock()
        self._queries: dict[str, Started] = {}

    def start(self, names: list[str], text: str, begin: int, end: int, limit: int | None) -> str:
        """Start a query of these log groups from `begin` to `end`, in s, and return its id."""
        self._check(names, text, begin, end, limit)
        begin_ms, end_ms = in_ms(begin), in_ms(end)
        try:
            query = compile_query(text)
            rows, size = self._read(names, begin_ms, end_ms)
            result = query.run(rows, limit or MOST_ROWS)
        except Malformed as error:
            raise MalformedQuery(str(error), error.start, error.end) from None
        made = Started(text, names, result, len(rows), size, self._clock())
        with self._lock:
            self._queries[made.id] = made
            self._forget_oldest()
        return made.id

    def _forget_oldest(self) -> None:
        kept = sum(len(each.result.rows) for each in self._queries.values())
        while len(self._queries) > MOST_KEPT or (kept > MOST_ROWS_KEPT and len(self._queries) > 1):
            oldest = next(iter(self._queries))
            kept -= len(self._queries.pop(oldest).result.rows)

    def _check(self, names: list[str], text: str, begin: int, end: int, limit: int | None) -> None:
        wrong_limit = limit is not None and not 1 <= limit <= MOST_ROWS
        if not 1 <= len(names) <= MOST_GROUPS or wrong_limit or begin > end:
            raise InvalidParameterException()
        if len(text) > MOST_CHARACTERS:
            raise InvalidParameterException()
        for name in names:
            if name not in self._groups:
                raise ResourceNotFoundException(
                    f"Log group '{name}' does not exist for account ID '{self._account}'"
                )
        created = min(unix_time(self._groups[name].creation_time) for name in names)
        if in_ms(end) // 1000 < int(created):
            raise MalformedQuery(
                "Query's end date and time is either before the log groups creation time or "
                f"exceeds the log groups log retention settings ([0,{len(text)}])",
                0,
                len(text),
            )

    def _read(self, names: list[str], begin_ms: int, end_ms: int) -> tuple[list[Row], int]:
        """The events of these groups within this time as rows, and their size in bytes."""
        rows: list[Row] = []
        size = 0
        for name in names:
            for stream in self._groups[name].streams.values():
                for event in list(stream.events):
                    if begin_ms <= event.timestamp <= end_ms:
                        rows.append(self._row(name, stream.log_stream_name, event))
                        size += len(event.message.encode())
        return rows, size

    def _row(self, group: str, stream: str, event: Any) -> Row:
        return {
            **fields_in(group, event.message),
            "@timestamp": Time(event.timestamp),
            "@message": event.message,
            "@logStream": stream,
            "@log": f"{self._account}:{group}",
            "@ingestionTime": Time(event.ingestion_time),
            POINTER: f"{group}{PART}{stream}{PART}{event.event_id}",  # encoded when it is shown
        }

    def _status(self, query: Started) -> str:
        if query.stopped:
            return "Cancelled"
        after_s = self._clock() - query.started
        if after_s < SCHEDULED_S:
            return "Scheduled"
        return "Running" if after_s < RUNS_S else "Complete"

    def _find(self, query_id: str) -> Started:
        if query_id not in self._queries:
            raise ResourceNotFoundException(f"Query {query_id} does not exist.")
        return self._queries[query_id]

    def results(self, query_id: str) -> dict[str, Any]:
        """GetQueryResults' answer."""
        query = self._find(query_id)
        status = self._status(query)
        done = status == "Complete"
        counts = {
            "recordsMatched": query.result.matched,
            "recordsScanned": query.records,
            "bytesScanned": query.size,
            "logGroupsScanned": len(query.groups),
            "resultCount": len(query.result.rows),
            "estimatedRecordsSkipped": 0,
            "estimatedBytesSkipped": 0,
        }
        return {
            "queryLanguage": "CWLI",
            "results": shown(query.result) if done else [],
            "statistics": {name: float(count if done else 0) for name, count in counts.items()},
            "status": status,
        }

    def stop(self, query_id: str) -> bool:
        """Cancel a query that has not ended; whether that was done."""
        query = self._find(query_id)
        if self._status(query) not in ("Scheduled", "Running"):
            raise InvalidParameterException("Query is not in a cancellable state")
        query.stopped = True
        return True

    def describe(self, group: str | None, status: str | None, most: int) -> list[dict[str, Any]]:
        """DescribeQueries' list, newest first."""
        found = [
            {
                "queryLanguage": "CWLI",
                "queryId": query.id,
                "queryString": query.text,
                "status": self._status(query),
                "createTime": query.created_ms,
                "logGroupName": query.groups[0],
            }
            for query in reversed(list(self._queries.values()))
            if group is None or group in query.groups
        ]
        return [each for each in found if status is None or each["status"] == status][:most]

    def record(self, pointer: str) -> dict[str, str]:
        """GetLogRecord's fields of the event that a row's @ptr points at."""
        try:
            place = base64.b64decode(pointer, validate=True).decode()
            group, stream, event_id = place.split(PART)
            events: Iterable[Any] = self._groups[group].streams[stream].events
            event = next(each for each in events if str(each.event_id) == event_id)
        except (ValueError, StopIteration):
            raise InvalidParameterException() from None
        row = self._row(group, stream, event)
        return {name: raw(value) for name, value in row.items() if name != POINTER}


def raw(value: query_values.Value) -> str:
    """As GetLogRecord gives it: times are numbers."""
    return str(int(value)) if isinstance(value, Time) else query_values.text(value)


def in_ms(given: int) -> int:
    return given if given >= LEAST_MS else given * 1000


def shown(result: Result) -> list[list[dict[str, str]]]:
    """The rows as GetQueryResults has them. A field that a row lacks is left out."""
    names = [*result.shown, *(each for each in result.extracted if each not in result.shown)]
    if not result.shown and not result.aggregated:
        names = ["@timestamp", "@message", *result.extracted]
    if not result.aggregated:
        names.append(POINTER)
    return [
        [{"field": name, "value": as_shown(name, row[name])} for name in names if name in row]
        for row in result.rows
    ]


def as_shown(name: str, value: query_values.Value) -> str:
    text = query_values.text(value)
    return base64.b64encode(text.encode()).decode() if name == POINTER else text
