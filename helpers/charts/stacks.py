"""When CloudFormation worked at each thing of a stack."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from helpers.charts.style import (
    BLUE,
    EDGE,
    VERMILION,
    Chart,
    count,
    in_style,
    make_chart,
    new_axes,
    seconds_since,
)

Event = dict[str, Any]  # as DescribeStackEvents lists it


class Work(NamedTuple):
    """What was done to one thing, from *in progress* to *complete* or *failed*."""

    thing: str
    begin: pd.Timestamp
    end: pd.Timestamp
    failed: bool


@in_style
def stack_events(events: list[Event]) -> Chart:
    """A bar for each time that CloudFormation worked at a thing of a stack.

    `events` are those of `describe_stack_events`, in any order. Things are listed in the order in
    which they were begun. Raises ValueError when nothing of the stack has come to an end.
    """
    works = works_in(events)
    if not works:
        raise ValueError("stack_events: there is nothing to draw, no thing has come to an end.")
    things = list(dict.fromkeys(each.thing for each in works))
    figure, axes = new_axes(1.2 + 0.42 * len(things))
    draw_bars(axes, works, things)
    failed = [each.thing for each in works if each.failed]
    last = max(works, key=lambda each: each.end).thing
    said = f"{count(len(things), 'thing')}, {last} last"
    if failed:
        said = f"{count(len(things), 'thing')}, and {failed[0]} failed"
    axes.set_title(said)
    return make_chart(figure, f"Bars of what CloudFormation did, one for each thing: {said}.")


def draw_bars(axes: Axes, works: list[Work], things: list[str]) -> None:
    zero = works[0].begin
    frame = pd.DataFrame(works)
    begin_s, end_s = (seconds_since(frame[each], zero) for each in ("begin", "end"))
    shortest_s = float(end_s.max()) / 200  # else what took no time could not be seen
    for work, begin, end in zip(works, begin_s, end_s, strict=True):
        colour, hatch = (VERMILION, "//") if work.failed else (BLUE, None)
        width, place = max(end - begin, shortest_s), things.index(work.thing)
        axes.barh(place, width, left=begin, height=0.6, color=colour, hatch=hatch, **EDGE)
    axes.set_yticks(range(len(things)), things)
    axes.invert_yaxis()
    axes.set_xlabel("time since the first was begun (s)")


def works_in(events: list[Event]) -> list[Work]:
    """What was begun and has come to an end, of the things and not of the stack itself."""
    begun: dict[str, pd.Timestamp] = {}
    works = []
    for event in sorted(events, key=lambda each: (each["Timestamp"], is_end(each))):
        if event.get("PhysicalResourceId") == event["StackId"]:
            continue
        thing, at = event["LogicalResourceId"], pd.Timestamp(event["Timestamp"])
        if not is_end(event):
            begun.setdefault(thing, at)
        elif thing in begun:
            failed = event["ResourceStatus"].endswith("FAILED")
            works.append(Work(thing, begun.pop(thing), at, failed))
    return sorted(works, key=lambda each: each.begin)


def is_end(event: Event) -> bool:
    return not event["ResourceStatus"].endswith("IN_PROGRESS")
