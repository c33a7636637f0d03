"""The judge's report: ten rows, a score, and the life-lines of what went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from helpers import charts, evidence
from helpers.capstone.rows import Row
from helpers.charts.style import Chart

MOST_LIVES = 12
LEFT = 'style="text-align: left"'  # JupyterLab puts what stands in tables to the right
NO_LIVES = (
    "The log shows no delivery of these messages. Let the handler print its event as JSON, "
    "print(json.dumps(event)), and judge again."
)


@dataclass(frozen=True)
class Report:
    """What came of a judging. Evaluate it in a cell to see its rows.

    `remarks` say what else there is to know. `seen` are the deliveries of the run, as
    `helpers.evidence` gives them, `dead` the dead letters, and `lives` the ids of the refunds
    and the poison whose life-lines are shown. No rows: nothing was sent, and `remarks` say why.
    """

    rows: tuple[Row, ...] = ()
    remarks: tuple[str, ...] = ()
    seen: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    dead: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    lives: tuple[str, ...] = ()
    visibility_s: int = 0

    @property
    def score(self) -> int | None:
        """How many of ten rows are right; None when nothing was judged."""
        return sum(row.right is True for row in self.rows) if self.rows else None

    @property
    def said(self) -> str:
        """The score in words."""
        if not self.rows:
            return "Nothing was judged."
        blind = sum(row.right is None for row in self.rows)
        more = f", and {blind} could not be seen" if blind else ""
        return f"{self.score} of {len(self.rows)}{more}."

    def __repr__(self) -> str:
        rows = [f"{mark(row)} {row.asked}\n    {row.sentence}" for row in self.rows]
        return "\n".join([self.said, *rows, *self.remarks])

    def _repr_html_(self) -> str:
        cells = [(mark(row), row.asked, row.sentence) for row in self.rows]
        body = "".join(
            f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in each)}</tr>\n"
            for each in cells
        )
        head = f"<tr><th></th><th {LEFT}>asked for</th><th {LEFT}>seen</th></tr>"
        table = f"<table><thead>{head}</thead>\n<tbody>\n{body}</tbody></table>" if cells else ""
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks)
        return f"<p><strong>{escape(self.said)}</strong></p>\n{table}{remarks}"

    def life_lines(self) -> Chart | None:
        """The life-lines of messages that went wrong; else of those that a crash brought back.

        Prints a sentence and returns None when the log shows none of them.
        """
        seen = of_ids(self.seen, self.lives)
        if seen.empty:
            print(NO_LIVES if self.rows else self.said)
            return None
        shown = seen["message_id"].drop_duplicates().head(MOST_LIVES)
        seen = seen[seen["message_id"].isin(shown)].reset_index(drop=True)
        dead = self.dead[self.dead["message_id"].isin(seen["message_id"])]
        fates = evidence.fates(seen, dead)
        return charts.life_lines(seen, fates, visibility_s=self.visibility_s, counted=False)


def of_ids(seen: pd.DataFrame, ids: Iterable[str]) -> pd.DataFrame:
    """The deliveries of messages in whose body one of these ids stands."""
    if seen.empty:
        return seen
    chosen = seen["body"].map(lambda body: any(id in body for id in ids))
    return seen[chosen].reset_index(drop=True)


def mark(row: Row) -> str:
    return "?" if row.right is None else "✓" if row.right else "✗"
