"""How many invocations run at once."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.charts.style import (
    BLUE,
    VERMILION,
    WIDTH_IN,
    Chart,
    in_style,
    make_chart,
)


@in_style
def scaling(minutes: float = 6.0, measured: pd.DataFrame | None = None) -> Chart:
    """How fast AWS lets a busy trigger grow, by its documented rule.

    5 invocations at once at first, up to 300 more each minute, at most 1,250. `measured` may
    be what `evidence.running` tells of a run of one's own: it stands beside the rule, for it
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
