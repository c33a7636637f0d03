"""Evidence: from log lines and counts to the story of each message."""

from __future__ import annotations

import json
import random
import threading
import time
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from helpers import evidence
from helpers.evidence import invocation_log
from helpers.evidence.delivery_table import DELIVERY_COLUMNS
from helpers.evidence.fate_table import FATE_COLUMNS
from helpers.evidence.missing_lines import gaps
from helpers.evidence.queue_watch import DEPTH_COLUMNS, QueueWatch
from helpers.logs import kind_of, log_group, read_events
from tests.conformance import kit
from tests.conformance.kit import Declared, poll
from tests.test_project import HELPERS, imports

SENT_MS = 1_790_000_000_000
STREAM, OTHER = "2026/09/21/[$LATEST]aa", "2026/09/21/[$LATEST]bb"
INIT = "INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: arn:aws:lambda:x\n"


def at(ms: float) -> pd.Timestamp:
    """The time so many ms after the first message was sent."""
    return pd.Timestamp(SENT_MS + ms, unit="ms", tz="UTC")


def request(number: int) -> str:
    return f"{number:08d}-f2d2-425a-9709-835cdb2b4e2f"


def message(name: str, receives: int = 1, sent: int = 0, group: str | None = None) -> dict:
    """A record of an event, with the attributes that SQS gives it."""
    attributes = {
        "ApproximateReceiveCount": str(receives),
        "SentTimestamp": str(SENT_MS + sent),
        "SenderId": "AIDA",
        "ApproximateFirstReceiveTimestamp": str(SENT_MS + sent + 5),
        **({"MessageGroupId": group} if group else {}),
    }
    return {
        "messageId": name,
        "receiptHandle": f"{name}-{receives}",
        "body": f"order {name}",
        "attributes": attributes,
    }


def printed(*records: dict) -> str:
    return json.dumps({"Records": list(records)}) + "\n"


def failed(*names: object) -> str:
    return json.dumps({"batchItemFailures": [{"itemIdentifier": name} for name in names]}) + "\n"


def report(number: int, ms: float, init: float | None = None, status: str = "") -> str:
    cold = f"\tInit Duration: {init:.2f} ms" if init else ""
    return (
        f"REPORT RequestId: {request(number)}\tDuration: {ms:.2f} ms\tBilled Duration: "
        f"{int(ms) + 1} ms\tMemory Size: 128 MB\tMax Memory Used: 38 MB{cold}\t{status}\n"
    )


def call(number: int, begin: int, end: int, *own: str, init=None, status="", stream=STREAM) -> list:
    """The lines of an invocation: what the function wrote itself comes 1 ms after its start."""
    middle = min(begin + 1, end)
    return [
        (begin, stream, f"START RequestId: {request(number)} Version: $LATEST\n"),
        *((middle, stream, text) for text in own),
        (end, stream, f"END RequestId: {request(number)}\n"),
        (end, stream, report(number, end - begin, init, status)),
    ]


def frame_of(lines: list) -> pd.DataFrame:
    """What `read_events` returns for these lines."""
    rows = [(at(ms), stream, kind_of(text), text.rstrip("\n")) for ms, stream, text in lines]
    frame = pd.DataFrame(rows, columns=["time", "stream", "kind", "message"])
    return frame.sort_values("time", kind="stable", ignore_index=True)


RAISED = "[ERROR] ValueError: no\nTraceback (most recent call last):\n"
EXITED = f"RequestId: {request(6)} Error: Runtime exited with error: exit status 1\n"
STORY = [
    (8, STREAM, INIT),
    *call(1, 100, 130, printed(message("a"), message("b", sent=2)), init=90.5),
    *call(2, 140, 150, printed(message("c", group="g")), RAISED),
    *call(3, 160, 1160, printed(message("d")), status="Status: timeout"),
    *call(4, 30, 50, printed(message("e"), message("f")), failed("f"), stream=OTHER),
    *call(5, 1150, 1155, printed(message("c", 2, group="g")), stream=OTHER),
    *call(6, 1200, 1210, printed(message("g")), EXITED,
          status="Status: error\tError Type: Runtime.ExitError", stream=OTHER),
]  # fmt: skip
EXPECTED = [
    ("e", 1, 4, "returned", 30, 50, False),
    ("f", 1, 4, "reported", 30, 50, False),
    ("a", 1, 1, "returned", 100, 130, True),
    ("b", 1, 1, "returned", 100, 130, True),
    ("c", 1, 2, "raised", 140, 150, False),
    ("d", 1, 3, "timed out", 160, 1160, False),
    ("c", 2, 5, "returned", 1150, 1155, False),
    ("g", 1, 6, "exited", 1200, 1210, False),
]


