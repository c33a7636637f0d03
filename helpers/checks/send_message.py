"""What the exercises of notebook 06 are checked by: what got through, and a function that sends.

What a message said only the function's log shows: to receive it would take it away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from helpers import course, steps
from helpers.account.things import look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, point, try_out
from helpers.clients import client_for
from helpers.logs import answered_ms, log_group, read_events

PRINTED = "Received message: "
LOCAL_S = 0.5  # a message needs some hundredths of a second here


def bodies_since(since_ms: int) -> list[str]:
    """What the function has printed of messages since a time of AWS, in ms."""
    group = log_group(course.name(course.FUNCTION))
    printed = read_events(client_for("logs"), group, since_ms)["message"]
    return [each.removeprefix(PRINTED) for each in printed if each.startswith(PRINTED)]


def nowhere() -> str:
    """Why no call of the function has printed what was sent, as far as it can be told."""
    sqs, name = client_for("sqs"), course.name("PracticeStickers")
    other = look_at_queue(sqs, name)
    if other and steps.queue_counts(sqs, other.key)["visible"]:
        return (
            f"A message waits in {name}, which has no trigger, and the function has not got it: "
            "pass QueueUrl=queue_url."
        )
    return (
        f"The function has not printed it. Was it sent to {course.name(course.QUEUE)}, and is the "
        "trigger on? On AWS the log may be minutes late: then run this cell again."
    )


@exercise
def check_ada(sent: Any) -> Iterator[Point]:
    """The order 67890-ada went through queue, trigger and function."""
    if not isinstance(sent, dict) or not {"MD5OfMessageBody", "ResponseMetadata"} <= set(sent):
        yield Point(False, about_answer(sent))
        return
    since_ms, checksum = answered_ms(sent), sent["MD5OfMessageBody"]

    def look() -> list[str]:
        return [each for each in bodies_since(since_ms) if md5(each) == checksum]

    found = see(look, bool, LOCAL_S)
    praise = "The function has printed it, after you sent it."
    yield point(bool(found), praise, "" if found else nowhere())
    if found:
        yield from about_order(found[-1])


def about_answer(sent: Any) -> str:
    """What was kept instead of an answer of SQS."""
    if sent is None:
        return "Nothing was sent yet: keep the answer of sqs.send_message in ada_sent."
    if isinstance(sent, dict) and "StatusCode" in sent:
        return "You have called the function yourself. Send to the queue: sqs.send_message."
    return "Keep the whole answer of sqs.send_message in ada_sent: it has a checksum and a time."


def md5(text: str) -> str:
    """The checksum of a body, as SQS tells it: no secret hangs on it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def about_order(body: str) -> Iterator[Point]:
    """Whether a body is the order of Ada."""
    order = as_order(body)
    if order is None:
        yield Point(
            False, f"Its body is {body}, which is no JSON: json.dumps(order) writes a dictionary."
        )
        return
    for key, wanted in (("task", "process_order"), ("order_id", "67890-ada")):
        yield point(
            order.get(key) == wanted,
            f"Its {key} is {wanted}.",
            f"Its {key} is {order.get(key)!r}; it should be {wanted!r}.",
        )


def as_order(body: str) -> dict[str, Any] | None:
    """A body as a dictionary; None when it is no JSON, or another kind of it."""
    try:
        order = json.loads(body)
    except ValueError:
        return None
    return order if isinstance(order, dict) else None


# -- twelve orders ---------------------------------------------------------------------------

MILL = [f"mill-{number:02d}" for number in range(1, 13)]


@exercise
def check_mill(answers: Any) -> Iterator[Point]:
    """Twelve orders got through, in two requests."""
    given = answers if isinstance(answers, list) else [answers]
    sent = [each for each in given if isinstance(each, dict) and "ResponseMetadata" in each]
    if not sent:
        yield Point(
            False,
            "Nothing was sent yet: no answer of SQS is in answers. A request takes ten entries; "
            "with twelve it is refused as a whole.",
        )
        return
    refused = [each["Id"] for answer in sent for each in answer.get("Failed", [])]
    checksums = {each["MD5OfMessageBody"] for answer in sent for each in taken(answer)}
    since_ms = min(map(answered_ms, sent))

    def look() -> set[str]:
        return {each for each in bodies_since(since_ms) if md5(each) in checksums}

    seen = see(look, lambda bodies: len(bodies) == len(checksums), LOCAL_S)
    orders = {str(order.get("order_id")) for each in seen if (order := as_order(each))}
    missing = [each for each in MILL if each not in orders]
    advice = f"These did not arrive: {', '.join(missing)}. The rest goes into one more request."
    if refused:
        advice = f"SQS did not take {', '.join(refused)}: look at Failed in the answer."
    elif missing and (texts := sorted(each for each in seen if as_order(each) is None)):
        advice = f"It got {texts[0]!r}, which is no JSON: json.dumps(order) makes the body."
    elif not seen:
        advice = nowhere()
    yield point(not missing, "All twelve orders have arrived, each as JSON.", advice)
    yield point(
        len(sent) <= 2,
        "Two requests are paid for.",
        f"{len(sent)} requests are paid for. Ten messages fit into one: two requests will do.",
    )


