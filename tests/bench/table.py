"""One table of all figures: medians, their spread, ratios, targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.measures import (
    IN_TENS,
    OPERATIONS,
    Figures,
    drain_row,
    many_row,
    sqs_row,
)
from tests.bench.servers import MINI, MOTO, OURS

KINDS = (OURS, MOTO, MINI)
NOT_POSSIBLE = "not possible"
LEAST_PART_MS = 0.05
SEND, INVOKE = "SendMessage", "Invoke warm, silent"
FLOOR_TARGETS = {SEND: 1.4, INVOKE: 1.5}  # times what boto3 takes alone


@dataclass(frozen=True)
class Target:
    """`row`, divided by another server's or by another row of ours, shall be `ratio`.

    `most`: at most that, else at least.
    """

    row: str
    ratio: float
    kind: str = MINI.name
    other_row: str = ""
    most: bool = False


TARGETS = {
    target.row: target
    for target in (
        Target("start to first answer (ms)", 1.2, MOTO.name, most=True),
        Target("start to first queue (ms)", 1.2, MOTO.name, most=True),
        Target("memory after one SQS call (MB)", 1.2, MOTO.name, most=True),
        Target("Invoke cold, p50 (ms)", 0.5, most=True),
        Target("Invoke warm, silent, p50 (ms)", 0.125, most=True),
        Target("Invoke warm, prints, p50 (ms)", 0.6, most=True),
        Target("one message, send to handler, p50 (ms)", 1.0, most=True),
        *(
            Target(drain_row(count, batch_size, prints), ratio)
            for count, prints in ((500, False), (500, True), (5_000, False))
            for batch_size, ratio in ((1, 2.0), (10, 1.5))
        ),
        *(
            Target(sqs_row(operation, threads, backlog), 1.2)
            for operation in OPERATIONS
            for threads in (1, 4)
            for backlog in (100, 1_000)
        ),
        *(Target(sqs_row(name, threads), 1.2) for name in IN_TENS for threads in (1, 4)),
        *(
            Target(
                sqs_row("Receive", threads, 10_000),
                0.8,
                OURS.name,
                sqs_row("Receive", threads, 100),
            )
            for threads in (1, 4)
        ),
        *(
            Target(many_row(name, what), 0.8, OURS.name, many_row(name, "few messages"))
            for name in OPERATIONS
            for what in ("100,000 messages", "10,000 queues")
        ),
    )
}


@dataclass
class Cell:
    """The figures of one row on one server, and why some are missing."""

    values: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    def __str__(self) -> str:
        """The median, with the lowest and the highest value."""
        if not self.values:
            return self.note
        low, middle, high = (number(each(self.values)) for each in (min, statistics.median, max))
        spread = f" [{low}–{high}]" if len(self.values) > 1 else ""
        return middle + spread + (f" ({self.note})" if self.note else "")


class Results:
    """All figures, by row and by server."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Cell]] = {}
        self.remarks: list[str] = []

    def add(self, kind: str, figures: Figures) -> None:
        for row, figure in figures.items():
            cell = self._cell(row, kind)
            if isinstance(figure, str):
                cell.note = figure
            else:
                cell.values.append(figure)

    def median(self, row: str, kind: str) -> float | None:
        return self.rows.get(row, {}).get(kind, Cell()).median

    def ratio(self, row: str, kind: str, other_row: str = "") -> float | None:
        """Our median divided by another server's, or by that of another row."""
        ours, other = self.median(row, OURS.name), self.median(other_row or row, kind)
        return ours / other if ours is not None and other else None

    def __str__(self) -> str:
        """The table, and below it what is to be said of it."""
        return "\n\n".join([table(self), *self.remarks] if self.rows else self.remarks)

    def _cell(self, row: str, kind: str) -> Cell:
        return self.rows.setdefault(row, {}).setdefault(kind, Cell())


def table(results: Results) -> str:
    """The figures as a Markdown table with aligned columns."""
    head = ["", *(kind.name for kind in KINDS)]
    head += [f"{OURS.name} : {MINI.name}", f"{OURS.name} : {MOTO.name}", "target", "reached"]
    lines = [head]
    for row, cells in results.rows.items():
        ratios = [results.ratio(row, kind.name) for kind in (MINI, MOTO)]
        lines.append(
            [
                row,
                *(str(cells.get(kind.name, "–")) for kind in KINDS),
                *("–" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
                *verdict(results, row),
            ]
        )
    return aligned(lines)


def aligned(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *rest = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rest])


def verdict(results: Results, row: str) -> tuple[str, str]:
    """The target of a row, and whether it is reached."""
    target = TARGETS.get(row)
    if target is None:
        return "", ""
    whose = f"own: {target.other_row}" if target.other_row else target.kind
    text = f"{'≤' if target.most else '≥'} {target.ratio:g} × {whose}"
    found = results.ratio(row, target.kind, target.other_row)
    if found is None:
        return text, "not measured"
    word = verdict_word(found <= target.ratio if target.most else found >= target.ratio)
    return text, f"{word}: {found:.2f}" if target.other_row else word


def verdict_word(reached: bool) -> str:
    return "reached" if reached else "NOT REACHED"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def parts_table(rows: Mapping[str, tuple[float, float, float]]) -> str:
    """Where the time goes: by call, the parts in ms that boto3, the HTTP server and we take."""
    head = ["ms", "boto3 (the floor)", "HTTP server", "ours", "total", "× the floor", "target"]
    lines = [head]
    for name, (floor, server, ours) in rows.items():
        total, most = floor + server + ours, FLOOR_TARGETS.get(name)
        parts = (share(part, total) for part in (floor, server, ours))
        reached = "" if most is None else f"≤ {most:g}: {verdict_word(total / floor <= most)}"
        lines.append([name, *parts, f"{total:.2f}", f"{total / floor:.2f}", reached])
    return aligned(lines)


def share(part: float, total: float) -> str:
    """A part in ms and in percent. It is a difference of medians, so near 0 it is noise."""
    if part < LEAST_PART_MS:
        return f"< {LEAST_PART_MS}"
    return f"{part:.2f} ({part / total:.0%})"
