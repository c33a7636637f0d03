"""Charts that show a finding and can say it in words.

Each chart is a `Chart`: JupyterLab shows the picture, with a text for those who cannot see
it; a test reads the text. Colours are those of Okabe and Ito, which colour-blind people
can tell apart. The texts hold what stays the same from run to run: counts and outcomes, not
the milliseconds of one computer. Each chart works from the frames of `helpers.recorder`.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#595959"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
STYLE = {"font.size": 13, "axes.spines.top": False, "axes.spines.right": False}
# Each outcome has a colour and a hatch, so that it is told apart in grey too.
OUTCOME_LOOKS = {
    "returned": (GREEN, ""),
    "reported": (ORANGE, ".."),
    "raised": (VERMILION, "//"),
    "timed out": (PURPLE, "xx"),
    "exited": (GREY, "\\\\"),
    "unknown": ("white", ""),
}
SHORTEST_BAR_S = 0.006  # of the width: a bar of a millisecond must still be seen
MOST_LABELS = 15


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


def count(number: int, noun: str) -> str:
    """A number with its noun, such as "1 message" or "3 messages"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Any) -> str:
    """How often each word occurs, such as "2 raised, 1 returned"."""
    return ", ".join(f"{number:,} {word}" for word, number in sorted(Counter(words).items()))


def seconds_since(times: pd.Series, zero: pd.Timestamp) -> pd.Series:
    return (times - zero).dt.total_seconds()


