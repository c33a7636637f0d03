"""A queue while it fills and while it is emptied."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.ticker import MaxNLocator

from helpers.charts.style import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
)


@in_style
def queue_depth(
    depth: pd.DataFrame,
    sends: pd.Series | Sequence[float] = (),
    done: pd.Series | Sequence[float] = (),
) -> Chart:
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
