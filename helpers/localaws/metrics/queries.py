"""What GetMetricStatistics and GetMetricData read: points put together to the periods asked for.

Periods follow each other from the start of the question, which is rounded down to the minute, or
to the period if that is shorter (CloudWatch API Reference, "GetMetricStatistics"). A period
without data has no point: there are no zeros. The running minute's data are there at once; on AWS
they come a minute or two later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from helpers.localaws.metrics.statistics import statistic
from helpers.localaws.metrics.store import Metric, Point, Reading


class Readable(Protocol):
    """What can be read of a `Store`."""

    def read(
        self, metric: Metric, unit: str | None, start_s: float, end_s: float
    ) -> list[Reading]: ...

    def metrics(self, written_since_s: float = 0.0) -> list[Metric]: ...


class Span(NamedTuple):
    """The periods that are asked for: from `start_s` on, those that begin before `end_s`."""

    start_s: int
    end_s: float
    period_s: int

    def starts(self) -> range:
        """When each of the periods begins."""
        return range(self.start_s, max(self.start_s, -int(-self.end_s // 1)), self.period_s)


def make_span(start_s: float, end_s: float, period_s: int) -> Span:
    """
    >>> make_span(125.0, 300.0, 60)
    Span(start_s=120, end_s=300.0, period_s=60)
    """
    step = min(period_s, 60)
    return Span(int(start_s // step) * step, end_s, period_s)


class Datapoint(NamedTuple):
    """The values of a period in one unit."""

    start_s: int
    unit: str
    point: Point


def datapoints(store: Readable, metric: Metric, unit: str | None, span: Span) -> list[Datapoint]:
    """The periods that have data, a point for each unit, in order."""
    readings = store.read(metric, unit, span.start_s, span.end_s)
    return gather(readings, span)


def gather(readings: Iterable[Reading], span: Span) -> list[Datapoint]:
    """The readings put together by period and unit."""
    found: dict[tuple[int, str], Point] = {}
    for reading in readings:
        start = reading.start_s - (reading.start_s - span.start_s) % span.period_s
        key = (start, reading.unit)
        if key in found:
            found[key].merge(reading.point)
        else:
            found[key] = reading.point
    return [Datapoint(start, unit, point) for (start, unit), point in sorted(
        found.items(), key=lambda each: each[0]
    )]  # fmt: skip


def values(
    store: Readable, metric: Metric, unit: str | None, name: str, span: Span
) -> dict[int, float]:
    """A statistic of a metric by period; where no unit is asked for, of all units together."""
    together: defaultdict[int, list[Point]] = defaultdict(list)
    for each in datapoints(store, metric, unit, span):
        together[each.start_s].append(each.point)
    found = {}
    for start, points in together.items():
        for other in points[1:]:
            points[0].merge(other)
        value = statistic(name, points[0])
        if value is not None:
            found[start] = value
    return found
