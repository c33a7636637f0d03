"""Alarms without a server and without a clock: which state, why, and what the history says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.localaws.metrics.alarms import Alarm, Alarms, State
from helpers.localaws.metrics.evaluation import (
    ALARM,
    BREACHING,
    IGNORE,
    INSUFFICIENT,
    MISSING,
    NOT_BREACHING,
    OK,
    TREATMENTS,
    Period,
    Rule,
    evaluate,
)
from helpers.localaws.metrics.reasons import reason
from helpers.localaws.metrics.store import Store, make_metric

NOW_S = 1_796_020_020  # 2026-11-30 06:27:00
VALUES = {"0": 0.0, "X": 5.0, "-": None}
RETAIN = None
DEAD = make_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", [("QueueName", "dead")])


def rule(m: int, n: int, treatment: str = MISSING) -> Rule:
    return Rule("GreaterThanThreshold", 1.0, n, m, treatment)


def periods(points: str) -> list[Period]:
    last = len(points.split()) - 1
    return [
        Period(NOW_S - 60 * (last - number), VALUES[point])
        for number, point in enumerate(points.split())
    ]


# The tables of "Configuring how CloudWatch alarms treat missing data": missing, ignore, breaching,
# not breaching. The last two rows are of its text on alarms that would go off too early.
@pytest.mark.parametrize(
    ("m", "points", "expected"),
    [
        (3, "0 - X - X", [OK, OK, OK, OK]),
        (3, "0 - - - -", [OK, OK, OK, OK]),
        (3, "- - - - -", [INSUFFICIENT, RETAIN, ALARM, OK]),
        (3, "0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
        (3, "- - X - -", [ALARM, RETAIN, ALARM, OK]),
        (2, "0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
        (2, "0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
        (2, "0 - X - -", [OK, OK, ALARM, OK]),
        (2, "- - - - 0", [OK, OK, ALARM, OK]),
        (2, "- - - X -", [ALARM, RETAIN, ALARM, OK]),
        (3, "- - - - X", [RETAIN, RETAIN, ALARM, OK]),
        (3, "- - - X -", [RETAIN, RETAIN, ALARM, OK]),
    ],
)
def test_the_documented_examples_of_missing_data(m: int, points: str, expected: list) -> None:
    treatments = (MISSING, IGNORE, BREACHING, NOT_BREACHING)
    found = [evaluate(rule(m, 3, each), periods(points)).state for each in treatments]
    assert found == expected


POINTS = st.lists(st.sampled_from("0X-"), min_size=3, max_size=12).map(" ".join)
RULES = st.integers(1, 8).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


@given(RULES, st.sampled_from(TREATMENTS), POINTS)
def test_a_verdict_looks_at_n_periods_and_the_newest(mn: Any, treatment: str, points: str) -> None:
    verdict = evaluate(rule(*mn, treatment), periods(points))
    known = [period for period in reversed(periods(points)) if period.value is not None]
    assert verdict.found == known[: mn[1]]
    assert len(verdict.found) + verdict.filled <= mn[1]


@given(RULES, POINTS.filter(lambda points: "-" not in points))
def test_without_missing_data_it_does_not_matter_how_they_are_treated(mn: Any, points: str) -> None:
    if len(points.split()) >= mn[1]:
        states = {evaluate(rule(*mn, each), periods(points)).state for each in TREATMENTS}
        assert states == {ALARM if points.split()[-mn[1] :].count("X") >= mn[0] else OK}


@given(RULES, POINTS)
def test_taken_for_breaching_is_never_milder(mn: Any, points: str) -> None:
    mild = evaluate(rule(*mn, NOT_BREACHING), periods(points)).state
    strict = evaluate(rule(*mn, BREACHING), periods(points)).state
    assert (mild, strict) in {(OK, OK), (OK, ALARM), (ALARM, ALARM)}
    between = evaluate(rule(*mn, MISSING), periods(points)).state
    if strict == OK:
        assert between in (OK, RETAIN, INSUFFICIENT)
    if mild == ALARM:
        assert between == ALARM


@given(RULES, st.sampled_from(TREATMENTS), POINTS, st.booleans())
def test_every_verdict_has_a_reason(mn: Any, treatment: str, points: str, says_m: bool) -> None:
    verdict = evaluate(rule(*mn, treatment), periods(points))
    if verdict.state is not None:
        text = reason(rule(*mn, treatment), verdict, says_m)
        assert text.startswith(("Threshold Crossed: ", "Insufficient Data: "))
        assert text.endswith(".")
        assert "None" not in text


LAST, BEFORE = "5.0 (30/11/26 06:27:00)", "5.0 (30/11/26 06:26:00)"


@pytest.mark.parametrize(
    ("m", "n", "treatment", "points", "says_m", "expected"),
    [
        (
            *(1, 1, MISSING, "X", True),
            f"Threshold Crossed: 1 out of the last 1 datapoints [{LAST}] was greater than the "
            "threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            *(1, 1, MISSING, "X", False),
            f"Threshold Crossed: 1 datapoint [{LAST}] was greater than the threshold (1.0).",
        ),
        (
            *(2, 3, MISSING, "X X 0", True),
            "Threshold Crossed: 2 out of the last 3 datapoints "
            f"[{BEFORE}, 5.0 (30/11/26 06:25:00)] were greater than the threshold (1.0) "
            "(minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            *(2, 3, MISSING, "X 0 0", True),
            "Threshold Crossed: 2 out of the last 3 datapoints "
            "[0.0 (30/11/26 06:27:00), 0.0 (30/11/26 06:26:00)] were not greater than the "
            "threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition).",
        ),
        (
            *(6, 6, MISSING, "X X X X X X", False),
            "Threshold Crossed: 6 datapoints were greater than the threshold (1.0). The most "
            "recent datapoints which crossed the threshold: "
            f"[{LAST}, {BEFORE}, 5.0 (30/11/26 06:25:00), 5.0 (30/11/26 06:24:00), "
            "5.0 (30/11/26 06:23:00)].",
        ),
        (
            *(1, 20, NOT_BREACHING, "X", True),
            f"Threshold Crossed: 1 out of the last 20 datapoints [{LAST}] was greater than the "
            "threshold (1.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 "
            "datapoint for OK -> ALARM transition).",
        ),
        (
            *(1, 1, NOT_BREACHING, "-", True),
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint "
            "was treated as [NonBreaching].",
        ),
        (
            *(2, 3, BREACHING, "0", True),
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints "
            "were treated as [Breaching].",
        ),
        (1, 1, MISSING, "-", True, "Insufficient Data: 1 datapoint was unknown."),
    ],
)
def test_reasons(m: int, n: int, treatment: str, points: str, says_m: bool, expected: str) -> None:
    of = rule(m, n, treatment)
    assert reason(of, evaluate(of, periods(points)), says_m) == expected


# -- an alarm on a dead-letter queue, minute by minute ---------------------------------------

SETTINGS = {
    "AlarmName": "dead letters",
    "Namespace": DEAD.namespace,
    "MetricName": DEAD.name,
    "Dimensions": [{"Name": "QueueName", "Value": "dead"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:pager"],
}


class Run:
    """An alarm on a dead-letter queue, whose depth is looked at once a second."""

    def __init__(self, minute_s: int = 60, **changes: Any) -> None:
        self.store = Store(minute_s)
        self.acted: list[tuple[str, str, str]] = []
        self.alarms = Alarms(self.store, self.act)
        self.now_s = NOW_S
        self.alarm = self.alarms.put("arn", {**SETTINGS, **changes}, self.now_s)

    def act(self, alarm: Alarm, old: State, arn: str) -> dict[str, Any]:
        self.acted.append((old.value, alarm.state.value, arn))
        return {"error": "gone"} if arn.endswith("gone") else {}

    def forward(self, seconds: int, depth: int | None) -> None:
        for _ in range(seconds):
            if depth is not None:
                self.store.sample(DEAD, "Count", depth, self.now_s + 0.5)
            self.now_s += 1
            self.alarms.evaluate(self.now_s)

    def wait(self, state: str, depth: int | None) -> int:
        """After how many seconds with this depth the alarm is in a state."""
        began_s = self.now_s
        while self.alarm.state.value != state:
            self.forward(1, depth)
            assert self.now_s < began_s + 1_000
        return self.now_s - began_s

    def kinds(self) -> list[tuple[str, str]]:
        return [(item.kind, item.summary) for item in reversed(self.alarms.history(None, None))]


@pytest.mark.parametrize("minute_s", [60, 2])
def test_it_fires_within_a_minute_and_recovers_within_one(minute_s: int) -> None:
    run = Run(minute_s)
    assert run.alarm.state.value == INSUFFICIENT
    assert run.alarm.state.reason == "Unchecked: Initial alarm creation"
    assert run.wait(OK, 0) <= minute_s
    run.forward(1, 0)
    assert run.wait(ALARM, 1) <= minute_s
    run.forward(1, 1)
    assert run.wait(OK, 0) <= minute_s
    pager = SETTINGS["AlarmActions"][0]
    assert run.acted == [(OK, ALARM, pager)]
    assert run.kinds() == [
        ("ConfigurationUpdate", 'Alarm "dead letters" created'),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to OK"),
        ("StateUpdate", "Alarm updated from OK to ALARM"),
        ("Action", f"Successfully executed action {pager}"),
        ("StateUpdate", "Alarm updated from ALARM to OK"),
    ]


def test_a_minute_that_is_not_over_decides_nothing() -> None:
    run = Run()
    run.forward(61, 0)
    run.forward(58, 9)
    assert run.alarm.state.value == OK
    run.forward(2, 9)
    assert run.alarm.state.value == ALARM


def test_without_data_it_says_that_it_knows_nothing_and_then_again() -> None:
    run = Run()
    run.forward(1, None)
    assert run.alarm.state[:2] == (INSUFFICIENT, "Insufficient Data: 1 datapoint was unknown.")
    run.wait(ALARM, 3)
    assert run.wait(INSUFFICIENT, None) == 180  # three periods are looked at
    assert [kind for kind, _ in run.kinds()].count("StateUpdate") == 2


def test_the_history_tells_programs_why() -> None:
    run = Run()
    run.wait(OK, 0)
    run.wait(ALARM, 2)
    item = run.alarms.history("dead letters", "StateUpdate")[0]
    told = json.loads(item.data)
    assert (told["oldState"]["stateValue"], told["newState"]["stateValue"]) == (OK, ALARM)
    data = told["newState"]["stateReasonData"]
    assert data["recentDatapoints"] == [2.0]
    assert data["evaluatedDatapoints"] == [
        {"timestamp": "2026-11-30T06:28:00.000+0000", "sampleCount": 1.0, "value": 2.0}
    ]
    assert data["startDate"] == "2026-11-30T06:28:00.000+0000"


def test_an_action_that_failed_is_in_the_history_and_a_disabled_one_is_not() -> None:
    arn = "arn:aws:sns:us-east-1:123456789012:gone"
    run = Run(AlarmActions=[arn])
    run.wait(ALARM, 1)
    kind, summary = run.kinds()[-1]
    assert (kind, summary) == (
        "Action",
        f'Failed to execute action {arn}. Received error: "gone"',
    )
    quiet = Run(AlarmActions=[arn], ActionsEnabled=False)
    quiet.wait(ALARM, 1)
    assert quiet.acted == []


def test_a_state_that_was_set_lasts_until_the_minute_is_over() -> None:
    run = Run()
    run.forward(65, 0)
    run.alarms.set_state(run.alarm, ALARM, "a test", None, run.now_s)
    assert run.acted == [(OK, ALARM, SETTINGS["AlarmActions"][0])]
    run.forward(50, 0)
    assert run.alarm.state[:2] == (ALARM, "a test")
    assert run.wait(OK, 0) <= 10


def test_an_alarm_that_is_set_anew_keeps_its_state_and_its_history_outlives_it() -> None:
    run = Run()
    run.wait(ALARM, 1)
    again = run.alarms.put("arn", {**SETTINGS, "Threshold": 100.0}, run.now_s)
    assert again.state.value == ALARM
    run.alarms.evaluate(run.now_s)
    assert again.state.value == OK
    run.alarms.delete(["dead letters", "nobody"], run.now_s)
    run.alarms.evaluate(run.now_s)
    assert run.kinds()[-1] == ("ConfigurationUpdate", 'Alarm "dead letters" deleted')
    assert run.alarms.by_name == {}


def test_an_alarm_on_metric_math() -> None:
    stat = {"Metric": {"Namespace": "Shop", "MetricName": "bad"}, "Period": 60, "Stat": "Sum"}
    all_ = {**stat, "Metric": {"Namespace": "Shop", "MetricName": "all"}}
    math = {
        "AlarmName": "share",
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            {"Id": "bad", "MetricStat": stat, "ReturnData": False},
            {"Id": "all", "MetricStat": all_, "ReturnData": False},
            {"Id": "share", "Expression": "100 * FILL(bad, 0) / all"},
        ],
    }
    store = Store()
    alarms = Alarms(store, lambda *_: {})
    alarm = alarms.put("arn", math, NOW_S)
    for minute, (bad, every) in enumerate([(0, 10), (1, 10), (2, 10)]):
        store.add(make_metric("Shop", "all"), "Count", every, at_s=NOW_S + 60 * minute)
        if bad:
            store.add(make_metric("Shop", "bad"), "Count", bad, at_s=NOW_S + 60 * minute)
        alarms.evaluate(NOW_S + 60 * (minute + 1))
        assert alarm.state.value == (ALARM if bad > 1 else OK)
    assert "[20.0 (30/11/26 06:29:00)]" in alarm.state.reason


def test_the_history_is_bounded() -> None:
    run = Run()
    for number in range(1_100):
        run.alarms.put("arn", {**SETTINGS, "AlarmName": str(number % 7)}, run.now_s)
    assert len(run.alarms.history(None, None)) == 1_000
