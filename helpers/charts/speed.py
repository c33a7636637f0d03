"""How fast messages are handled, and where the time goes."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.charts.style import (
    BLUE,
    EDGE,
    ORANGE,
    SKY,
    WIDTH_IN,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
    seconds_since,
)


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