def brief(frame: pd.DataFrame) -> list[tuple]:
    return [
        (row.message_id, row.receive_count, row.outcome) for row in frame.itertuples(index=False)
    ]


# Deliveries


def test_the_course_kit_knows_no_target() -> None:
    files = [
        path for folder in ("evidence", "charts") for path in HELPERS if path.parent.name == folder
    ]
    assert len(files) > 4
    for path in files:
        assert not any(name.startswith("helpers.localaws") for name in imports(path)), path


def test_a_row_for_each_delivery() -> None:
    expected = pd.DataFrame(
        [
            {
                "message_id": name,
                "body": f"order {name}",
                "group": "g" if name == "c" else None,
                "receive_count": receives,
                "environment": OTHER if number in (4, 5, 6) else STREAM,
                "request_id": request(number),
                "sent": at(2 if name == "b" else 0),
                "first_received": at(7 if name == "b" else 5),
                "started": at(begin),
                "ended": at(end),
                "duration_ms": float(end - begin),
                "cold": cold,
                "outcome": outcome,
            }
            for name, receives, number, outcome, begin, end, cold in EXPECTED
        ]
    )
    seen = evidence.deliveries(frame_of(STORY))
    pd.testing.assert_frame_equal(seen, expected, check_dtype=False, check_index_type=False)
    assert tuple(seen.columns) == DELIVERY_COLUMNS
    assert set(seen["outcome"]) <= set(invocation_log.OUTCOMES)
    assert gaps(frame_of(STORY)) == []


def test_nothing_seen_has_the_same_columns() -> None:
    nothing = frame_of([])
    seen = evidence.deliveries(nothing)
    full = evidence.deliveries(frame_of(STORY))
    assert seen.empty
    assert list(seen.columns) == list(DELIVERY_COLUMNS)
    times = ["sent", "first_received", "started", "ended"]
    assert all(str(seen[name].dtype.tz) == "UTC" for name in times)
    assert seen["cold"].dtype == full["cold"].dtype == bool
    assert evidence.invocations(nothing).empty
    assert evidence.fates(seen).empty
    assert gaps(nothing) == []


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_lines_does_not_matter(seed: int) -> None:
    whole = frame_of(STORY)
    shuffled = whole.sample(frac=1, random_state=seed)
    twice = pd.concat([shuffled, whole.sample(frac=0.5, random_state=seed + 1)])
    for messy in (shuffled, twice):
        pd.testing.assert_frame_equal(evidence.deliveries(messy), evidence.deliveries(whole))
        pd.testing.assert_frame_equal(evidence.invocations(messy), evidence.invocations(whole))
        assert gaps(messy) == []


def in_one_millisecond() -> list:
    """Four invocations so short that they all are in the same millisecond, in order."""
    return [
        *call(1, 7, 7, printed(message("a"))),
        *call(2, 7, 7, printed(message("b")), RAISED),
        *call(3, 7, 7, printed(message("c"), message("d")), failed("d")),
        *call(4, 7, 7, printed(message("e"))),
    ]


def test_lines_of_one_millisecond_are_taken_in_their_order() -> None:
    expected = [("a", "returned"), ("b", "raised"), ("c", "returned"), ("d", "reported")]
    seen = evidence.deliveries(frame_of(in_one_millisecond()))
    assert list(zip(seen["message_id"], seen["outcome"], strict=True)) == [
        *expected,
        ("e", "returned"),
    ]
    assert list(seen["request_id"].str[:8].astype(int)) == [1, 2, 3, 3, 4]


