"""The way of one message, from one step to the next."""

from __future__ import annotations

from itertools import pairwise

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from helpers.charts.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    STYLE,
    Chart,
    make_chart,
)


def message_journey(journey: pd.DataFrame) -> Chart:
    """The way of one message, from its first step to its last.

    `journey` has the columns `step` (text) and `ms` (milliseconds since it was sent), in
    order of time, as `evidence.follow` returns it.
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
        steps = list(journey["step"])
        axes.set_title(f"From {steps[0]} to {steps[-1]} in {times[-1]:.0f} ms", loc="left")
        text = f"One message, from {steps[0]} to {steps[-1]}: {' → '.join(steps)}."
        return make_chart(figure, text)
