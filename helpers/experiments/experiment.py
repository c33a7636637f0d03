"""An experiment: a queue, a trigger and a function, and what its log tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from helpers.clients import client_for
from helpers.logs import answered_ms, log_group, read_events
from helpers.waiting import THROTTLED, when_known


@dataclass(frozen=True)
class Experiment:
    """What `build` made, and one run of it.

    `reports_count`: whether the trigger reads which messages an answer names as failed.
    `since_ms`: when the run began, by AWS's clock, in ms since the epoch and in whole seconds.
    `earlier`: what the log held since then of earlier runs. `sent`: the ids of the messages
    that `send` sent in this run.
    """

    name: str
    queue_url: str
    queue_arn: str
    dlq_url: str
    dlq_arn: str
    role_name: str
    trigger_uuid: str
    reports_count: bool
    since_ms: int = 0
    earlier: frozenset[tuple[Any, ...]] = field(default=frozenset(), repr=False)
    sent: list[str] = field(default_factory=list, repr=False)

    @property
    def group(self) -> str:
        """The log group of the function, which has the experiment's name."""
        return log_group(self.name)

    def events(self) -> pd.DataFrame:
        """The log events of this run, as `helpers.logs.read_events` gives them.

        A line may be readable long after it was written, and after younger ones of other
        environments: so all of the run are read each time. Is AWS asked too often, then it is
        asked again, for up to 120 s.
        """
        logs = client_for("logs")
        events = when_known(
            read_events, THROTTLED, logs=logs, group=self.group, since_ms=self.since_ms
        )
        if not self.earlier:
            return events
        return events[[line not in self.earlier for line in lines(events)]].reset_index(drop=True)

    def again(self) -> Experiment:
        """The same experiment; its run begins now, and what was logged before is of others."""
        now_ms = answered_ms(client_for("sqs").list_queues(MaxResults=1))
        begun = replace(self, since_ms=now_ms, earlier=frozenset(), sent=[])
        return replace(begun, earlier=frozenset(lines(begun.events())))


def lines(events: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """What tells one log event from another."""
    return zip(events["time"], events["stream"], events["message"], strict=True)


def printed(events: pd.DataFrame) -> pd.Series:
    """The lines that a function wrote itself, without printed events."""
    own = events.loc[events["kind"] == "", "message"]
    return own[~own.str.startswith('{"Records"')]
