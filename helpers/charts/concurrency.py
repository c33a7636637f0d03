"""How many invocations run at once."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.charts.style import (
    BLUE,
    GREY,
    PURPLE,
    VERMILION,
    WIDTH_IN,
    Chart,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
)

LOOKS = ((BLUE, "-"), (VERMILION, "--"), (PURPLE, ":"))


@in_style
def scaling(minutes: float = 6.0, measured: pd.DataFrame | None = None) -> Chart:
    """How fast AWS lets a busy trigger grow, by its documented rule.

    5 invocations at once at first, up to 300 more each minute, at most 1,250. `measured` may
    be what `evidence.running` tells of a run of one's own: it stands beside the rule, with the
    rule's first seconds, for it is much shorter. Source: "Configuring scaling behavior for SQS
    event source mappings", Lambda Developer Guide.
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
        title += f"; here at most {most_in(measured):,}"
    for axes in both:
        axes.set_ylabel("invocations at once")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
    both[-1].legend(loc="upper left", frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    text = "Invocations at once by AWS's rule: 5 at first, 300 more a minute, at most 1,250."
    if measured is not None:
        text += f" The most here, measured: {band(most_in(measured))}."
    return make_chart(figure, text)


@in_style
def at_once(runs: dict[str, pd.DataFrame]) -> Chart:
    """How many invocations ran at once in runs of the same work, and when each was done.

    `runs`: what `evidence.running` tells of each, by its name; up to three. Beside them stands
    AWS's rule without errors. Raises ValueError for more runs, or a run without invocations.
    """
    if not 1 <= len(runs) <= len(LOOKS) or not all(len(run) for run in runs.values()):
        raise ValueError(f"There must be one to {len(LOOKS)} runs, each with invocations.")
    figure, axes = new_axes(3.6)
    draw_rule(axes, max(run["minutes"].max() for run in runs.values()), 60, GREY)
    for (name, run), (colour, line) in zip(runs.items(), LOOKS, strict=False):
        seconds, highest = highest_by_interval(run)
        axes.step(
            seconds, highest, line, where="post", color=colour, linewidth=3,
            label=f"{name} (measured)",
        )  # fmt: skip
    axes.set_ylim(0, 1.15 * max(map(most_in, runs.values())))
    axes.set_xlabel("time with a backlog (s)")
    axes.set_ylabel("invocations at once")
    legend_beside(axes)
    ends = [
        f"{name}: at most {most_in(run)}, done after {run['minutes'].max() * 60:.0f} s"
        for name, run in runs.items()
    ]
    axes.set_title("; ".join(ends))
    most = "; ".join(f"{name}: {band(most_in(run))}" for name, run in runs.items())
    return make_chart(figure, f"The most invocations at once. {most}.")


def most_in(run: pd.DataFrame) -> int:
    return int(run["running"].max())


def band(number: int) -> str:
    """A number roughly, for a text that two runs shall share: "15 to 29", "30 to 59", ….

    Each band reaches to twice its beginning, the lowest from 1 to 4, then from 5 to 14.
    """
    lowest, above = 1, 5
    while number >= above:
        lowest, above = above, 15 if above == 5 else 2 * above
    return f"{lowest} to {above - 1}"


def highest_by_interval(measured: pd.DataFrame) -> tuple[pd.Index, pd.Series]:
    """How many ran at once at most, in 40 intervals; without the gaps between two calls.

    The first value is when the intervals begin, in s.
    """
    length_s = max(measured["minutes"].max() * 60 / 40, 0.001)
    highest = measured["running"].groupby(measured["minutes"] * 60 // length_s).max()
    return highest.index * length_s, highest


def draw_rule(axes: Axes, minutes: float, per_minute: int, colour: str = BLUE) -> None:
    """AWS's rule over so many minutes, on an axis with so many units in a minute."""
    times = [step * minutes / 200 for step in range(201)]
    axes.plot(
        [time * per_minute for time in times], [allowed_by_aws(time) for time in times],
        color=colour, linewidth=3, label="AWS's rule (calculated)",
    )  # fmt: skip


def allowed_by_aws(minutes: float) -> float:
    """How many invocations at once AWS allows after so many minutes with a backlog."""
    return min(5 + 300 * minutes, 1250)
