"""What the exercises of notebook 04 are checked by: two triggers, and what counts as success."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from helpers import course, steps
from helpers.account.things import Thing, look_at_mapping, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged, try_out
from helpers.clients import Client, client_for

OVEN, SIX_TIMES, OVEN_WINDOW_S = "PracticeOven", 6, 20
BAKING_S = 60  # the timeout that the lesson gives to PracticeFunction
LONG_ENOUGH_S = SIX_TIMES * BAKING_S + OVEN_WINDOW_S


def look_at_trigger(lambda_: Client, function: str, queue: Thing) -> dict[str, Any] | None:
    """The trigger between a function and a queue, as soon as it is not being changed."""
    return see(
        lambda: steps.find_trigger(lambda_, function, queue.id),
        lambda found: found is None or found["State"] in ("Enabled", "Disabled"),
        local_s=5,
    )


@exercise
def check_five_at_a_time() -> Iterator[Point]:
    """The trigger of the course's function is on and hands over up to five messages."""
    lambda_ = client_for("lambda")
    queue = look_at_queue(client_for("sqs"), name := course.name(course.QUEUE))
    if queue is None:
        yield missing("queue", name)
        return
    found = look_at_trigger(lambda_, course.name(course.FUNCTION), queue)
    if found is None:
        yield Point(False, f"{name} has no trigger. Run the notebook from the top.")
        return
    yield point(found["BatchSize"] == 5, "One call may get up to five messages.", about_size(found))
    yield point(
        found["State"] == "Enabled",
        "The trigger is on.",
        f"The trigger is {found['State']}: nobody asks the queue. Enabled=True switches it on.",
    )
    yield tagged(look_at_mapping(lambda_, found))


def about_size(found: dict[str, Any]) -> str:
    """What is wrong with a batch size that is not five."""
    size, window_s = found["BatchSize"], found["MaximumBatchingWindowInSeconds"]
    wrong = f"One call may get up to {size} message{'s' * (size != 1)}, not five"
    if window_s == 5:
        return (
            f"{wrong}, and Lambda waits up to 5 s for more: MaximumBatchingWindowInSeconds is a "
            "time, BatchSize a number of messages."
        )
    return f"{wrong}. update_event_source_mapping takes UUID and BatchSize."


@exercise
def check_slow_oven() -> Iterator[Point]:
    """PracticeOven and PracticeFunction: a trigger that is off, and two clocks that fit."""
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    queue = look_at_queue(sqs, name := course.name(OVEN))
    if queue is None:
        yield missing("queue", name)
        return
    function = course.name(course.PRACTICE_FUNCTION)
    hidden_s = see(lambda: hidden_for(sqs, queue), lambda seconds: seconds >= LONG_ENOUGH_S)
    yield point(
        hidden_s >= LONG_ENOUGH_S,
        f"An order stays hidden for {hidden_s} s, six times as long as it is baked, and more.",
        about_clock(hidden_s),
    )
    found = look_at_trigger(lambda_, function, queue)
    if found is None:
        yield Point(
            False,
            f"There is no trigger between {name} and {function} yet: "
            "create_event_source_mapping makes it.",
        )
    else:
        yield from about_trigger(lambda_, found)
    yield tagged(queue)


def hidden_for(sqs: Client, queue: Thing) -> int:
    """The visibility timeout of a queue, in s."""
    setting = "VisibilityTimeout"
    answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=[setting])
    return int(answer["Attributes"][setting])


def about_clock(hidden_s: int) -> str:
    """What is wrong with a visibility timeout that is too short."""
    wrong = f"An order comes back after {hidden_s} s"
    if hidden_s < BAKING_S:
        return f"{wrong}, and may be baked for {BAKING_S} s: AWS refuses a trigger like that."
    if hidden_s == SIX_TIMES * BAKING_S:
        return (
            f"{wrong}, six times {BAKING_S} s; the {OVEN_WINDOW_S} s for which Lambda may collect "
            "orders come on top."
        )
    return (
        f"{wrong}. AWS allows that, and advises six times {BAKING_S} s, and on top the "
        f"{OVEN_WINDOW_S} s for which Lambda may collect."
    )


def about_trigger(lambda_: Client, found: dict[str, Any]) -> Iterator[Point]:
    """Whether the oven's trigger collects as it should, and is off."""
    size, window_s = found["BatchSize"], found["MaximumBatchingWindowInSeconds"]
    yield point(
        size == 10,
        "One call may get up to ten orders.",
        f"One call may get up to {size} order{'s' * (size != 1)}, and should get up to ten.",
    )
    advice = f"Lambda may collect for {window_s} s, and should for {OVEN_WINDOW_S}."
    if not window_s:
        advice = (
            "Lambda does not collect: MaximumBatchingWindowInSeconds is 0, and should be "
            f"{OVEN_WINDOW_S}."
        )
    yield point(
        window_s == OVEN_WINDOW_S, f"Lambda may collect for up to {OVEN_WINDOW_S} s.", advice
    )
    yield point(
        found["State"] == "Disabled",
        "It is off, so that it asks nobody and costs nothing.",
        f"It is {found['State']}: it asks the queue day and night, and each question is a request. "
        "Enabled=False switches it off.",
    )
    yield tagged(look_at_mapping(lambda_, found))


PAID, REFUSED = "Margherita, card accepted", "Napoli, card refused"


@exercise
def check_loud_failure(handle: Callable[[str], Any]) -> Iterator[Point]:
    """A program that returns for an order that was paid, and raises for one that was not."""
    if not callable(handle):
        yield Point(False, f"handle is {handle!r}, and should be a function that takes an order.")
        return
    _, error = try_out(handle, PAID)
    yield point(
        error is None,
        f"handle({PAID!r}) returns: the message is deleted.",
        f"handle({PAID!r}) raises {error!r}: the order comes back, and is charged again.",
    )
    came, error = try_out(handle, REFUSED)
    yield point(
        error is not None,
        f"handle({REFUSED!r}) raises an error: the message comes back.",
        about_return(came),
    )


def about_return(came: Any) -> str:
    """What is wrong with a program that returns although it has failed."""
    wrong = f"handle({REFUSED!r}) returns"
    if isinstance(came, BaseException):
        return f"{wrong} an error. Lambda looks at what is raised, so the message is deleted."
    if came is not None:
        return f"{wrong} {came!r}, and whatever it returns is success: the message is deleted."
    return f"{wrong}, so Lambda takes it for done: the message is deleted, and nobody is told."
