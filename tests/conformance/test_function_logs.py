"""What Lambda writes to CloudWatch Logs, in the Text and in the JSON format."""

from __future__ import annotations

import base64
import json
import re

from helpers import steps
from tests.conformance.kit import HEAD, Declared, poll

COUNTER = Declared("n = 0\n" + HEAD + "    print('said')\n")
PRINTS = Declared(
    HEAD + "    print('\\nmulti\\nline\\nstring\\nanother\\rline\\n')\n"
    "    print('no end', end='')\n"
)
LOGS = Declared(
    "import logging\nlogging.getLogger().setLevel('INFO')\n"
    + HEAD
    + "    logging.getLogger().info('x')\n    print('plain')\n"
)
BEFORE_AND_AFTER = Declared(HEAD + "    print('first words')\n")
JSON_SOURCE = (
    "import logging\n" + HEAD + "    logging.getLogger().debug('unheard')\n"
    "    logging.getLogger().info('heard', extra={'order': 7})\n    print('plain')\n"
    "    if event == 'fail':\n        raise ValueError('no')\n"
)
JSON = Declared(JSON_SOURCE, LoggingConfig={"LogFormat": "JSON"})
QUIET = Declared(
    JSON_SOURCE,
    LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"},
)

SLOW = Declared(
    "import time\n" + HEAD + "    time.sleep(5)\n",
    Timeout=1,
    LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"},
)
VERSIONS = Declared(HEAD + "    return 1\n")

UNKNOWN = {
    "G-14": "the names, fields and order of initStart, start and report are those of log lines "
    "that users of AWS show; levels, and the fields of a failed init, those of the Lambda "
    "Developer Guide; what makes up instanceId in a log group of AWS's own is not known",
    "LS-095": "only the configuration is recorded; the lines of the function itself are written by "
    "AWS's own runtime client, those of the platform follow the documentation (G-14)",
}
REPORT = (
    r"REPORT RequestId: [0-9a-f-]{36}\tDuration: \d+\.\d\d ms\tBilled Duration: (\d+) ms\t"
    r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\t"
)


def reports(aws, name: str, count: int) -> list[str]:
    return poll(
        lambda: [line for line in aws.log(name) if line.startswith("REPORT")],
        lambda lines: len(lines) == count,
        f"{count} reports",
    )


def json_lines(aws, name: str, kind: str) -> list[dict]:
    """The log of a function in JSON format, when it has a line of this kind."""

    def look() -> list[dict]:
        lines = [line for line in aws.log(name) if line.startswith("{")]
        return [json.loads(line) for line in lines]

    return poll(look, lambda seen: any(kind in str(line) for line in seen), f"a line of {kind}")


def test_LS_046_LS_050_a_cold_and_a_warm_invocation(aws) -> None:
    ids = [aws.invoke(COUNTER.name).request_id for _ in range(2)]
    cold, warm = reports(aws, COUNTER.name, 2)
    lines = aws.log(COUNTER.name)
    version = r"INIT_START Runtime Version: python:3\.13\.\S*v\d+"
    arn = rf"arn:aws:lambda:{aws.region}::runtime:[0-9a-f]{{64}}"
    assert re.fullmatch(rf"{version}\tRuntime Version ARN: {arn}\n", lines[0])
    assert lines[1:4] == [
        f"START RequestId: {ids[0]} Version: $LATEST\n",
        "said\n",
        f"END RequestId: {ids[0]}\n",
    ]
    assert lines[5:8] == [
        f"START RequestId: {ids[1]} Version: $LATEST\n",
        "said\n",
        f"END RequestId: {ids[1]}\n",
    ]
    assert re.fullmatch(REPORT + r"Init Duration: \d+\.\d\d ms\t\n", cold)
    assert re.fullmatch(REPORT + r"\n", warm)
    assert [line.split("\t")[0].split(": ")[1] for line in (cold, warm)] == ids
    events = aws.log_events(COUNTER.name)
    assert len({event["logStreamName"] for event in events}) == 1
    keys = {"logStreamName", "timestamp", "message", "ingestionTime", "eventId"}
    assert all(set(event) == keys for event in events)


def test_LS_046_billed_is_the_ceiling(aws) -> None:
    aws.invoke(COUNTER.name)
    for line in poll(
        lambda: [text for text in aws.log(COUNTER.name) if text.startswith("REPORT")],
        bool,
        "a report",
    ):
        fields = dict(field.split(": ") for field in line.split("\t") if ": " in field)
        total = float(fields["Duration"].split()[0])
        total += float(fields.get("Init Duration", "0 ms").split()[0])
        assert -0.02 < int(fields["Billed Duration"].split()[0]) - total < 1.02


def test_LS_047_each_printed_line_is_an_event(aws) -> None:
    aws.invoke(PRINTS.name)
    lines = aws.wait_lines(PRINTS.name, 5)
    assert lines[:4] == ["multi\n", "line\n", "string\n", "another\rline\n"]
    assert lines[4].rstrip("\n") == "no end"


