"""A table of fates: where each message is now."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

FATES = ("deleted", "dead-letter queue", "in the queue", "never delivered")
FATE_COLUMNS = ("message_id", "attempts", "sent", "first_started", "finished", "fate")


def fates(
    seen: pd.DataFrame,
    dead: pd.DataFrame | None = None,
    sent_ids: Iterable[str] = (),
    *,
    reports_count: bool = True,
) -> pd.DataFrame:
    """One row for each message, in order of sending: where it is now, by the evidence.

    `seen` are deliveries, `dead` what `read_dead_letters` found, and `sent_ids` the ids that
    SendMessage returned. Columns: `message_id`, `attempts`, `sent`, `first_started`,
    `finished` (UTC, the end of the attempt that returned, or else of the last) and `fate`,
    one of FATES. No account shows a deletion: "deleted" means that an attempt returned, and
    "in the queue" that none did. With `reports_count` False, for a trigger that lacks
    ReportBatchItemFailures, a reported message is deleted too, for Lambda then ignores the
    report.
    """
    deleting = ("returned",) if reports_count else ("returned", "reported")
    attempts = seen.assign(returned=seen["outcome"].isin(deleting))
    by_message = attempts.groupby("message_id", sort=False)
    frame = by_message.agg(
        attempts=("outcome", "size"),
        sent=("sent", "first"),
        first_started=("started", "min"),
        finished=("ended", "max"),
        returned=("returned", "any"),
    )
    of_returned = attempts[attempts["returned"]].groupby("message_id")["ended"].max()
    frame["finished"] = of_returned.reindex(frame.index).fillna(frame["finished"])
    frame["fate"] = frame["returned"].map({True: "deleted", False: "in the queue"}).astype(object)
    dead_ids = [] if dead is None else list(dead["message_id"])
    frame.loc[frame.index.isin(dead_ids), "fate"] = "dead-letter queue"
    frame = frame.reset_index().sort_values("sent", kind="stable")
    return with_undelivered(frame[list(FATE_COLUMNS)], sent_ids, dead)


def with_undelivered(
    frame: pd.DataFrame, sent_ids: Iterable[str], dead: pd.DataFrame | None
) -> pd.DataFrame:
    """Add the messages that no invocation saw: sent ones, and ones found dead."""
    known = set(frame["message_id"])
    letters = () if dead is None else dead.itertuples()
    rows = [(each.message_id, each.sent, "dead-letter queue") for each in letters]
    known_dead = {row[0] for row in rows}
    rows += [(each, pd.NaT, "never delivered") for each in sent_ids if each not in known_dead]
    more = pd.DataFrame(rows, columns=["message_id", "sent", "fate"])
    more = more[~more["message_id"].isin(known)].assign(attempts=0)
    if more.empty:
        return frame.reset_index(drop=True)
    more["sent"] = pd.to_datetime(more["sent"], utc=True)
    whole = pd.concat([frame, more], ignore_index=True)
    whole = whole.sort_values("sent", kind="stable", na_position="last", ignore_index=True)
    for column in ("first_started", "finished"):
        whole[column] = pd.to_datetime(whole[column], utc=True)
    return whole[list(FATE_COLUMNS)]
