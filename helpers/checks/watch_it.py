"""What the exercises of notebook 13 are checked by: two alarms, and questions to a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from helpers import course
from helpers.account.names import WATCH
from helpers.account.things import look_at_alarm
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import client_for
from helpers.learning.writing import shortened

VISIBLE, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
Alarm = dict[str, Any]  # as DescribeAlarms has it


def points_of_alarm(name: str, about: Callable[[Alarm], list[Point]]) -> Iterator[Point]:
    """What is right and wrong with an alarm, and its tag; AWS may show a change late."""
    cloudwatch = client_for("cloudwatch")

    def look() -> Alarm | None:
        found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return found[0] if found else None

    def right(alarm: Alarm | None) -> bool:
        return alarm is not None and all(each.right for each in about(alarm))

    alarm = see(look, right)
    thing = look_at_alarm(cloudwatch, name)
    if alarm is None or thing is None:
        yield missing("alarm", name)
        return
    yield from about(alarm)
    yield tagged(thing)


def watched(alarm: Alarm) -> tuple[str, str]:
    """The metric and the queue that an alarm looks at."""
    dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
    return alarm.get("MetricName", "metric math"), dimensions.get("QueueName", "no queue")


def about_queue(alarm: Alarm, wanted: str, advice: str) -> Point:
    queue = watched(alarm)[1]
    return point(queue == wanted, f"It watches {wanted}.", f"It watches {queue}. {advice}")


def rings_above(alarm: Alarm) -> tuple[bool, float]:
    """Whether an alarm rings for large values, and from which on, where they are whole numbers."""
    operator, threshold = alarm["ComparisonOperator"], float(alarm["Threshold"])
    if operator == "GreaterThanThreshold":
        return True, threshold + 1
    return operator == "GreaterThanOrEqualToThreshold", threshold


# -- an alarm on waiting ---------------------------------------------------------------------


@exercise
def check_waiting() -> Iterator[Point]:
    """PracticeWaiting rings when the oldest message waited over 300 s, three minutes long."""
    yield from points_of_alarm(course.name("PracticeWaiting"), about_waiting)


def about_waiting(alarm: Alarm) -> list[Point]:
    metric = watched(alarm)[0]
    advice = f"{metric} is not it. Which metric is in seconds?"
    if metric == VISIBLE:
        advice = f"{metric} counts how many wait, and says nothing of how long."
    return [
        point(
            metric == AGE,
            "It looks at how long the oldest message has waited.",
            advice,
        ),
        about_queue(alarm, course.name(WATCH), "Orders wait in the queue where they arrive."),
        about_limit(alarm),
        about_patience(alarm),
    ]


def about_limit(alarm: Alarm) -> Point:
    above, first = rings_above(alarm)
    advice = f"It rings from {first:g} s on; wanted are more than 5 minutes, in seconds."
    if not above:
        advice = "It rings for small values: look at ComparisonOperator."
    return point(above and 300 <= first <= 301, "It rings above 300 s.", advice)


def about_patience(alarm: Alarm) -> Point:
    last, period_s = alarm["EvaluationPeriods"], alarm["Period"]
    most = alarm.get("DatapointsToAlarm", last)
    return point(
        (most, last, period_s) == (3, 3, 60),
        "It rings after three minutes of three.",
        f"It rings after {most} of {last} periods of {period_s} s; wanted are three of three, of a "
        "minute each.",
    )


# -- questions to a log ----------------------------------------------------------------------

COURIER, COURIER_OVER, OVER_MS = 40, 12, 320
FEWEST_PAYMENTS = "west"
KITCHEN_MS = 690


@exercise
def check_asked(found: dict[str, Any]) -> Iterator[Point]:
    """Three numbers and names that only the log tells."""
    given = found if isinstance(found, dict) else {}
    yield about_courier(as_number(given.get("courier over 320 ms")))
    yield about_bank(given.get("bank with fewest payments"))
    yield about_kitchen(as_number(given.get("slowest kitchen call")))


def as_number(given: Any) -> float | None:
    """The number in an answer; a query's result is a text."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return None


def about_courier(given: float | None) -> Point:
    advice = f"{given} is not it. Filter by the service and by took_ms, then count."
    if given is None:
        advice = "How many calls of the courier took more than 320 ms? Write a number."
    elif given == COURIER:
        advice = f"{COURIER} are all calls of the courier. Filter by took_ms, too."
    praise = f"{COURIER_OVER} calls of the courier took more than {OVER_MS} ms."
    return point(given == COURIER_OVER, praise, advice)


def about_bank(given: Any) -> Point:
    advice = f"{shortened(given)} is not it. Count by bank, and sort by the count."
    if given is None:
        advice = "Which bank had the fewest payments? Write its name."
    elif given == "":
        advice = "Calls of the other services have no bank: keep those of payment only."
    right = isinstance(given, str) and given.strip().lower() == FEWEST_PAYMENTS
    return point(right, f"Fewest payments went to {FEWEST_PAYMENTS}.", advice)


def about_kitchen(given: float | None) -> Point:
    advice = f"{given} is not it. It is the max of took_ms, of the kitchen alone."
    if given is None:
        advice = "How long did the slowest call of the kitchen take, in ms? Write a number."
    return point(given == KITCHEN_MS, f"The kitchen's slowest call took {KITCHEN_MS} ms.", advice)


# -- an alarm that never rings ---------------------------------------------------------------


@exercise
def check_dead_alarm() -> Iterator[Point]:
    """PracticeDeadOrders rings in the minute after an order has died."""
    yield from points_of_alarm(course.name("PracticeDeadOrders"), about_dead)


def about_dead(alarm: Alarm) -> list[Point]:
    metric, statistic = watched(alarm)[0], alarm.get("Statistic", "no statistic")
    above, first = rings_above(alarm)
    last, period_s = alarm["EvaluationPeriods"], alarm["Period"]
    why = "counts what programs send; what SQS moves there itself is not counted"
    if metric != "NumberOfMessagesSent":
        why = "does not say how many messages lie there"
    return [
        point(metric == VISIBLE, "It looks at how many lie there.", f"{metric} {why}."),
        about_queue(alarm, course.name(f"{WATCH}-dlq"), "Dead orders lie in another queue."),
        point(
            above and 0 < first <= 1,
            "One dead order is enough.",
            f"It rings from {first:g} on: a single dead order would lie there unseen."
            if above
            else "It rings when there are few. Look at ComparisonOperator.",
        ),
        point(
            statistic in ("Maximum", "Sum", "Average", "Minimum") and (last, period_s) == (1, 60),
            "It rings after one minute.",
            f"It needs {last} periods of {period_s} s before it rings; wanted is one minute.",
        ),
    ]
