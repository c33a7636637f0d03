"""Waiting for an experiment: for its queue to be empty, for deliveries and log lines."""

from __future__ import annotations

import time

import boto3
import pandas as pd

from helpers import steps
from helpers.evidence.delivery_table import deliveries
from helpers.experiments.experiment import Experiment, printed
from helpers.experiments.sending import send
from helpers.waiting import wait_until

SETTLE_LIMIT_S = 60.0
LOOK_AT_LOG_S = 0.3  # CloudWatch Logs allows some five FilterLogEvents calls a second
PAUSE_AFTER_EMPTY_S = 0.3  # an empty queue is believed when it stays empty for this long


def settle(experiment: Experiment, limit_s: float = SETTLE_LIMIT_S) -> None:
    """Wait until the queue has been empty for a moment: every message is handled or dead.

    Raises TimeoutError, with the counts, after `limit_s` seconds. On AWS the counts are
    approximate and can lag by up to a minute.
    """
    sqs = boto3.client("sqs")
    empty_since: list[float] = []

    def look() -> dict[str, int]:
        counts = steps.queue_counts(sqs, experiment.queue_url)
        if any(counts.values()):
            empty_since.clear()
        elif not empty_since:
            empty_since.append(time.monotonic())
        return counts

    def stays_empty(_counts: dict[str, int]) -> bool:
        return bool(empty_since) and time.monotonic() - empty_since[0] >= PAUSE_AFTER_EMPTY_S

    wait_until(look, stays_empty, f"{experiment.name} to be empty", limit_s, 0.05)


def send_and_settle(experiment: Experiment, bodies: list[str]) -> pd.DataFrame:
    """Send messages, wait until all are handled or dead, and return their deliveries.

    Each of them has to be delivered once at least. Raises TimeoutError when the queue is not
    empty after 60 s, or when the log does not show all ends another 60 s later.
    """
    ids = send(experiment, bodies)
    settle(experiment)

    def look() -> pd.DataFrame:
        seen = deliveries(experiment.events())
        return seen[seen["message_id"].isin(ids)].reset_index(drop=True)

    return wait_until(
        look,
        lambda seen: seen["message_id"].nunique() == len(ids) and have_ended(seen),
        f"{experiment.name} to have ended all its calls",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )


def wait_for_deliveries(experiment: Experiment, at_least: int) -> pd.DataFrame:
    """The deliveries of this run, as soon as the log shows so many and how all of them ended.

    On AWS log lines come seconds late. Raises TimeoutError after 60 s.
    """
    return wait_until(
        lambda: deliveries(experiment.events()),
        lambda seen: len(seen) >= at_least and have_ended(seen),
        f"{at_least:,} deliveries in the log of {experiment.name}",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )


def have_ended(seen: pd.DataFrame) -> bool:
    return not (seen["outcome"] == "unknown").any()


def own_lines(experiment: Experiment, at_least: int = 0) -> pd.Series:
    """What the function printed in this run, its events left out, oldest first.

    Waits until there are so many lines. Raises TimeoutError after 60 s.
    """
    return wait_until(
        lambda: printed(experiment.events()),
        lambda lines: len(lines) >= at_least,
        f"{at_least:,} lines in the log of {experiment.name}",
        SETTLE_LIMIT_S,
        LOOK_AT_LOG_S,
    )
