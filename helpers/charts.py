"""Charts that show a finding and can say it in words.

Each chart is a `Chart`: JupyterLab shows the picture, with a text for those who cannot see
it; a test reads the text. Colours are those of Okabe and Ito, which colour-blind people
can tell apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#595959"
STYLE = {"font.size": 12, "axes.spines.top": False, "axes.spines.right": False}


@dataclass(frozen=True)
class Chart:
    """A picture and what it says. `png` is the picture's bytes."""

    png: bytes
    text: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        data = {"image/png": self.png, "text/plain": self.text}
        return data, {"image/png": {"alt": self.text}}

    def __repr__(self) -> str:
        return self.text


def make_chart(figure: Figure, text: str) -> Chart:
    """Render a figure with a text that states what it shows."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return Chart(buffer.getvalue(), text)


def message_journey(journey: pd.DataFrame) -> Chart:
    """The way of one message from sent to deleted.

    `journey` has the columns `step` (text) and `ms` (milliseconds since it was sent), in
    order of time, as `helpers.journey.follow` returns it.
    """
    with matplotlib.rc_context(STYLE):
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
