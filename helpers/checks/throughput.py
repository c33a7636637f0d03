"""What the exercises of notebook 10 are checked by: settings of a trigger, and a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from helpers import course, steps
from helpers.account.things import Thing, look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, point, try_out
from helpers.clients import Client, client_for

TEST = "Throughput"
BEFORE, AT_ONCE = 2, 5
BATCH, WINDOW_S = 200, 30
ORDERS, MOST_REQUESTS, RUNAWAY = 25, 10, 200


def trigger_of(lambda_: Client, queue: Thing, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The trigger of a queue, as soon as it is as wanted, or as it is when its change is over."""
    found = steps.find_trigger(lambda_, course.name(TEST), queue.id)
    if found is None:
        return None
    uuid = found["UUID"]
    with suppress(TimeoutError):
        steps.settled(lambda_, uuid)
    return see(
        lambda: lambda_.get_event_source_mapping(UUID=uuid),
        lambda has: all(has.get(key) == value for key, value in wanted.items()),
    )


def no_trigger() -> Point:
    return Point(
        False, f"There is no trigger of {course.name(TEST)}: run the notebook from the top."
    )


# -- five at once ----------------------------------------------------------------------------


@exercise
def check_five_at_once() -> Iterator[Point]:
    """The trigger runs at most five calls at once, and the function itself is not limited."""
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    queue = look_at_queue(sqs, course.name(TEST))
    five = {"ScalingConfig": {"MaximumConcurrency": AT_ONCE}}
    trigger = trigger_of(lambda_, queue, five) if queue else None
    if trigger is None:
        yield no_trigger()
        return
    most = (trigger.get("ScalingConfig") or {}).get("MaximumConcurrency")
    yield point(
        most == AT_ONCE,
        "At most 5 calls run at once; what is over that waits in the queue.",
        about_limit(most, trigger["BatchSize"]),
    )
    answer = lambda_.get_function_concurrency(FunctionName=course.name(TEST))
    reserved = answer.get("ReservedConcurrentExecutions")
    if reserved is not None:
        yield Point(
            False,
            f"The function has a reserved concurrency of {reserved}: what was fetched and may not "
            "run comes back. Take it away with delete_function_concurrency, and limit the trigger.",
        )


def about_limit(most: int | None, batch_size: int) -> str:
    """What is wrong with a limit that is not five."""
    if batch_size == AT_ONCE and most == BEFORE:
        return (
            "BatchSize is 5: so many messages one call gets. How many calls run at once is "
            "MaximumConcurrency, in ScalingConfig."
        )
    if most is None:
        return "The trigger has no limit of its own: ScalingConfig is empty."
    before = ", as before" if most == BEFORE else ""
    return f"It runs at most {most} calls at once{before}. MaximumConcurrency should be 5."


# -- a warehouse -----------------------------------------------------------------------------


