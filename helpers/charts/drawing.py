"""Charts that show a finding and can say it in words.

Each chart is a `Chart`: JupyterLab shows the picture, with a text for those who cannot see
it; a test reads the text. The texts hold what stays the same from run to run: counts and
outcomes, not the milliseconds of one computer. Each chart works from the frames of
`helpers.recorder`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.charts.lanes import life_lines
from helpers.charts.style import (
    BLUE,
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    STYLE,
    VERMILION,
    WIDTH_IN,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
    seconds_since,
)

__all__ = [
    "Chart",
    "latency",
    "life_lines",
    "make_chart",
    "message_journey",
    "per_hour",
    "poison",
    "queue_depth",
    "retry_schedule",
    "scaling",
    "throughput",
]
EARLY_S = 0.05  # what clocks and rounding may make of a try that is on time


def message_journey(journey: pd.DataFrame) -> Chart:
    """The way of one message from sent to deleted.

    `journey` has the columns `step` (text) and `ms` (milliseconds since it was sent), in
    order of time, as `helpers.journey.follow` returns it.
    """
    with matplotlib.rc_context({**STYLE, "font.size": 12}):
        figure = Figure(figsize=(9, 2.8))
        axes = figure.subplots()
        times = list(journey["ms"])
        colours = [BLUE, ORANGE, GREEN]
        for number, (begin, end) in enumerate(pairwise(times)):
            axes.barh(0, end - begin, left=begin, height=0.5, color=colours[number % 3])
        for number, (step, ms) in enumerate(zip(journey["step"], times, strict=True)):
            height = 0.45 if number % 2 == 0 else -0.45
            axes.annotate(
                f"{step}\n{ms:.0f} ms",
                (ms, 0.25 if height > 0 else -0.25),
                (ms, height),
                ha="center",
                va="bottom" if height > 0 else "top",
                arrowprops={"arrowstyle": "-", "color": GREY},
            )
        axes.set_ylim(-1.1, 1.1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.12)
        axes.set_xlabel("time since the message was sent (ms)")
        axes.set_title(f"From sent to deleted in {times[-1]:.0f} ms", loc="left")
        steps = " → ".join(journey["step"])
        return make_chart(figure, f"One message, from sent to deleted: {steps}.")


# -- messages and their deliveries ---------------------------------------------------------


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
    rows = [("plain", plain, plain_pauses)]
    if backoff is not None:
        rows.append(("backoff", backoff, doubling_pauses))
    if any(seen["started"].isna().all() for _, seen, _ in rows):
        raise ValueError("retry_schedule: there is nothing to draw, no try was seen to start.")
    tries = [
        (name, starts_of(seen), pauses(max_receives or seen["receive_count"].max(), visibility_s))
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


def schedule_title(tries: list[tuple]) -> str:
    said = [
        f"{count(len(starts), 'try', 'tries')} in {starts.max():.0f} s" for _, starts, _ in tries
    ]
    if len(tries) == 2:
        return f"{said[0]} at an even pace, {said[1]} with backoff"
    return f"{said[0]}, {too_early(*tries[0][1:]) or 'none'} too early"


def too_early(starts: pd.Series, expected: list[float]) -> int:
    """How many tries came before they were expected. `starts` are by number, from 1 on."""
    plan = dict(enumerate(expected, start=1))
    return sum(start < plan.get(number, start) - EARLY_S for number, start in starts.items())


def schedule_text(tries: list[tuple], visibility_s: float, max_receives: int | None) -> str:
    limit = f" of at most {max_receives}" if max_receives else ""
    said = [
        f"{name}: {count(len(starts), 'try', 'tries')}{limit}, "
        f"{too_early(starts, expected)} earlier than expected"
        for name, starts, expected in tries
    ]
    return f"Retries with a first pause of {visibility_s:g} s. {'; '.join(said)}."


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
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("runs of healthy messages")
    axes.set_title(
        f"Healthy messages ran {again[0]:,} times too often when the whole batch failed,\n"
        f"{again[1]:,} with partial responses"
    )
    legend_beside(axes)
    said = "; ".join(
        f"{name}: {int(numbers.sum())} runs of {len(numbers)} healthy messages"
        for name, numbers in runs.items()
    )
    return make_chart(figure, f"A bad message in a batch. {said}.")


def runs_of_healthy(seen: pd.DataFrame, bad: str) -> pd.Series:
    return seen[seen["body"] != bad].groupby("message_id").size()


# -- a queue, and how fast it is emptied ---------------------------------------------------


@in_style
def queue_depth(depth: pd.DataFrame, sends: Any = (), done: Any = ()) -> Chart:
    """How many messages wait, are in flight and are dead, over time.

    `depth` is the frame of a QueueWatch. `sends` and `done` are times in s since its start,
    when messages were sent and when they were finished, such as `watch.seconds(seen["sent"])`:
    drawn as ticks below.
    """
    ticks = [(name, times) for name, times in (("sent", sends), ("done", done)) if len(times)]
    figure, axes = new_axes(3.4 + 0.4 * len(ticks))
    looks = {
        "waiting": ("visible", BLUE, "-"),
        "in flight": ("in_flight", ORANGE, "--"),
        "delayed": ("delayed", PURPLE, "-."),
        "dead": ("dead", "black", ":"),
    }
    for label, (column, colour, line) in looks.items():
        if label in ("waiting", "in flight") or depth[column].any():
            axes.step(
                depth["seconds"], depth[column], where="post", color=colour, linestyle=line,
                linewidth=2.5, label=label,
            )  # fmt: skip
    most = max(most_in(depth), 1)
    for number, (name, times) in enumerate(ticks, start=1):
        place = -0.11 * most * number
        axes.plot(times, [place] * len(times), "|", color=GREY, markersize=13)
        axes.annotate(
            f"{name} ", (0, place), xycoords=("axes fraction", "data"), ha="right", va="center"
        )
    axes.set_ylim(-0.11 * most * (len(ticks) + 0.6) if ticks else -0.03 * most, 1.06 * most)
    ticks_above = MaxNLocator(integer=True).tick_values(0, most)
    axes.set_yticks([tick for tick in ticks_above if 0 <= tick <= 1.06 * most])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("messages")
    legend_beside(axes)
    axes.set_title(depth_title(depth))
    left, dead = left_in(depth), int(depth["dead"].iloc[-1])
    text = f"Queue over time: at the end {count(left, 'message')} left and {dead} dead."
    return make_chart(figure, text)


def most_in(depth: pd.DataFrame) -> int:
    return int((depth["visible"] + depth["in_flight"] + depth["delayed"]).max())


def left_in(depth: pd.DataFrame) -> int:
    return int(depth[["visible", "in_flight", "delayed"]].iloc[-1].sum())


def depth_title(depth: pd.DataFrame) -> str:
    peak, left, dead = most_in(depth), left_in(depth), int(depth["dead"].iloc[-1])
    end = f"{left:,} left" if left else "empty at the end"
    return f"At most {count(peak, 'message')} in the queue, {end}, {dead} dead"


@in_style
def per_hour(counts: pd.Series, what: str) -> Chart:
    """How many there were in each hour of a day, with the peaks marked.

    `counts` has hours, 0 to 23, as its index; an hour that is missing had none. `what` is
    the plural of what was counted. An hour with at least half as many as the highest is part
    of a peak. Raises ValueError when there is nothing at all.
    """
    whole = counts.reindex(range(24), fill_value=0)
    if not whole.any():
        raise ValueError(f"per_hour: there is nothing to draw, no {what}.")
    peaks = whole[whole >= whole.max() / 2]
    figure, axes = new_axes(3.2)
    axes.bar(whole.index, whole, color=SKY, **EDGE)
    axes.bar(peaks.index, peaks, color=VERMILION, hatch="//", **EDGE)
    axes.set_xticks(range(0, 24, 2))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("hour of the day (UTC)")
    axes.set_ylabel(what)
    hours = ", ".join(map(str, peaks.index))
    said = f"{peaks.sum():,} of {whole.sum():,} {what} in the peak hours {hours}"
    axes.set_title(said)
    return make_chart(figure, f"By hour of the day: {said}.")


@in_style
def throughput(runs: pd.DataFrame, setting: str) -> Chart:
    """Messages per second for each value of a setting, with every repeat, and the cost.

    `runs` has the columns `value` (of the setting), `messages_per_s` and, if wanted,
    `usd_per_million`, a row for each repeat; `setting` is its name in words. Bars are
    medians, dots the repeats.
    """
    values = list(runs["value"].drop_duplicates())
    medians = runs.groupby("value")["messages_per_s"].median().reindex(values)
    parts = [("messages_per_s", "messages per second\n(this computer)", SKY, "")]
    if "usd_per_million" in runs:
        parts.append(("usd_per_million", "US dollars per million\nmessages (AWS)", ORANGE, ".."))
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    for axes, (column, label, colour, hatch) in zip(
        figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True
    ):
        draw_repeats(axes, [runs.loc[runs["value"] == each, column] for each in values],
                     colour, hatch)  # fmt: skip
        axes.set_xticks(range(len(values)), [f"{value}" for value in values])
        axes.set_xlabel(setting)
        axes.set_ylabel(label)
    figure.suptitle(throughput_title(medians, setting), x=0.01, ha="left", fontsize=14)
    return make_chart(figure, throughput_text(runs, setting))


def draw_repeats(axes: Axes, groups: list[pd.Series], colour: str, hatch: str) -> None:
    """A bar to the median of each group, and a dot for each of its values."""
    places = range(len(groups))
    medians = [group.median() for group in groups]
    axes.bar(places, medians, width=0.6, color=colour, hatch=hatch, **EDGE)
    for place, group in zip(places, groups, strict=True):
        axes.vlines(place, group.min(), group.max(), color="black", linewidth=1.5)
        axes.plot([place] * len(group), group, "o", color="black", markersize=5)
    axes.margins(x=0.1)


def throughput_title(medians: pd.Series, setting: str) -> str:
    fastest, slowest = medians.idxmax(), medians.idxmin()
    if len(medians) == 1 or medians.min() <= 0:
        return f"{setting.capitalize()} {fastest}: {medians.max():,.0f} messages per second"
    times = medians.max() / medians.min()
    return f"{setting.capitalize()} {fastest} is {times:.1f} times as fast as {setting} {slowest}"


def throughput_text(runs: pd.DataFrame, setting: str) -> str:
    by_value = runs.groupby("value", sort=False)
    values = ", ".join(map(str, by_value.groups))
    said = f"Throughput by {setting}, {values}: {count(int(by_value.size().min()), 'repeat')} each"
    if "usd_per_million" in runs:
        said += f"; cheapest at {by_value['usd_per_million'].median().idxmin()}"
    return f"{said}."


@in_style
def latency(seen: pd.DataFrame) -> Chart:
    """Where the time goes: in the queue and in the function, cold and warm starts apart.

    Of first deliveries, for later ones waited for the visibility timeout too. The time in
    the queue lasts until the handler starts, so it holds the making of a new environment.
    """
    first = seen[seen["receive_count"] == 1]
    if first.empty:
        raise ValueError("latency: there is nothing to draw, no first delivery was seen.")
    parts = pd.DataFrame(
        {
            "in the queue": seconds_since(first["started"], first["sent"]) * 1000,
            "in the function": first["duration_ms"],
            "start": first["cold"].map({True: "cold", False: "warm"}),
        }
    )
    medians = parts.groupby("start").median().reindex(["cold", "warm"]).dropna()
    figure, axes = new_axes(1.6 + 0.7 * len(medians))
    left = pd.Series(0.0, index=medians.index)
    for column, colour, hatch in (("in the queue", BLUE, ""), ("in the function", ORANGE, "..")):
        axes.barh(
            medians.index + " start", medians[column], left=left, height=0.6, color=colour,
            hatch=hatch, label=column, **EDGE,
        )  # fmt: skip
        left = left + medians[column]
    for lane, total in enumerate(left):
        axes.annotate(f" {total:,.0f} ms", (total, lane), va="center")
    axes.set_ylim(len(medians) - 0.5, -0.5)
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("time of one message, median (ms)")
    legend_beside(axes)
    longer = {
        start: "queue" if row["in the queue"] > row["in the function"] else "function"
        for start, row in medians.iterrows()
    }
    places = list(dict.fromkeys(longer.values()))
    axes.set_title(
        f"Most of the time is spent in the {places[0]}"
        if len(places) == 1
        else f"Cold starts: most of the time in the {longer['cold']}; warm: in the {longer['warm']}"
    )
    said = "; ".join(f"{start} starts: longer in the {place}" for start, place in longer.items())
    return make_chart(figure, f"Time of a message in the queue and in the function. {said}.")


@in_style
def scaling(minutes: float = 6.0, measured: pd.DataFrame | None = None) -> Chart:
    """How fast AWS lets a busy trigger grow, by its documented rule.

    5 invocations at once at first, up to 300 more each minute, at most 1,250. `measured` may
    be what `recorder.running` tells of a run of one's own: it stands beside the rule, for it
    is much shorter. Source: "Configuring scaling behavior for SQS event source mappings",
    Lambda Developer Guide.
    """
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    both = figure.subplots(1, 1 if measured is None else 2, squeeze=False)[0]
    draw_rule(both[0], minutes, 1)
    both[0].set_xlabel("time with a backlog (minutes)")
    title = f"AWS goes from 5 to 1,250 at once in {(1250 - 5) / 300:.1f} minutes"
    if measured is not None:
        draw_rule(both[1], measured["minutes"].max(), 60)
        seconds, highest = highest_by_interval(measured)
        both[1].step(
            seconds, highest, "--", where="post", color=VERMILION, linewidth=3,
            label="this run (measured)",
        )  # fmt: skip
        both[1].set_xlabel("time with a backlog (s)")
        title += f"; here at most {measured['running'].max():,.0f}"
    for axes in both:
        axes.set_ylabel("invocations at once")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
    both[-1].legend(loc="upper left", frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    text = "Invocations at once by AWS's rule: 5 at first, 300 more a minute, at most 1,250."
    if measured is not None:
        text += f" Measured here: at most {int(measured['running'].max())}."
    return make_chart(figure, text)


def highest_by_interval(measured: pd.DataFrame) -> tuple[pd.Index, pd.Series]:
    """How many ran at once at most, in 40 intervals; without the gaps between two calls.

    The first value is when the intervals begin, in s.
    """
    length_s = max(measured["minutes"].max() * 60 / 40, 0.001)
    highest = measured["running"].groupby(measured["minutes"] * 60 // length_s).max()
    return highest.index * length_s, highest


def draw_rule(axes: Axes, minutes: float, per_minute: int) -> None:
    """AWS's rule over so many minutes, on an axis with so many units in a minute."""
    times = [step * minutes / 200 for step in range(201)]
    axes.plot(
        [time * per_minute for time in times], [allowed_by_aws(time) for time in times],
        color=BLUE, linewidth=3, label="AWS's rule (calculated)",
    )  # fmt: skip


def allowed_by_aws(minutes: float) -> float:
    """How many invocations at once AWS allows after so many minutes with a backlog."""
    return min(5 + 300 * minutes, 1250)