def message_journey(journey: pd.DataFrame) -> Chart:
    """The way of one message from sent to deleted.

    `journey` has the columns `step` (text) and `ms` (milliseconds since it was sent), in
    order of time, as `helpers.journey.follow` returns it.
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
        axes.set_title(f"From sent to deleted in {times[-1]:.0f} ms", loc="left")
        steps = " → ".join(journey["step"])
        return make_chart(figure, f"One message, from sent to deleted: {steps}.")


# -- messages and their deliveries ---------------------------------------------------------


def life_lines(seen: pd.DataFrame, fates: pd.DataFrame) -> Chart:
    """A lane for each message: its deliveries by outcome, and where it ended.

    `seen` are deliveries and `fates` what became of the messages, both of the recorder.
    """
    zero = seen["sent"].min()
    last = max(seconds_since(seen["ended"], zero).max(), 0.1)
    lanes = {message: lane for lane, message in enumerate(fates["message_id"])}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, min(1.6 + 0.45 * len(lanes), 9)))
        axes = figure.subplots()
        for message, attempts in seen.groupby("message_id", sort=False):
            draw_life(axes, lanes[message], attempts, zero, last, len(lanes))
        for fate in fates[fates["fate"] == "dead-letter queue"].itertuples():
            axes.plot(last * 1.04, lanes[fate.message_id], "v", color="black", markersize=9)
        finish_life_lines(axes, seen, fates, lanes)
        return make_chart(figure, life_text(seen, fates))


def draw_life(
    axes: Axes, lane: int, attempts: pd.DataFrame, zero: pd.Timestamp, last: float, lanes: int
) -> None:
    sent = seconds_since(attempts["sent"], zero).iloc[0]
    starts, ends = (seconds_since(attempts[name], zero) for name in ("started", "ended"))
    axes.hlines(lane, sent, ends.max(), color=GREY, linewidth=1)
    for begin, end, attempt in zip(starts, ends, attempts.itertuples(), strict=True):
        colour, hatch = OUTCOME_LOOKS[attempt.outcome]
        width = max(end - begin, SHORTEST_BAR_S * last)
        axes.barh(
            lane, width, left=begin, height=0.6, color=colour, hatch=hatch, edgecolor="black",
            linewidth=0.5,
        )  # fmt: skip
        if lanes <= MOST_LABELS:
            axes.annotate(
                str(attempt.receive_count),
                (begin, lane + 0.32),
                ha="left",
                va="bottom",
                fontsize=11,
            )


def finish_life_lines(
    axes: Axes, seen: pd.DataFrame, fates: pd.DataFrame, lanes: dict[str, int]
) -> None:
    bodies = seen.drop_duplicates("message_id").set_index("message_id")["body"]
    step = max(1, len(lanes) // MOST_LABELS)
    shown = list(lanes.items())[::step]
    axes.set_yticks([lane for _, lane in shown])
    axes.set_yticklabels([bodies.get(message, message)[:18] for message, _ in shown])
    axes.set_ylim(len(lanes) - 0.3, -0.8)
    numbers = "; small numbers: receive count" if len(lanes) <= MOST_LABELS else ""
    axes.set_xlabel(f"time since the first message was sent (s){numbers}")
    dead = int((fates["fate"] == "dead-letter queue").sum())
    title = f"{count(len(lanes), 'message')}, {count(len(seen), 'delivery')}".replace(
        "deliverys", "deliveries"
    )
    axes.set_title(f"{title}, {dead} to the dead-letter queue (▼)", loc="left")
    outcome_legend(axes, seen["outcome"])


def outcome_legend(axes: Axes, outcomes: pd.Series) -> None:
    handles = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="black", label=outcome)
        for outcome, (colour, hatch) in OUTCOME_LOOKS.items()
        if outcome in set(outcomes)
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)


def life_text(seen: pd.DataFrame, fates: pd.DataFrame) -> str:
    return (
        f"Life-lines of {count(len(fates), 'message')}. Deliveries: {listed(seen['outcome'])}. "
        f"At the end: {listed(fates['fate'])}."
    )


def retry_schedule(
    plain: pd.DataFrame, visibility_s: float, backoff: pd.DataFrame | None = None
) -> Chart:
    """When a message was tried: expected from the visibility timeout, and seen.

    `plain` are the deliveries of one message; `backoff` those of another, whose handler
    doubled the pause each time by ChangeMessageVisibility.
    """
    rows = [("plain", plain, plain_pauses(len(plain), visibility_s))]
    if backoff is not None:
        rows.append(("backoff", backoff, doubling_pauses(len(backoff), visibility_s)))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.5 + 1.1 * len(rows)))
        axes = figure.subplots()
        for lane, (_, seen, expected) in enumerate(rows):
            starts = seconds_since(seen["started"], seen["started"].iloc[0])
            axes.plot(expected, [lane] * len(expected), "|", color=GREY, markersize=34)
            axes.plot(starts, [lane] * len(starts), "o", color=BLUE, markersize=11)
            for number, start in enumerate(starts, start=1):
                axes.annotate(
                    f"try {number}", (start, lane + 0.28), ha="center", va="bottom", fontsize=12
                )
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(-0.5, len(rows) - 0.2)
        axes.margins(x=0.08)
        axes.set_xlabel("time since the first try (s); grey: expected, blue: seen")
        axes.set_title(schedule_title(rows), loc="left")
        return make_chart(figure, schedule_text(rows, visibility_s))


def plain_pauses(tries: int, visibility_s: float) -> list[float]:
    """When tries are expected if each pause is the visibility timeout, in s."""
    return [number * visibility_s for number in range(tries)]


def doubling_pauses(tries: int, first_s: float) -> list[float]:
    """When tries are expected if each pause is twice the one before, in s."""
    return [first_s * (2**number - 1) for number in range(tries)]


def schedule_title(rows: list[tuple]) -> str:
    if len(rows) == 1:
        return f"{count(len(rows[0][1]), 'try').replace('trys', 'tries')}, evenly spaced"
    return "Plain retries come evenly, backoff gives more and more time"


def schedule_text(rows: list[tuple], visibility_s: float) -> str:
    said = []
    for name, seen, expected in rows:
        starts = seconds_since(seen["started"], seen["started"].iloc[0])
        early = sum(start < plan - 0.05 for start, plan in zip(starts, expected, strict=True))
        said.append(f"{name}: {len(seen)} tries, {early} earlier than expected")
    return f"Retries with a first pause of {visibility_s:g} s. {'; '.join(said)}."


def poison(whole: pd.DataFrame, partial: pd.DataFrame, bad: str) -> Chart:
    """How often healthy messages ran, with whole-batch failure and with partial responses.

    Both are deliveries; `bad` is the body of the message that fails.
    """
    runs = {
        "whole batch fails": runs_of_healthy(whole, bad),
        "only the bad one fails": runs_of_healthy(partial, bad),
    }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.6))
        axes = figure.subplots()
        for lane, numbers in enumerate(runs.values()):
            once, again = len(numbers), int(numbers.sum()) - len(numbers)
            axes.barh(lane, once, color=GREEN, edgecolor="black")
            axes.barh(lane, again, left=once, color=VERMILION, hatch="//", edgecolor="black")
            axes.annotate(f"{once + again} runs", (once + again + 0.15, lane), va="center")
        axes.set_yticks(range(2), list(runs))
        axes.invert_yaxis()
        axes.set_xlabel("runs of healthy messages (green: needed, hatched: again)")
        wasted = int(runs["whole batch fails"].sum()) - len(runs["whole batch fails"])
        axes.set_title(
            f"One bad message made healthy ones run {wasted} times too often", loc="left"
        )
        axes.margins(x=0.15)
        said = "; ".join(
            f"{name}: {int(numbers.sum())} runs of {len(numbers)} healthy messages"
            for name, numbers in runs.items()
        )
        return make_chart(figure, f"A bad message in a batch. {said}.")


def runs_of_healthy(seen: pd.DataFrame, bad: str) -> pd.Series:
    return seen[seen["body"] != bad].groupby("message_id").size()


# -- a queue, and how fast it is emptied ---------------------------------------------------


def queue_depth(depth: pd.DataFrame, sends: Any = (), done: Any = ()) -> Chart:
    """How many messages wait, are in flight and are dead, over time.

    `depth` is the frame of a QueueWatch. `sends` and `done` are times in s since its start,
    when messages were sent and when they were finished: drawn as ticks below.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4))
        axes = figure.subplots()
        looks = {
            "waiting": ("visible", BLUE, "-"),
            "in flight": ("in_flight", ORANGE, "--"),
            "dead": ("dead", "black", ":"),
        }
        for label, (column, colour, line) in looks.items():
            if label != "dead" or depth["dead"].any():
                axes.step(
                    depth["seconds"], depth[column], where="post", color=colour, linestyle=line,
                    linewidth=2.5, label=label,
                )  # fmt: skip
        for times, colour, label in ((sends, GREY, "sent"), (done, GREEN, "done")):
            if len(times):
                axes.plot(times, [0] * len(times), "|", color=colour, markersize=16, label=label)
        axes.set_ylim(bottom=-0.02 * max(depth["visible"].max(), 1))
        axes.set_xlabel("time (s)")
        axes.set_ylabel("messages")
        axes.legend(frameon=False)
        peak, dead = most_in(depth), int(depth["dead"].iloc[-1])
        axes.set_title(f"At most {count(peak, 'message')} in the queue, {dead} dead", loc="left")
        left = int(depth[["visible", "in_flight", "delayed"]].iloc[-1].sum())
        text = f"Queue over time: at the end {count(left, 'message')} left and {dead} dead."
        return make_chart(figure, text)


