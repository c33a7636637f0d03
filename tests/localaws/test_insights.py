"""Logs Insights: what a query makes of a log, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.logs.exceptions import LogsClientError

from helpers.localaws.logs import insights
from helpers.localaws.logs.discovered_fields import fields_in
from helpers.localaws.logs.query_language import GRAMMAR, compile_query
from helpers.localaws.logs.query_parts import AGGREGATES, FUNCTIONS, Malformed

ROOT = Path(__file__).resolve().parents[2]
GROUP, OTHER = "/aws/lambda/shop", "own"
REQUEST = "12345678-1234-1234-1234-123456789012"
T0 = 1796019720000  # 2026-11-30 06:22:00
START = f"START RequestId: {REQUEST} Version: 1\n"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 3.17 ms\tBilled Duration: 104 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 100.10 ms\t\n"
)
SECOND = REPORT.replace("3.17", "41.5").replace("\tInit Duration: 100.10 ms", "")
ERROR = f'[ERROR]\t2026-11-30T06:22:30.000Z\t{REQUEST}\tdead {{"order": {{"id": 7, "paid": true}}}}'
PLAIN = "user=anna, method:PUT, latency := 12"
MESSAGES = [START, ERROR, REPORT, PLAIN, SECOND]  # 20 s after one another


class Log:
    """A log group of MESSAGES, an empty one, and a clock that stands."""

    def __init__(self, messages: list[str] = MESSAGES) -> None:
        self.now = 0.0
        events = [
            SimpleNamespace(timestamp=T0 + n * 20_000, ingestion_time=T0, message=text, event_id=n)
            for n, text in enumerate(messages)
        ]
        self.stream = SimpleNamespace(events=events, log_stream_name="s")
        made = datetime(2026, 11, 30)
        groups = {
            GROUP: SimpleNamespace(creation_time=made, streams={"s": self.stream}),
            OTHER: SimpleNamespace(creation_time=made, streams={}),
        }
        self.insights = insights.Insights("123456789012", groups, lambda: self.now)

    def start(self, text: str, names: Any = (GROUP,), **given: Any) -> str:
        times = {"begin": T0 // 1000, "end": T0 // 1000 + 3600, "limit": None, **given}
        return self.insights.start(list(names), text, **times)

    def answer(self, text: str, **given: Any) -> dict[str, Any]:
        query_id = self.start(text, **given)
        self.now += 1
        return self.insights.results(query_id)

    def rows(self, text: str, **given: Any) -> list[dict[str, str]]:
        return [
            {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
            for row in self.answer(text, **given)["results"]
        ]

    def messages(self, condition: str) -> list[str]:
        return [row["@message"] for row in self.rows(f"filter {condition} | sort @timestamp asc")]


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('@type = "REPORT"', [REPORT, SECOND]),
        ("@type = 'START'", [START]),
        ('@type != "REPORT"', [START]),
        ("@duration > 3.17", [SECOND]),
        ("@duration >= 3.17", [REPORT, SECOND]),
        ("@duration < 41.5", [REPORT]),
        ("@duration <= 41.5", [REPORT, SECOND]),
        ("@billedDuration = 104 and @duration * 2 > 10", [SECOND]),
        ("ispresent(@initDuration)", [REPORT]),
        ("not ispresent(@type)", [ERROR, PLAIN]),
        ('@type in ["START", "END"] or @duration > 40', [START, SECOND]),
        ('@type not in ["REPORT"]', [START, ERROR, PLAIN]),
        ('not (@type = "REPORT" or @type = "START") and @message like "anna"', [PLAIN]),
        ('@message like "method:PUT"', [PLAIN]),
        ("@message like /^user=\\w+/", [PLAIN]),
        ("@message =~ /(?i)error/", [ERROR]),
        ("@message not like /RequestId/", [ERROR, PLAIN]),
        ("order.id = 7", [ERROR]),
        ('order.id = "7"', [ERROR]),
        ("order.paid = 1", [ERROR]),
        ('strlen(coalesce(@type, "")) = 5', [START]),
        ('tolower(@type) = "report" and toupper(concat(@type, "!")) = "REPORT!"', [REPORT, SECOND]),
        ("floor(@duration) = 3 or ceil(@duration) = 42", [REPORT, SECOND]),
        ("abs(3 - @duration) < 1", [REPORT]),
        ("-@duration < -40", [SECOND]),
        ("@duration % 2 = 1.5", [SECOND]),
        ("@timestamp > 1796019780000", [SECOND]),
    ],
)
def test_a_filter_keeps(log, condition: str, found: list[str]) -> None:
    assert log.messages(condition) == found


REQUESTS = 'filter @type = "REPORT" | '


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("fields @timestamp | limit 1", [{"@timestamp": "2026-11-30 06:23:20.000"}]),
        (
            REQUESTS + "sort @duration asc | limit 1 # the fastest\n"
            "| fields @memorySize, @billedDuration, @duration / 2 as half, @initDuration",
            [
                {
                    "@memorySize": "1.28E8",
                    "@billedDuration": "104.0",
                    "half": "1.585",
                    "@initDuration": "100.1",
                }
            ],
        ),
        (
            REQUESTS + "stats count(*) as n, sum(@duration) as s, avg(@duration), min(@duration), "
            "max(@duration), pct(@duration, 50) as p50, pct(@duration, 99) as p99, "
            "count(@initDuration) as cold, count_distinct(@requestId) as d, n - cold as warm, "
            "max(@memorySize / 1000 / 1000) as mb",
            [
                {
                    **{"n": "2", "s": "44.67", "avg(@duration)": "22.335"},
                    **{"min(@duration)": "3.17", "max(@duration)": "41.5"},
                    **{"p50": "3.17", "p99": "41.5", "cold": "1", "d": "1", "warm": "1"},
                    "mb": "128",
                }
            ],
        ),
        (
            "stats count(*) as n by bin(1m) as minute, @type | sort minute asc, n desc, @type asc",
            [
                {"minute": "2026-11-30 06:22:00.000", "n": "1"},
                {"minute": "2026-11-30 06:22:00.000", "@type": "REPORT", "n": "1"},
                {"minute": "2026-11-30 06:22:00.000", "@type": "START", "n": "1"},
                {"minute": "2026-11-30 06:23:00.000", "n": "1"},
                {"minute": "2026-11-30 06:23:00.000", "@type": "REPORT", "n": "1"},
            ],
        ),
        (
            "stats count() by bin(1m) | sort by `bin(1m)`",
            [
                {"bin(1m)": "2026-11-30 06:22:00.000", "count()": "3"},
                {"bin(1m)": "2026-11-30 06:23:00.000", "count()": "2"},
            ],
        ),
        ("stats count(*) as n by bin(1m) | stats max(n) as most", [{"most": "3"}]),
        ('filter @message = "nothing" | stats count(*)', []),
        (
            'parse @message "user=*, method:*, latency := *" as u, m, l '
            "| filter l > 5 | display u, l",
            [{"u": "anna", "l": "12"}],
        ),
        (
            "parse @message /method:(?<how>[A-Z]+)/ | filter ispresent(how)",
            [{"@timestamp": "2026-11-30 06:23:00.000", "@message": PLAIN, "how": "PUT"}],
        ),
        (
            REQUESTS + "dedup @type | limit 5",
            [{"@timestamp": "2026-11-30 06:23:20.000", "@message": SECOND}],
        ),
        (
            "FILTER @type LIKE 'START' OR 1 = 2 | DISPLAY @log, @logStream",
            [{"@log": f"123456789012:{GROUP}", "@logStream": "s"}],
        ),
        (
            "filter order.id = 7 | display order.id, order.paid, @requestId",
            [{"order.id": "7", "order.paid": "1", "@requestId": REQUEST}],
        ),
        ("stats max(@timestamp) as last", [{"last": str(T0 + 80_000)}]),
    ],
)
def test_a_query_shows(log, query: str, rows: list[dict[str, str]]) -> None:
    assert log.rows(query) == rows


@pytest.mark.parametrize(
    ("query", "symbol", "position"),
    [
        ("pattern @message", "pattern", 0),
        ("filter @message like /x/i", "i", 24),
        ("fields @timestamp | sort bin(1m) asc", "(", 28),
        ("fields @message | count", "count", 18),
        ("fields @message |", "<EOF>", 17),
        ("", "<EOF>", 0),
        ("fields strcontains(@message, 'a')", "strcontains", 7),
        ("filter count(*) > 2", "count", 7),
        ("stats pct(@duration, 101)", "101", 21),
        ("stats sum(*)", "sum", 6),
        ("stats count(*) by bin(0m)", "0m", 22),
        ("stats count(*) by bin(@timestamp)", "bin", 18),
        ("filter @type ~ 'x'", "~", 13),
        ("filter @type = 'x", "'", 15),
        ("limit 10001", "10001", 6),
        ("limit 0", "0", 6),
        ("dedup @type | sort @type", "sort", 14),
        ("stats count(*) | stats count(*) | stats count(*)", "stats", 34),
    ],
)
def test_a_query_is_refused_at_the_symbol(query: str, symbol: str, position: int) -> None:
    with pytest.raises(Malformed) as caught:
        compile_query(query)
    note = f" (AWS has {symbol}, the local AWS has not)"
    said = f"unexpected symbol found {symbol} at line 1 and position {position}"
    assert str(caught.value).removesuffix(note) == said
    assert query[caught.value.start : caught.value.end] == symbol.replace("<EOF>", "")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "fields @message\n| stats\n  nope",
            "unexpected symbol found nope at line 3 and position 2",
        ),
        (
            "stats stddev(@duration)",
            "unexpected symbol found stddev at line 1 and position 6 "
            "(AWS has stddev, the local AWS has not)",
        ),
        ("parse @message '*-*' as a", "parse extracts 2 fields, and 1 are named"),
        (
            "filter @message like /(/",
            "invalid regular expression: missing ), unterminated subpattern at position 0",
        ),
        ("parse @message /u=(?<u>.)/ | fields u", "Ephemeral field is already defined: u"),
        ("fields 1 as a | fields 2 as a", "Ephemeral field is already defined: a"),
        ("filter " + "not " * 3000 + "1", "the query is nested too deeply"),
    ],
)
def test_a_query_is_refused_with(query: str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        compile_query(query)
    assert str(caught.value) == message


@given(st.text(alphabet='fieldsatr @.,|()"/*`#\n0123=<>minby', max_size=60))
def test_a_query_is_understood_or_refused(text: str) -> None:
    try:
        assert compile_query(text).commands
    except Malformed as error:
        place = (error.start, error.end)
    else:
        place = (0, 0)
    assert 0 <= place[0] <= place[1] <= len(text)


def refused(log: Log, *given: Any, **named: Any) -> dict[str, Any]:
    with pytest.raises(LogsClientError) as caught:
        log.start(*given, **named)
    return json.loads(caught.value.description)


def test_a_field_that_is_discovered_is_not_defined_anew(log) -> None:
    error = refused(log, "stats count(*) as order.id")
    assert error["__type"] == "MalformedQueryException"
    assert error["message"] == "Ephemeral field is already defined: order.id"
    place = error["queryCompileError"]["location"]
    assert (place["startCharOffset"], place["endCharOffset"]) == (0, 26)


@pytest.mark.parametrize(
    ("named", "kind", "message"),
    [
        (
            {"names": ["gone"]},
            "ResourceNotFoundException",
            "Log group 'gone' does not exist for account ID '123456789012'",
        ),
        (
            {"begin": 0, "end": 60},
            "MalformedQueryException",
            "Query's end date and time is either before the log groups creation time or "
            "exceeds the log groups log retention settings ([0,7])",
        ),
        ({"names": []}, "InvalidParameterException", "A parameter is specified incorrectly."),
        (
            {"begin": T0 // 1000 + 1, "end": T0 // 1000},
            "InvalidParameterException",
            "A parameter is specified incorrectly.",
        ),
        ({"limit": 0}, "InvalidParameterException", "A parameter is specified incorrectly."),
        ({"limit": 10_001}, "InvalidParameterException", "A parameter is specified incorrectly."),
    ],
)
def test_a_start_is_refused(log, named: dict[str, Any], kind: str, message: str) -> None:
    error = refused(log, "limit 1", **named)
    assert (error["__type"], error["message"]) == (kind, message)


def test_the_time_range_includes_both_ends_in_s_or_ms(log) -> None:
    seconds = {"begin": T0 // 1000 + 20, "end": T0 // 1000 + 40}
    for times in (seconds, {name: each * 1000 for name, each in seconds.items()}):
        assert [row["@message"] for row in log.rows("limit 9", **times)] == [REPORT, ERROR]


def test_statistics_count_what_was_read_and_what_matched(log) -> None:
    answer = log.answer("filter @type = 'REPORT' | limit 1", names=(GROUP, OTHER))
    assert answer["statistics"] == {
        "recordsMatched": 2.0,
        "recordsScanned": 5.0,
        "bytesScanned": float(len("".join(MESSAGES).encode())),
        "logGroupsScanned": 2.0,
        "resultCount": 1.0,
        "estimatedRecordsSkipped": 0.0,
        "estimatedBytesSkipped": 0.0,
    }
    assert len(answer["results"]) == 1


def test_the_callers_limit_holds_beside_the_querys(log) -> None:
    assert len(log.rows("limit 3", limit=2)) == 2
    assert len(log.rows("limit 1", limit=2)) == 1


def test_a_query_is_scheduled_runs_and_is_complete() -> None:
    log = Log()
    query_id = log.start("limit 2")
    seen = []
    for now in (0.0, insights.SCHEDULED_S, insights.RUNS_S):
        log.now = now
        answer = log.insights.results(query_id)
        seen.append((answer["status"], len(answer["results"])))
    assert seen == [("Scheduled", 0), ("Running", 0), ("Complete", 2)]


def test_a_query_sees_the_log_as_it_was_when_it_started() -> None:
    log = Log()
    query_id = log.start("stats count(*) as n")
    log.stream.events.clear()
    log.now = 1.0
    assert log.insights.results(query_id)["results"] == [[{"field": "n", "value": "5"}]]


def test_a_query_that_runs_is_stopped_once() -> None:
    log = Log()
    query_id = log.start("limit 2")
    assert log.insights.stop(query_id) is True
    assert log.insights.results(query_id)["status"] == "Cancelled"
    with pytest.raises(LogsClientError, match="cancellable"):
        log.insights.stop(query_id)


def test_queries_are_listed_newest_first_and_the_oldest_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(insights, "MOST_KEPT", 2)
    log = Log()
    first, *rest = [log.start("limit 1"), log.start("limit 2"), log.start("limit 3", (OTHER,))]
    log.now = 1.0
    listed = log.insights.describe(None, None, 9)
    assert [each["queryId"] for each in listed] == list(reversed(rest))
    assert [each["queryString"] for each in log.insights.describe(OTHER, "Complete", 9)] == [
        "limit 3"
    ]
    assert log.insights.describe(None, "Running", 9) == []
    with pytest.raises(LogsClientError, match="does not exist"):
        log.insights.results(first)


def test_a_pointer_leads_to_the_record(log) -> None:
    (row,) = log.answer("filter order.id = 7")["results"]
    pointer = row[-1]["value"]
    record = log.insights.record(pointer)
    assert (record["@message"], record["@timestamp"]) == (ERROR, str(T0 + 20_000))
    for wrong in ("nothing", "", pointer[:-8]):
        with pytest.raises(LogsClientError):
            log.insights.record(wrong)


@pytest.mark.parametrize(
    ("group", "message", "fields"),
    [
        ("g", '{"a": {"b": [1, {"c": "x"}]}, "n": null}', {"a.b.0": 1, "a.b.1.c": "x"}),
        ("g", 'text {"a": 1}', {}),
        (GROUP, 'text {"a": 1} {"b": 2}', {"a": 1}),
        ("g", '{"@a": 1}', {"@@a": 1}),
        ("g", '{"a": ', {}),
        ("g", "{" * 5000, {}),
        ("g", json.dumps({f"f{n}": n for n in range(300)}), {f"f{n}": n for n in range(200)}),
        (GROUP, f"END RequestId: {REQUEST}\n", {"@type": "END", "@requestId": REQUEST}),
    ],
)
def test_fields_are_discovered(group: str, message: str, fields: dict[str, Any]) -> None:
    assert fields_in(group, message) == fields


def test_the_documentation_names_every_command_and_function() -> None:
    documented = (ROOT / "docs" / "local_aws.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(\w+): \"\1\"i", GRAMMAR, re.MULTILINE)
    assert len(commands) == 8
    names = [*commands, *FUNCTIONS, *AGGREGATES, "count", "pct", "bin"]
    assert [name for name in names if f"`{name}`" not in documented] == []
