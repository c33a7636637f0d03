"""What happened in each hour of a day."""

from __future__ import annotations

import pandas as pd

from helpers.charts.style import (
    EDGE,
    SKY,
    VERMILION,
    Chart,
    in_style,
    make_chart,
    new_axes,
)


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
    axes.locator_params(axis="y", integer=True)
    axes.set_xlabel("hour of the day (UTC)")
    axes.set_ylabel(what)
    hours = ", ".join(map(str, peaks.index))
    said = f"{peaks.sum():,} of {whole.sum():,} {what} in the peak hours {hours}"
    axes.set_title(said)
    return make_chart(figure, f"By hour of the day: {said}.")
