"""Data points that can be read late, and alarms that see them late.

A data point keeps its own time. The values of the running minute cannot be read: on AWS they come
when the minute is over, or later.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from helpers.localaws.metrics.alarms import Alarm
from helpers.localaws.metrics.backend import Backend
from helpers.localaws.metrics.evaluation import Period
from helpers.localaws.metrics.store import Metric, Reading, Store
from helpers.localaws.rehearsal.conditions import Conditions, replace

MOST_DRAWN = 10_000  # of points and alarms whose delay is remembered


class LateStore:
    """What can be read of a store: points whose time has come. `lateness_s(metric, start)`."""

    def __init__(self, store: Store, lateness_s: Callable[[Metric, int], float]) -> None:
        self.metrics = store.metrics
        self._store = store
        self._lateness_s = lateness_s

    def read(self, metric: Metric, unit: str | None, start_s: float, end_s: float) -> list[Reading]:
        now_s = time.time()
        return [
            each
            for each in self._store.read(metric, unit, start_s, end_s)
            if each.start_s + self._lateness_s(metric, each.start_s) <= now_s
        ]


def install(conditions: Conditions) -> None:
    """Let points be read as late as on AWS, and alarms look as late at them."""

    @functools.lru_cache(maxsize=MOST_DRAWN)
    def lateness_s(metric: Metric, start_s: int) -> float:
        conditions.report.count("late point")
        return conditions.delay_s("data point readable", f"{metric}:{start_s}")

    @functools.lru_cache(maxsize=MOST_DRAWN)
    def alarm_lateness_s(arn: str) -> float:
        seconds = conditions.delay_s("alarm sees data", arn)
        conditions.report.lasted("alarm sees data", seconds)
        return seconds

    def see_late(alarm: Alarm, store: Store, now_s: float) -> list[Period]:
        return see(alarm, store, now_s - alarm_lateness_s(alarm.arn))

    see = replace(Alarm, "periods", see_late)
    replace(Backend, "readable", property(lambda self: LateStore(self.store, lateness_s)))