@pytest.mark.parametrize("seed", range(20))
def test_what_cannot_be_told_apart_is_unknown(seed: int) -> None:
    lines = in_one_millisecond()
    random.Random(seed).shuffle(lines)
    messy = frame_of(lines)
    seen = evidence.deliveries(messy)
    assert sorted(seen["message_id"]) == ["a", "b", "c", "d", "e"]
    assert set(seen["outcome"]) == {"unknown"}
    assert "4 invocations whose lines cannot be told apart." in gaps(messy)


@pytest.mark.parametrize("seed", range(20))
def test_an_event_at_the_edge_of_two_invocations(seed: int) -> None:
    lines = [
        *call(1, 100, 105, printed(message("a"))),
        (105, STREAM, f"START RequestId: {request(2)} Version: $LATEST\n"),
        (105, STREAM, printed(message("b"))),
        (110, STREAM, f"END RequestId: {request(2)}\n"),
        (110, STREAM, report(2, 5)),
    ]
    random.Random(seed).shuffle(lines)
    seen = evidence.deliveries(frame_of(lines))
    assert brief(seen) == [("a", 1, "returned"), ("b", 1, "returned")]
    assert list(seen["request_id"]) == [request(1), request(2)]


def without(lines: list, *beginnings: str) -> pd.DataFrame:
    return frame_of([line for line in lines if not line[2].startswith(beginnings)])


ONE = call(1, 100, 130, printed(message("a")))
ONE_RAISED = call(1, 100, 130, printed(message("a")), RAISED)
TIMED_OUT = f"2026-09-21T14:13:20.100Z {request(1)} Task timed out after 1.00 seconds\n"
ONE_TIMED_OUT = call(1, 100, 1100, printed(message("a")), TIMED_OUT)
ONE_EXITED = call(6, 100, 130, printed(message("a")), EXITED)


@pytest.mark.parametrize(
    ("lines", "absent", "outcome", "said"),
    [
        (ONE, "START", "returned", ["1 invocation without a START line."]),
        (ONE, "END", "returned", []),
        (ONE, "REPORT", "unknown", ["1 invocation without a REPORT line."]),
        (ONE_RAISED, "REPORT", "raised", ["1 invocation without a REPORT line."]),
        (ONE_TIMED_OUT, "REPORT", "timed out", ["1 invocation without a REPORT line."]),
        (ONE_EXITED, "REPORT", "exited", ["1 invocation without a REPORT line."]),
    ],
)
def test_missing_lines(lines, absent: str, outcome: str, said: list[str]) -> None:
    events = without(lines, absent)
    assert brief(evidence.deliveries(events)) == [("a", 1, outcome)]
    assert gaps(events) == said


def test_an_event_alone_is_a_delivery_too() -> None:
    events = without(ONE, "START", "END", "REPORT")
    [row] = evidence.deliveries(events).to_dict("records")
    assert (row["message_id"], row["outcome"], row["request_id"]) == ("a", "unknown", None)
    assert pd.isna([row["started"], row["ended"], row["duration_ms"]]).all()
    assert gaps(events) == ["1 printed event without an invocation."]


def test_invocations_without_an_event_and_skipped_counts_are_gaps() -> None:
    lines = [*call(1, 10, 20, RAISED), *call(2, 30, 40, printed(message("a", 4)))]
    assert gaps(frame_of(lines)) == [
        "1 invocation without a printed event.",
        "3 deliveries without a trace.",
    ]


@pytest.mark.parametrize(
    ("absent", "outcome"),
    [((), "returned"), (("START",), "returned"), (("END", "REPORT"), "unknown")],
)
def test_neighbours_do_not_share_lines(absent: tuple[str, ...], outcome: str) -> None:
    lines = [
        *call(1, 10, 20, printed(message("a"))),
        *call(2, 30, 40, printed(message("b")), RAISED),
        *call(3, 50, 60, printed(message("c"))),
    ]
    events = without(lines, *absent) if absent else frame_of(lines)
    expected = [("a", 1, outcome), ("b", 1, "raised"), ("c", 1, outcome)]
    assert brief(evidence.deliveries(events)) == expected


def test_an_error_before_its_start_line_in_the_same_millisecond() -> None:
    start, event, error, *end = call(1, 7, 7, printed(message("a")), RAISED)
    seen = evidence.deliveries(frame_of([error, start, event, *end]))
    assert brief(seen) == [("a", 1, "raised")]


