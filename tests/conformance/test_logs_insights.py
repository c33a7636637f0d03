"""CloudWatch Logs Insights: queries of a log group, and how wrong ones are refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.kit import poll, refusal, unique

DIFFERS = {
    "LI-003": "a command or function that the local AWS lacks is refused like a wrong one, and the "
    "sentence says that AWS has it; docs/local_aws.md lists what there is",
}
UNKNOWN = {
    "LI-002": "the number of decimals; which value is the percentile of few; whether a field that "
    "is missing is != a value (here it is not)",
    "LI-003": "whether positions count from 0, as here; the words for a wrong regular expression",
}
ENDED = ("Complete", "Failed", "Cancelled", "Timeout")
LINES = ["order=1 took=30", "order=2 took=70 ERROR", '{"order": {"id": 3}, "took": 50}']


@pytest.fixture(scope="module")
def group(aws) -> str:
    """A log group whose events are LINES, 60 s after one another, the last of them now."""
    name = unique("/course/insights")
    aws.logs.create_log_group(logGroupName=name)
    aws.later(aws.logs.delete_log_group, logGroupName=name)
    aws.logs.create_log_stream(logGroupName=name, logStreamName="s")
    now = int(time.time() * 1000)
    events = [
        {"timestamp": now - 60_000 * (len(LINES) - 1 - number), "message": line}
        for number, line in enumerate(LINES)
    ]
    aws.logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    poll(lambda: len(ask(aws, name, "limit 9")["results"]), lambda n: n == len(LINES), "the lines")
    return name


def start(aws: Any, group: str, text: str, **more: Any) -> str:
    now = int(time.time())
    given = {"logGroupName": group, "startTime": now - 600, "endTime": now + 60, **more}
    return aws.logs.start_query(queryString=text, **given)["queryId"]


def ask(aws: Any, group: str, text: str) -> dict[str, Any]:
    """What GetQueryResults answers when the query has ended."""
    query_id = start(aws, group, text)
    return poll(
        lambda: aws.logs.get_query_results(queryId=query_id),
        lambda seen: seen["status"] in ENDED,
        "the query's end",
    )


def rows(aws: Any, group: str, text: str) -> list[dict[str, str]]:
    found = ask(aws, group, text)["results"]
    return [{each["field"]: each["value"] for each in row} for row in found]


def test_LI_001_a_query_runs_and_is_complete(aws, group):
    answer = ask(aws, group, "fields @message | sort @timestamp asc | limit 2")
    assert answer["status"] == "Complete"
    fields = [[each["field"] for each in row] for row in answer["results"]]
    assert fields == [["@message", "@ptr"]] * 2
    assert [row[0]["value"] for row in answer["results"]] == LINES[:2]
    counts = answer["statistics"]
    assert (counts["recordsMatched"], counts["recordsScanned"]) == (3.0, 3.0)
    pointer = answer["results"][1][1]["value"]
    record = aws.logs.get_log_record(logRecordPointer=pointer)["logRecord"]
    assert (record["@message"], record["@logStream"]) == (LINES[1], "s")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("filter @message like /ERR.R/ | stats count(*) as errors", [{"errors": "1"}]),
        ("filter order.id = 3 | display order.id, took", [{"order.id": "3", "took": "50"}]),
        (
            'parse @message "order=* took=*" as number, ms | filter ispresent(ms) | '
            "stats count(*) as lines by number | sort number desc",
            [{"number": "2", "lines": "1"}, {"number": "1", "lines": "1"}],
        ),
        (
            "filter ispresent(took) | stats min(took) as least, max(took) as most, "
            "sum(took) as all",
            [{"least": "50", "most": "50", "all": "50"}],
        ),
        ('filter @message like "nothing" | stats count(*)', []),
        ("stats count(*) as lines by bin(1h) | stats sum(lines) as all", [{"all": "3"}]),
    ],
)
def test_LI_002_what_queries_find(aws, group, text, found):
    seen = [
        {name: value for name, value in row.items() if name != "@ptr"}
        for row in rows(aws, group, text)
    ]
    assert seen == found


@pytest.mark.parametrize(
    ("text", "symbol", "position"),
    [
        ("nonsense", "nonsense", 0),
        ("filter @message like /x/i", "i", 24),
        ("stats count(*) by bin(1m) | sort bin(1m) asc", "(", 36),
        ("sort @timestamp asc | dedup @message | sort @message", "sort", 39),
    ],
)
def test_LI_003_a_query_is_refused_at_the_symbol(aws, group, text, symbol, position):
    with pytest.raises(ClientError) as caught:
        start(aws, group, text)
    error = caught.value.response
    message = f"unexpected symbol found {symbol} at line 1 and position {position}"
    assert (error["Error"]["Code"], error["Error"]["Message"]) == (
        "MalformedQueryException",
        message,
    )
    assert "startCharOffset" in error["queryCompileError"]["location"]


@pytest.mark.parametrize("listed", ["fields number", "stats count(*) as number"])
def test_LI_003_a_field_is_defined_once(aws, group, listed):
    text = f'parse @message "order=* " as number | {listed}'
    with pytest.raises(ClientError, match="Ephemeral field is already defined"):
        start(aws, group, text)


def test_LI_004_log_groups_that_are_not_there(aws, group):
    missing, now = unique("/course/gone"), int(time.time())
    given = {"startTime": now - 60, "endTime": now, "queryString": "limit 1"}
    refused = refusal(aws.logs.start_query, logGroupNames=[group, missing], **given)
    sentence = f"Log group '{missing}' does not exist for account ID '{aws.account}'"
    assert refused[:2] == (400, "ResourceNotFoundException")
    assert refused[2].startswith(sentence)
    old = {**given, "startTime": now - 9_000_000, "endTime": now - 8_000_000}
    refused = refusal(aws.logs.start_query, logGroupName=group, **old)
    assert refused[:2] == (400, "MalformedQueryException")
    assert "before the log groups creation time" in refused[2]


def test_LI_005_queries_are_listed_and_stopped(aws, group):
    query_id = start(aws, group, "limit 1")
    listed = aws.logs.describe_queries(logGroupName=group)["queries"]
    assert query_id in [each["queryId"] for each in listed]
    ended = "Cancelled"
    try:
        assert aws.logs.stop_query(queryId=query_id)["success"] is True
    except aws.logs.exceptions.InvalidParameterException:
        ended = "Complete"  # it was faster
    assert aws.logs.get_query_results(queryId=query_id)["status"] == ended
    code = refusal(aws.logs.get_query_results, queryId=unique("nothing"))[1]
    assert code == "ResourceNotFoundException"