def test_LS_049_the_logging_module(aws) -> None:
    request_id = aws.invoke(LOGS.name).request_id
    logged, printed = aws.wait_lines(LOGS.name, 2)
    time_format = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"\[INFO\]\t{time_format}\t{request_id}\tx\n", logged)
    assert printed == "plain\n"


def test_LS_049_the_version_in_the_start_line(aws) -> None:
    version = aws.lambda_.publish_version(FunctionName=VERSIONS.name)["Version"]
    answer = poll(
        lambda: aws.invoke(VERSIONS.name, Qualifier=version, LogType="Tail"),
        lambda answer: answer.error is None,
        "an answer of the version",
    )
    tail = base64.b64decode(answer.whole["LogResult"]).decode()
    assert (version, answer.whole["ExecutedVersion"]) == ("1", "1")
    assert tail.startswith(f"START RequestId: {answer.request_id} Version: 1\n")


def test_LS_095_G_14_json_lines(aws) -> None:
    request_id = aws.invoke(JSON.name).request_id
    lines = json_lines(aws, JSON.name, "platform.report")
    kinds = [line.get("type", line.get("message")) for line in lines]
    assert kinds == ["platform.initStart", "platform.start", "heard", "platform.report"]
    init, start, heard, report = lines
    assert all(list(line) == ["time", "type", "record"] for line in (init, start, report))
    assert list(init["record"].items())[:2] == [
        ("initializationType", "on-demand"),
        ("phase", "init"),
    ]
    assert list(init["record"].items())[4:6] == [
        ("functionName", JSON.name),
        ("functionVersion", "$LATEST"),
    ]
    assert list(init["record"])[2:4] == ["runtimeVersion", "runtimeVersionArn"]
    assert init["record"]["instanceMaxMemory"] == 128 * 2**20
    instance = rf"\d{{4}}/\d\d/\d\d/{JSON.name}\[\$LATEST\][0-9a-f]{{32}}"
    assert re.fullmatch(instance, init["record"]["instanceId"])
    assert list(start["record"].items()) == [
        ("requestId", request_id),
        ("functionArn", f"arn:aws:lambda:{aws.region}:{aws.account}:function:{JSON.name}"),
        ("version", "$LATEST"),
    ]
    assert list(report["record"]) == ["requestId", "metrics", "status"]
    assert (heard["level"], heard["order"], heard["requestId"]) == ("INFO", 7, request_id)
    assert report["record"]["requestId"] == request_id
    assert report["record"]["status"] == "success"
    assert set(report["record"]["metrics"]) == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"),
    }
    assert "plain\n" in aws.log(JSON.name)


def test_LS_095_an_exception_in_json(aws) -> None:
    request_id = aws.invoke(JSON.name, "fail").request_id
    [error] = [line for line in json_lines(aws, JSON.name, "errorType") if "errorType" in line]
    assert (error["level"], error["errorType"], error["errorMessage"]) == (
        "ERROR",
        "ValueError",
        "no",
    )
    assert error["requestId"] == request_id


def test_LS_095_levels_leave_out_what_is_below(aws) -> None:
    aws.invoke(QUIET.name)
    aws.invoke(QUIET.name, "fail")
    lines = json_lines(aws, QUIET.name, "errorType")
    assert [line.get("errorType", line.get("type")) for line in lines] == ["ValueError"]


def test_LS_095_G_14_a_failure_is_reported_at_the_level_WARN(aws) -> None:
    request_id = aws.invoke(SLOW.name).request_id
    [report] = json_lines(aws, SLOW.name, "platform.report")
    metrics = report["record"].pop("metrics")
    assert report["record"] == {"requestId": request_id, "status": "timeout"}
    assert (metrics["durationMs"], metrics["memorySizeMB"]) == (1000, 128)


def test_LS_095_a_log_group_of_ones_own(aws) -> None:
    group = f"/course/{JSON.made_name}"
    name = aws.function(HEAD + "    print('hello')\n", LoggingConfig={"LogGroup": group})
    aws.later(aws.logs.delete_log_group, logGroupName=group)
    aws.invoke(name)
    events = poll(lambda: aws.log_events(name, group), bool, "events in the group")
    assert "hello\n" in [event["message"] for event in events]
    pattern = rf"\d{{4}}/\d\d/\d\d/{name}\[\$LATEST\][0-9a-f]{{32}}"
    assert re.fullmatch(pattern, events[0]["logStreamName"])


def test_new_code_prints_new_words(aws) -> None:
    name = BEFORE_AND_AFTER.name
    aws.invoke(name)
    steps.deploy_handler(aws.lambda_, name, HEAD + "    print('other words')\n")
    aws.invoke(name)
    assert aws.wait_lines(name, 2) == ["first words\n", "other words\n"]