def taken(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that SQS has taken, by its answer to one, or to a batch."""
    one = [answer] if "MessageId" in answer else []
    return list(answer.get("Successful", one))


# -- a producer that loses messages ----------------------------------------------------------

Sender = Callable[[Any, str, list[dict[str, str]]], Any]
ENTRIES = [{"Id": each, "MessageBody": f"order {each}"} for each in ("1", "2", "3")]
TOO_MANY = 20
CODES = {True: "InvalidMessageContents", False: "InternalError"}  # by SenderFault


class StandIn:
    """Answers like SQS, and takes no entry for which it has a reason.

    `ours` are refused for good, by the fault of the sender; `busy` so many times by SQS's own.
    """

    def __init__(self, ours: str = "", busy: str = "", times: int = 1) -> None:
        self.ours, self.busy, self.times = ours, busy, times
        self.requests: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        ids = [entry["Id"] for entry in Entries]
        self.requests.append(ids)
        if not ids or len(self.requests) > TOO_MANY:
            raise RuntimeError("a request with no entries" if not ids else "too many requests")
        failed = {self.ours: True} if self.ours in ids else {}
        if self.busy in ids and len(self.requests) <= self.times:
            failed[self.busy] = False
        answer: dict[str, Any] = {
            "Successful": [{"Id": each} for each in ids if each not in failed],
            "Failed": [
                {
                    "Id": each,
                    "SenderFault": ours,
                    "Code": "InvalidMessageContents" if ours else "Busy",
                }
                for each, ours in failed.items()
            ],
        }
        return {key: value for key, value in answer.items() if value}


@exercise
def check_send_all(send_all: Sender) -> Iterator[Point]:
    """A function loses no message: it sends again what SQS was too busy for, and tells the rest."""
    well = tried(send_all, StandIn())
    yield point(
        well == ([], [["1", "2", "3"]]),
        "When all goes well it sends once and returns an empty list.",
        when_all_is_well(well),
    )
    if not well[1]:  # it makes no request at all
        return
    returned, requests = tried(send_all, StandIn(ours="2"))
    advice = f"SQS refuses entry 2 for good, and nobody is told: it returns {returned!r}."
    if len(requests) > 1:
        advice = "It sends entry 2 again, which SQS refuses for good: SenderFault is True."
    yield point(
        returned == ["2"] and len(requests) == 1, "It tells what SQS refuses for good.", advice
    )
    returned, requests = tried(send_all, StandIn(busy="3"))
    advice = f"SQS is too busy for entry 3, and then takes it: it should return [], not {returned}."
    if len(requests) < 2:
        advice = "SQS is too busy for entry 3, and it is not sent again: the order is lost."
    elif requests[1] != ["3"]:
        advice = (
            f"When SQS is too busy for entry 3, it sends {', '.join(requests[1])} again: the "
            "others arrive twice."
        )
    yield point(
        returned == [] and requests[1:] == [["3"]],
        "What SQS was too busy for is sent again, alone.",
        advice,
    )
    returned, requests = tried(send_all, StandIn(busy="3", times=TOO_MANY + 1))
    advice = f"SQS stays too busy for entry 3, and nobody is told: it returns {returned!r}."
    if len(requests) > 2:
        advice = f"SQS stays too busy, and it asks {len(requests)} times; once more was the wish."
    yield point(returned == ["3"] and len(requests) == 2, "It gives up after a second try.", advice)


def tried(send_all: Sender, sqs: StandIn) -> tuple[Any, list[list[str]]]:
    """What the function returned, or its exception, and the requests that it made."""
    answer, error = try_out(send_all, sqs, "the queue's URL", list(ENTRIES))
    return error or answer, sqs.requests


def when_all_is_well(seen: tuple[Any, list[list[str]]]) -> str:
    returned, requests = seen
    if isinstance(returned, KeyError):
        return (
            f"When all goes well the answer has no key {returned}, and it stops with a KeyError: "
            'answer.get("Failed", []) is an empty list then.'
        )
    if isinstance(returned, Exception):
        return f"When all goes well it stops with {type(returned).__name__}: {returned}."
    if len(requests) > 1:
        return f"When all goes well it makes {len(requests)} requests; one is enough."
    return f"When all goes well it returns {returned!r}; an empty list was asked for."
