"""Messages that were tried again: when, and how often for nothing."""

from __future__ import annotations

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


@in_style
def retry_schedule(seen: pd.DataFrame, first_pause_s: float, doubling: bool = False) -> Chart:
    """When a message was tried: expected, and seen.

    `seen` are the deliveries of one message. Each pause is expected to be `first_pause_s`, in s:
    the visibility timeout of its queue. With `doubling` the handler made the first pause so by
    ChangeMessageVisibility, and each later one twice the one before.
    """
    if seen["started"].isna().all():
        raise ValueError("retry_schedule: there is nothing to draw, no try was seen to start.")
    starts = starts_of(seen)
    pauses = doubling_pauses if doubling else even_pauses
    expected = pauses(seen["receive_count"].max(), first_pause_s)
    figure, axes = new_axes(2.4)
    axes.plot(
        expected, [0] * len(expected), "|", color=GREY, markersize=38, markeredgewidth=2,
        label="expected",
    )  # fmt: skip
    axes.plot(starts, [0] * len(starts), "o", color=BLUE, markersize=11, label="seen")
    for number, start in starts.items():
        axes.annotate(f"try {number}", (start, 0.32), ha="center", va="bottom")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.3, 0.65)
    axes.margins(x=0.08)
    axes.set_xlabel("time since the message was first received (s)")
    axes.set_title(schedule_title(starts, expected, doubling))
    legend_beside(axes, markerscale=0.6)
    return make_chart(figure, schedule_text(starts, expected, first_pause_s, doubling))


def starts_of(seen: pd.DataFrame) -> pd.Series:
    """When each try started, by its number, in s since the first receive.

    From then on a message is hidden; before the first start an environment may have to be
    made. A try whose START line is missing is left out.
    """
    starts = seconds_since(seen["started"], seen["first_received"].min())
    return starts.set_axis(seen["receive_count"]).dropna().sort_index()


def even_pauses(tries: int, pause_s: float) -> list[float]:
    """When tries are expected if all pauses are the same, in s."""
    return [number * pause_s for number in range(tries)]


def doubling_pauses(tries: int, first_s: float) -> list[float]:
    """When tries are expected if each pause is twice the one before, in s."""
    return [first_s * (2**number - 1) for number in range(tries)]


def schedule_title(starts: pd.Series, expected: list[float], doubling: bool) -> str:
    pace = "with pauses that double" if doubling else "at an even pace"
    early = too_early(starts, expected) or "none"
    tries = count(len(starts), "try", "tries")
    return f"{tries} {pace}, in {starts.max():.0f} s: {early} too early"


def too_early(starts: pd.Series, expected: list[float]) -> int:
    """How many tries came before they were expected. `starts` are by number, from 1 on."""
    plan = dict(enumerate(expected, start=1))
    return sum(start < plan.get(number, start) - EARLY_S for number, start in starts.items())


def schedule_text(
    starts: pd.Series, expected: list[float], first_pause_s: float, doubling: bool
) -> str:
    pauses = f"a first pause of {first_pause_s:g} s, then twice as long each time"
    if not doubling:
        pauses = f"pauses of {first_pause_s:g} s"
    tries = count(len(starts), "try", "tries")
    return f"Retries with {pauses}: {tries}, {most_came(starts, expected)}."


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