def test_an_error_among_mixed_lines_is_nobodys() -> None:
    start, event, *end = call(1, 7, 7, printed(message("a")))
    start_b, event_b, error_b, *end_b = call(2, 7, 7, printed(message("b")), RAISED)
    mixed = [start, event, error_b, start_b, *end, event_b, *end_b]
    assert set(evidence.deliveries(frame_of(mixed))["outcome"]) == {"unknown"}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_clear_helps_with_what_is_not(seed: int) -> None:
    begin, *end = call(1, 100, 105)
    lines = [
        begin, (105, STREAM, printed(message("a"))), *end,
        *call(2, 105, 110, printed(message("b"))),
    ]  # fmt: skip
    random.Random(seed).shuffle(lines)
    seen = evidence.deliveries(frame_of(lines))
    assert dict(zip(seen["message_id"], seen["request_id"], strict=True)) == {
        "a": request(1), "b": request(2)}  # fmt: skip


def test_lines_that_were_read_twice_count_once() -> None:
    events = frame_of(in_one_millisecond())
    twice = pd.concat([events, events])
    pd.testing.assert_frame_equal(evidence.deliveries(twice), evidence.deliveries(events))


@pytest.mark.parametrize(
    "text",
    [
        f"[ERROR]\t2026-09-21T14:13:20.001Z\t{request(1)}\tcard refused\n",
        '{"level": "ERROR", "errorType": "ValueError", "logger": "root", "message": "refused", '
        f'"requestId": "{request(1)}"}}\n',
        "{not JSON\n",
        "{}\n",
        '{"Records": "none"}\n',
        '{"Records": [{"s3": {}}]}\n',
        '{"batchItemFailures": []}\n',
        '{"batchItemFailures": null}\n',
        f"the Task timed out after {request(1)} and more\n",
    ],
)
def test_lines_that_do_not_say_that_it_failed(text: str) -> None:
    events = frame_of(call(1, 10, 20, printed(message("a")), text))
    assert brief(evidence.deliveries(events)) == [("a", 1, "returned")]


@pytest.mark.parametrize("name", ["", None, 5, "of another batch"])
def test_an_answer_that_aws_cannot_read_reports_all(name: object) -> None:
    events = frame_of(call(1, 10, 20, printed(message("a"), message("b")), failed("a", name)))
    assert set(evidence.deliveries(events)["outcome"]) == {"reported"}


# JSON logs


def platform(kind: str, **record: object) -> str:
    line = {"time": "2026-09-21T14:13:20.000Z", "type": f"platform.{kind}", "record": record}
    return json.dumps(line, separators=(",", ":")) + "\n"


def json_call(number: int, begin: int, end: int, *own: str, status="success", init=None) -> list:
    metrics = {"durationMs": float(end - begin), "billedDurationMs": end - begin + 1,
               "memorySizeMB": 128, "maxMemoryUsedMB": 38}  # fmt: skip
    if init:
        metrics["initDurationMs"] = init
    return [
        (begin, STREAM, platform("start", requestId=request(number), version="$LATEST")),
        *((begin + 1, STREAM, text) for text in own),
        (end, STREAM, platform("report", requestId=request(number), metrics=metrics,
                               status=status)),
    ]  # fmt: skip


def test_json_logs() -> None:
    error = {"timestamp": "x", "level": "ERROR", "errorMessage": "no", "errorType": "ValueError",
             "requestId": request(2), "stackTrace": []}  # fmt: skip
    logged = {"timestamp": "x", "level": "INFO", "message": printed(message("e")),
              "logger": "root", "requestId": request(5)}  # fmt: skip
    lines = [
        (1, STREAM, platform("initStart", initializationType="on-demand")),
        *json_call(1, 10, 20, printed(message("a")), init=99.5),
        *json_call(2, 30, 40, printed(message("b")), json.dumps(error), status="error"),
        *json_call(3, 50, 1050, printed(message("c")), status="timeout"),
        *json_call(4, 1060, 1070, printed(message("d")), failed("d")),
        *json_call(5, 1080, 1090, json.dumps(logged)),
        *json_call(6, 1100, 1110, printed(message("f")), status="error"),
    ]
    events = frame_of(random.Random(1).sample(lines, len(lines)))
    seen = evidence.deliveries(events)
    assert dict(zip(seen["message_id"], seen["outcome"], strict=True)) == {
        "a": "returned",
        "b": "raised",
        "c": "timed out",
        "d": "reported",
        "e": "returned",
        "f": "exited",
    }
    assert list(seen["cold"]) == [True, *[False] * 5]
    assert seen["ended"].iloc[0] == at(20)
    assert gaps(events) == []


