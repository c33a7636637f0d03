"""What CloudWatch answers: moto's responses, where metrics and alarms are our own."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException, InvalidParameterValue
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from helpers.localaws.common.clean_refusals import CleanRefusals
from helpers.localaws.metrics import backend as kept
from helpers.localaws.metrics import refusals as rules
from helpers.localaws.metrics.alarms import Alarm, Item
from helpers.localaws.metrics.backend import Backend, moment, seconds
from helpers.localaws.metrics.data_queries import (
    Answers,
    Query,
    dimensions_in,
    lines_of,
    read_query,
)
from helpers.localaws.metrics.evaluation import STATES
from helpers.localaws.metrics.expressions import Line, WrongExpression
from helpers.localaws.metrics.queries import Datapoint, datapoints, make_span
from helpers.localaws.metrics.statistics import SIMPLE, statistic
from helpers.localaws.metrics.store import Metric, make_metric

PAGE = 500  # of ListMetrics
MOST_RECORDS = 100  # of DescribeAlarms and DescribeAlarmHistory
RECENT_S = 3 * 3600  # RecentlyActive=PT3H


class InvalidNextToken(CloudWatchException):
    code = "InvalidNextToken"


class Responses(CleanRefusals, CloudWatchResponse):
    """moto's CloudWatch responses, with our metrics and alarms."""

    params: dict[str, Any]

    @property
    def kept(self) -> Backend:
        found = self.cloudwatch_backend
        assert isinstance(found, Backend)
        return found

    # -- metrics -----------------------------------------------------------------------

    def put_metric_data(self) -> Any:
        data = self.params.get("MetricData") or []
        if self.params.get("EntityMetricData"):
            raise rules.unsupported("The parameter EntityMetricData")
        rules.check_data(self.params["Namespace"], data)
        self.kept.put_metric_data(self.params["Namespace"], data)
        return EmptyResult()

    def get_metric_statistics(self) -> Any:
        given = self.params
        start_s, end_s = seconds(given["StartTime"]), seconds(given["EndTime"])
        rules.check_statistics_request(given, start_s, end_s)
        metric = make_metric(
            given["Namespace"], given["MetricName"], dimensions_in(given.get("Dimensions"))
        )
        span = make_span(start_s, end_s, given["Period"])
        found = datapoints(self.kept.readable, metric, given.get("Unit"), span)
        names = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
        described = [describe_point(each, *names) for each in found]
        return ActionResult(
            {"Label": metric.name, "Datapoints": [each for each in described if each]}
        )

    def get_metric_data(self) -> Any:
        given = self.params
        start_s, end_s = seconds(given["StartTime"]), seconds(given["EndTime"])
        rules.check_data_request(given.get("MetricDataQueries") or [], start_s, end_s)
        queries = [read_query(each) for each in given["MetricDataQueries"]]
        answers = Answers(
            self.kept.readable,
            queries,
            lambda period_s: make_span(start_s, end_s, period_s),
            time.time(),
        )
        ascending = given.get("ScanBy") == "TimestampAscending"
        results = [
            describe_line(query, line, ascending)
            for query in queries
            if query.returns
            for line in answer(answers, query)
        ]
        return ActionResult({"MetricDataResults": results, "Messages": []})

    def list_metrics(self) -> Any:
        given = self.params
        since_s = time.time() - RECENT_S if given.get("RecentlyActive") else 0.0
        found = [
            metric
            for metric in self.kept.readable.metrics(since_s)
            if fits(metric, given.get("Namespace"), given.get("MetricName"))
            and has(metric, given.get("Dimensions") or [])
        ]
        page, token = self._page(found, PAGE)
        return ActionResult({"Metrics": [describe_metric(each) for each in page], **token})

    def _page(self, found: list[Any], size: int) -> tuple[list[Any], dict[str, str]]:
        """A page of a listing. A token is the number of entries before it."""
        first = read_token(self.params.get("NextToken"))
        last = first + size
        return found[first:last], {"NextToken": make_token(last)} if last < len(found) else {}

    # -- alarms ------------------------------------------------------------------------

    def put_metric_alarm(self) -> Any:
        rules.check_alarm(self.params)
        self.kept.put_alarm(dict(self.params))
        return EmptyResult()

    def put_composite_alarm(self) -> Any:
        raise rules.unsupported("PutCompositeAlarm")

    def describe_alarms(self) -> Any:
        given = self.params
        if given.get("AlarmNames") and given.get("AlarmNamePrefix"):
            raise rules.invalid("AlarmNamePrefix and AlarmNames cannot be specified together.")
        rules.check_model("DescribeAlarms", given)
        alarms = self.kept.kept.by_name.values()
        found = [alarm for alarm in alarms if is_wanted(alarm, given)]
        if "MetricAlarm" not in (given.get("AlarmTypes") or ["MetricAlarm"]):
            found = []
        page, token = self._page(sorted(found, key=lambda alarm: alarm.name), self._records())
        answer = {"MetricAlarms": [describe_alarm(each) for each in page], "CompositeAlarms": []}
        return ActionResult({**answer, **token})

    def _records(self) -> int:
        return int(self.params.get("MaxRecords") or MOST_RECORDS)

    def describe_alarms_for_metric(self) -> Any:
        given = self.params
        metric = make_metric(
            given["Namespace"], given["MetricName"], dimensions_in(given.get("Dimensions"))
        )
        found = [
            describe_alarm(alarm)
            for alarm in self.kept.kept.by_name.values()
            if alarm.metric == metric
            and all(
                given.get(name) in (None, alarm.settings.get(name))
                for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            )
        ]
        return ActionResult({"MetricAlarms": found})

    def describe_alarm_history(self) -> Any:
        given = self.params
        rules.check_model("DescribeAlarmHistory", given)
        items = self.kept.kept.history(given.get("AlarmName"), given.get("HistoryItemType"))
        start = seconds(given["StartDate"]) if given.get("StartDate") else float("-inf")
        end = seconds(given["EndDate"]) if given.get("EndDate") else float("inf")
        found = [item for item in items if start <= item.at_s <= end]
        if given.get("ScanBy") == "TimestampAscending":
            found.reverse()
        page, token = self._page(found, self._records())
        return ActionResult({"AlarmHistoryItems": [describe_item(each) for each in page], **token})

    def set_alarm_state(self) -> Any:
        given = self.params
        rules.check_model("SetAlarmState", given)
        alarm = self.kept.kept.by_name.get(given["AlarmName"])
        if alarm is None:
            raise rules.alarm_not_found()
        assert given["StateValue"] in STATES
        self.kept.kept.set_state(
            alarm,
            given["StateValue"],
            given["StateReason"],
            given.get("StateReasonData"),
            time.time(),
        )
        return EmptyResult()

    def delete_alarms(self) -> Any:
        self.kept.delete_alarms(self.params.get("AlarmNames") or [])
        return EmptyResult()

    def enable_alarm_actions(self) -> Any:
        self.kept.set_acts(self.params.get("AlarmNames") or [], True)
        return EmptyResult()

    def disable_alarm_actions(self) -> Any:
        self.kept.set_acts(self.params.get("AlarmNames") or [], False)
        return EmptyResult()


