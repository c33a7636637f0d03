"""Waiting for an experiment: for the ends of its messages, for deliveries and log lines.

What is waited for is what happened to each message, by its id. Counts of a queue can be a
minute old on AWS, so nothing rests on them. The handler has to print its event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import pandas as pd

from helpers import steps
from helpers.account.target import aws_pace
from helpers.clients import Client, client_for
from helpers.evidence.dead_letters import look_at_dead, put_back
from helpers.evidence.delivery_table import deliveries
from helpers.evidence.fate_table import fates
from helpers.evidence.invocation_log import RAISED
from helpers.experiments.experiment import Experiment, printed
from helpers.experiments.sending import send
from helpers.waiting import wait_until

SETTLE_LIMIT_S = 180.0  # on AWS a line of the log can be a minute late, and more
LINES_LATE_S = 60.0  # so long on AWS for the lines of a delivery, which may never come
DELETES_WITHIN_S = 2.0
LOOK_AT_LOG_S = 0.3  # CloudWatch Logs allows some five FilterLogEvents calls a second
AT_THEIR_END = {"deleted", "dead-letter queue"}

T = TypeVar("T")


def settle(experiment: Experiment, ids: Iterable[str] = (), limit_s: float | None = None) -> None:
    """Wait until each message has come to its end: a delivery of it returned, or it is dead.

    `ids` are message ids; by default those of all that `send` sent in this run. Raises
    ValueError when there are none, and TimeoutError after `limit_s` seconds, by default 180,
    with the number of messages at each place.
    """
    wait_for_ends(experiment, list(ids) or experiment.sent, limit_s)


def send_and_settle(experiment: Experiment, bodies: list[str]) -> pd.DataFrame:
    """Send messages, wait until all have come to their end, and return their deliveries.

    Raises TimeoutError after 180 s.
    """
    return wait_for_ends(experiment, send(experiment, bodies))


def wait_for_ends(
    experiment: Experiment, ids: list[str], limit_s: float | None = None
) -> pd.DataFrame:
    """The deliveries of these messages, as soon as each has come to its end."""
    if not ids:
        raise ValueError(f"No message of this run of {experiment.name} is known: send one first.")
    sqs, dead, seen = client_for("sqs"), set[str](), pd.DataFrame()
    limit, ended_at = 0, float("inf")

    def look() -> dict[str, int]:
        nonlocal seen, limit
        every = deliveries(experiment.events())
        seen = every[every["message_id"].isin(ids)].reset_index(drop=True)
        where = fates_of(experiment, seen, dead, ids)
        if failed(seen) & set(where.index[where == "in the queue"]):
            limit = max_receives(sqs, experiment)
            dead.update(find_dead(sqs, experiment) if limit else ())
            where = fates_of(experiment, seen, dead, ids)
        return {str(place): int(number) for place, number in where.value_counts().items()}

    def is_told(where: dict[str, int]) -> bool:
        nonlocal ended_at
        if not (where.keys() <= AT_THEIR_END and have_ended(seen)):
            return False
        ended_at = min(ended_at, time.monotonic())
        waited_s = time.monotonic() - ended_at
        return not untold(seen, dead, limit) or waited_s >= LINES_LATE_S * aws_pace()

    wait_for_log(
        look,
        is_told,
        f"all messages of {experiment.name} to be handled or dead",
        limit_s,
    )
    let_lambda_delete(sqs, experiment)
    return seen


def let_lambda_delete(sqs: Client, experiment: Experiment) -> None:
    """A moment for the queue to be empty: Lambda deletes when the log has told the end."""
    with suppress(TimeoutError):
        wait_until(
            lambda: steps.queue_counts(sqs, experiment.queue_url),
            lambda counts: not any(counts.values()),
            "Lambda to delete what was handled",
            DELETES_WITHIN_S,
            0.05,
        )


def fates_of(
    experiment: Experiment, seen: pd.DataFrame, dead: set[str], ids: list[str]
) -> pd.Series:
    """The fate of each message, by its id."""
    found = fates(seen, sent_ids=ids, reports_count=experiment.reports_count)
    where = found.set_index("message_id")["fate"]
    return where.mask(where.index.isin(dead), "dead-letter queue")


def failed(seen: pd.DataFrame) -> set[str]:
    """The messages of which a delivery has ended and did not return."""
    return set(seen.loc[~seen["outcome"].isin(("returned", "unknown")), "message_id"])


def untold(seen: pd.DataFrame, dead: set[str], limit: int) -> int:
    """How many deliveries the log does not show; a dead message had `limit` of them at least."""
    counts = seen.groupby("message_id")["receive_count"].agg(["max", "nunique"])
    at_least = counts["max"].mask(counts.index.isin(dead), counts["max"].clip(lower=limit))
    return int((at_least - counts["nunique"]).sum())


def max_receives(sqs: Client, experiment: Experiment) -> int:
    """After how many receives the queue gives up; 0 without a redrive policy."""
    answer = sqs.get_queue_attributes(
        QueueUrl=experiment.queue_url, AttributeNames=["RedrivePolicy"]
    )
    policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
    return int(policy.get("maxReceiveCount", 0))


def find_dead(sqs: Client, experiment: Experiment) -> set[str]:
    """The ids of up to ten messages of the dead-letter queue. Waits for one for up to 1 s."""
    messages = look_at_dead(sqs, experiment.dlq_url)
    put_back(sqs, experiment.dlq_url, [each["ReceiptHandle"] for each in messages])
    return {each["MessageId"] for each in messages}


def wait_for_deliveries(experiment: Experiment, at_least: int) -> pd.DataFrame:
    """The deliveries of this run, as soon as the log shows so many and how all of them ended.

    On AWS log lines come seconds late. Raises TimeoutError after 180 s.
    """
    seen = pd.DataFrame()

    def look() -> str:
        nonlocal seen
        seen = deliveries(experiment.events())
        return f"{len(seen):,} deliveries, {(seen['outcome'] == 'unknown').sum():,} without an end"

    wait_for_log(
        look,
        lambda _: len(seen) >= at_least and have_ended(seen),
        f"{at_least:,} deliveries in the log of {experiment.name}",
    )
    return seen


def have_ended(seen: pd.DataFrame) -> bool:
    return not (seen["outcome"] == "unknown").any()


def own_lines(experiment: Experiment, at_least: int = 0) -> pd.Series:
    """What the function printed in this run, oldest first, without events and errors.

    Waits until there are so many lines. Raises TimeoutError after 180 s.
    """
    return wait_for_log(
        lambda: own_of(experiment.events()),
        lambda lines: len(lines) >= at_least,
        f"{at_least:,} lines in the log of {experiment.name}",
    )


def own_of(events: pd.DataFrame) -> pd.Series:
    said = printed(events)
    return said[~said.str.startswith(RAISED)]


def wait_for_log(
    look: Callable[[], T], done: Callable[[T], bool], what: str, limit_s: float | None = None
) -> T:
    """Wait for what is read from a log. A look that takes long is made less often."""

    def look_and_rest() -> T:
        began = time.monotonic()
        seen = look()
        if not done(seen):
            time.sleep(max(0.0, time.monotonic() - began - LOOK_AT_LOG_S))
        return seen

    limit_s = SETTLE_LIMIT_S if limit_s is None else limit_s
    return wait_until(look_and_rest, done, what, limit_s, LOOK_AT_LOG_S)
