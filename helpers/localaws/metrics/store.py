"""Data points of metrics: what was counted in each minute, and nothing of who counts or asks.

Made for being written much more often than being read: a value costs a look-up and an addition,
whatever the number of values in its minute. What is kept is bounded: 3 hours of what AWS's
services count and 15 days of custom metrics (on AWS both: 15 days), at most 1,440 points of a
metric, and 2,000 metrics of an account and region, of which the one that was written longest ago
goes first. Of more than 500 different values in a minute, percentiles know three digits.

All times are seconds since the epoch. Every method is safe to call from several threads.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from helpers.localaws.settings import metric_minute_seconds

KEEP_S = 3 * 3600
KEEP_CUSTOM_S = 15 * 86_400
MOST_POINTS = 1_440
MOST_METRICS = 2_000
MOST_VALUES = 500
DIGITS = 3

Dimensions = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """What AWS calls a metric: each combination of dimensions is one of its own."""

    namespace: str
    name: str
    dimensions: Dimensions

    @property
    def is_custom(self) -> bool:
        return not self.namespace.startswith("AWS/")


Key = tuple[Metric, str]  # a metric in one of its units


def make_metric(namespace: str, name: str, dimensions: Iterable[tuple[str, str]] = ()) -> Metric:
    return Metric(namespace, name, tuple(sorted(dimensions)))


class Point:
    """What is known of the values of a period: how many, their sum and extremes, and each one.

    `values` counts each of them while there are several different ones; None while all are
    equal. Of a statistic set the values are not known, which `is_whole` says: AWS then has no
    percentiles.
    """

    __slots__ = ("count", "high", "is_coarse", "is_whole", "low", "total", "values")

    def __init__(self, value: float, count: float = 1.0) -> None:
        self.count = count
        self.total = value * count
        self.low = self.high = value
        self.values: dict[float, float] | None = None
        self.is_whole = True
        self.is_coarse = False

    def add(self, value: float, count: float = 1.0) -> None:
        if self.values is not None or value != self.low:
            self._note(value, count)
        self.count += count
        self.total += value * count
        if value < self.low:  # which is quicker than min()
            self.low = value
        elif value > self.high:
            self.high = value

    def merge(self, other: Point) -> None:
        """Take in what another period knows."""
        if not other.is_whole:
            self._take_in(other)
            return
        for value, count in other.each():
            self.add(value, count)

    def _take_in(self, other: Point) -> None:
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.is_whole = False

    def each(self) -> list[tuple[float, float]]:
        """The different values with their counts, in order."""
        return sorted((self.values or {self.low: self.count}).items())

    def copy(self) -> Point:
        made = Point(self.low)
        for name in self.__slots__:
            setattr(made, name, getattr(self, name))
        made.values = dict(self.values) if self.values is not None else None
        return made

    def _note(self, value: float, count: float) -> None:
        values = self.values
        if values is None:
            values = self.values = {self.low: self.count}
        if self.is_coarse:
            value = coarse(value)
        values[value] = values.get(value, 0.0) + count
        if len(values) > MOST_VALUES and not self.is_coarse:
            self.is_coarse, self.values = True, {}
            for each, its_count in values.items():
                key = coarse(each)
                self.values[key] = self.values.get(key, 0.0) + its_count


def coarse(value: float) -> float:
    """
    >>> coarse(0.0123456), coarse(98765.0), coarse(0.0)
    (0.0123, 98800.0, 0.0)
    """
    return round(value, DIGITS - 1 - math.floor(math.log10(abs(value)))) if value else value


def statistic_set(count: float, total: float, low: float, high: float) -> Point:
    """The point of a statistic set; its values are known if all are equal."""
    made = Point(low, count)
    made.total, made.high = total, high
    made.is_whole = low == high
    return made


ZERO = Point(0.0)  # of all gauges that show nothing: most of them, most of the time


class Series:
    """The points of a metric in one unit, by the beginning of their minute."""

    __slots__ = ("keep_s", "points", "resolution_s", "written_s")

    def __init__(self, resolution_s: int, keep_s: int) -> None:
        self.resolution_s = resolution_s
        self.keep_s = keep_s
        self.points: dict[int, Point] = {}
        self.written_s = 0.0

    def start_of(self, at_s: float) -> int:
        return int(at_s // self.resolution_s) * self.resolution_s

    def make_room(self, now_s: float) -> None:
        """Drop something if there is too much; what is old goes once a minute in any case."""
        if len(self.points) > MOST_POINTS:
            self.expire(now_s)

    def expire(self, now_s: float) -> None:
        oldest = now_s - self.keep_s
        for start in [start for start in self.points if start < oldest]:
            del self.points[start]
        while len(self.points) > MOST_POINTS:
            del self.points[min(self.points)]


class Reading(NamedTuple):
    """A point that was read: when its minute began, how long it was, its unit and values."""

    start_s: int
    length_s: int
    unit: str
    point: Point


class Store:
    """The metrics of one account and region.

    `minute_s`: how long a minute is of what is not of high resolution, in s.
    """

    def __init__(self, minute_s: int = 60) -> None:
        self.minute_s = minute_s
        self._lock = threading.Lock()
        self._series: dict[Key, Series] = {}
        self._written: OrderedDict[Key, None] = OrderedDict()  # the last one at the end
        self._parts: dict[Metric, set[Metric]] = {}

    def roll_up(self, part: Metric, *into: Metric) -> None:
        """What is written of a metric shall be read of others too, as a part of them."""
        with self._lock:
            for whole in into:
                self._parts.setdefault(whole, set()).add(part)

    def add(
        self,
        metric: Metric,
        unit: str,
        value: float,
        count: float = 1.0,
        at_s: float | None = None,
        resolution_s: int | None = None,
    ) -> None:
        """Count a value, `count` times, in the minute of `at_s`, by default the running one."""
        at_s = time.time() if at_s is None else at_s
        with self._lock:
            self._add((metric, unit), value, count, at_s, resolution_s)

    def add_all(self, values: Iterable[tuple[Key, float]], at_s: float) -> None:
        """Count one value of each of these metrics, which is quicker than one after the other."""
        with self._lock:
            for key, value in values:
                self._add(key, value, 1.0, at_s, None)

    def _add(
        self, key: Key, value: float, count: float, at_s: float, resolution_s: int | None
    ) -> None:
        series = self._of(key, at_s, resolution_s)
        start = int(at_s // series.resolution_s) * series.resolution_s
        point = series.points.get(start)
        if point is None:
            series.points[start] = Point(value, count)
            series.make_room(time.time())
        else:
            point.add(value, count)

    def add_point(
        self, metric: Metric, unit: str, point: Point, at_s: float, resolution_s: int | None = None
    ) -> None:
        """Count all values of a point that nobody else changes."""
        with self._lock:
            series = self._of((metric, unit), at_s, resolution_s)
            start = series.start_of(at_s)
            if start in series.points:
                series.points[start].merge(point)
            else:
                series.points[start] = point
                series.make_room(time.time())

    def sample(self, metric: Metric, unit: str, value: float, at_s: float) -> None:
        """What a gauge shows now. Of a minute the last look counts: one value, as on AWS."""
        with self._lock:
            series = self._of((metric, unit), at_s, None)
            start = series.start_of(at_s)
            is_new = start not in series.points
            series.points[start] = Point(value) if value else ZERO
            if is_new:
                series.make_room(at_s)

    def read(self, metric: Metric, unit: str | None, start_s: float, end_s: float) -> list[Reading]:
        """The points whose minute begins from `start_s` on and before `end_s`; of all units."""
        with self._lock:
            parts = {metric, *self._parts.get(metric, ())}
            return [
                Reading(start, series.resolution_s, its_unit, point.copy())
                for (its_metric, its_unit), series in self._series.items()
                if its_metric in parts and unit in (None, its_unit)
                for start, point in series.points.items()
                if start_s <= start < end_s
            ]

    def metrics(self, written_since_s: float = 0.0) -> list[Metric]:
        """The metrics that have points, each once."""
        with self._lock:
            found = {
                metric: None
                for (metric, _), series in self._series.items()
                if series.points and series.written_s >= written_since_s
            }
            wholes = [whole for whole, parts in self._parts.items() if parts & found.keys()]
        return list(dict.fromkeys([*found, *wholes]))

    def forget_old(self, now_s: float) -> None:
        """Drop what is kept no longer, of metrics too that nobody writes any more."""
        with self._lock:
            for series in self._series.values():
                series.expire(now_s)
            for key in [key for key, series in self._series.items() if not series.points]:
                del self._series[key], self._written[key]

    def _of(self, key: Key, at_s: float, resolution_s: int | None) -> Series:
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST_METRICS:
                oldest, _ = self._written.popitem(last=False)
                del self._series[oldest]
            keep_s = KEEP_CUSTOM_S if key[0].is_custom else KEEP_S
            series = self._series[key] = Series(resolution_s or self.minute_s, keep_s)
        series.written_s = max(series.written_s, at_s)
        self._written[key] = None
        self._written.move_to_end(key)
        return series


@functools.cache
def store_of(account: str, region: str) -> Store:
    """The store of an account and region of this server."""
    made = Store(metric_minute_seconds())
    _stores.append(made)
    return made


_stores: list[Store] = []


def forget_old(now_s: float) -> None:
    """Drop what is kept no longer, in all stores."""
    for store in tuple(_stores):
        store.forget_old(now_s)
