"""Lines of a log that are metrics in the embedded format go into the store of their account."""

from __future__ import annotations

import time
from collections.abc import Iterable

from helpers.localaws.metrics.emf import MARK, metrics_in
from helpers.localaws.metrics.store import store_of


def record_lines(account: str, region: str, lines: Iterable[str]) -> None:
    """Take the metrics out of the lines, if there are some."""
    for line in lines:
        if MARK in line:
            store = store_of(account, region)
            for datum in metrics_in(line, time.time()):
                for value in datum.values:
                    store.add(
                        datum.metric,
                        datum.unit,
                        value,
                        at_s=datum.at_s,
                        resolution_s=datum.resolution_s,
                    )
