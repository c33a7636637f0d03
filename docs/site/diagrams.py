"""The diagrams of the course, in the look of its charts: `python -m docs.site.diagrams` draws them.

A place is a box at (x, y) in inches. What each says in words stands beside it, where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from docs.site.build import PICTURES
from helpers.charts.style import BLUE, GREEN, GREY, ORANGE, PURPLE, STYLE, VERMILION, WIDTH_IN

ARROW: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 17, "color": "black"}
ARROW |= {"linewidth": 1.7}
LABEL: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11}
SAME_EACH_TIME: dict[Any, Any] = {"svg.hashsalt": "course", "svg.fonttype": "path"}
HEIGHT_IN = 0.72


@dataclass(frozen=True)
class Box:
    """A place with its name, what is said below that, and the steps that make it."""

    x: float
    y: float
    width: float
    colour: str
    name: str
    about: str = ""
    steps: tuple[int, ...] = ()


def canvas(height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_IN, height_in))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH_IN), ylim=(0, height_in))
    axes.set_axis_off()
    return figure, axes


def draw(axes: Axes, box: Box) -> None:
    corner = (box.x - box.width / 2, box.y - HEIGHT_IN / 2)
    look: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.1", "linewidth": 2}
    look |= {"facecolor": (*to_rgb(box.colour), 0.13), "edgecolor": box.colour}
    axes.add_patch(FancyBboxPatch(corner, box.width, HEIGHT_IN, **look))
    lift = 0.14 if box.about else 0
    axes.text(box.x, box.y + lift, box.name, ha="center", va="center", fontweight="bold")
    axes.text(box.x, box.y - 0.16, box.about, ha="center", va="center", fontsize=10.5, color=GREY)
    for number, step in enumerate(box.steps):
        number_at(axes, corner[0] + 0.16 + 0.36 * number, box.y + HEIGHT_IN / 2, step)


def number_at(axes: Axes, x: float, y: float, step: int) -> None:
    mark: dict[str, Any] = {
        "boxstyle": "circle,pad=0.25",
        "facecolor": "black",
        "edgecolor": "white",
    }
    axes.text(x, y, str(step), ha="center", va="center", color="white", fontsize=11, bbox=mark)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **look: Any) -> None:
    look = ARROW | look
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def label(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    axes.text(x, y, text, **(LABEL | look))


def pipeline() -> Figure:
    """The seven steps: what each makes, and where it stands."""
    figure, axes = canvas(2.9)
    for box in (
        Box(0.75, 2.1, 1.4, GREY, "producer"),
        Box(3.2, 2.1, 2.0, BLUE, "queue", "DemoQueueLambda", (1,)),
        Box(6.05, 2.1, 2.0, ORANGE, "function", "ProcessSQSMessage", (3, 5)),
        Box(8.3, 2.1, 1.3, GREEN, "log", "CloudWatch", (7,)),
        Box(3.2, 0.42, 2.0, VERMILION, "dead letters", "a second queue"),
        Box(6.05, 0.42, 2.0, PURPLE, "role", "what it may do", (2,)),
    ):
        draw(axes, box)
    for x, end, word, step in ((1.45, 2.2, "send", 6), (4.2, 5.05, "trigger", 4)):
        arrow(axes, (x, 2.1), (end, 2.1))
        label(axes, (x + end) / 2, 2.28, word)
        number_at(axes, (x + end) / 2, 2.6, step)
    arrow(axes, (7.05, 2.1), (7.65, 2.1))
    label(axes, 7.33, 2.28, "print")
    arrow(axes, (6.05, 0.78), (6.05, 1.74), linestyle="dashed")
    label(axes, 6.17, 1.26, "worn by", ha="left")
    arrow(axes, (3.2, 1.74), (3.2, 0.78), linestyle="dashed")
    label(axes, 3.08, 1.26, "received too often", ha="right")
    return figure


def message() -> Figure:
    """The life of a message: where it is, and what takes it on."""
    figure, axes = canvas(3.6)
    for box in (
        Box(0.62, 2.95, 1.1, GREY, "sent"),
        Box(2.9, 2.95, 1.9, BLUE, "waits", "visible"),
        Box(5.65, 2.95, 1.9, ORANGE, "in flight", "hidden"),
        Box(8.15, 2.95, 1.5, GREEN, "deleted", "done"),
        Box(1.45, 0.42, 1.9, GREY, "gone"),
        Box(4.2, 0.42, 1.9, VERMILION, "dead letters"),
    ):
        draw(axes, box)
    arrow(axes, (1.17, 2.95), (1.95, 2.95))
    arrow(axes, (3.85, 2.95), (4.7, 2.95))
    label(axes, 4.25, 3.13, "receive")
    arrow(axes, (6.6, 2.95), (7.4, 2.95))
    label(axes, 6.97, 3.28, "handler\nreturns")
    look = {"connectionstyle": "arc3,rad=-0.3", "color": VERMILION}
    arrow(axes, (5.65, 2.59), (3.4, 2.59), **look)
    why = "handler raises, runs out of time or\ndies, and the visibility timeout ends"
    label(axes, 5.4, 2.05, why, ha="left")
    look = {"linestyle": "dashed"}
    arrow(axes, (2.6, 2.59), (1.6, 0.78), **look)
    label(axes, 1.85, 1.6, "older than the\nretention period", ha="right")
    arrow(axes, (2.9, 2.59), (3.9, 0.78), **look)
    label(axes, 3.85, 1.5, "received more often\nthan maxReceiveCount", ha="left")
    return figure


DIAGRAMS: tuple[Callable[[], Figure], ...] = (pipeline, message)


def write(folder: Path) -> None:
    """Draw all as SVG files. Letters are shapes, so they look the same everywhere."""
    with matplotlib.rc_context({**STYLE, **SAME_EACH_TIME}):
        for diagram in DIAGRAMS:
            file = folder / f"{diagram.__name__}.svg"
            diagram().savefig(file, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    write(PICTURES)
