"""What a log does not tell, because lines of it are late or missing."""

from __future__ import annotations

import pandas as pd

from helpers.evidence.delivery_table import deliveries
from helpers.evidence.invocation_log import read_invocations


def gaps(events: pd.DataFrame) -> list[str]:
    """What the log does not tell, in sentences; empty when nothing is missing.

    A receive count that was skipped is a delivery without a trace: its lines are missing or
    before the time of the first event, or Lambda could not run the function (throttling).
    """
    found = read_invocations(events)
    known = [each for each in found if each.request_id]
    seen = deliveries(events).groupby("message_id")["receive_count"]
    missing = {
        "invocation without a START line": sum(each.started is None for each in known),
        "invocation without a REPORT line": sum(each.report is None for each in known),
        "invocation without a printed event": sum(not each.records for each in known),
        "printed event without an invocation": len(found) - len(known),
        "invocation whose lines cannot be told apart": sum(each.in_doubt for each in known),
        "delivery without a trace": int((seen.max() - seen.nunique()).sum()),
    }
    return [f"{in_words(number, what)}." for what, number in missing.items() if number]


def in_words(number: int, what: str) -> str:
    noun, rest = what.split(" ", 1)
    plural = "deliveries" if noun == "delivery" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural} {rest}"
