"""An experiment: a queue, a trigger and a function, and what its log tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import boto3
import pandas as pd

from helpers.logs import log_group, read_events


@dataclass(frozen=True)
class Experiment:
    """What `build` made. `since_ms`: log events before this time belong to earlier runs."""

    name: str
    queue_url: str
    queue_arn: str
    dlq_url: str
    dlq_arn: str
    role_name: str
    trigger_uuid: str
    since_ms: int

    @property
    def group(self) -> str:
        """The log group of the function, which has the experiment's name."""
        return log_group(self.name)

    def events(self) -> pd.DataFrame:
        """The log events of this run, as `helpers.logs.read_events` gives them."""
        return read_events(boto3.client("logs"), self.group, self.since_ms)

    def again(self) -> Experiment:
        """The same experiment, with the time of the run set to now."""
        return replace(self, since_ms=now_ms())


def printed(events: pd.DataFrame) -> pd.Series:
    """The lines that a function wrote itself, without printed events."""
    own = events.loc[events["kind"] == "", "message"]
    return own[~own.str.startswith('{"Records"')]


def now_ms() -> int:
    return int(time.time() * 1000)
