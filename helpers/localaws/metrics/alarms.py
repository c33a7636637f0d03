"""Alarms: what is set of them, the state they are in, and what has become of them.

An alarm looks at whole periods, the last of which ended just now: on AWS it would wait for a
minute or two until their data are complete.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from helpers.localaws.metrics import reasons
from helpers.localaws.metrics.data_queries import Answers, dimensions_in, lines_of, read_query
from helpers.localaws.metrics.evaluation import (
    ALARM,
    INSUFFICIENT,
    MISSING,
    OK,
    Period,
    Rule,
    Verdict,
    evaluate,
    range_length,
)
from helpers.localaws.metrics.expressions import WrongExpression
from helpers.localaws.metrics.queries import Span, datapoints
from helpers.localaws.metrics.statistics import statistic
from helpers.localaws.metrics.store import Metric, Point, Store, make_metric
from helpers.localaws.settings import METRIC_MINUTE_S

CONFIGURATION, STATE, ACTION = "ConfigurationUpdate", "StateUpdate", "Action"
MOST_HISTORY = 1_000
ACTION_LISTS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT: "InsufficientDataActions"}


class State(NamedTuple):
    """A state, why, since when in s, and the JSON that tells programs why."""

    value: str
    reason: str
    data: str | None
    since_s: float

    def described(self) -> dict[str, Any]:
        """As the history of an alarm has it."""
        about: dict[str, Any] = {"stateValue": self.value, "stateReason": self.reason}
        if self.data:
            about["stateReasonData"] = json.loads(self.data)
        return about


class Alarm:
    """An alarm on a metric or on metric math. `settings`: the parameters of PutMetricAlarm."""

    def __init__(self, arn: str, settings: dict[str, Any], now_s: float) -> None:
        self.arn = arn
        self.settings = settings
        self.configured_s = now_s
        self.state = State(INSUFFICIENT, reasons.INITIAL, None, now_s)
        self.acts = settings.get("ActionsEnabled", True) is not False
        self.held_until_s = 0.0  # when it is evaluated again, after SetAlarmState

    @property
    def name(self) -> str:
        return str(self.settings["AlarmName"])

    @property
    def period_s(self) -> int:
        """As it is set; that of its metrics for one on metric math."""
        periods = [
            each.get("Period") or (each.get("MetricStat") or {}).get("Period")
            for each in self.settings.get("Metrics") or []
        ]
        return int(self.settings.get("Period") or next(filter(None, periods), 60))

    @property
    def statistic(self) -> str | None:
        return self.settings.get("Statistic") or self.settings.get("ExtendedStatistic")

    @property
    def rule(self) -> Rule:
        n = self.settings["EvaluationPeriods"]
        return Rule(
            self.settings["ComparisonOperator"],
            float(self.settings["Threshold"]),
            n,
            self.settings.get("DatapointsToAlarm") or n,
            self.settings.get("TreatMissingData") or MISSING,
        )

    @property
    def metric(self) -> Metric | None:
        """The metric that it is on; None for metric math."""
        if not self.settings.get("MetricName"):
            return None
        dimensions = dimensions_in(self.settings.get("Dimensions"))
        return make_metric(self.settings["Namespace"], self.settings["MetricName"], dimensions)

    def actions(self) -> list[str]:
        """The ARNs of what is to be done in the present state."""
        return list(self.settings.get(ACTION_LISTS[self.state.value]) or []) if self.acts else []

    def periods(self, store: Store, now_s: float) -> list[Period]:
        """The periods of the evaluation range, the oldest first; only those that are over."""
        length_s = self.period_s
        if length_s >= METRIC_MINUTE_S:
            length_s = length_s * store.minute_s // METRIC_MINUTE_S
        step_s = min(length_s, store.minute_s)
        end_s = int(now_s // step_s) * step_s
        start_s = end_s - range_length(self.rule.n) * length_s
        span = Span(start_s, end_s, length_s)
        known = self._known(store, span)
        return [known.get(start, Period(start, None, 0)) for start in span.starts()]

    def _known(self, store: Store, span: Span) -> dict[int, Period]:
        if self.metric is None:
            return self._known_of_math(store, span)
        together: dict[int, Point] = {}
        for each in datapoints(store, self.metric, self.settings.get("Unit"), span):
            if each.start_s in together:
                together[each.start_s].merge(each.point)
            else:
                together[each.start_s] = each.point
        found = {}
        for start, point in together.items():
            value = statistic(self.statistic or "Average", point)
            if value is not None:
                found[start] = Period(start, value, point.count)
        return found

    def _known_of_math(self, store: Store, span: Span) -> dict[int, Period]:
        queries = [read_query(each) for each in self.settings["Metrics"]]
        (wanted,) = [query for query in queries if query.returns]
        try:
            value = Answers(store, queries, lambda _: span, span.end_s).of(wanted)
            (line,) = lines_of(value)
        except (WrongExpression, ValueError):
            return {}
        return {start: Period(start, value) for start, value in line.items()}

    def find_state(self, store: Store, now_s: float) -> State | None:
        """The state that it is to have, if that is another one than it has."""
        if now_s < self.held_until_s:
            return None
        periods = self.periods(store, now_s)
        verdict = evaluate(self.rule, periods)
        is_new = verdict.state != self.state.value or self.state.reason == reasons.INITIAL
        return self._state(verdict, periods, now_s) if verdict.state and is_new else None

    def _state(self, verdict: Verdict, periods: list[Period], now_s: float) -> State:
        assert verdict.state is not None
        says_m = self.settings.get("DatapointsToAlarm") is not None
        why = reasons.reason(self.rule, verdict, says_m)
        unit = self.settings.get("Unit")
        data = reasons.reason_data(
            self.rule, verdict, periods, now_s, self.statistic, unit, self.period_s
        )
        return State(verdict.state, why, data, now_s)


class Item(NamedTuple):
    """An item of the history."""

    alarm_name: str
    at_s: float
    kind: str
    summary: str
    data: str


Act = Callable[[Alarm, State, str], dict[str, Any]]


class Alarms:
    """The alarms of an account and region, and their history, of which the last 1,000 are kept.

    `act(alarm, old state, arn)` does one action, and returns what the history says of it: with
    an "error" if it failed.
    """

    def __init__(self, store: Store, act: Act) -> None:
        self._store = store
        self._act = act
        self._lock = threading.RLock()
        self.by_name: dict[str, Alarm] = {}
        self._history: deque[Item] = deque(maxlen=MOST_HISTORY)

    def put(self, arn: str, settings: dict[str, Any], now_s: float) -> Alarm:
        """Make an alarm, or set one anew, which keeps its state."""
        with self._lock:
            made = Alarm(arn, settings, now_s)
            before = self.by_name.get(made.name)
            if before is not None:
                made.state = before.state
            self.by_name = {**self.by_name, made.name: made}
            self._note_configuration(made, "Update" if before else "Create", now_s)
            return made

    def delete(self, names: list[str], now_s: float) -> None:
        with self._lock:
            for name in names:
                gone = self.by_name.get(name)
                if gone is not None:
                    self._note_configuration(gone, "Delete", now_s)
            self.by_name = {n: each for n, each in self.by_name.items() if n not in names}

    def set_state(self, alarm: Alarm, value: str, why: str, data: str | None, now_s: float) -> None:
        """Put an alarm into a state until it is evaluated again, when the minute is over."""
        minute_s = self._store.minute_s
        alarm.held_until_s = (now_s // minute_s + 1) * minute_s
        self._enter(alarm, State(value, why, data, now_s))

    def evaluate(self, now_s: float) -> None:
        """Look at all alarms, with the data that there are `now_s`."""
        for alarm in list(self.by_name.values()):
            new = alarm.find_state(self._store, now_s)
            if new is not None:
                self._enter(alarm, new)

    def _enter(self, alarm: Alarm, new: State) -> None:
        """An alarm changes its state, and acts if it is another one."""
        with self._lock:
            if self.by_name.get(alarm.name) is not alarm:
                return  # deleted or set anew meanwhile
            old, alarm.state = alarm.state, new
            if old.value == new.value:
                return
            data = {"version": "1.0", "oldState": old.described(), "newState": new.described()}
            summary = reasons.summary_of_update(old.value, new.value)
            self._note(alarm, new.since_s, STATE, summary, data)
        for arn in alarm.actions():
            self._do(alarm, old, arn)

    def _do(self, alarm: Alarm, old: State, arn: str) -> None:
        about = self._act(alarm, old, arn)
        failed = "error" in about
        summary = f"Successfully executed action {arn}"
        if failed:
            summary = f'Failed to execute action {arn}. Received error: "{about["error"]}"'
        data = {
            "actionState": "Failed" if failed else "Succeeded",
            "stateUpdateTimestamp": int(alarm.state.since_s * 1000),
            "notificationResource": arn,
            **about,
        }
        self._note(alarm, alarm.state.since_s, ACTION, summary, data)

    def _note_configuration(self, alarm: Alarm, kind: str, now_s: float) -> None:
        words = {"Create": "created", "Update": "updated", "Delete": "deleted"}
        summary = f'Alarm "{alarm.name}" {words[kind]}'
        data = {"version": "1.0", "type": kind, f"{words[kind]}Alarm": configuration(alarm)}
        self._note(alarm, now_s, CONFIGURATION, summary, data)

    def _note(
        self, alarm: Alarm, at_s: float, kind: str, summary: str, data: dict[str, Any]
    ) -> None:
        text = json.dumps(data, separators=(",", ":"))
        with self._lock:
            self._history.append(Item(alarm.name, at_s, kind, summary, text))

    def history(self, name: str | None, kind: str | None) -> list[Item]:
        """What has happened, the newest first; also to alarms that were deleted."""
        with self._lock:
            items = list(reversed(self._history))
        return [
            item for item in items if name in (None, item.alarm_name) and kind in (None, item.kind)
        ]


def configuration(alarm: Alarm) -> dict[str, Any]:
    """An alarm as its own history shows it."""
    given = alarm.settings
    named = {
        lower_first(name): value
        for name, value in given.items()
        if name not in (*ACTION_LISTS.values(), "Dimensions", "Tags")
    }
    dimensions = [{"value": value, "name": name} for name, value in dimensions_in(
        given.get("Dimensions")
    )]  # fmt: skip
    return {
        **named,
        "alarmArn": alarm.arn,
        "alarmConfigurationUpdatedTimestamp": reasons.iso(alarm.configured_s),
        "dimensions": dimensions,
        "stateValue": alarm.state.value,
        "stateUpdatedTimestamp": reasons.iso(alarm.state.since_s),
        "actionsEnabled": alarm.acts,
        "alarmActions": given.get("AlarmActions") or [],
        "insufficientDataActions": given.get("InsufficientDataActions") or [],
        "okactions": given.get("OKActions") or [],
    }


def lower_first(name: str) -> str:
    """
    >>> lower_first("AlarmName")
    'alarmName'
    """
    return name[:1].lower() + name[1:]
