"""What is watched: an alarm's states for a metric, and how far the times of services spread."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from helpers.charts.style import (
    EDGE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Chart,
    count,
    in_style,
    legend_beside,
    make_chart,
    new_axes,
)


@in_style
def alarm_states(
    points: Sequence[float], threshold: float, rules: Sequence[tuple[int, int]]
) -> Chart:
    """A metric, a point each minute, and when alarms of different patience are in ALARM.

    A rule (M, N) goes to ALARM when at least M of the last N points are above `threshold`. Minutes
    in ALARM are hatched. Raises ValueError where there is no point, or for a rule without
    1 ≤ M ≤ N.
    """
    if not points or any(not 1 <= most <= last for most, last in rules):
        raise ValueError(f"{len(points)} points, rules {list(rules)}: each M must be from 1 to N.")
    figure, axes = new_axes(2.6 + 0.45 * len(rules))
    minutes = range(1, len(points) + 1)
    above = [point > threshold for point in points]
    colours = [VERMILION if high else SKY for high in above]
    axes.bar(minutes, points, width=0.7, color=colours, **EDGE)
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1.2)
    step = -max(*points, threshold, 1) * 0.22
    for place, rule in enumerate(rules, start=1):
        for minute, alarm in zip(minutes, in_alarm(above, *rule), strict=True):
            colour, hatch = (ORANGE, "//") if alarm else ("white", "")
            axes.bar(
                minute, -step * 0.7, bottom=step * place, width=0.96, color=colour, hatch=hatch,
                **EDGE,
            )  # fmt: skip
        axes.annotate(
            f"{rule[0]} of {rule[1]} ", (0, step * (place - 0.35)),
            xycoords=("axes fraction", "data"), ha="right", va="center",
        )  # fmt: skip
    axes.set_xticks(list(minutes))
    axes.set_yticks([tick for tick in axes.get_yticks() if tick >= 0])
    axes.set_ylim(step * (len(rules) + 0.3), max(*points, threshold, 1) * 1.1)
    axes.set_xlabel("minute")
    axes.set_ylabel("messages", loc="top")
    calls = [
        f"{most} of {last}: {times(rises(in_alarm(above, most, last)))}" for most, last in rules
    ]
    axes.set_title(f"How often each alarm rings: {', '.join(calls)}")
    text = f"{count(sum(above), 'minute')} of {len(points)} above {threshold:g}. Rings, by M of N: "
    return make_chart(figure, f"{text}{', '.join(calls)}.")


def in_alarm(above: Sequence[bool], most: int, last: int) -> list[bool]:
    """For each minute, whether at least `most` of the `last` points up to it are above."""
    return [
        sum(above[max(0, minute - last) : minute]) >= most for minute in range(1, len(above) + 1)
    ]


def rises(states: Sequence[bool]) -> int:
    """How often it goes to ALARM."""
    return sum(now and not before for before, now in zip([False, *states], states, strict=False))


def times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


@in_style
def spread(services: pd.DataFrame) -> Chart:
    """How long services take: the median and the slowest hundredth of each.

    `services` has a row for each service, by name, and the columns `p50` and `p99`, in ms. The axis
    is logarithmic, so that the same distance is the same factor.
    """
    figure, axes = new_axes(1.2 + 0.5 * len(services))
    places = range(len(services))
    axes.hlines(places, services["p50"], services["p99"], color=GREY, linewidth=2)
    for column, colour, mark in (("p50", SKY, "o"), ("p99", VERMILION, "D")):
        axes.scatter(
            services[column],
            places,
            s=90,
            color=colour,
            marker=mark,
            label=column,
            zorder=3,
            **EDGE,
        )
    axes.set_xscale("log")
    axes.set_yticks(list(places), labels=list(services.index))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("time (ms)")
    legend_beside(axes)
    factors = services["p99"] / services["p50"]
    worst = str(factors.idxmax())
    roughly = float(f"{factors[worst]:.1g}")  # percentiles of few are not the same everywhere
    said = f"{worst}: the slowest hundredth takes about {roughly:.0f} times the median"
    axes.set_title(said.capitalize())
    return make_chart(figure, f"Times of {count(len(services), 'service')}. {said.capitalize()}.")
