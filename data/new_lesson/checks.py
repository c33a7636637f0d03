"""What the exercises of notebook NN are checked by: a queue's delay, a text, two settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3

from helpers import course
from helpers.account.things import look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged, try_out

DELAY_S = 5
ORDER = {"order_id": "A17", "cents": 1290}
WANTED_S = {"VisibilityTimeout": 120, "MessageRetentionPeriod": 86_400}


@exercise
def check_my_topic_queue() -> Iterator[Point]:
    """PracticeMyTopic shows a new message after 5 s."""
    sqs = boto3.client("sqs")
    queue = look_at_queue(sqs, name := course.name("PracticeMyTopic"))
    if queue is None:
        yield missing("queue", name)
        return

    def look() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["DelaySeconds"])
        return int(answer["Attributes"]["DelaySeconds"])

    delay_s = see(look, lambda seen: seen == DELAY_S)
    advice = f"It holds a new message back for {delay_s} s, not for 5: DelaySeconds is in seconds."
    if not delay_s:
        advice = "It shows a new message at once: DelaySeconds is 0, and should be 5."
    yield point(delay_s == DELAY_S, "It holds a new message back for 5 s.", advice)
    yield tagged(queue)


@exercise
def check_my_topic_body(body: Callable[..., Any]) -> Iterator[Point]:
    """A function that gives JSON with an order's id and its price in cents."""
    text, error = try_out(body, *ORDER.values())
    if error:
        yield Point(False, f"It raises {type(error).__name__}: {error}.")
        return
    if not isinstance(text, str):
        yield Point(False, f"It returns {text!r}: a message's body is a text. See json.dumps.")
        return
    try:
        found = json.loads(text)
    except ValueError:
        yield Point(False, f"It returns {text!r}, which is no JSON.")
        return
    yield point(
        found == ORDER,
        "It is JSON, and holds what was given.",
        f"For {ORDER} it holds {found}.",
    )


@exercise
def check_my_topic_settings(settings: Any) -> Iterator[Point]:
    """A message is hidden for two minutes, and kept for a day."""
    if not isinstance(settings, dict):
        yield Point(
            False, f"settings is {settings!r}, and should be a dictionary with two settings."
        )
        return
    for setting, wanted_s in WANTED_S.items():
        yield about(setting, settings.get(setting), wanted_s)


def about(setting: str, value: Any, wanted_s: int) -> Point:
    """Whether a setting is a text that says so many seconds."""
    if value is None:
        return Point(False, f"{setting} is not there.")
    if not isinstance(value, str):
        return Point(
            False,
            f"{setting} is {value!r}, a number. Values of settings are text: write it in quotes.",
        )
    return point(
        value == str(wanted_s),
        f"{setting} is right.",
        f"{setting} is {value!r}, which are {value} seconds. Asked for are {wanted_s}.",
    )
