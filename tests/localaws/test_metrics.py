"""Metrics without a server: what is kept of values, and what is read of them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.localaws.metrics import store as store_module
from helpers.localaws.metrics.data_queries import Answers, lines_of, read_query
from helpers.localaws.metrics.emf import metrics_in
from helpers.localaws.metrics.expressions import Expression, WrongExpression
from helpers.localaws.metrics.queries import datapoints, make_span, values
from helpers.localaws.metrics.services import FunctionMetrics, Invoked, QueueMetrics
from helpers.localaws.metrics.statistics import statistic
from helpers.localaws.metrics.store import Point, Store, make_metric, statistic_set

NOW_S = 1_800_000_000  # begins a minute
SOLD = make_metric("Shop", "sold")
NUMBERS = st.floats(0, 1e6, allow_nan=False)


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> SimpleNamespace:
    made = SimpleNamespace(s=NOW_S)
    monkeypatch.setattr(store_module.time, "time", lambda: made.s)
    return made


def point_of(given_values: list[float]) -> Point:
    point = Point(given_values[0])
    for value in given_values[1:]:
        point.add(value)
    return point


def of_minutes(*lists: list[float], start_s: int = NOW_S) -> Store:
    """A store with these values in one minute after the other."""
    store = Store()
    for number, each in enumerate(lists):
        for value in each:
            store.add(SOLD, "Count", value, at_s=start_s + 60 * number)
    return store


# -- the values of a minute ----------------------------------------------------------------


@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_simple_statistics_are_those_of_the_values(sent: list[float]) -> None:
    point = point_of(sent)
    assert statistic("SampleCount", point) == len(sent)
    assert statistic("Sum", point) == pytest.approx(sum(sent))
    assert statistic("Average", point) == pytest.approx(sum(sent) / len(sent))
    assert (statistic("Minimum", point), statistic("Maximum", point)) == (min(sent), max(sent))


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.floats(0, 100))
def test_percentiles_lie_between_the_extremes_and_grow(sent: list[float], percent: float) -> None:
    point = point_of(sent)
    found = statistic(f"p{percent:.2f}" if percent < 99.99 else "p100", point)
    assert min(sent) - 1e-9 <= found <= max(sent) + 1e-9
    assert statistic("p0", point) == min(sent)
    assert statistic("p100", point) == max(sent)


@given(st.lists(NUMBERS, min_size=2, max_size=40), st.data())
def test_two_parts_together_are_as_the_whole(sent: list[float], data: Any) -> None:
    cut = data.draw(st.integers(1, len(sent) - 1))
    merged = point_of(sent[:cut])
    merged.merge(point_of(sent[cut:]))
    whole = point_of(sent)
    assert merged.each() == whole.each()
    assert (merged.count, merged.low, merged.high) == (whole.count, whole.low, whole.high)


def test_percentiles_by_rank() -> None:
    point = point_of([float(value) for value in range(1, 101)])
    found = [statistic(name, point) for name in ("p50", "p90", "p99", "p99.9")]
    assert found == pytest.approx([50.5, 90.1, 99.01, 99.901])


def test_many_different_values_are_kept_by_three_digits() -> None:
    point = point_of([1 + number / 1e6 for number in range(5_000)])
    assert len(point.each()) < 20
    assert point.count == 5_000
    assert statistic("p50", point) == pytest.approx(1.0025, rel=0.01)
    assert statistic("Maximum", point) == 1.004999


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (statistic_set(10, 55.0, 1.0, 10.0), None),
        (statistic_set(10, 50.0, 5.0, 5.0), 5.0),
        (point_of([-1.0, 2.0]), None),
    ],
)
def test_percentiles_need_single_values_that_are_not_negative(point: Point, expected: Any) -> None:
    assert statistic("p90", point) == expected
    assert statistic("Sum", point) is not None


# -- what is kept --------------------------------------------------------------------------


def test_a_value_counts_in_its_minute() -> None:
    store = Store()
    for at in (59.9, 60, 119.9, 120):
        store.add(SOLD, "Count", 1.0, at_s=NOW_S + at)
    found = datapoints(store, SOLD, None, make_span(NOW_S, NOW_S + 600, 60))
    assert [(each.start_s - NOW_S, each.point.count) for each in found] == [
        (0, 1),
        (60, 2),
        (120, 1),
    ]


def test_of_a_gauge_the_last_look_of_a_minute_counts() -> None:
    store = Store()
    for at, value in ((1, 7.0), (59, 3.0), (61, 0.0)):
        store.sample(SOLD, "Count", value, NOW_S + at)
    found = datapoints(store, SOLD, None, make_span(NOW_S, NOW_S + 600, 60))
    assert [(each.point.count, each.point.low) for each in found] == [(1, 3.0), (1, 0.0)]


def test_high_resolution_is_kept_by_the_second() -> None:
    store = Store()
    for at in (0.2, 0.9, 1.5):
        store.add(SOLD, "Count", 1.0, at_s=NOW_S + at, resolution_s=1)
    assert values(store, SOLD, None, "Sum", make_span(NOW_S, NOW_S + 10, 1)) == {
        NOW_S: 2.0,
        NOW_S + 1: 1.0,
    }


def test_old_points_are_dropped_and_an_empty_metric_is_none(clock) -> None:
    store = of_minutes([1.0])
    own = make_metric("AWS/SQS", "NumberOfMessagesSent")
    store.add(own, "Count", 1.0)
    clock.s += store_module.KEEP_S + 60
    store.forget_old(clock.s)
    assert store.metrics() == [SOLD]
    store.forget_old(NOW_S + store_module.KEEP_CUSTOM_S + 1)
    assert store.metrics() == []


def test_a_metric_has_a_greatest_number_of_points() -> None:
    store = Store()
    for second in range(store_module.MOST_POINTS + 100):
        store.add(SOLD, "Count", 1.0, at_s=NOW_S + second, resolution_s=1)
    found = store.read(SOLD, None, NOW_S, NOW_S + 10_000)
    assert len(found) == store_module.MOST_POINTS
    assert min(each.start_s for each in found) == NOW_S + 100


def test_of_too_many_metrics_that_goes_which_was_written_longest_ago(monkeypatch) -> None:
    monkeypatch.setattr(store_module, "MOST_METRICS", 3)
    store = Store()
    for number, name in enumerate(["a", "b", "c"]):
        store.add(make_metric("N", name), "None", 1.0, at_s=NOW_S + number)
    store.add(make_metric("N", "a"), "None", 1.0, at_s=NOW_S + 10)
    store.add(make_metric("N", "d"), "None", 1.0, at_s=NOW_S + 11)
    assert [metric.name for metric in store.metrics()] == ["a", "c", "d"]


def test_a_new_metric_costs_the_same_however_many_there_are(monkeypatch) -> None:
    """As with thousands of queues, whose gauges are all written once a minute."""
    monkeypatch.setattr(store_module, "MOST_METRICS", 50)
    store, looked_at = Store(), []

    class Watched(dict):
        def __iter__(self) -> Any:
            looked_at.append(len(self))
            return super().__iter__()

    store._series = Watched()
    for number in range(100):
        store.add(make_metric("N", str(number)), "None", 1.0, at_s=NOW_S)
    assert len(store.metrics()) == 50
    assert not looked_at


def test_each_unit_is_counted_by_itself() -> None:
    store = Store()
    store.add(SOLD, "Count", 1.0)
    store.add(SOLD, "Bytes", 5.0)
    span = make_span(NOW_S, NOW_S + 60, 60)
    assert [(each.unit, each.point.total) for each in datapoints(store, SOLD, None, span)] == [
        ("Bytes", 5.0),
        ("Count", 1.0),
    ]
    assert values(store, SOLD, "Count", "Sum", span) == {NOW_S: 1.0}
    assert values(store, SOLD, None, "Sum", span) == {NOW_S: 6.0}


# -- what is read --------------------------------------------------------------------------


def test_periods_follow_the_start_of_the_question() -> None:
    store = of_minutes(*[[1.0]] * 10)
    span = make_span(NOW_S + 90, NOW_S + 600, 300)
    assert values(store, SOLD, None, "Sum", span) == {NOW_S + 60: 5.0, NOW_S + 360: 4.0}


def test_the_start_is_in_the_end_is_not_and_nothing_is_no_zero() -> None:
    store = of_minutes([1.0], [], [2.0], [4.0])
    span = make_span(NOW_S, NOW_S + 180, 60)
    assert values(store, SOLD, None, "Sum", span) == {NOW_S: 1.0, NOW_S + 120: 2.0}


# -- metric math -----------------------------------------------------------------------------

GRID = range(0, 300, 60)
KNOWN = {"m1": {0: 1.0, 60: 2.0, 180: 4.0}, "m2": {0: 10.0, 60: 0.0, 120: 5.0}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1", KNOWN["m1"]),
        ("m1 + m2", {0: 11.0, 60: 2.0}),
        ("100 * m1 / m2", {0: 10.0}),  # a division by zero has no result
        ("-m1 ^ 2", {0: -1.0, 60: -4.0, 180: -16.0}),
        ("FILL(m1, 0)", {0: 1.0, 60: 2.0, 120: 0.0, 180: 4.0, 240: 0.0}),
        ("FILL(m1, REPEAT)", {0: 1.0, 60: 2.0, 120: 2.0, 180: 4.0, 240: 4.0}),
        ("FILL(m1, LINEAR)", {0: 1.0, 60: 2.0, 120: 3.0, 180: 4.0}),
        ("SUM([m1, m2])", {0: 11.0, 60: 2.0, 120: 5.0, 180: 4.0}),
        ("SUM(METRICS())", {0: 11.0, 60: 2.0, 120: 5.0, 180: 4.0}),
        ('MAX(METRICS("m2"))', KNOWN["m2"]),
        ("m1 / SUM(m1)", {0: 1 / 7, 60: 2 / 7, 180: 4 / 7}),
        ("IF(m1 > 1, m1, 0)", {0: 0.0, 60: 2.0, 180: 4.0}),
        ("RATE(m1)", {60: 1 / 60, 180: 2 / 120}),
        ("RUNNING_SUM(m1)", {0: 1.0, 60: 3.0, 180: 7.0}),
        ("m1 * 60 / PERIOD(m1)", KNOWN["m1"]),
    ],
)
def test_expressions(text: str, expected: dict[int, float]) -> None:
    assert Expression(text).evaluate(KNOWN, ["m1", "m2"], GRID) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "m1 +",
            "m9",
            "FOO(m1)",
            "SELECT AVG(x) FROM y",
            'SEARCH("x", "Sum")',
            "m1 if 1 else 2",
        ),
        *("[m1][0]", "m1.x", "__import__('os')", "SUM()", "FILL(m1)", "m1 < m2 < 3", "1 / 0"),
        *("ANOMALY_DETECTION_BAND(m1)", "'a'", "(" * 400 + "m1" + ")" * 400, "m1+" * 2_000 + "m1"),
    ],
)
def test_what_is_not_modelled_is_refused(text: str) -> None:
    with pytest.raises(WrongExpression):
        Expression(text).evaluate(KNOWN, ["m1", "m2"], GRID)


def query(name: str, expression: str = "", **more: Any) -> dict[str, Any]:
    if expression:
        return {"Id": name, "Expression": expression, **more}
    metric = {"Namespace": "Shop", "MetricName": "sold"}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, **more}


def answer(store: Store, wanted: str, *queries: dict[str, Any]) -> list[dict[int, float]]:
    read = [read_query(each) for each in queries]
    answers = Answers(
        store, read, lambda period: make_span(NOW_S, NOW_S + 180, period), NOW_S + 200
    )
    (the_one,) = [each for each in read if each.id == wanted]
    return lines_of(answers.of(the_one))


def test_expressions_may_name_each_other_in_any_order() -> None:
    store = of_minutes([1.0], [2.0])
    (line,) = answer(store, "e2", query("e2", "e1 * 2"), query("e1", "FILL(m, 0)"), query("m"))
    assert line == {NOW_S: 2.0, NOW_S + 60: 4.0, NOW_S + 120: 0.0}


@pytest.mark.parametrize(
    "queries",
    [
        [query("e1", "e2"), query("e2", "e1")],
        [query("e1", "e1 + 1")],
        [query("e1", "SUM(m)"), query("m")],  # a single number
    ],
)
def test_what_names_itself_and_what_is_no_series_is_refused(queries: list[dict]) -> None:
    with pytest.raises(WrongExpression):
        answer(of_minutes([1.0]), "e1", *queries)


# -- what services write ---------------------------------------------------------------------


def summed(store: Store, name: str, *dimensions: tuple[str, str], of: str = "Sum") -> float | None:
    metric = make_metric(
        "AWS/Lambda" if "Queue" not in str(dimensions) else "AWS/SQS", name, dimensions
    )
    span = make_span(NOW_S - 3600, NOW_S + 3600, 86_400)
    return next(iter(values(store, metric, None, of, span).values()), None)


def test_an_invocation_counts_for_its_resource_its_function_and_all() -> None:
    store = Store()
    FunctionMetrics(store, "f", None).ended(Invoked(NOW_S, 10.0, False))
    FunctionMetrics(store, "f", "live").ended(Invoked(NOW_S, 30.0, True))
    FunctionMetrics(store, "g", None).ended(Invoked(NOW_S, 50.0, False))
    f, live = ("FunctionName", "f"), ("Resource", "f:live")
    sums = [summed(store, "Invocations", *dims) for dims in ((), (f,), (f, live))]
    assert sums == [3.0, 2.0, 1.0]
    assert summed(store, "Errors") == 1.0
    assert summed(store, "Errors", f, ("Resource", "f")) == 0.0
    assert summed(store, "Duration", f, of="p100") == 30.0
    listed = {metric.dimensions for metric in store.metrics() if metric.name == "Duration"}
    assert {(), (f,), (f, live)} <= listed


def test_a_queue_counts_what_is_sent_received_and_deleted() -> None:
    store = Store()
    metrics = QueueMetrics(store, "q")
    metrics.sent(100)
    metrics.sent(300)
    metrics.received(2)
    metrics.received(0)
    metrics.deleted()
    name = ("QueueName", "q")
    assert summed(store, "NumberOfMessagesSent", name) == 2.0
    assert summed(store, "SentMessageSize", name, of="Average") == 200.0
    assert summed(store, "NumberOfMessagesReceived", name) == 2.0
    assert summed(store, "NumberOfEmptyReceives", name) == 1.0
    assert summed(store, "NumberOfMessagesDeleted", name) == 1.0


# -- lines of a log that are metrics -----------------------------------------------------------


def line(**changes: Any) -> str:
    directive = {
        "Namespace": "Shop",
        "Dimensions": [["service"], ["service", "country"], []],
        "Metrics": [{"Name": "sold", "Unit": "Count"}, {"Name": "ms", "StorageResolution": 1}],
    }
    about = {"Timestamp": NOW_S * 1000, "CloudWatchMetrics": [{**directive, **changes}]}
    root = {"service": "s", "country": "de", "sold": 3, "ms": [1, 2.5]}
    return json.dumps({"_aws": about, **root})


def test_a_line_becomes_a_metric_for_each_set_of_dimensions() -> None:
    found = metrics_in(line(), NOW_S)
    assert {(each.metric.name, each.metric.dimensions) for each in found} == {
        (name, dimensions)
        for name in ("sold", "ms")
        for dimensions in ((), (("service", "s"),), (("country", "de"), ("service", "s")))
    }
    assert {(e.unit, tuple(e.values), e.at_s, e.resolution_s) for e in found} == {
        ("Count", (3.0,), NOW_S, None),
        ("None", (1.0, 2.5), NOW_S, 1),
    }


# As Powertools for AWS Lambda 3 and aws-embedded-metrics 3 print them.
POWERTOOLS = (
    '{"_aws":{"Timestamp":1800000000000,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":'
    '[["country","service"]],"Metrics":[{"Name":"sold","Unit":"Count"},{"Name":"ms","Unit":'
    '"Milliseconds","StorageResolution":1}]}]},"country":"de","service":"orders","order":"42",'
    '"sold":[1.0,2.0,3.0],"ms":[12.5]}'
)
EMBEDDED_METRICS = (
    '{"LogGroup": "f", "ServiceName": "f", "ServiceType": "AWS::Lambda::Function", "a": "b", '
    '"memorySize": "128", "_aws": {"Timestamp": 1800000000000, "CloudWatchMetrics": '
    '[{"Dimensions": [["LogGroup", "ServiceName", "ServiceType", "a"]], "Metrics": [{"Name": '
    '"lat", "Unit": "Milliseconds"}], "Namespace": "Emb"}]}, "lat": [100, 200]}\n'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (POWERTOOLS, [("sold", "Count", [1.0, 2.0, 3.0], None), ("ms", "Milliseconds", [12.5], 1)]),
        (EMBEDDED_METRICS, [("lat", "Milliseconds", [100.0, 200.0], None)]),
    ],
)
def test_what_the_libraries_print_becomes_metrics(text: str, expected: list) -> None:
    found = metrics_in(text, NOW_S)
    told = [(each.metric.name, each.unit, each.values, each.resolution_s) for each in found]
    assert told == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"_aws": 1}', 0),
        ('{"_aws": {"Timestamp": "soon", "CloudWatchMetrics": []}}', 0),
        ('"_aws"', 0),
        ('{"_aws"', 0),
        ("[" * 100_000 + '"_aws"', 0),
        (line(Namespace="AWS/Lambda"), 0),
        (line(Dimensions=[["nobody"]]), 0),
        (line(Dimensions=[["sold"]]), 0),  # a dimension's value is a text
        (line(Metrics=[{"Name": "country"}]), 0),
        (line(Metrics=[{"Name": "sold", "Unit": "Pieces"}]), 0),
        (line(Metrics=[{"Name": "sold"}, {"Name": "gone"}, 7]), 3),
        (line().replace("[1, 2.5]", json.dumps([1] * 101)), 3),
        (line().replace("[1, 2.5]", json.dumps([1] * 100)), 6),
        (line().replace(str(NOW_S), str(NOW_S - 15 * 86_400)), 0),
        (line().replace(str(NOW_S), str(NOW_S + 3 * 3_600)), 0),
    ],
)
def test_what_does_not_keep_to_the_format_becomes_no_metric(text: str, count: int) -> None:
    assert len(metrics_in(text, NOW_S)) == count
