"""Watch an experiment while a cell runs: counts and log lines that update in place.

`with experiments.watch(experiment): …` shows a small table under the cell while its block runs, and
leaves a chart of the queue over time. The setting SQS_COURSE_LIVE switches the moving part
off; the chart is the same.
"""

from __future__ import annotations

import html
import os
import threading
from contextlib import suppress
from typing import Any

import pandas as pd
from botocore.exceptions import ClientError
from IPython.display import HTML, display

from helpers import charts, course
from helpers.account.sentences import WrongSetting
from helpers.clients import client_for
from helpers.evidence.invocation_log import read_invocations
from helpers.evidence.queue_watch import QueueWatch
from helpers.experiments.experiment import Experiment, printed

EVERY_S = 0.5  # CloudWatch Logs allows some five FilterLogEvents calls a second
COUNTS_LATE_S = 60
LINES = 5
LINE_LENGTH = 110


def is_on() -> bool:
    """Whether the moving part is on: SQS_COURSE_LIVE is "on" (default) or "off".

    Raises WrongSetting for anything else.
    """
    text = os.environ.get("SQS_COURSE_LIVE") or "on"
    if text not in ("on", "off"):
        raise WrongSetting(f"SQS_COURSE_LIVE is {text!r}; use on or off.")
    return text == "on"


class watch:
    """Shows an experiment while the block runs, and a chart of it at its end.

    The threads that look end with the block, however it ends. On AWS counts are right a minute
    after the last change: so much longer is looked there, unless the block raised. Source: SQS
    API Reference, GetQueueAttributes.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._depth = QueueWatch(client_for("sqs"), experiment.queue_url, experiment.dlq_url)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._handle: Any = None

    def __enter__(self) -> watch:
        if is_on():
            self._handle = display(HTML(""), display_id=True)
        if self._handle:  # outside of a notebook nothing can move
            self._thread = threading.Thread(target=self._move, daemon=True)
        self._depth.__enter__()
        if self._thread:
            self._thread.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is None:
            course.let_aws_catch_up(COUNTS_LATE_S, "the counts of the queue to be right")
        self._done.set()
        try:
            if self._thread:
                self._thread.join()
        finally:
            self._depth.__exit__(*exception)
        depth = self._depth.frame()
        if depth.empty:  # the queue is gone, or may not be looked at
            return
        chart = charts.queue_depth(depth)
        if self._handle:
            self._handle.update(chart)
        else:
            display(chart)

    def _move(self) -> None:
        while not self._done.wait(EVERY_S):
            with suppress(ClientError):  # throttled, or the queue is gone: the picture stays
                self._handle.update(HTML(self._picture()))

    def _picture(self) -> str:
        events = self._experiment.events()
        depth = self._depth.frame()
        now = depth.iloc[-1] if len(depth) else {}
        numbers = {
            "waiting": now.get("visible", 0),
            "in flight": now.get("in_flight", 0),
            "dead": now.get("dead", 0),
            **count_outcomes(events),
        }
        said = printed(events).str.split("\n").str[0]
        return frame(numbers, list(said)[-LINES:])


def count_outcomes(events: pd.DataFrame) -> dict[str, int]:
    """Invocations that ended, and how many of them failed as a whole."""
    ended = [each for each in read_invocations(events) if each.report]
    failed = [each for each in ended if each.failure or (each.report and each.report["status"])]
    return {"invocations": len(ended), "failed": len(failed)}


def frame(numbers: dict[str, int], lines: list[str]) -> str:
    """The moving picture as HTML: a row of counts above the last log lines."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in numbers)
    cells = "".join(f"<td>{int(number)}</td>" for number in numbers.values())
    log = "\n".join(html.escape(line[:LINE_LENGTH]) for line in lines)
    return f"<table><tr>{heads}</tr><tr>{cells}</tr></table><pre>{log}</pre>"
