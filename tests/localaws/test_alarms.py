"""Alarms: at their time, one beside the other, and not at all when they were cancelled."""

from __future__ import annotations

import threading

from helpers.localaws.runtime.alarms import Alarms


def test_an_alarm_waits_for_no_other() -> None:
    alarms, go_on, second = Alarms(), threading.Event(), threading.Event()
    try:
        alarms.set(0.0, lambda: go_on.wait(20))
        alarms.set(0.01, second.set)
        assert second.wait(10)
    finally:
        go_on.set()


def test_what_is_cancelled_is_not_called() -> None:
    alarms, called, last = Alarms(), [], threading.Event()
    # A busy computer may stop this process for a while before all are cancelled.
    cancelled = [alarms.set(3.0, lambda: called.append("cancelled")) for _ in range(500)]
    assert all(alarm.cancel() for alarm in cancelled)
    assert not cancelled[0].cancel()
    kept = alarms.set(3.1, last.set)
    assert last.wait(10)
    assert not kept.cancel()
    assert called == []
