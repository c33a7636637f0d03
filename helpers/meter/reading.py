"""The meter is read: what was counted here, what Lambda wrote into the log, what triggers polled.

Works on any AWS. What nobody can count is estimated from AWS's rules, and its line says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from helpers import prices
from helpers.account import belongings, names
from helpers.clients import client_for
from helpers.evidence.invocation_log import read_invocations
from helpers.logs import log_group, read_events, read_report
from helpers.meter.bill import Bill, Line
from helpers.meter.calls import CALLS, FIFO, Amounts, Trigger
from helpers.prices import Price

SELDOM = (
    *(prices.SQS_FIFO_REQUEST, prices.OWN_METRIC, prices.ALARM),
    *(prices.METRIC_READ, prices.SCANNED_BYTE),
)  # a bill has a line of these only where there was some
BATCH = 10  # what a receive or a delete of SQS holds at most
# PutLogEvents counts a batch so; Lambda's lines end with a newline, which read_events takes off.
EVENT_BYTES = 26 + 1


@dataclass(frozen=True)
class Handled:
    """What functions did, by their logs. `fetches`: receives by which their messages came;
    `metrics`: how many metrics of their own they wrote."""

    calls: int = 0
    gb_seconds: float = 0.0
    log_bytes: int = 0
    fetches: int = 0
    metrics: int = 0


def start() -> None:
    """Count from now on, for a notebook that begins. Call it when boto3 has been connected."""
    CALLS.begin_anew()
    CALLS.listen()


def read() -> Bill:
    """What the notebook has cost since `start`, as far as its calls and the log show it.

    Reads the log groups of the learner's functions, which costs nothing. Raises RuntimeError
    when no notebook has begun.
    """
    amounts, began_ms, seconds = CALLS.look()
    if began_ms is None:
        raise RuntimeError("No notebook has begun here: run the first cell of one.")
    handled = {each: handled_by(each, began_ms) for each in our_functions()}
    triggers = CALLS.triggers(on_now())
    standard, fifo = (of_kind(each, triggers, handled, amounts) for each in (False, True))
    lines = [
        *of_queues("SQS", prices.SQS_REQUEST, amounts, *standard),
        *of_queues("SQS FIFO", prices.SQS_FIFO_REQUEST, amounts, *fifo),
        Line("Lambda: calls", total(handled, "calls"), prices.LAMBDA_REQUEST),
        Line("Lambda: time", total(handled, "gb_seconds"), prices.LAMBDA_TIME),
        Line("logs: your functions' lines", total(handled, "log_bytes"), prices.LOG_BYTE),
        Line("tables: your writes", amounts["writes"], prices.TABLE_WRITE),
        Line("tables: your reads", amounts["reads"], prices.TABLE_READ),
        *of_watching(amounts, total(handled, "metrics")),
    ]
    return Bill(tuple(line for line in lines if line.amount or line.price not in SELDOM), seconds)


def our_functions() -> list[str]:
    return [names.name(each) for each in names.EVERYTHING.functions]


def handled_by(function: str, since_ms: int) -> Handled:
    """What a function of ours did since a time of AWS's, in ms since the epoch."""
    events = read_events(client_for("logs"), log_group(function), since_ms)
    reports = [read_report(line) for line in events["message"][events["kind"] == "REPORT"]]
    return Handled(
        calls=len(reports),
        gb_seconds=sum(
            (each["billed_ms"] or 0) / 1000 * (each["memory_mb"] or 0) / 1024 for each in reports
        ),
        log_bytes=sum(len(line.encode()) + EVENT_BYTES for line in events["message"]),
        metrics=len(set(metrics_in(events["message"]))),
        fetches=sum(max(1, ceil(len(each.records) / BATCH)) for each in read_invocations(events)),
    )


def metrics_in(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The metrics that lines in the embedded metric format write: namespace, name, dimensions.

    Source: "Specification: Embedded metric format" in the CloudWatch User Guide.
    """
    for line in lines:
        if "CloudWatchMetrics" not in line:
            continue
        try:
            fields = json.loads(line)
            for each in fields["_aws"]["CloudWatchMetrics"]:
                for dimensions in each["Dimensions"]:
                    values = [f"{name}={fields[name]}" for name in sorted(dimensions)]
                    for metric in each["Metrics"]:
                        yield (each["Namespace"], metric["Name"], *values)
        except (ValueError, KeyError, TypeError):
            continue  # no such line, and for CloudWatch none either


def of_watching(amounts: Amounts, own_metrics: float) -> list[Line]:
    """What metrics, alarms and queries cost. A metric and an alarm are paid by the hour."""
    return [
        Line("metrics of your own: an hour", own_metrics, prices.OWN_METRIC, True),
        Line("metrics: your reads", amounts["metrics read"], prices.METRIC_READ),
        Line("alarms: an hour", amounts["alarms"], prices.ALARM, True),
        Line("logs: your queries", amounts["scanned"], prices.SCANNED_BYTE),
    ]


def total(handled: dict[str, Handled], what: str) -> float:
    return sum(getattr(each, what) for each in handled.values())


def on_now() -> dict[str, Trigger]:
    """The learner's triggers that are on, by UUID."""
    ends = map(names.name, names.EVERYTHING.queues + names.EVERYTHING.functions)
    found = [each for each in belongings.find_triggers(ends) if each.ours and each.polls]
    return {each.key: trigger_of(*each.name.split(" to ")) for each in found}


def trigger_of(queue: str, function: str) -> Trigger:
    return Trigger(function, queue)


def of_kind(
    fifo: bool, triggers: list[Trigger], handled: dict[str, Handled], amounts: Amounts
) -> tuple[float, float]:
    """For how long triggers of one kind of queue were on together, in s, and how often messages
    were fetched for their functions; a direct call fetches none."""
    kind = [each for each in triggers if each.queue.endswith(FIFO) == fifo]
    functions = {each.function for each in kind} & handled.keys()
    fetches = sum(max(0, handled[each].fetches - amounts[each]) for each in functions)
    return sum(each.on_s for each in kind), fetches


def of_queues(kind: str, price: Price, amounts: Amounts, on_s: float, fetches: float) -> list[Line]:
    """What queues of one kind cost. A message is fetched and deleted; pollers ask in vain."""
    return [
        Line(f"{kind}: your requests", amounts[kind], price),
        Line(f"{kind}: a trigger's polls", prices.idle_polls(on_s), price, True),
        Line(f"{kind}: its receives and deletes", 2 * fetches, price, True),
    ]
