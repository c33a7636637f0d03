"""Charts of known data: what they say, and that there is a picture."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest
from matplotlib import image

from helpers import charts
from helpers.charts import (
    backlog,
    concurrency,
    hours,
    journey,
    lives,
    retries,
    speed,
    stacks,
    watching,
)
from helpers.charts import style as chart_style
from helpers.evidence.delivery_table import DELIVERY_COLUMNS
from helpers.evidence.fate_table import fates
from helpers.evidence.queue_watch import DEPTH_COLUMNS

ZERO = pd.Timestamp(1_790_000_000_000, unit="ms", tz="UTC")
SENT_S = {"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3}


def at(seconds: float | None) -> pd.Timestamp:
    return pd.NaT if seconds is None else ZERO + pd.Timedelta(seconds=seconds)


def seen_of(*attempts: tuple) -> pd.DataFrame:
    """Deliveries from (message, receive count, start, end in s, outcome)."""
    rows = [
        {
            "message_id": name,
            "body": f"order {name}",
            "group": None,
            "receive_count": receives,
            "environment": "e",
            "request_id": f"{name}{receives}",
            "sent": at(SENT_S[name]),
            "first_received": at(SENT_S[name] + 0.05),
            "started": at(begin),
            "ended": at(end),
            "duration_ms": None if end is None else (end - begin) * 1000,
            "cold": name == "a" and receives == 1,
            "outcome": outcome,
        }
        for name, receives, begin, end, outcome in attempts
    ]
    frame = pd.DataFrame(rows, columns=list(DELIVERY_COLUMNS))
    return frame.astype({"duration_ms": float})


def dead_of(*names: str) -> pd.DataFrame:
    rows = [(name, at(SENT_S[name])) for name in names]
    return pd.DataFrame(rows, columns=["message_id", "sent"])


SEEN = seen_of(
    ("a", 1, 0.2, 0.3, "returned"),
    ("b", 1, 0.2, 0.25, "raised"),
    ("b", 2, 2.2, 2.3, "returned"),
    ("c", 1, 0.3, 1.3, "timed out"),
    ("c", 2, 2.4, 3.4, "exited"),
    ("d", 1, 0.4, 2.6, "reported"),
    ("d", 2, 1.6, 3.6, "returned"),
    ("d", 3, 3.0, None, "unknown"),
)
ONE = seen_of(
    ("a", 1, 0.1, 0.2, "raised"), ("a", 2, 1.1, 1.2, "raised"), ("a", 3, 2.15, 2.2, "returned")
)
DOUBLED = seen_of(
    ("b", 1, 0.5, 0.6, "raised"), ("b", 2, 1.17, 1.2, "raised"), ("b", 3, 3.25, 3.3, "returned")
)
DEPTH = pd.DataFrame(
    [(0.0, 0, 0, 0, 0), (0.1, 900, 100, 0, 0), (0.5, 300, 50, 5, 1), (1.0, 0, 2, 0, 3)],
    columns=list(DEPTH_COLUMNS),
)
RUNS = pd.DataFrame(
    [(1, 90.0, 1.4), (1, 110.0, 1.4), (10, 300.0, 0.3), (10, 350.0, 0.3), (10, 340.0, 0.3)],
    columns=["value", "messages_per_s", "usd_per_million"],
)
WHOLE = seen_of(
    *((name, tries, tries, tries + 0.1, "raised") for tries in (1, 2, 3) for name in "abcd")
)
PARTIAL = seen_of(
    *((name, 1, 1.0, 1.1, "returned") for name in "abc"),
    *(("d", tries, tries, tries + 0.1, "reported") for tries in (1, 2, 3)),
)
MEASURED = pd.DataFrame({"minutes": [0, 0.1, 0.2], "running": [0, 5, 20]})
RULE = "Invocations at once by AWS's rule: 5 at first, 300 more a minute, at most 1,250."

CHARTS: dict[str, tuple[Any, str]] = {
    "life-lines": (
        lambda: charts.life_lines(SEEN, fates(SEEN, dead_of("c"), ["x"]), 2),
        "Life-lines of 5 messages. Deliveries: 1 exited, 1 raised, 1 reported, 3 returned, "
        "1 timed out, 1 unknown. At the end: 1 dead-letter queue, 3 deleted, 1 never delivered.",
    ),
    "life-line of one": (
        lambda: charts.life_lines(ONE, fates(ONE)),
        "Life-lines of 1 message. Deliveries: 2 raised, 1 returned. At the end: 1 deleted.",
    ),
    "plain retries": (
        lambda: charts.retry_schedule(ONE, 1),
        "Retries with pauses of 1 s: 3 tries, most as late as expected.",
    ),
    "retries with backoff": (
        lambda: charts.retry_schedule(DOUBLED, 1, doubling=True),
        "Retries with a first pause of 1 s, then twice as long each time: 3 tries, most as late "
        "as expected.",
    ),
    "retries too early": (
        lambda: charts.retry_schedule(ONE, 1.5),
        "Retries with pauses of 1.5 s: 3 tries, most earlier than expected.",
    ),
    "poison": (
        lambda: charts.poison(WHOLE, PARTIAL, "order d"),
        "A bad message in a batch. whole batch fails: most of 3 healthy messages ran more than "
        "once; only the bad one fails: most of 3 healthy messages ran once.",
    ),
    "queue depth": (
        lambda: charts.queue_depth(DEPTH),
        "Queue over time: at the end 2 messages left and 3 dead.",
    ),
    "queue depth with ticks": (
        lambda: charts.queue_depth(DEPTH.iloc[:1], [0.1, 0.2], pd.Series([0.9])),
        "Queue over time: at the end 0 messages left and 0 dead.",
    ),
    "throughput": (
        lambda: charts.throughput(RUNS, "batch size"),
        "Throughput by batch size, 1, 10: 2 repeats each; cheapest at 10.",
    ),
    "throughput without costs": (
        lambda: charts.throughput(RUNS.iloc[1:, :2], "concurrency"),
        "Throughput by concurrency, 1, 10: 1 repeat each.",
    ),
    "latency": (
        lambda: charts.latency(SEEN),
        "Time of a message in the queue and in the function. cold starts: longer in the queue; "
        "warm starts: longer in the function.",
    ),
    "latency of warm starts": (
        lambda: charts.latency(SEEN[~SEEN["cold"]]),
        "Time of a message in the queue and in the function. warm starts: longer in the function.",
    ),
    "per hour": (
        lambda: charts.per_hour(pd.Series({3: 1, 14: 19, 15: 21}), "errors"),
        "By hour of the day: 40 of 41 errors in the peak hours 14, 15.",
    ),
    "alarm states": (
        lambda: charts.alarm_states([0, 2, 0, 1, 3, 2, 0, 1], 0, [(1, 1), (2, 3), (3, 3), (3, 9)]),
        "5 minutes of 8 above 0. Rings, by M of N: 1 of 1: 3 times, 2 of 3: once, 3 of 3: once, "
        "3 of 9: once.",
    ),
    "alarm that never rings": (
        lambda: charts.alarm_states([0, 1], 1, [(1, 2)]),
        "0 minutes of 2 above 1. Rings, by M of N: 1 of 2: never.",
    ),
    "spread": (
        lambda: charts.spread(pd.DataFrame({"p50": [40, 120], "p99": [50, 3900]}, ["cart", "pay"])),
        "Times of 2 services. Pay: the slowest hundredth takes about 30 times the median.",
    ),
    "scaling": (charts.scaling, RULE),
    "scaling beside a run": (
        lambda: charts.scaling(measured=MEASURED),
        f"{RULE} The most here, measured: 15 to 29.",
    ),
    "at once": (
        lambda: charts.at_once({"no errors": MEASURED, "1 % errors": MEASURED / 2}),
        "The most invocations at once. no errors: 15 to 29; 1 % errors: 5 to 14.",
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_what_it_shows(name: str) -> None:
    draw, text = CHARTS[name]
    chart = draw()
    assert chart.text == repr(chart) == text
    data, metadata = chart._repr_mimebundle_()
    assert data == {"image/png": chart.png, "text/plain": text}
    assert metadata == {"image/png": {"alt": text}}
    picture = image.imread(io.BytesIO(chart.png), format="png")
    height, width = picture.shape[:2]
    assert 700 < width < 1500
    assert 150 < height < 1100
    assert picture[..., :3].std() > 0.05


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1 to 4"), (4, "1 to 4"), (5, "5 to 14"), (14, "5 to 14"), (15, "15 to 29"),
     (29, "15 to 29"), (30, "30 to 59"), (40, "30 to 59"), (1250, "960 to 1919")],
)  # fmt: skip
def test_a_number_roughly(number: int, text: str) -> None:
    assert concurrency.band(number) == text


@pytest.mark.parametrize("runs", [dict.fromkeys("abcd", MEASURED), {"a": MEASURED[:0]}, {}])
def test_runs_that_cannot_be_drawn_get_a_sentence(runs: dict) -> None:
    with pytest.raises(ValueError, match="There must be one to 3 runs"):
        charts.at_once(runs)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_can_be_read(name: str, monkeypatch) -> None:
    drawn = []

    def keep(figure: Any, text: str) -> chart_style.Chart:
        drawn.append((figure, figure._suptitle or figure.axes[0]._left_title))
        return chart_style.Chart(b"", text)

    for module in (backlog, concurrency, hours, journey, lives, retries, speed, watching):
        monkeypatch.setattr(module, "make_chart", keep)
    CHARTS[name][0]()
    [(figure, title)] = drawn
    assert title.get_text()
    for axes in figure.axes:
        assert axes.get_xlabel()
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts, axes.xaxis.label]
        legend = axes.get_legend()
        labels += legend.get_texts() if legend else []
        assert min(label.get_fontsize() for label in labels) >= 12


def test_a_slow_first_start_makes_no_later_try_too_early() -> None:
    assert retries.starts_of(DOUBLED).to_dict() == pytest.approx({1: 0.35, 2: 1.02, 3: 3.1})
    text = charts.retry_schedule(DOUBLED, 1).text
    assert text == "Retries with pauses of 1 s: 3 tries, most as late as expected."


@pytest.mark.parametrize("messages", [1, 15, 16, 100])
def test_life_lines_of_so_many(messages: int) -> None:
    rows = [
        (f"m{number}", f"order {number}", tries, number / 10 + tries)
        for number in range(messages)
        for tries in range(1, 2 + number % 3)
    ]
    seen = pd.DataFrame(rows, columns=["message_id", "body", "receive_count", "begin"])
    seen = seen.assign(
        sent=ZERO,
        first_received=ZERO,
        started=ZERO + pd.to_timedelta(seen["begin"], unit="s"),
        ended=ZERO + pd.to_timedelta(seen["begin"] + 0.2, unit="s"),
        outcome="raised",
    )
    chart = charts.life_lines(seen, fates(seen, dead_of()))
    noun = "message" if messages == 1 else "messages"
    assert chart.text.startswith(f"Life-lines of {messages} {noun}. Deliveries: {len(seen)} raised")
    picture = image.imread(io.BytesIO(chart.png), format="png")
    assert 150 < picture.shape[0] < 1100


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.life_lines(SEEN.iloc[:0], fates(SEEN.iloc[:0])),
        lambda: charts.retry_schedule(SEEN.iloc[:0], 1),
        lambda: charts.latency(SEEN.iloc[:0]),
        lambda: charts.queue_depth(DEPTH.iloc[:0]),
    ],
)
def test_a_chart_of_nothing_gets_a_sentence(draw) -> None:
    with pytest.raises(ValueError, match="there is nothing to draw, nothing was seen"):
        draw()


@pytest.mark.parametrize(
    ("most", "last", "states"),
    [(1, 1, "0110100"), (2, 2, "0010000"), (2, 3, "0011100"), (1, 3, "0111111"), (3, 3, "0000000")],
)
def test_an_alarm_is_on_while_enough_of_the_last_points_are_above(most, last, states) -> None:
    above = [each == "1" for each in "0110100"]
    assert watching.in_alarm(above, most, last) == [each == "1" for each in states]


@pytest.mark.parametrize(("points", "rule"), [([], (1, 1)), ([1], (2, 1)), ([1], (0, 1))])
def test_an_alarm_that_cannot_be_gets_a_sentence(points, rule) -> None:
    with pytest.raises(ValueError, match="each M must be from 1 to N"):
        charts.alarm_states(points, 0, [rule])


@pytest.mark.parametrize("counts", [{}, {3: 0}])
def test_no_hour_with_anything_gets_a_sentence(counts: dict) -> None:
    with pytest.raises(ValueError, match="per_hour: there is nothing to draw, no errors"):
        charts.per_hour(pd.Series(counts, dtype=int), "errors")


def test_a_try_whose_start_is_missing_keeps_its_number() -> None:
    early = ONE.assign(started=ONE["first_received"] + pd.to_timedelta([0.0, 0.5, 1.0], unit="s"))
    early.loc[early["receive_count"] == 1, "started"] = pd.NaT
    text = charts.retry_schedule(early, 1).text
    assert text == "Retries with pauses of 1 s: 2 tries, most earlier than expected."
    with pytest.raises(ValueError, match="no try was seen to start"):
        charts.retry_schedule(ONE.assign(started=pd.NaT), 1)


def test_the_latency_of_later_deliveries_alone_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="no first delivery was seen"):
        charts.latency(SEEN[SEEN["receive_count"] > 1])


def test_messages_that_were_never_delivered_have_a_lane() -> None:
    nothing = SEEN.iloc[:0]
    chart = charts.life_lines(nothing, fates(nothing, None, ["x", "y"]))
    assert chart.text == "Life-lines of 2 messages. No deliveries. At the end: 2 never delivered."


def test_attempts_at_the_same_time_stand_one_below_the_other() -> None:
    rows = lives.place_bars(SEEN).set_index("request_id")["row"].to_dict()
    assert rows == {"a1": 0, "b1": 0, "b2": 0, "c1": 0, "c2": 0, "d1": 0, "d2": 1, "d3": 2}


def test_life_lines_that_are_not_counted_have_the_same_text_for_other_numbers() -> None:
    texts = {charts.life_lines(seen, fates(seen), counted=False).text for seen in (ONE, ONE[-1:])}
    assert texts == {"Life-lines: each message with its deliveries. At the end all are: deleted."}


@pytest.mark.parametrize(
    ("dead", "sent", "title"),
    [
        ((), (), "3 of 4 messages came back, none went to the dead-letter queue"),
        ("c", (), "3 of 4 messages came back, 1 of them went to the dead-letter queue"),
        ("ac", "x", "3 of 5 messages came back, 2 went to the dead-letter queue"),
    ],
)
def test_the_title_of_life_lines(dead, sent, title: str) -> None:
    assert lives.life_title(fates(SEEN, dead_of(*dead), sent)) == title


@pytest.mark.parametrize(
    ("dead", "title"),
    [
        ((), "Delivered 3 times, then deleted"),
        ("a", "Delivered 3 times, then to the dead-letter queue"),
    ],
)
def test_the_title_of_one_life_line(dead, title: str) -> None:
    assert lives.life_title(fates(ONE, dead_of(*dead))) == title


@pytest.mark.parametrize(
    ("minutes", "running"), [(0, 5), (1, 305), (4, 1205), (4.15, 1250), (60, 1250)]
)
def test_the_rule_of_aws(minutes: float, running: float) -> None:
    assert concurrency.allowed_by_aws(minutes) == pytest.approx(running)


@pytest.mark.parametrize(
    ("body", "label"),
    [
        ("order 12345", "order 12345"),
        ('{"task": "process_order", "order_id": "12345"}', "12345"),
        ('{"task": "process_order"}', '{"task": "process…'),
        ("[1, 2]", "[1, 2]"),
        ("a body that is much too long", "a body that is mu…"),
    ],
)
def test_what_a_message_is_called(body: str, label: str) -> None:
    assert chart_style.short_label(body) == label


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 tries"), (1, "1 try"), (2, "2 tries"), (1250, "1,250 tries")]
)
def test_counting(number: int, words: str) -> None:
    assert chart_style.count(number, "try", "tries") == words


# -- stacks ----------------------------------------------------------------------------------


def stack_event(thing: str, status: str, seconds: float) -> dict[str, Any]:
    return {
        "LogicalResourceId": thing,
        "PhysicalResourceId": "stack" if thing == "Pipeline" else f"{thing}-1",
        "StackId": "stack",
        "ResourceStatus": status,
        "Timestamp": at(seconds),
    }


BUILT = [
    stack_event("Pipeline", "CREATE_IN_PROGRESS", 0),
    stack_event("Role", "CREATE_IN_PROGRESS", 1),
    stack_event("Queue", "CREATE_IN_PROGRESS", 1),
    stack_event("Queue", "CREATE_COMPLETE", 2),
    stack_event("Role", "CREATE_IN_PROGRESS", 2),  # AWS says so twice
    stack_event("Role", "CREATE_COMPLETE", 3),
    stack_event("Trigger", "CREATE_IN_PROGRESS", 4),
    stack_event("Trigger", "CREATE_COMPLETE", 4),
    stack_event("Pipeline", "CREATE_COMPLETE", 5),
]


def test_a_stack_that_comes_up_says_what_was_last() -> None:
    newest_first = BUILT[::-1]
    assert repr(charts.stack_events(newest_first)).endswith("each thing: 3 things, Trigger last.")
    role = next(each for each in stacks.works_in(newest_first) if each.thing == "Role")
    assert (role.begin, role.end) == (at(1), at(3))


def test_a_stack_that_fails_says_what_failed() -> None:
    failed = [*BUILT[:-2], stack_event("Trigger", "CREATE_FAILED", 5)]
    assert "3 things, and Trigger failed" in repr(charts.stack_events(failed))
    with pytest.raises(ValueError, match="nothing to draw"):
        charts.stack_events(BUILT[:3])
