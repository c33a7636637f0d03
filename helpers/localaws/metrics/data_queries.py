"""The queries of GetMetricData, and of alarms on metric math: metrics and expressions on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from helpers.localaws.metrics.expressions import Expression, Line, Value, WrongExpression
from helpers.localaws.metrics.queries import Readable, Span, values
from helpers.localaws.metrics.store import Metric, make_metric


class MetricQuery(NamedTuple):
    """A statistic of a metric by periods. `unit` None: values of any unit."""

    metric: Metric
    statistic: str
    period_s: int
    unit: str | None = None


class Query(NamedTuple):
    """One of the queries: on a metric or an expression. `period_s`: as given to an expression."""

    id: str
    label: str
    returns: bool
    metric: MetricQuery | None
    expression: str
    period_s: int | None


def dimensions_in(given: Iterable[dict[str, Any]] | None) -> list[tuple[str, str]]:
    return [(each["Name"], each["Value"]) for each in given or []]


def read_query(given: dict[str, Any]) -> Query:
    """A query from its form in the API, whose required members are there."""
    returns = given.get("ReturnData", True) is not False
    if not given.get("MetricStat"):
        label = given.get("Label") or given["Id"]
        expression, period_s = given["Expression"], given.get("Period")
        return Query(given["Id"], label, returns, None, expression, period_s)
    stat = given["MetricStat"]
    about = stat["Metric"]
    metric = make_metric(
        about["Namespace"], about["MetricName"], dimensions_in(about.get("Dimensions"))
    )
    label = given.get("Label") or metric.name
    unit = stat.get("Unit")
    query = MetricQuery(metric, stat["Stat"], stat["Period"], unit)
    return Query(given["Id"], label, returns, query, "", stat["Period"])


class Answers:
    """The values of queries that name each other. Raises WrongExpression."""

    def __init__(
        self,
        store: Readable,
        queries: list[Query],
        span_of: Callable[[int], Span],
        now_s: float,
    ) -> None:
        """`span_of(period)`: the periods of that length that are asked for."""
        self._store = store
        self._by_id = {query.id: query for query in queries}
        self._metric_ids = [query.id for query in queries if query.metric]
        self._span_of = span_of
        self._now_s = now_s
        self._known: dict[str, Value] = {}
        self._entered: set[str] = set()

    def of(self, query: Query) -> Value:
        """The value of a query, after those that it names."""
        if query.id not in self._known:
            self._known[query.id] = self._find(query)
        return self._known[query.id]

    def _find(self, query: Query) -> Value:
        if query.metric:
            span = self._span_of(query.metric.period_s)
            metric = query.metric
            return values(self._store, metric.metric, metric.unit, metric.statistic, span)
        if query.id in self._entered:
            raise WrongExpression(f"{query.id} needs itself.")
        self._entered.add(query.id)
        expression = Expression(query.expression)
        lines = {name: self._line(name) for name in sorted(self._ids(expression))}
        return expression.evaluate(lines, self._metric_ids, self._grid(query))

    def _ids(self, expression: Expression) -> set[str]:
        return {*expression.ids, *(self._metric_ids if expression.needs_all else [])}

    def _line(self, name: str) -> Line:
        if name not in self._by_id:
            raise WrongExpression(f"Unrecognized identifier: {name}")
        value = self.of(self._by_id[name])
        if not isinstance(value, dict):
            raise WrongExpression(f"{name} is no time series.")
        return value

    def _grid(self, query: Query) -> range:
        starts = self._span_of(self._period(query)).starts()
        return range(starts.start, min(starts.stop, int(self._now_s) + 1), starts.step)

    def _period(self, query: Query) -> int:
        found = {query.period_s} if query.period_s else self._periods(query, set())
        if len(found) > 1:
            raise WrongExpression("Metrics with different periods are not modelled here.")
        return next(iter(found), 60) or 60

    def _periods(self, query: Query, seen: set[str]) -> set[int | None]:
        """The periods of the metrics below a query."""
        if query.period_s:
            return {query.period_s}
        if query.id in seen:
            return set()
        below = self._ids(Expression(query.expression)) & {*self._by_id}
        found = [self._periods(self._by_id[name], {*seen, query.id}) for name in below]
        return set().union(*found)


def lines_of(value: Value) -> list[Line]:
    """The time series of a result. Raises WrongExpression for a number: AWS returns none."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise WrongExpression("The result is a single number, not a time series.")
