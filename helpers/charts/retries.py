"""Messages that were tried again: when, and how often for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from helpers.charts.style import (
    BLUE,
    EDGE,
    GREEN,
    GREY,
    VERMILION,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
    seconds_since,
)

EARLY_S = 0.05  # what clocks and rounding may make of a try that is on time

Pauses = Callable[[int, float], list[float]]  # of a number of tries and the first pause in s


class Tries(NamedTuple):
    """The tries of a message, in s since it was first received."""

    name: str
    starts: pd.Series
    expected: list[float]


@in_style
def retry_schedule(
    plain: pd.DataFrame,
    visibility_s: float,
    backoff: pd.DataFrame | None = None,
    max_receives: int | None = None,
) -> Chart:
    """When a message was tried: expected from the visibility timeout, and seen.

    `plain` are the deliveries of one message; `backoff` those of another, whose handler
    made the first pause `visibility_s` by ChangeMessageVisibility and doubled it each time.
    With `max_receives`, the maxReceiveCount of the queue, as many tries are expected.
    """
    rows: list[tuple[str, pd.DataFrame, Pauses]] = [("plain", plain, plain_pauses)]
    if backoff is not None:
        rows.append(("backoff", backoff, doubling_pauses))
    if any(seen["started"].isna().all() for _, seen, _ in rows):
        raise ValueError("retry_schedule: there is nothing to draw, no try was seen to start.")
    tries = [
        Tries(
            name, starts_of(seen), pauses(max_receives or seen["receive_count"].max(), visibility_s)
        )
        for name, seen, pauses in rows
    ]
    figure, axes = new_axes(1.7 + 1.1 * len(rows))
    for lane, (_, starts, expected) in enumerate(tries):
        label = {0: ("expected", "seen")}.get(lane, (None, None))
        axes.plot(
            expected, [lane] * len(expected), "|", color=GREY, markersize=38, markeredgewidth=2,
            label=label[0],
        )  # fmt: skip
        axes.plot(starts, [lane] * len(starts), "o", color=BLUE, markersize=11, label=label[1])
        for number, start in starts.items():
            axes.annotate(f"try {number}", (start, lane + 0.32), ha="center", va="bottom")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.25, -0.45)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("time since the message was first received (s)")
    axes.set_title(schedule_title(tries))
    legend_beside(axes, markerscale=0.6)
    return make_chart(figure, schedule_text(tries, visibility_s, max_receives))


def starts_of(seen: pd.DataFrame) -> pd.Series:
    """When each try started, by its number, in s since the first receive.

    From then on a message is hidden; before the first start an environment may have to be
    made. A try whose START line is missing is left out.
    """
    starts = seconds_since(seen["started"], seen["first_received"].min())
    return starts.set_axis(seen["receive_count"]).dropna().sort_index()


def plain_pauses(tries: int, visibility_s: float) -> list[float]:
    """When tries are expected if each pause is the visibility timeout, in s."""
    return [number * visibility_s for number in range(tries)]


def doubling_pauses(tries: int, first_s: float) -> list[float]:
    """When tries are expected if each pause is twice the one before, in s."""
    return [first_s * (2**number - 1) for number in range(tries)]


def schedule_title(tries: list[Tries]) -> str:
    said = [
        f"{count(len(starts), 'try', 'tries')} in {starts.max():.0f} s" for _, starts, _ in tries
    ]
    if len(tries) == 2:
        return f"{said[0]} at an even pace, {said[1]} with backoff"
    return f"{said[0]}, {too_early(tries[0].starts, tries[0].expected) or 'none'} too early"


def too_early(starts: pd.Series, expected: list[float]) -> int:
    """How many tries came before they were expected. `starts` are by number, from 1 on."""
    plan = dict(enumerate(expected, start=1))
    return sum(start < plan.get(number, start) - EARLY_S for number, start in starts.items())


def schedule_text(tries: list[Tries], visibility_s: float, max_receives: int | None) -> str:
    limit = f" of at most {max_receives}" if max_receives else ""
    said = [
        f"{name}: {count(len(starts), 'try', 'tries')}{limit}, {most_came(starts, expected)}"
        for name, starts, expected in tries
    ]
    return f"Retries with a first pause of {visibility_s:g} s. {'; '.join(said)}."


def most_came(starts: pd.Series, expected: list[float]) -> str:
    """In words when most tries came: any single one may be a second delivery."""
    early = too_early(starts, expected) > len(starts) / 2
    return "most earlier than expected" if early else "most as late as expected"


@in_style
def poison(whole: pd.DataFrame, partial: pd.DataFrame, bad: str) -> Chart:
    """How often healthy messages ran, with whole-batch failure and with partial responses.

    Both are deliveries; `bad` is the body of the message that fails.
    """
    runs = {
        "whole batch fails": runs_of_healthy(whole, bad),
        "only the bad one fails": runs_of_healthy(partial, bad),
    }
    figure, axes = new_axes(2.6)
    needed = [len(numbers) for numbers in runs.values()]
    again = [int(numbers.sum()) - len(numbers) for numbers in runs.values()]
    axes.barh(list(runs), needed, color=GREEN, label="needed", **EDGE)
    axes.barh(
        list(runs), again, left=needed, color=VERMILION, hatch="//", label="run again", **EDGE
    )
    for lane, total in enumerate(map(sum, zip(needed, again, strict=True))):
        axes.annotate(f" {count(total, 'run')}", (total, lane), va="center")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("runs of healthy messages")
    axes.set_title(
        f"Healthy messages ran {again[0]:,} times too often when the whole batch failed,\n"
        f"{again[1]:,} with partial responses"
    )
    legend_beside(axes)
    said = "; ".join(f"{name}: {most_ran(numbers)}" for name, numbers in runs.items())
    return make_chart(figure, f"A bad message in a batch. {said}.")


def runs_of_healthy(seen: pd.DataFrame, bad: str) -> pd.Series:
    return seen[seen["body"] != bad].groupby("message_id").size()


def most_ran(numbers: pd.Series) -> str:
    """In words how often most messages ran: any single one may be delivered twice, or be alone in
    a batch."""
    often = "more than once" if (numbers > 1).mean() > 0.5 else "once"
    return f"most of {len(numbers)} healthy messages ran {often}"
