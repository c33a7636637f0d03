"""Tables of invocations: what each took, and how many ran at once."""

from __future__ import annotations

import pandas as pd

from helpers.evidence.invocation_log import read_invocations

INVOCATION_NUMBERS = ("duration_ms", "billed_ms", "memory_mb", "used_mb", "init_ms")
INVOCATION_COLUMNS = (
    *("request_id", "environment", "started", *INVOCATION_NUMBERS, "status", "records"),
)


def invocations(events: pd.DataFrame) -> pd.DataFrame:
    """One row for each REPORT line, in order of time.

    Columns: `request_id`, `environment`, `started` (UTC), `duration_ms`, `billed_ms`,
    `memory_mb`, `used_mb`, `init_ms` (NaN when warm), `status` (None when the function
    answered) and `records`, the number of messages that it was handed.
    """
    rows = [
        {
            "environment": each.environment,
            "started": each.started,
            "records": len(each.records),
            **each.report,
        }
        for each in read_invocations(events)
        if each.report
    ]
    frame = pd.DataFrame(rows, columns=list(INVOCATION_COLUMNS))
    frame["started"] = pd.to_datetime(frame["started"], utc=True)
    frame = frame.astype(dict.fromkeys(INVOCATION_NUMBERS, float) | {"records": "int64"})
    return frame.sort_values(["started", "request_id"], kind="stable", ignore_index=True)


def running(seen: pd.DataFrame) -> pd.DataFrame:
    """How many invocations ran at once, from deliveries: a row for each start and each end.

    Columns: `minutes` since the first start, and `running` from then on. Invocations whose
    start or end is missing are left out.
    """
    calls = seen.drop_duplicates("request_id").dropna(subset=["started", "ended"])
    starts = pd.DataFrame({"at": calls["started"], "change": 1})
    ends = pd.DataFrame({"at": calls["ended"], "change": -1})
    # Of a start and an end in the same millisecond, the end comes first.
    changes = pd.concat([ends, starts]).sort_values("at", kind="stable", ignore_index=True)
    minutes = (changes["at"] - changes["at"].min()).dt.total_seconds() / 60
    return pd.DataFrame({"minutes": minutes, "running": changes["change"].cumsum()})