# Invocations


def test_a_row_for_each_report() -> None:
    frame = evidence.invocations(frame_of(STORY))
    expected = pd.DataFrame(
        {
            "request_id": [request(number) for number in (4, 1, 2, 3, 5, 6)],
            "environment": [OTHER, STREAM, STREAM, STREAM, OTHER, OTHER],
            "started": [at(ms) for ms in (30, 100, 140, 160, 1150, 1200)],
            "duration_ms": [20.0, 30, 10, 1000, 5, 10],
            "billed_ms": [21.0, 31, 11, 1001, 6, 11],
            "memory_mb": [128.0] * 6,
            "used_mb": [38.0] * 6,
            "init_ms": [np.nan, 90.5, *[np.nan] * 4],
            "status": [None, None, None, "timeout", None, "error"],
            "records": [2, 2, 1, 1, 1, 1],
        }
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
    assert frame["init_ms"].dtype == float


# Fates


def test_where_each_message_is() -> None:
    seen = evidence.deliveries(frame_of(STORY))
    dead = pd.DataFrame([("d", at(0)), ("x", at(3))], columns=["message_id", "sent"])
    frame = evidence.fates(seen, dead, ["a", "d", "y"])
    assert list(frame.columns) == list(FATE_COLUMNS)
    assert frame[["message_id", "attempts", "fate"]].to_records(index=False).tolist() == [
        ("e", 1, "deleted"),
        ("f", 1, "in the queue"),
        ("a", 1, "deleted"),
        ("c", 2, "deleted"),
        ("d", 1, "dead-letter queue"),
        ("g", 1, "in the queue"),
        ("b", 1, "deleted"),
        ("x", 0, "dead-letter queue"),
        ("y", 0, "never delivered"),
    ]
    by_id = frame.set_index("message_id")
    assert by_id.loc["c", ["sent", "first_started", "finished"]].tolist() == [
        at(0), at(140), at(1155)]  # fmt: skip
    assert by_id.loc["x", "sent"] == at(3)
    assert by_id.loc[["x", "y"], ["first_started", "finished"]].isna().all(axis=None)


def test_reports_without_the_setting_delete() -> None:
    seen = evidence.deliveries(frame_of(call(1, 10, 20, printed(message("a")), failed("a"))))
    assert list(evidence.fates(seen)["fate"]) == ["in the queue"]
    assert list(evidence.fates(seen, reports_count=False)["fate"]) == ["deleted"]


def test_a_message_finished_when_it_returned() -> None:
    lines = [
        *call(1, 10, 20, printed(message("a"))),
        *call(2, 15, 3000, printed(message("a", 2)), status="Status: timeout", stream=OTHER),
    ]
    [row] = evidence.fates(evidence.deliveries(frame_of(lines))).itertuples()
    assert (row.fate, row.attempts, row.finished) == ("deleted", 2, at(20))


def test_thousands_of_messages() -> None:
    streams = [f"2026/09/21/[$LATEST]{number:02d}" for number in range(20)]
    lines, outcomes = [], {}
    for number in range(5000):
        name, begin, fails = f"m{number}", number // 20 * 10, number % 7 == 0
        own = (printed(message(name)), *([RAISED] if fails else []))
        lines += call(number, begin, begin + 9, *own, stream=streams[number % 20])
        outcomes[name] = "raised" if fails else "returned"
    random.Random(3).shuffle(lines)
    events = frame_of(lines)
    seen = evidence.deliveries(events)
    assert dict(zip(seen["message_id"], seen["outcome"], strict=True)) == outcomes
    fates = evidence.fates(seen, None, outcomes)
    assert len(fates) == len(evidence.invocations(events)) == 5000
    assert fates["fate"].value_counts().to_dict() == {"deleted": 4285, "in the queue": 715}
    assert gaps(events) == []


# Costs


def test_what_a_million_messages_cost() -> None:
    assert evidence.cost_per_million(1, 100, 128) == pytest.approx(
        {
            "SQS requests": 1.2,
            "Lambda requests": 0.2,
            "Lambda time": 0.208333750,
            "total": 1.60833375,
        }
    )
    assert evidence.cost_per_million(100, 1000, 1024, send_batch=10) == pytest.approx(
        {"SQS requests": 0.12, "Lambda requests": 0.002, "Lambda time": 0.166667, "total": 0.288667}
    )


# Watching a queue


class Queue:
    """A client of SQS that tells the counts that it is given, then repeats the last."""

    class exceptions:
        class QueueDoesNotExist(ClientError):
            pass

    def __init__(self, *looks: object) -> None:
        self.looks = list(looks)
        self.looked = threading.Event()

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if len(self.looks) == 1:
            self.looked.set()
        if isinstance(look, Exception):
            raise look
        counts = (7, 1, 0) if QueueUrl == "dead" else look
        return {"Attributes": dict(zip(AttributeNames, map(str, counts), strict=True))}


def error(kind: type[ClientError], code: str) -> ClientError:
    return kind({"Error": {"Code": code, "Message": "no"}}, "GetQueueAttributes")


def test_watching_a_queue() -> None:
    sqs = Queue((3, 0, 1), (1, 2, 0), (0, 0, 0))
    with QueueWatch(sqs, "queue", every_s=0.001) as watch:
        assert sqs.looked.wait(20)
    depth = watch.frame()
    assert list(depth.columns) == list(DEPTH_COLUMNS)
    counts = depth[["visible", "in_flight", "delayed", "dead"]].to_numpy().tolist()
    assert counts[:3] == [[3, 0, 1, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    assert depth["seconds"].is_monotonic_increasing
    assert depth["seconds"].iloc[0] >= 0
    assert len(watch.frame()) == len(depth)
    later = watch.seconds(pd.Series([pd.Timestamp.now("UTC") + pd.Timedelta("1h")]))
    assert 3600 <= later.iloc[0] < 3700


def test_watching_the_dead_letter_queue_too() -> None:
    with QueueWatch(Queue((0, 0, 0)), "queue", "dead", every_s=10) as watch:
        pass
    assert set(watch.frame()["dead"]) == {8}


def test_an_error_while_watching_is_raised_at_the_end() -> None:
    sqs = Queue((0, 0, 0), error(ClientError, "AccessDenied"))
    with (
        pytest.raises(ClientError, match="AccessDenied"),
        QueueWatch(sqs, "queue", every_s=0.001),
    ):
        assert sqs.looked.wait(20)


def test_an_error_of_the_block_comes_first() -> None:
    sqs = Queue((0, 0, 0), error(ClientError, "AccessDenied"))
    watch = QueueWatch(sqs, "queue", every_s=0.001)

    def fail_while_watching() -> None:
        with watch:
            assert sqs.looked.wait(20)
            raise KeyError("mine")

    with pytest.raises(KeyError) as raised:
        fail_while_watching()
    [note] = raised.value.__notes__
    assert note.startswith("Watching the queue failed too: ")
    assert "AccessDenied" in note
    assert not watch._thread.is_alive()


def test_a_deleted_queue_ends_the_watching() -> None:
    gone = error(Queue.exceptions.QueueDoesNotExist, "QueueDoesNotExist")
    sqs = Queue((2, 0, 0), gone)
    with QueueWatch(sqs, "queue", every_s=0.001) as watch:
        watch._thread.join(20)
    assert list(watch.frame()["visible"]) == [2]


# Dead letters


def test_reading_dead_letters_ends_when_nothing_new_comes() -> None:
    def letter(number: int) -> dict:
        attributes = {"ApproximateReceiveCount": "3", "SentTimestamp": str(SENT_MS)}
        return {"MessageId": f"m{number}", "Body": "x", "ReceiptHandle": f"h{number}",
                "Attributes": attributes}  # fmt: skip

    sqs = mock.Mock()
    batches = [[letter(number) for number in range(10)], [letter(10), letter(1)]]
    sqs.receive_message.side_effect = [{"Messages": each} for each in [*batches, batches[0]]]
    dead = evidence.read_dead_letters(sqs, "url")
    assert list(dead["message_id"]) == [f"m{number}" for number in range(11)]
    calls = sqs.change_message_visibility_batch.call_args_list
    assert [len(each.kwargs["Entries"]) for each in calls] == [10, 1]
    assert {each["VisibilityTimeout"] for each in calls[0].kwargs["Entries"]} == {0}


# Against an AWS

PRINT = "import json, time\ndef lambda_handler(event, context):\n    print(json.dumps(event))\n"
HANDLER = (
    PRINT
    + """
    failed = []
    for record in event["Records"]:
        tries = int(record["attributes"]["ApproximateReceiveCount"])
        body = record["body"]
        if body == "raises twice" and tries < 3:
            raise ValueError("not yet")
        if body == "too slow" and tries == 1:
            time.sleep(5)
        if body == "exits" and tries == 1:
            import os
            os._exit(1)
        if body == "never":
            failed.append({"itemIdentifier": record["messageId"]})
    answer = {"batchItemFailures": failed}
    print(json.dumps(answer))
    return answer
"""
)
TEXT = Declared(HANDLER, Timeout=1)
JSON = Declared(HANDLER, Timeout=1, LoggingConfig={"LogFormat": "JSON"})
OUTCOMES_THERE = {
    "raises twice": ["raised", "raised", "returned"],
    "too slow": ["timed out", "returned"],
    "exits": ["exited", "returned"],
    "never": ["reported", "reported", "reported"],
    "healthy": ["returned"],
}


@pytest.mark.slow
@pytest.mark.parametrize("function", [TEXT, JSON], ids=["text", "json"])
def test_the_story_of_messages_on_an_aws(aws, function: Declared) -> None:
    dlq_url, dlq_arn = aws.queue(kit.unique("dlq"))
    policy = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3})
    url, arn = aws.queue(kit.unique("queue"), VisibilityTimeout=1, RedrivePolicy=policy)
    since_ms = int(time.time() * 1000)
    sent = {
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]: body
        for body in OUTCOMES_THERE
    }
    aws.create_mapping(
        EventSourceArn=arn,
        FunctionName=function.name,
        BatchSize=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    attempts = sum(map(len, OUTCOMES_THERE.values()))
    with QueueWatch(aws.sqs, url, dlq_url) as watch:
        seen = poll(
            lambda: evidence.deliveries(read_events(aws.logs, log_group(function.name), since_ms)),
            lambda seen: len(seen) == attempts and "unknown" not in set(seen["outcome"]),
            "all attempts in the log",
        )
        poll(watch.frame, lambda depth: depth["dead"].iloc[-1] == 1, "the dead letter")
    by_body = seen.sort_values("receive_count").groupby("body")["outcome"].agg(list).to_dict()
    assert by_body == OUTCOMES_THERE
    assert seen["receive_count"].max() == 3
    assert seen["cold"].any()
    assert (seen["started"] <= seen["ended"]).all()
    dead = evidence.read_dead_letters(aws.sqs, dlq_url)
    assert (dead["body"].tolist(), dead["source"].tolist()) == (["never"], [arn])
    assert len(evidence.read_dead_letters(aws.sqs, dlq_url)) == 1
    fates = evidence.fates(seen, dead, sent).set_index("message_id")["fate"]
    assert {sent[name]: fate for name, fate in fates.items()} == {
        body: "dead-letter queue" if body == "never" else "deleted" for body in sent.values()
    }
    events = read_events(aws.logs, log_group(function.name), since_ms)
    assert gaps(events) == []
    assert evidence.invocations(events)["records"].tolist() == [1] * attempts
    assert watch.frame()[["visible", "in_flight"]].to_numpy().sum() > 0


@pytest.mark.parametrize(
    "text",
    [
        '{"Records": [1, null, "text"]}',
        '{"Records": [{"messageId": "x"}]}',
        '{"Records": [{"messageId": "x", "body": "y", "attributes": {"SentTimestamp": "1"}}]}',
        '{"a":' * 3000 + "1" + "}" * 3000,
    ],
)
def test_json_that_a_function_made_up_is_no_event(text: str) -> None:
    assert invocation_log.read_note(text) is None


def test_how_many_ran_at_once() -> None:
    times = pd.to_datetime([0, 10, 20, 20, 40], unit="s", utc=True)
    ends = pd.to_datetime([20, 30, 50, 60, None], unit="s", utc=True)
    ids = ["a", "b", "c", "c", "d"]  # two messages of one call; one call has no end
    seen = pd.DataFrame({"request_id": ids, "started": times, "ended": ends})
    found = evidence.running(seen)
    assert found["running"].tolist() == [1, 2, 1, 2, 1, 0]
    assert (found["minutes"] * 60).tolist() == pytest.approx([0, 10, 20, 20, 30, 50])
    assert evidence.running(seen.iloc[:0]).empty


def test_deliveries_to_a_worker_of_ones_own(aws) -> None:
    url, _ = aws.queue()
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="job")["MessageId"]
    done = []
    for _ in range(2):
        [job] = aws.receive(url, 1, VisibilityTimeout=0, MessageSystemAttributeNames=["All"])
        now = time.time()
        done.append((job, now, now + 0.5))
    seen = evidence.worker_deliveries(done)
    assert list(seen.columns) == list(DELIVERY_COLUMNS)
    assert (seen["started"] < seen["ended"]).all()
    assert seen["message_id"].tolist() == [sent] * 2
    assert set(seen["body"]) == {"job"}
    assert seen["receive_count"].tolist() == [1, 2]
    assert seen["duration_ms"].tolist() == pytest.approx([500, 500], abs=0.01)
    assert (seen["sent"] <= seen["first_received"]).all()
    [fate] = evidence.fates(seen).itertuples()
    assert (fate.attempts, fate.fate) == (2, "deleted")
    assert evidence.worker_deliveries([]).empty


