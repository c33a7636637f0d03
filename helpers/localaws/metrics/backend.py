"""CloudWatch: moto's dashboards and tags, with the metrics and alarms of our own.

moto keeps every value as an object, and never evaluates an alarm.
"""

from __future__ import annotations

import functools
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch import models as moto_cloudwatch
from moto.cloudwatch import urls as moto_urls
from moto.cloudwatch.exceptions import ResourceNotFoundException
from moto.cloudwatch.utils import make_arn_for_alarm

from helpers.localaws.common.moto_patches import put_in_place
from helpers.localaws.metrics.actions import act
from helpers.localaws.metrics.alarms import Alarm, Alarms
from helpers.localaws.metrics.data_queries import dimensions_in
from helpers.localaws.metrics.queries import Readable
from helpers.localaws.metrics.store import make_metric, statistic_set, store_of
from helpers.localaws.settings import metric_minute_seconds

LOOK_EVERY_S = 1.0
LOOKS_A_MINUTE = 4  # at least, also when a minute is short


class Backend(moto_cloudwatch.CloudWatchBackend):
    """The metrics and alarms of one account and region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.store = store_of(account_id, region_name)
        self.kept = Alarms(self.store, functools.partial(act, account_id, region_name))

    # -- metrics -----------------------------------------------------------------------

    @property
    def readable(self) -> Readable:
        """What questions are answered from."""
        return self.store

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        now_s = time.time()
        for datum in metric_data:
            metric = make_metric(
                namespace, datum["MetricName"], dimensions_in(datum.get("Dimensions"))
            )
            at_s = seconds(datum["Timestamp"]) if datum.get("Timestamp") else now_s
            unit = datum.get("Unit") or "None"
            resolution_s = 1 if datum.get("StorageResolution") == 1 else None
            if datum.get("StatisticValues"):
                given = datum["StatisticValues"]
                point = statistic_set(
                    *(float(given[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
                )
                self.store.add_point(metric, unit, point, at_s, resolution_s)
                continue
            for value, count in values_of(datum):
                self.store.add(metric, unit, value, count, at_s, resolution_s)

    # -- alarms ------------------------------------------------------------------------

    def put_alarm(self, settings: dict[str, Any]) -> Alarm:
        name = settings["AlarmName"]
        arn = make_arn_for_alarm(self.region_name, self.account_id, name)
        given = {key: value for key, value in settings.items() if key != "Tags"}
        if settings.get("Tags") and name not in self.kept.by_name:
            self.tagger.tag_resource(arn, settings["Tags"])
        made = self.kept.put(arn, given, time.time())
        watch.start()
        return made

    def delete_alarms(self, alarm_names: list[str]) -> None:
        for name in alarm_names:
            alarm = self.kept.by_name.get(name)
            if alarm is not None:
                self.tagger.delete_all_tags_for_resource(alarm.arn)
        self.kept.delete(alarm_names, time.time())

    def set_acts(self, alarm_names: list[str], acts: bool) -> None:
        for name in alarm_names:
            alarm = self.kept.by_name.get(name)
            if alarm is not None:
                alarm.acts = acts

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._check_taggable(arn)
        self.tagger.tag_resource(arn, self.tagger.convert_dict_to_tags_input(tags))

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._check_taggable(arn)
        self.tagger.untag_resource_using_names(arn, tag_keys)

    def list_tags_for_resource(self, arn: str) -> dict[str, str]:
        self._check_taggable(arn)
        return super().list_tags_for_resource(arn)

    def _check_taggable(self, arn: str) -> None:
        known = {alarm.arn for alarm in self.kept.by_name.values()}
        if ":alarm:" in arn and arn not in known:
            raise ResourceNotFoundException()


def values_of(datum: dict[str, Any]) -> list[tuple[float, float]]:
    """The values of a datum, each with how often it is given."""
    if datum.get("Value") is not None:
        return [(float(datum["Value"]), 1.0)]
    values = datum["Values"]
    counts = datum.get("Counts") or [1.0] * len(values)
    return [
        (float(value), float(count)) for value, count in zip(values, counts, strict=True) if count
    ]


def seconds(given: datetime) -> float:
    """A time of a request, in s since the epoch; without a zone it is UTC."""
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


# -- alarms are evaluated while there are some -------------------------------------------


class Watch:
    """Looks at all alarms again and again, in a thread that is there only while there are some.

    Once a second is often enough for a minute to be over soon after it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False

    def start(self) -> None:
        with self._lock:
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="watch-alarms", daemon=True).start()

    def _run(self) -> None:
        while self._goes_on():
            for alarms in all_alarms():
                try:
                    alarms.evaluate(time.time())
                except Exception:  # noqa: BLE001 (the others are to be looked at)
                    traceback.print_exc()
            time.sleep(min(LOOK_EVERY_S, metric_minute_seconds() / LOOKS_A_MINUTE))

    def _goes_on(self) -> bool:
        with self._lock:
            self._running = any(alarms.by_name for alarms in all_alarms())
            return self._running


watch = Watch()


def all_alarms() -> list[Alarms]:
    return [
        backend.kept
        for account in list(moto_cloudwatch.cloudwatch_backends.values())
        for backend in list(account.values())
        if isinstance(backend, Backend)
    ]


def install(dispatch: Callable[..., Any]) -> None:
    """Make moto's server use this backend."""
    put_in_place(moto_cloudwatch.cloudwatch_backends, Backend, moto_urls, dispatch)
