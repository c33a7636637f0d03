"""What the exercises of notebook 01 are checked by: three queues and their settings."""

from __future__ import annotations

from collections.abc import Iterator

from helpers import course
from helpers.account.things import Thing, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import Client, client_for

DAY_S = 86_400


def settings_of(sqs: Client, queue: Thing, wanted: dict[str, int]) -> dict[str, int]:
    """The settings of a queue that are numbers, as soon as they are as wanted, or as they are."""

    def look() -> dict[str, int]:
        answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["All"])
        return {name: int(text) for name, text in answer["Attributes"].items() if text.isdigit()}

    return see(look, lambda seen: wanted.items() <= seen.items())


@exercise
def check_keep_longer() -> Iterator[Point]:
    """PracticeQueue keeps its messages for 14 days."""
    sqs = client_for("sqs")
    queue = look_at_queue(sqs, name := course.name(course.PRACTICE_QUEUE))
    if queue is None:
        yield missing("queue", name)
        return
    kept = "MessageRetentionPeriod"
    kept_s = settings_of(sqs, queue, {kept: 14 * DAY_S})[kept]
    yield point(
        kept_s == 14 * DAY_S,
        "It keeps messages for 14 days, the longest that SQS allows.",
        about_retention(sqs, kept_s),
    )
    yield tagged(queue)


def about_retention(sqs: Client, kept_s: int) -> str:
    """What is wrong with a retention that is not 14 days, as far as it can be told."""
    if kept_s == 14 * 3_600:
        return (
            f"It keeps messages for {kept_s:,} s, which are 14 hours, not 14 days. A day has "
            "86,400 seconds."
        )
    if kept_s % DAY_S:
        return (
            f"It keeps messages for {kept_s:,} s, not for 14 days. The value is in seconds, and a "
            "day has 86,400."
        )
    other = look_at_queue(sqs, name := course.name(course.QUEUE))
    days = f"{kept_s // DAY_S} days"
    kept = "MessageRetentionPeriod"
    if other and settings_of(sqs, other, {})[kept] == 14 * DAY_S:
        return (
            f"It keeps messages for {days}, and {name} for 14: QueueUrl says which queue is "
            "changed."
        )
    return (
        f"It keeps messages for {days}, not 14. {kept} says how long, and set_queue_attributes "
        "changes a queue that exists."
    )


@exercise
def check_late_payments() -> Iterator[Point]:
    """PracticePayments shows a new message after 60 s, and a receive waits for 20 s."""
    sqs = client_for("sqs")
    queue = look_at_queue(sqs, name := course.name("PracticePayments"))
    if queue is None:
        yield missing("queue", name)
        return
    wanted = {"DelaySeconds": 60, "ReceiveMessageWaitTimeSeconds": 20}
    has = settings_of(sqs, queue, wanted)
    delay_s, wait_s = (has[setting] for setting in wanted)
    advice = f"A new message is hidden for {delay_s} s, not for 60: DelaySeconds is in seconds."
    if not delay_s:
        advice = "A new message is seen at once: DelaySeconds is 0, and should be 60."
    if not delay_s and has["VisibilityTimeout"] == 60:
        advice = (
            "VisibilityTimeout is 60, and that hides a message after it was received; DelaySeconds "
            "hides a new one."
        )
    yield point(delay_s == 60, "A new message is shown to nobody for 60 s.", advice)
    advice = f"A receive waits for {wait_s} s, and should wait for 20."
    if not wait_s:
        advice = (
            "A receive comes back at once when the queue is empty: ReceiveMessageWaitTimeSeconds "
            "is 0, and should be 20."
        )
    yield point(wait_s == 20, "A receive waits up to 20 s for a message.", advice)
    yield tagged(queue)


@exercise
def check_baker() -> Iterator[Point]:
    """PracticeOrders.fifo: in order, once, hidden for 10 minutes, kept for a week."""
    sqs = client_for("sqs")
    queue = look_at_queue(sqs, name := course.name("PracticeOrders.fifo"))
    if queue is None:
        standard = look_at_queue(sqs, other := name.removesuffix(".fifo"))
        advice = (
            f"There is {other}, a standard queue, which promises no order. The kind cannot be "
            f"changed later: create {name} beside it."
        )
        yield Point(
            False, advice if standard else f"There is no queue for the baker yet: no {other}."
        )
        return
    yield Point(True, "Orders are baked in the order in which they came: it is a FIFO queue.")
    wanted = {"VisibilityTimeout": 600, "MessageRetentionPeriod": 7 * DAY_S}
    has = settings_of(sqs, queue, wanted)
    hidden_s, kept_s = (has[setting] for setting in wanted)
    yield once(sqs, queue)
    yield point(
        hidden_s >= 600,
        f"An order that is being baked stays hidden for {hidden_s / 60:g} minutes.",
        f"An order comes back after {hidden_s} s while it is still baked for up to 600 s: a second "
        "baker takes it.",
    )
    yield point(
        kept_s == 7 * DAY_S,
        "What nobody took in a week is thrown away.",
        f"It keeps an order for {kept_s / DAY_S:g} days, and the baker wants 7.",
    )
    yield tagged(queue)


def once(sqs: Client, queue: Thing) -> Point:
    """Whether the queue compares what messages say."""

    def look() -> bool:
        setting = "ContentBasedDeduplication"
        answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=[setting])
        return answer.get("Attributes", {}).get(setting) == "true"

    return point(
        see(look, bool),
        "Who clicks twice within five minutes gets one pizza.",
        "Who clicks twice gets two pizzas: ContentBasedDeduplication is not on.",
    )
