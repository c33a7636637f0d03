"""The chart of messages' lives: a lane for each, from sending to its end."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from helpers.charts.style import (
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    Chart,
    count,
    in_style,
    legend_beside,
    listed,
    make_chart,
    new_axes,
    seconds_since,
    short_label,
)

# Each outcome has a colour and a hatch, so that it is told apart in grey too.
OUTCOME_LOOKS = {
    "returned": (GREEN, ""),
    "reported": (ORANGE, ".."),
    "raised": (VERMILION, "//"),
    "timed out": (PURPLE, "xx"),
    "exited": (GREY, "\\\\"),
    "unknown": ("white", ""),
}
FATE_MARKS = {"dead-letter queue": "v", "in the queue": ">", "never delivered": "s"}
SHORTEST_BAR = 0.006  # of the width: a bar of a millisecond must still be seen
MOST_LABELS = 15  # more lanes than this have no receive counts, and not each has its name
MOST_DETAILS = 45  # more lanes than this have plain bars


@in_style
def life_lines(
    seen: pd.DataFrame,
    fates: pd.DataFrame,
    visibility_s: float | None = None,
    counted: bool = True,
) -> Chart:
    """A lane for each message: its deliveries by outcome, and where it ended.

    `seen` are deliveries and `fates` what became of the messages, as `helpers.evidence` gives
    them. A line between two deliveries is the time in which the message was hidden; with
    `visibility_s`, the queue's visibility timeout in s, it is dotted where the message
    could have been received already. Deliveries at the same time stand one below the other.
    Without `counted` the chart's text has no numbers: where they depend on who was faster.
    """
    bars = place_bars(seen)
    rows = fates["message_id"].map(bars.groupby("message_id")["row"].max()).fillna(0) + 1
    lanes = dict(zip(fates["message_id"], (rows.cumsum() - rows).astype(int), strict=True))
    bars["lane"] = bars["message_id"].map(lanes) + bars["row"]
    height = int(rows.sum())
    figure, axes = new_axes(min(1.7 + 0.5 * height, 9))
    thin = min(1.2, 50 / height)
    draw_lines(axes, bars, visibility_s, thin)
    for outcome, same in bars.groupby("outcome"):
        draw_bars(axes, same, outcome, bars["end"].max(), detailed=height <= MOST_DETAILS)
    draw_fates(axes, fates, lanes, bars, visibility_s or 0, thin)
    if height <= MOST_LABELS:
        for bar in bars.itertuples():
            axes.annotate(str(bar.receive_count), (bar.begin, bar.lane - 0.27), va="bottom")
    name_lanes(axes, seen, lanes, height)
    life_legend(axes, set(seen["outcome"]), set(fates["fate"]))
    axes.set_title(life_title(fates))
    return make_chart(figure, life_text(seen, fates) if counted else life_words(fates))


def place_bars(seen: pd.DataFrame) -> pd.DataFrame:
    """The deliveries with `begin`, `end` and `since` in s since the first message was sent.

    `since` is when a message was sent. `row` is 0, or for deliveries that began before an
    earlier one of their message ended: 1, 2, …
    """
    zero = seen["sent"].min()
    started = seen["started"].fillna(seen["first_received"])
    bars = seen.assign(
        begin=seconds_since(started, zero),
        end=seconds_since(seen["ended"].fillna(started), zero),
        since=seconds_since(seen["sent"], zero),
    ).sort_values(["message_id", "begin"], kind="stable")
    before = bars.groupby("message_id")["end"].transform(lambda ends: ends.cummax().shift())
    overlaps = (bars["begin"] < before).groupby(bars["message_id"])
    bars["row"] = overlaps.transform(lambda late: late.cumsum().where(late, 0)).astype(int)
    return bars


def draw_lines(axes: Axes, bars: pd.DataFrame, visibility_s: float | None, thin: float) -> None:
    """The thin lines: dotted while a message can be received, solid while it is hidden."""
    first = bars.drop_duplicates("message_id")
    dotted: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": thin}
    axes.hlines(first["lane"], first["since"], first["begin"], **dotted)
    following = bars.groupby("message_id")["begin"].shift(-1)
    gaps = bars.assign(following=following)[following > bars["end"]]
    hidden = gaps["following"]
    if visibility_s is not None:
        hidden = (gaps["begin"] + visibility_s).clip(gaps["end"], gaps["following"])
    axes.hlines(gaps["lane"], gaps["end"], hidden, color=GREY, linewidth=thin)
    axes.hlines(gaps["lane"], hidden, gaps["following"], **dotted)


def draw_bars(axes: Axes, bars: pd.DataFrame, outcome: str, last: float, detailed: bool) -> None:
    colour, hatch = OUTCOME_LOOKS[outcome]
    axes.barh(
        bars["lane"],
        (bars["end"] - bars["begin"]).clip(lower=SHORTEST_BAR * last),
        left=bars["begin"],
        height=0.5 if detailed else 0.9,
        color=colour,
        hatch=hatch if detailed else "",
        zorder=2,
        **(EDGE if detailed or outcome == "unknown" else {"linewidth": 0}),
    )


def draw_fates(
    axes: Axes,
    fates: pd.DataFrame,
    lanes: dict[str, int],
    bars: pd.DataFrame,
    visibility_s: float,
    thin: float,
) -> None:
    """A mark at the end of each life that did not end well, after its last hidden time."""
    last = bars.drop_duplicates("message_id", keep="last").set_index("message_id")
    place = (last["begin"] + visibility_s).clip(lower=last["end"] + 0.03 * bars["end"].max())
    size = 9 if len(lanes) <= MOST_DETAILS else 4
    for fate, mark in FATE_MARKS.items():
        ids = fates.loc[fates["fate"] == fate, "message_id"]
        if len(ids):
            lane = last["lane"].reindex(ids).fillna(ids.set_axis(ids).map(lanes))
            ends = place.reindex(ids).fillna(0)
            axes.hlines(lane, last["end"].reindex(ids).fillna(0), ends, color=GREY, linewidth=thin)
            axes.plot(ends, lane, mark, color="black", markersize=size, clip_on=False)


def name_lanes(axes: Axes, seen: pd.DataFrame, lanes: dict[str, int], height: int) -> None:
    bodies = seen.drop_duplicates("message_id").set_index("message_id")["body"]
    shown = list(lanes.items())[:: -(-len(lanes) // MOST_LABELS) or 1]
    names = [short_label(bodies.get(message, message)) for message, _ in shown]
    axes.set_yticks([lane for _, lane in shown], names)
    axes.set_ylim(height - 0.4, -0.9)
    axes.set_xlim(-0.02 * axes.get_xlim()[1])
    numbers = "\nsmall numbers: receive count" if height <= MOST_LABELS else ""
    axes.set_xlabel(f"time since the first message was sent (s){numbers}")


def life_legend(axes: Axes, outcomes: set[str], ends: set[str]) -> None:
    handles: list[Any] = [
        Patch(facecolor=colour, hatch=hatch, label=outcome, **EDGE)
        for outcome, (colour, hatch) in OUTCOME_LOOKS.items()
        if outcome in outcomes
    ]
    handles += [
        Line2D([], [], color="black", marker=mark, linestyle="", markersize=9, label=fate)
        for fate, mark in FATE_MARKS.items()
        if fate in ends
    ]
    legend_beside(axes, handles=handles)


def life_title(fates: pd.DataFrame) -> str:
    if len(fates) == 1:
        [life] = fates.itertuples()
        ends = {"deleted": "then deleted", "dead-letter queue": "then to the dead-letter queue"}
        return f"Delivered {count(life.attempts, 'time')}, {ends.get(life.fate, life.fate)}"
    again, dead = fates["attempts"] > 1, fates["fate"] == "dead-letter queue"
    whose = " of them" if again[dead].all() else ""
    end = f"{dead.sum():,}{whose}" if dead.any() else "none"
    return (
        f"{again.sum():,} of {count(len(fates), 'message')} came back, "
        f"{end} went to the dead-letter queue"
    )


def life_text(seen: pd.DataFrame, fates: pd.DataFrame) -> str:
    tried = f"Deliveries: {listed(seen['outcome'])}" if len(seen) else "No deliveries"
    ends = listed(fates["fate"])
    return f"Life-lines of {count(len(fates), 'message')}. {tried}. At the end: {ends}."


def life_words(fates: pd.DataFrame) -> str:
    """What is to be seen, without numbers."""
    ends = sorted(set(fates["fate"]))
    return f"Life-lines: each message with its deliveries. At the end all are: {', '.join(ends)}."