def test_reading_the_evidence_needs_no_particular_index() -> None:
    events = frame_of(STORY)
    odd = events.set_index(pd.Index(["same"] * len(events)))
    assert len(invocation_log.read_invocations(odd)) == 6
    pd.testing.assert_frame_equal(evidence.deliveries(odd), evidence.deliveries(events))


# -- the lines of one call -----------------------------------------------------------------


def log_of(*lines: tuple[float, str, str]) -> pd.DataFrame:
    """A frame of log events from times in ms, streams and messages, in this order."""
    return pd.DataFrame(
        {
            "time": [at(ms) for ms, _, _ in lines],
            "stream": [stream for _, stream, _ in lines],
            "kind": [kind_of(text) for _, _, text in lines],
            "message": [text for _, _, text in lines],
        }
    )


def test_the_lines_of_a_call_are_its_own_and_in_order() -> None:
    start, end, report = (
        [text.format(request(number)) for number in range(3)]
        for text in (
            "START RequestId: {} Version: 1",
            "END RequestId: {}",
            "REPORT RequestId: {}\t",
        )
    )
    events = log_of(
        (0, STREAM, start[0]),
        (1, STREAM, "order 777"),
        (2, STREAM, report[0]),
        (2, STREAM, end[0]),
        (10, STREAM, start[1]),
        (10, OTHER, start[2]),
        (11, STREAM, "order 777"),
        (12, STREAM, report[1]),  # in one millisecond AWS gives them in any order
        (12, STREAM, end[1]),
        (20, OTHER, "order 888"),
        (20, OTHER, end[2]),
        (20, OTHER, report[2]),
        (20, OTHER, start[0]),  # and a quick call may follow in the same one
        (20, OTHER, "order 999"),
        (20, OTHER, report[0]),
    )
    of_second = [start[1], "order 777", end[1], report[1]]
    assert list(evidence.lines_of_call(events, "777")["message"]) == of_second
    of_third = [start[2], "order 888", end[2], report[2]]
    assert list(evidence.lines_of_call(events, "999")["message"])[1:] == ["order 999", report[0]]
    assert list(evidence.lines_of_call(events, "888")["message"]) == of_third


def test_a_call_that_is_not_there_has_no_lines() -> None:
    events = log_of((1, STREAM, "order 777"), (2, STREAM, f"END RequestId: {request(0)}"))
    assert evidence.lines_of_call(events, "888").empty
    assert evidence.lines_of_call(events, "777").empty  # its START line has not come yet
    assert evidence.lines_of_call(events.iloc[:0], "777").empty