@exercise
def check_warehouse() -> Iterator[Point]:
    """The trigger collects 200 messages or 30 s, and messages are hidden for long enough.

    Long enough is six times the function's timeout and the window:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    sqs, lambda_ = client_for("sqs"), client_for("lambda")
    queue = look_at_queue(sqs, course.name(TEST))
    wanted = {"BatchSize": BATCH, "MaximumBatchingWindowInSeconds": WINDOW_S}
    trigger = trigger_of(lambda_, queue, wanted) if queue else None
    if queue is None or trigger is None:
        yield no_trigger()
        return
    batch, window_s = trigger["BatchSize"], trigger["MaximumBatchingWindowInSeconds"]
    messages = "message" if batch == 1 else "messages"
    yield point(
        batch == BATCH,
        "A call gets up to 200 messages.",
        f"A call gets at most {batch} {messages}: BatchSize should be {BATCH}.",
    )
    waits = f"Lambda collects for {window_s} s, and the warehouse may wait for {WINDOW_S}."
    if not window_s:
        waits = (
            "Lambda does not wait for a batch to fill: MaximumBatchingWindowInSeconds is 0, and "
            f"should be {WINDOW_S}."
        )
    yield point(window_s == WINDOW_S, "Lambda collects for up to 30 s.", waits)
    is_right = (batch, window_s) == (BATCH, WINDOW_S)
    yield from hidden_long_enough(sqs, lambda_, queue, patient=is_right)


def hidden_long_enough(
    sqs: Client, lambda_: Client, queue: Thing, *, patient: bool
) -> Iterator[Point]:
    """Whether messages stay hidden while they are collected and handled.

    `patient`: AWS gets time to show it. Otherwise the exercise is not done yet, whatever it shows.
    """
    has = lambda_.get_function_configuration(FunctionName=course.name(TEST))
    timeout_s = int(has["Timeout"])
    enough_s = 6 * timeout_s + WINDOW_S
    hidden_s = see(lambda: hidden(sqs, queue.key), lambda seen: seen >= enough_s or not patient)
    says = f"Received messages are hidden for {hidden_s} s"
    if hidden_s <= WINDOW_S:
        advice = f"{says}, no longer than Lambda collects: they may come back before they are "
        advice += f"handled. AWS advises 6 × {timeout_s} s + {WINDOW_S} s."
    elif hidden_s == 6 * timeout_s:
        advice = f"{says}: that is six times the function's {timeout_s} s, and the window of "
        advice += f"{WINDOW_S} s comes on top."
    else:
        advice = f"{says}. AWS advises 6 × {timeout_s} s + {WINDOW_S} s."
    yield point(hidden_s >= enough_s, f"{says}, long enough to collect and to handle them.", advice)
    other = look_at_queue(sqs, f"{queue.name}-dlq")
    if hidden_s < enough_s and other and hidden(sqs, other.key) == enough_s:
        yield Point(False, f"{other.name} has {enough_s} s: QueueUrl says which queue is changed.")


def hidden(sqs: Client, queue_url: str) -> int:
    """The visibility timeout of a queue, in s."""
    setting = "VisibilityTimeout"
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[setting])
    return int(answer["Attributes"][setting])


# -- a reader --------------------------------------------------------------------------------


class PlayedQueue:
    """A queue with orders that answers as SQS does, and counts what it is asked.

    Every other short poll comes back empty, as on AWS, where it asks some of the servers only:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
    """

    def __init__(self) -> None:
        self.waiting = [f"order {number}" for number in range(1, ORDERS + 1)]
        self.received: list[str] = []
        self.deleted: list[str] = []
        self.handled: list[Any] = []
        self.too_early = False
        self.missed = False
        self.calls: list[str] = []

    def count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) >= RUNAWAY:
            raise RuntimeError("it goes on and on")

    def receive_message(
        self,
        QueueUrl: str,
        MaxNumberOfMessages: int = 1,
        WaitTimeSeconds: int = 0,
        **_others: Any,
    ) -> dict[str, Any]:
        self.count("receive")
        if not 1 <= MaxNumberOfMessages <= 10:
            raise ValueError(f"MaxNumberOfMessages is {MaxNumberOfMessages}, and may be 1 to 10")
        if not 0 <= WaitTimeSeconds <= 20:
            raise ValueError(f"WaitTimeSeconds is {WaitTimeSeconds}, and may be 0 to 20")
        if not WaitTimeSeconds and self.waiting and self.calls.count("receive") % 2:
            self.missed = True
            return {}
        batch = self.waiting[:MaxNumberOfMessages]
        self.waiting = self.waiting[MaxNumberOfMessages:]
        self.received += batch
        messages = [
            {"MessageId": body, "ReceiptHandle": f"handle of {body}", "Body": body}
            for body in batch
        ]
        return {"Messages": messages} if messages else {}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> dict[str, Any]:
        self.count("delete")
        self.delete(ReceiptHandle)
        return {}

    def delete_message_batch(
        self,
        QueueUrl: str,
        Entries: list[dict[str, str]],
    ) -> dict[str, Any]:
        self.count("delete")
        if not 1 <= len(Entries) <= 10:
            raise ValueError(f"a batch of {len(Entries)} entries, and 1 to 10 are allowed")
        if len({entry["Id"] for entry in Entries}) < len(Entries):
            raise ValueError("two entries of a batch have the same Id")
        for entry in Entries:
            self.delete(entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

    def delete(self, handle: str) -> None:
        body = str(handle).removeprefix("handle of ")
        if body not in self.received:
            raise ValueError(f"{handle!r} is no receipt handle of this queue")
        self.too_early |= body not in self.handled
        self.deleted.append(body)


@exercise
def check_reader(read_all: Callable[..., Any]) -> Iterator[Point]:
    """A reader handles all orders of a queue, deletes each after that, and asks seldom."""
    queue = PlayedQueue()
    _, error = try_out(read_all, queue, "the queue's URL", queue.handled.append)
    if len(queue.calls) >= RUNAWAY:
        yield Point(
            False,
            "It goes on asking an empty queue: an empty answer to a long poll is where to stop.",
        )
        return
    if error:
        yield Point(False, f"The reader stops with {type(error).__name__}: {error}.")
        return
    if any(not isinstance(each, str) for each in queue.handled):
        yield Point(
            False, 'handle was given the whole message; it wants its text, message["Body"].'
        )
        return
    handled, left = len({*queue.handled}), ORDERS - len({*queue.deleted})
    missed = ": it stops before the queue is empty."
    if queue.missed:
        missed = (
            ": a receive came back empty though orders were there, as a short poll may. "
            "WaitTimeSeconds asks all servers."
        )
    yield point(
        handled == ORDERS,
        f"All {ORDERS} orders are handled.",
        f"{handled} of {ORDERS} orders are handled{missed}",
    )
    if handled < ORDERS:
        return
    yield point(
        left == 0,
        "No order is left in the queue.",
        f"{left} orders are still in the queue, and will come back after the visibility timeout: "
        "delete what was handled.",
    )
    yield point(
        not queue.too_early,
        "Each is deleted after it was handled.",
        "Orders are deleted before they are handled: if the reader dies in between, nobody has "
        "them.",
    )
    yield asks_seldom(queue.calls)


def asks_seldom(calls: list[str]) -> Point:
    receives, deletes = calls.count("receive"), calls.count("delete")
    says = f"It takes {len(calls)} requests"
    if receives > MOST_REQUESTS / 2:
        advice = f"{says}, of them {receives} receives: MaxNumberOfMessages is how many one "
        advice += "receive may bring, at most 10."
    else:
        advice = f"{says}, of them {deletes} deletes: delete_message_batch deletes up to ten "
        advice += "messages with one."
    one_by_one = 2 * ORDERS + 1
    return point(
        len(calls) <= MOST_REQUESTS,
        f"{says}, where one order at a time would take {one_by_one}.",
        advice,
    )
