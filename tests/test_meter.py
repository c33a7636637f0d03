"""What the cells cost: what is counted, what is estimated, and the one table of prices."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date

import boto3
import pytest

from helpers import course, evidence, logs, meter, prices
from helpers.meter import calls, reading, sizes
from tests.notebook_files import NAMES, ROOT, read

KB = 1024
# -- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answer", "requests"),
    [
        ({}, {}, 1),
        ({"MessageBody": "x" * 64 * KB}, {}, 1),
        ({"MessageBody": "x" * (64 * KB + 1)}, {}, 2),
        ({"MessageBody": "ü" * 64 * KB}, {}, 2),
        ({"MessageBody": "x" * KB * KB}, {}, 16),
        ({"Entries": [{"MessageBody": "x" * 6 * KB}] * 10}, {}, 1),
        ({"Entries": [{"MessageBody": "x" * 7 * KB}] * 10}, {}, 2),
        ({}, {"Messages": [{"Body": "x" * 40 * KB}] * 4}, 3),
        (
            {
                "MessageBody": "x" * (64 * KB - 20),
                "MessageAttributes": {"who": {"DataType": "Binary", "BinaryValue": b"1234567890"}},
            },
            {},
            1,
        ),
        (
            {
                "MessageBody": "x" * (64 * KB - 18),
                "MessageAttributes": {"who": {"DataType": "Binary", "BinaryValue": b"1234567890"}},
            },
            {},
            2,
        ),
    ],
)
def test_sqs_bills_chunks_of_64_kb(asked, answer, requests) -> None:
    assert sizes.chunks(asked, answer) == requests


def test_dynamodb_bills_writes_and_reads_by_size() -> None:
    large = {"text": {"S": "x" * 5 * KB}}
    assert sizes.writes("PutItem", {"Item": {"id": {"S": "1"}}}) == 1
    assert sizes.writes("PutItem", {"Item": large}) == 6
    assert sizes.writes("DeleteItem", {}) == 1
    batch = {"RequestItems": {"table": [{"PutRequest": {"Item": large}}, {"DeleteRequest": {}}]}}
    assert sizes.writes("BatchWriteItem", batch) == 7
    assert sizes.writes("Scan", {}) == sizes.reads("PutItem", {}, {}) == 0
    assert sizes.reads("GetItem", {"ConsistentRead": True}, {}) == 1
    assert sizes.reads("Scan", {}, {"Items": [large, large]}) == 1.5


# -- the bill --------------------------------------------------------------------------------


def bill(*lines: tuple[float, prices.Price]) -> meter.Bill:
    return meter.Bill(tuple(meter.Line("any", *each) for each in lines), 60)


def test_a_bill_at_list_price_and_beyond_what_is_free() -> None:
    small = bill((500_000, prices.SQS_REQUEST), (400_000, prices.SQS_FIFO_REQUEST))
    assert (small.usd, small.usd_beyond_free) == pytest.approx((0.4, 0))
    large = bill((1_000_000, prices.SQS_REQUEST), (1_000_000, prices.SQS_FIFO_REQUEST))
    assert (large.usd, large.usd_beyond_free) == pytest.approx((0.9, 0.45))
    table = bill((1000, prices.TABLE_WRITE))
    assert table.usd == table.usd_beyond_free == pytest.approx(0.000625)
    assert bill((0, prices.SQS_REQUEST)).usd_beyond_free == 0


def test_a_bill_says_its_sum_in_words() -> None:
    assert [meter.in_words(usd) for usd in (0, 1e-9, 0.0099, 0.01, 1.414)] == [
        *("nothing", "less than a cent", "less than a cent", "$0.01", "$1.41")
    ]
    assert bill((10, prices.SQS_REQUEST)).sentence == (
        "At list price less than a cent; beyond what is free each month nothing."
    )


def test_a_bill_shows_a_table() -> None:
    shown = bill((25, prices.SQS_REQUEST), (0.0021, prices.LAMBDA_TIME))
    assert list(shown.table()["price"])[:2] == ["$0.4 for 1,000,000", "$0.0000166667 for 1"]
    for text in (repr(shown), shown._repr_html_()):
        for part in ("25", "0.0021", "0.000010", "March 2026", "handlers themselves"):
            assert part in text, part


# -- counting ---------------------------------------------------------------------------------


@pytest.fixture
def counted(learner) -> str:
    meter.start()
    return learner


def amounts() -> dict[str, float]:
    return {line.kind: line.amount for line in course.cost().lines}


def test_requests_are_counted_in_chunks_and_only_since_the_start(counted) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=course.name("PracticeQueue"))["QueueUrl"]
    fifo = sqs.create_queue(
        QueueName=course.name("AuditLog.fifo"), Attributes={"FifoQueue": "true"}
    )["QueueUrl"]
    meter.start()
    sqs.send_message(QueueUrl=url, MessageBody="x" * 70_000)
    sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    sqs.get_queue_attributes(QueueUrl=fifo)
    boto3.client("iam").list_roles(MaxItems=1)
    seen = amounts()
    assert (seen["SQS: your requests"], seen["SQS FIFO: your requests"]) == (4, 1)
    assert seen["Lambda: calls"] == seen["SQS: a trigger's polls"] == 0


def test_what_lambda_wrote_is_read_and_what_a_trigger_asked_is_estimated(counted) -> None:
    course.catch_up(8)
    boto3.client("lambda").invoke(FunctionName=course.name("ProcessSQSMessage"), Payload=b"{}")
    group = logs.log_group(course.name("ProcessSQSMessage"))
    logs.wait_for_line(boto3.client("logs"), group, "KeyError")
    events = logs.read_events(boto3.client("logs"), group)
    calls_seen = evidence.invocations(events)
    seen = amounts()
    assert seen["Lambda: calls"] == len(calls_seen) == 2
    assert seen["Lambda: time"] == pytest.approx(calls_seen["billed_ms"].sum() / 1000 * 128 / 1024)
    written = sum(len(line.encode()) + 1 + 26 for line in events["message"])
    assert seen["logs: your functions' lines"] == written
    assert seen["SQS: its receives and deletes"] == 2
    assert 0 < seen["SQS: a trigger's polls"] < 15


def test_another_learner_s_things_are_not_counted(counted, monkeypatch) -> None:
    course.catch_up(8)
    mine = amounts()
    monkeypatch.setenv("SQS_COURSE_PREFIX", "other-")
    others = amounts()
    assert mine["Lambda: calls"] == 1
    assert others["Lambda: calls"] == others["logs: your functions' lines"] == 0


def test_nothing_can_be_read_before_a_notebook_has_begun(monkeypatch) -> None:
    monkeypatch.setattr(reading, "CALLS", calls.Calls())
    with pytest.raises(RuntimeError, match="first cell"):
        course.cost()


# -- triggers ---------------------------------------------------------------------------------


class Switched:
    """Calls of a trigger's, at times that a test gives."""

    def __init__(self, monkeypatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(calls.time, "monotonic", lambda: self.now)
        self.calls = calls.Calls()

    def at(self, seconds: float, operation: str, uuid: str = "one", **asked) -> None:
        self.now = 100 + seconds
        mapping = {
            "UUID": uuid,
            "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:Orders",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:Orders",
            "State": "Enabled",
        }
        service = type("Service", (), {"service_name": "lambda"})
        model = type("Model", (), {"service_model": service, "name": operation})
        self.calls._answered(parsed=mapping, model=model, context={calls.ASKED: asked})

    def on_s(self, seconds: float, **on_now: calls.Trigger) -> list[float]:
        self.now = 100 + seconds
        return [each.on_s for each in self.calls.triggers(on_now)]


@pytest.fixture
def switched(monkeypatch) -> Switched:
    return Switched(monkeypatch)


def test_a_trigger_polls_while_it_is_on(switched) -> None:
    switched.at(10, "CreateEventSourceMapping")
    assert switched.on_s(30) == [20]
    switched.at(40, "UpdateEventSourceMapping", BatchSize=10)
    switched.at(50, "UpdateEventSourceMapping", Enabled=False)
    assert switched.on_s(100) == [40]
    switched.at(110, "UpdateEventSourceMapping", Enabled=True)
    switched.at(115, "DeleteEventSourceMapping")
    assert switched.on_s(200) == [45]


def test_a_trigger_that_is_made_disabled_does_not_poll(switched) -> None:
    switched.at(10, "CreateEventSourceMapping", Enabled=False)
    assert switched.on_s(30) == [0]


def test_a_trigger_of_before_has_polled_since_the_start(switched) -> None:
    on = calls.Trigger("Orders", "Orders")
    assert switched.on_s(30, one=on) == [30]
    switched.at(40, "DeleteEventSourceMapping")
    assert switched.on_s(60) == [40]


def test_a_trigger_that_goes_with_its_stack_polls_until_it_is_last_seen(switched) -> None:
    switched.at(10, "GetEventSourceMapping", UUID="one")
    switched.at(20, "GetEventSourceMapping", UUID="one")
    assert switched.on_s(30) == [20]
    assert switched.on_s(30, one=calls.Trigger("Orders", "Orders")) == [30]
    switched.at(40, "DeleteEventSourceMapping")
    assert switched.on_s(50) == [40]


def test_who_lists_all_triggers_sees_those_of_others_too(switched) -> None:
    switched.at(10, "ListEventSourceMappings")
    assert switched.on_s(30) == []


def test_five_pollers_ask_every_20_s_and_messages_are_fetched_and_deleted() -> None:
    amounts = defaultdict(float, {"SQS": 7.0, "Orders": 1})
    handled = {"Orders": reading.Handled(fetches=4), "Audit": reading.Handled(fetches=2)}
    triggers = [
        calls.Trigger("Orders", "Orders", 60),
        calls.Trigger("Orders", "Orders", 20),
        calls.Trigger("Audit", "Audit.fifo", 40),
        calls.Trigger("Elsewhere", "Orders", 0),
    ]
    standard = reading.of_kind(False, triggers, handled, amounts)
    fifo = reading.of_kind(True, triggers, handled, amounts)
    assert (standard, fifo) == ((80, 3), (40, 2))
    lines = reading.of_queues("SQS", prices.SQS_REQUEST, amounts, *standard)
    assert [line.amount for line in lines] == [7, 20, 6]
    assert [line.estimated for line in lines] == [False, True, True]


def test_the_metrics_that_lines_write_are_told_apart_by_their_dimensions() -> None:
    def line(service: str, name: str = "took", **more) -> str:
        about = {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": [{"Name": name}]}
        return json.dumps({"_aws": {"CloudWatchMetrics": [about]}, "service": service, **more})

    lines = [
        line("cart"),
        line("cart", took=2),
        line("menu"),
        line("cart", "cents"),
        "CloudWatchMetrics",
    ]
    lines += ['{"CloudWatchMetrics": 1}', "text", line("cart").replace("service", "other", 1)]
    assert len(set(reading.metrics_in(lines))) == 3


def test_what_is_watched_is_counted() -> None:
    counter = calls.Calls()

    def answered(service: str, operation: str, answer: dict, **asked) -> None:
        about = type("Service", (), {"service_name": service})
        model = type("Model", (), {"service_model": about, "name": operation})
        counter._answered(parsed=answer, model=model, context={calls.ASKED: asked})

    queries = [{"Id": "a", "MetricStat": {}}, {"Id": "b", "Expression": "a * 2"}]
    answered("cloudwatch", "GetMetricData", {}, MetricDataQueries=queries)
    answered("cloudwatch", "GetMetricStatistics", {})
    answered("cloudwatch", "PutMetricAlarm", {}, AlarmName="a")
    for status, scanned in (("Running", 50.0), ("Complete", 100.0), ("Complete", 100.0)):
        answer = {"status": status, "statistics": {"bytesScanned": scanned}}
        answered("logs", "GetQueryResults", answer, queryId="q")
    amounts = counter.look()[0]
    lines = {line.kind: line.amount for line in reading.of_watching(amounts, 5)}
    assert lines == {
        "metrics of your own: an hour": 5,
        "metrics: your reads": 1,
        "alarms: an hour": 1,
        "logs: your queries": 100,
    }
    assert meter.Bill(tuple(reading.of_watching(amounts, 5)), 60).usd == pytest.approx(
        5 * 0.3 / 730 + 0.01 / 1000 + 0.1 / 730
    )


def test_a_direct_call_by_arn_is_known_by_its_function() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:Orders:live"
    assert calls.function_in(arn) == calls.function_in("Orders:live") == "Orders"


# -- prices -----------------------------------------------------------------------------------


def test_a_price_that_is_too_old_is_named() -> None:
    newest = max(each.quoted for each in prices.PRICES)
    assert prices.too_old(newest) == []
    assert len(prices.too_old(date(newest.year + 3, 1, 1))) == len(prices.PRICES)
    ends = [(date(2026, 3, 14), date(2026, 4, 13)), (date(2025, 7, 21), date(2026, 8, 21))]
    assert [prices.months_between(*each) for each in ends] == [0, 13]


def test_there_is_one_table_of_prices() -> None:
    figures = {f"{each.usd:.10f}".rstrip("0") for each in prices.PRICES}
    for path in (ROOT / "helpers").rglob("*.py"):
        if path.name != "prices.py":
            words = set(re.findall(r"(?<![\w.])\d+\.\d+", path.read_text(encoding="utf-8")))
            assert not words & {"0.0000166667", "0.40", "0.625"}, path
    texts = "\n".join(cell.source for name in NAMES for cell in read(name).cells)
    said = re.findall(r"\$(0\.\d+)|(0\.00001\d+)", texts)
    assert said
    assert {(one or other).rstrip("0") for one, other in said} <= figures


def test_what_a_forgotten_trigger_asks_is_calculated() -> None:
    month = prices.idle_polls(30 * 86_400)
    texts = "\n".join(cell.source for name in NAMES for cell in read(name).cells)
    said = re.findall(r"about ([\d,]+) requests a month", texts)
    assert said == [f"{round(month, -4):,.0f}"] * 2
    assert bill((month, prices.SQS_REQUEST)).usd_beyond_free == 0  # "below the million"
