"""Statistics of the values of a period, by the names that CloudWatch gives them.

CloudWatch User Guide, "CloudWatch statistics definitions". The trimmed ones (tm, tc, ts, wm, pr,
IQM) are not modelled. How AWS interpolates between two values of a percentile is not documented:
here linearly between the neighbours.
"""

from __future__ import annotations

import re
from itertools import accumulate

from helpers.localaws.metrics.store import Point

SIMPLE = {
    "SampleCount": lambda point: point.count,
    "Average": lambda point: point.total / point.count,
    "Sum": lambda point: point.total,
    "Minimum": lambda point: point.low,
    "Maximum": lambda point: point.high,
}
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


def is_percentile(name: str) -> bool:
    return PERCENTILE.fullmatch(name) is not None


def is_statistic(name: str) -> bool:
    """
    >>> [is_statistic(name) for name in ("Sum", "p99.9", "p101", "tm99")]
    [True, True, False, False]
    """
    return name in SIMPLE or is_percentile(name)


def statistic(name: str, point: Point) -> float | None:
    """A statistic of a period's values; None where AWS has none.

    A percentile needs the single values, and none of them negative.
    """
    if name in SIMPLE:
        return float(SIMPLE[name](point))
    if not point.is_whole or point.low < 0:
        return None
    return percentile(point, float(name[1:]))


def percentile(point: Point, percent: float) -> float:
    """
    >>> point = Point(10.0); point.add(20.0); percentile(point, 50)
    15.0
    """
    values = point.each()
    ends = list(accumulate(count for _, count in values))
    rank = percent / 100 * max(ends[-1] - 1, 0)
    below = value_at(values, ends, int(rank))
    above = value_at(values, ends, int(rank) + 1)
    return below + (above - below) * (rank - int(rank))


def value_at(values: list[tuple[float, float]], ends: list[float], rank: int) -> float:
    """The value with so many values before it; the greatest when there are not as many."""
    for (value, _), end in zip(values, ends, strict=True):
        if rank < end:
            return value
    return values[-1][0]
