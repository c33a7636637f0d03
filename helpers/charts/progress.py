"""How far a learner is, and how long it took."""

from __future__ import annotations

import pandas as pd

from helpers.charts.style import (
    BLUE,
    EDGE,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
)

BAR = 0.38


@in_style
def progress(table: pd.DataFrame) -> Chart:
    """For each notebook the minutes taken beside those stated, and the exercises passed.

    `table` is the frame of a Progress, with a row for each notebook.
    """
    figure, axes = new_axes(1.4 + 0.42 * len(table))
    places = range(len(table))
    axes.barh([p - BAR / 2 for p in places], table["taken"], BAR, color=BLUE, label="taken", **EDGE)
    axes.barh(
        [p + BAR / 2 for p in places], table["stated"], BAR, color="white", hatch="//",
        label="stated", **EDGE,
    )  # fmt: skip
    right = 1.04 * max(table[["taken", "stated"]].to_numpy().max(), 1)
    for place, (passed, number) in enumerate(zip(table["passed"], table["exercises"], strict=True)):
        if number:
            axes.text(right, place, f"{passed} of {number}", va="center", ha="left")
    axes.text(right, -1, "exercises", va="center", ha="left")
    axes.set_yticks(list(places), table["title"])
    axes.set_ylim(len(table) - 0.4, -1.4)
    axes.set_xlim(0, right * 1.2)
    axes.set_xlabel("time (min)")
    legend_beside(axes)
    said = said_of(table)
    axes.set_title(said)
    return make_chart(figure, f"{said}.")


def said_of(table: pd.DataFrame) -> str:
    """The whole in a sentence without its full stop."""
    finished, passed = int(table["finished"].sum()), int(table["passed"].sum())
    whole, minutes = int(table["exercises"].sum()), round(table["taken"].sum())
    return (
        f"{finished} of {count(len(table), 'notebook')} finished, {passed} of "
        f"{count(whole, 'exercise')} passed, in {count(minutes, 'minute')}"
    )