def most_in(depth: pd.DataFrame) -> int:
    return int((depth["visible"] + depth["in_flight"] + depth["delayed"]).max())


def throughput(runs: pd.DataFrame, setting: str) -> Chart:
    """Messages per second for each value of a setting, with every repeat, and the cost.

    `runs` has the columns `value` (of the setting), `messages_per_s` and
    `usd_per_million`, a row for each repeat; `setting` is its name in words.
    """
    grouped = runs.groupby("value", sort=False)
    values, medians = list(grouped.groups), grouped["messages_per_s"].median()
    costs = grouped["usd_per_million"].median()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4))
        rates, prices = figure.subplots(1, 2)
        places = range(len(values))
        rates.bar(places, medians, color=SKY, edgecolor="black")
        for place, value in enumerate(values):
            repeats = runs.loc[runs["value"] == value, "messages_per_s"]
            rates.plot([place] * len(repeats), repeats, "o", color="black", markersize=5)
        prices.bar(places, costs, color=ORANGE, hatch="..", edgecolor="black")
        for axes, label in (
            (rates, "messages per second\n(this computer)"),
            (prices, "US dollars per million\nmessages (AWS)"),
        ):
            axes.set_xticks(places, [str(value) for value in values])
            axes.set_xlabel(setting)
            axes.set_ylabel(label)
        rates.set_title(f"{setting.capitalize()}: fastest at {medians.idxmax()}", loc="left")
        prices.set_title(f"cheapest at {costs.idxmin()}", loc="left")
        figure.tight_layout()
        text = (
            f"Throughput by {setting}, {', '.join(map(str, values))}: "
            f"{count(int(grouped.size().min()), 'repeat')} each; cheapest at {costs.idxmin()}."
        )
        return make_chart(figure, text)


