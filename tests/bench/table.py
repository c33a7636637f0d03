"""One table of all figures: medians, their spread, ratios, targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.servers import MINI, MOTO, OURS

Results = dict[str, dict[str, list[float]]]  # by row, then by server


@dataclass(frozen=True)
class Target:
    """A ratio to reach: ours divided by another's. `most` is a ceiling, else a floor."""

    row: str
    other: str
    ratio: float
    most: bool = False


TARGETS = (
    Target("start to first answer (ms)", MOTO.name, 1.2, most=True),
    Target("memory (MB)", MOTO.name, 1.2, most=True),
    Target("Invoke, cold, p50 (ms)", MINI.name, 0.5, most=True),
    Target("Invoke, warm, silent, p50 (ms)", MINI.name, 0.125, most=True),
    Target("Invoke, warm, prints, p50 (ms)", MINI.name, 0.6, most=True),
    Target("one message, send to handler, p50 (ms)", MINI.name, 1.0, most=True),
    *(
        Target(f"{count} messages, batch size {size} (1/s)", MINI.name, ratio)
        for count in ("500", "5,000")
        for size, ratio in ((1, 2.0), (10, 1.5))
    ),
)
SLOWEST_RECEIVE = "receive, {} thread(s), backlog {} (1/s)"
LEAST_AT_10_000 = 0.8  # of the receive rate at a backlog of 100


def table(results: Results) -> str:
    """The figures as a Markdown table."""
    names = [OURS.name, MOTO.name, MINI.name]
    lines = [
        "| | " + " | ".join(names) + " | ours : moto | ours : MiniStack | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, by_server in results.items():
        cells = [spread(by_server.get(name, [])) for name in names]
        ratios = [ratio_text(by_server, name) for name in (MOTO.name, MINI.name)]
        lines.append("| " + " | ".join([row, *cells, *ratios, verdict(row, by_server)]) + " |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """The median, with the lowest and the highest value."""
    if not values:
        return "–"
    low, middle, high = (number(f(values)) for f in (min, statistics.median, max))
    return middle if low == high else f"{middle} ({low}–{high})"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(by_server: dict[str, list[float]], other: str) -> float | None:
    ours, others = by_server.get(OURS.name), by_server.get(other)
    if not ours or not others:
        return None
    return statistics.median(ours) / statistics.median(others)


def ratio_text(by_server: dict[str, list[float]], other: str) -> str:
    found = ratio(by_server, other)
    return "–" if found is None else f"{found:.2f}"


def verdict(row: str, by_server: dict[str, list[float]]) -> str:
    """The target of a row, and whether it is reached."""
    for target in TARGETS:
        found = ratio(by_server, target.other) if target.row == row else None
        if found is not None:
            reached = found <= target.ratio if target.most else found >= target.ratio
            sign = "≤" if target.most else "≥"
            return f"{sign} {target.ratio:g} × {target.other}: {'yes' if reached else 'NO'}"
    return ""


def receive_at_depth(results: Results) -> list[str]:
    """Whether receiving is as fast with 10,000 messages in the queue as with 100."""
    said = []
    for threads in (1, 4):
        rows = [SLOWEST_RECEIVE.format(threads, depth) for depth in ("100", "10,000")]
        if all(row in results for row in rows):
            few, many = (statistics.median(results[row][OURS.name]) for row in rows)
            reached = "yes" if many >= LEAST_AT_10_000 * few else "NO"
            said.append(
                f"Receive with {threads} thread(s): {many / few:.2f} of the rate at 100 when "
                f"10,000 wait (target ≥ {LEAST_AT_10_000}): {reached}"
            )
    return said


def collect(results: Results, server: str, measure: Callable[[], dict]) -> None:
    """Add a measure's figures to the results."""
    for row, value in measure().items():
        values = results.setdefault(row, {}).setdefault(server, [])
        if value is not None:
            values.append(value)
