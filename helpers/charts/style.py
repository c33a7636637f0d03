"""One look for all charts: size, letters, colours, and a picture that can say what it shows.

Colours are those of Okabe and Ito, which colour-blind people can tell apart; what has a
colour has a hatch, a line style or a place of its own too. Letters are big enough to be read
on a projector.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#595959"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
WIDTH_IN = 9
STYLE: dict[Any, Any] = {  # matplotlib names each key that it takes
    "font.size": 13,
    "legend.fontsize": 12,
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.8,
}
EDGE: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.6}
LABEL_LENGTH = 18
P = ParamSpec("P")


@dataclass(frozen=True)
class Chart:
    """A picture and what it says. `png` is the picture's bytes."""

    png: bytes
    text: str

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": self.png, "text/plain": self.text}
        return data, {"image/png": {"alt": self.text}}

    def __repr__(self) -> str:
        return self.text


def make_chart(figure: Figure, text: str) -> Chart:
    """Render a figure with a text that states what it shows."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return Chart(buffer.getvalue(), text)


def in_style(draw: Callable[P, Chart]) -> Callable[P, Chart]:
    """Draw a chart with the look of the course. Raises ValueError when all frames are empty."""

    @wraps(draw)
    def styled(*arguments: P.args, **named: P.kwargs) -> Chart:
        frames = [each for each in arguments if isinstance(each, pd.DataFrame)]
        if frames and all(frame.empty for frame in frames):
            raise ValueError(f"{draw.__name__}: there is nothing to draw, nothing was seen.")
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **named)

    return styled


def new_axes(height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_IN, height_in))
    return figure, figure.subplots()


def legend_beside(axes: Axes, **arguments: Any) -> None:
    """A legend to the right of the axes, where it covers nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, **arguments)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, such as "1 message" or "3 messages"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Iterable[str]) -> str:
    """How often each word occurs, such as "2 raised, 1 returned"."""
    return ", ".join(f"{number:,} {word}" for word, number in sorted(Counter(words).items()))


def seconds_since(times: pd.Series, zero: pd.Timestamp) -> pd.Series:
    return (times - zero).dt.total_seconds()


def short_label(body: str) -> str:
    """What to call a message in a chart: the id in a body of JSON, or the body's beginning."""
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        ids = [str(value) for key, value in fields.items() if key.lower().endswith("id")]
        body = ids[0] if ids else body
    return body if len(body) <= LABEL_LENGTH else body[: LABEL_LENGTH - 1] + "…"