def latency(seen: pd.DataFrame) -> Chart:
    """Where the time goes: in the queue and in the function, cold and warm starts apart."""
    parts = pd.DataFrame(
        {
            "in the queue": (seen["started"] - seen["sent"]).dt.total_seconds() * 1000,
            "in the function": seen["duration_ms"],
            "start": seen["cold"].map({True: "cold", False: "warm"}),
        }
    )
    medians = parts.groupby("start").median().reindex(["cold", "warm"]).dropna()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.6))
        axes = figure.subplots()
        left = pd.Series(0.0, index=medians.index)
        for column, colour, hatch in (
            ("in the queue", BLUE, ""),
            ("in the function", ORANGE, ".."),
        ):
            axes.barh(
                medians.index, medians[column], left=left, color=colour, hatch=hatch,
                edgecolor="black", label=column,
            )  # fmt: skip
            left = left + medians[column]
        axes.set_xlabel("time of one message, median (ms)")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
        longer = "queue" if medians["in the queue"].sum() > medians.iloc[:, 1].sum() else "function"
        axes.set_title(f"Most of the time is spent in the {longer}", loc="left")
        numbers = parts["start"].value_counts()
        said = ", ".join(f"{numbers[start]} {start}" for start in medians.index)
        return make_chart(figure, f"Time in the queue and in the function. Starts: {said}.")


def scaling(minutes: float = 6.0, measured: pd.DataFrame | None = None) -> Chart:
    """How fast AWS lets a busy trigger grow, by its documented rule.

    5 invocations at once at first, up to 300 more each minute, at most 1,250. `measured` may
    hold the columns `minutes` and `running` of a run of one's own. Source: "Configuring
    scaling behavior for SQS event source mappings", Lambda Developer Guide.
    """
    times = [step * minutes / 200 for step in range(201)]
    rule = [min(5 + 300 * time, 1250) for time in times]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2))
        axes = figure.subplots()
        axes.plot(times, rule, color=BLUE, linewidth=3, label="AWS's rule (calculated)")
        if measured is not None:
            axes.plot(
                measured["minutes"], measured["running"], "--", color=ORANGE, linewidth=3,
                label="this computer (measured)",
            )  # fmt: skip
        axes.set_xlabel("time with a backlog (minutes)")
        axes.set_ylabel("invocations at once")
        axes.set_title("AWS adds up to 300 a minute, up to 1,250", loc="left")
        axes.legend(frameon=False, loc="lower right")
        text = "Invocations at once by AWS's rule: 5 at first, 300 more a minute, at most 1,250."
        if measured is not None:
            text += f" Measured here: at most {int(measured['running'].max())}."
        return make_chart(figure, text)