def answer(answers: Answers, query: Query) -> list[Line]:
    try:
        return lines_of(answers.of(query))
    except WrongExpression as error:
        raise rules.invalid(f"Error in expression '{query.id}': {error}") from None


def describe_point(
    each: Datapoint, simple: list[str], extended: list[str]
) -> dict[str, Any] | None:
    """A data point of GetMetricStatistics; None when it has none of the statistics."""
    found: dict[str, Any] = {name: statistic(name, each.point) for name in SIMPLE if name in simple}
    percentiles = {name: statistic(name, each.point) for name in extended}
    known = {name: value for name, value in percentiles.items() if value is not None}
    if known:
        found["ExtendedStatistics"] = known
    return {"Timestamp": moment(each.start_s), **found, "Unit": each.unit} if found else None


def describe_line(query: Query, line: Line, ascending: bool) -> dict[str, Any]:
    """A result of GetMetricData; the newest value comes first if nothing else is asked for."""
    times = sorted(line, reverse=not ascending)
    return {
        "Id": query.id,
        "Label": query.label,
        "Timestamps": [moment(at) for at in times],
        "Values": [line[at] for at in times],
        "StatusCode": "Complete",
    }


def describe_metric(metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def fits(metric: Metric, namespace: str | None, name: str | None) -> bool:
    return namespace in (None, metric.namespace) and name in (None, metric.name)


def has(metric: Metric, filters: list[dict[str, str]]) -> bool:
    """Whether a metric has all these dimensions, with these values where one is given."""
    own = dict(metric.dimensions)
    return all(
        each["Name"] in own and each.get("Value") in (None, own[each["Name"]]) for each in filters
    )


def make_token(count: int) -> str:
    return base64.b64encode(str(count).encode()).decode()


def read_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError):
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None


def is_wanted(alarm: Alarm, given: dict[str, Any]) -> bool:
    """Whether DescribeAlarms is to answer with an alarm."""
    names, prefix = given.get("AlarmNames"), given.get("AlarmNamePrefix") or ""
    action = given.get("ActionPrefix") or ""
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(prefix)
        and given.get("StateValue") in (None, alarm.state.value)
        and (not action or any(arn.startswith(action) for arn in all_actions(alarm)))
    )


def all_actions(alarm: Alarm) -> list[str]:
    names = ("OKActions", "AlarmActions", "InsufficientDataActions")
    return [arn for name in names for arn in alarm.settings.get(name) or []]


def describe_alarm(alarm: Alarm) -> dict[str, Any]:
    state = alarm.state
    described = {
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured_s),
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "Dimensions": [],
        **alarm.settings,
        "ActionsEnabled": alarm.acts,
        "StateValue": state.value,
        "StateReason": state.reason,
        "StateReasonData": state.data,
        "StateUpdatedTimestamp": moment(state.since_s),
        "StateTransitionedTimestamp": moment(state.since_s),
    }
    return {name: value for name, value in described.items() if value is not None}


def describe_item(item: Item) -> dict[str, Any]:
    return {
        "AlarmName": item.alarm_name,
        "AlarmType": "MetricAlarm",
        "Timestamp": moment(item.at_s),
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def install() -> None:
    """Make moto's server use these metrics and alarms."""
    kept.install(Responses.dispatch)
