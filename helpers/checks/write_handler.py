"""What the exercises of notebook 05 are checked by: a deployed handler, and two to call here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from helpers import course, steps
from helpers.account.things import ignore_missing
from helpers.checks.points import Point, exercise, missing, point, try_out
from helpers.clients import client_for

Handler = Callable[[dict[str, Any], None], Any]
OLD_WORDS, NEW_WORDS = "Received message:", "Order received:"


@exercise
def check_other_words(called: Any) -> Iterator[Point]:
    """The function of the course says `Order received:` and the order, by a call's own log."""
    lambda_, name = client_for("lambda"), course.name(course.FUNCTION)
    function = ignore_missing(lambda: lambda_.get_function_configuration(FunctionName=name))
    if function is None:
        yield missing("function", name)
        return
    if not isinstance(called, dict) or "StatusCode" not in called:
        yield Point(
            False,
            "Nothing was called yet: keep the answer of lambda_.invoke in the variable called.",
        )
        return
    if "LogResult" not in called:
        yield Point(False, 'The answer brings no log: call with LogType="Tail", as above.')
        return
    lines = base64.b64decode(called["LogResult"]).decode(errors="replace").splitlines()
    said = [line.removeprefix(NEW_WORDS) for line in lines if line.startswith(NEW_WORDS)]
    yield point(
        bool(said), f"{name} says {NEW_WORDS!r}.", about_words(lines, function["CodeSha256"])
    )
    if said:
        yield point(
            all(map(str.strip, said)),
            "It still says which order.",
            f"After {NEW_WORDS!r} nothing follows: keep {{message}} in what is printed.",
        )


def about_words(lines: list[str], deployed: str) -> str:
    """Why the new words are not in the log of a call, as far as it can be told."""
    errors = [line for line in lines if line.startswith("[ERROR]")]
    if errors:
        return f"The function failed with {errors[0].removeprefix('[ERROR] ')!r}."
    if any(line.startswith(OLD_WORDS) for line in lines):
        if deployed == steps.package_hash(steps.SEED_HANDLER):
            return (
                "The function still has the handler from above: a new text alone changes nothing. "
                "Deploy it, then call again."
            )
        return (
            f"This call said {OLD_WORDS!r}, though the function has other code by now. Was it made "
            "before that was in place? Then call again. Or does the new code say so, too?"
        )
    return f"No line of this call begins with {NEW_WORDS!r}, letter by letter."


# -- handlers that are called here -----------------------------------------------------------


def event_of(*bodies: str, both: bool = False) -> dict[str, Any]:
    """An event with these bodies. With `both` they stand there in boto3's spelling, too."""
    return {"Records": [{"body": each, **({"Body": each} if both else {})} for each in bodies]}


def order(number: int) -> str:
    return json.dumps({"task": "process_order", "order_id": str(number)})


GREETING = json.dumps({"task": "say_hello"})
MENTION = json.dumps({"task": "say_hello", "text": "do not process_order yet"})
NO_TASK, NO_JSON = json.dumps({"order_id": "7"}), "two coffees, please"


@exercise
def check_count_orders(handler: Handler) -> Iterator[Point]:
    """A handler counts the messages of an event that are orders, and stops at no other."""
    answer, error = try_out(handler, event_of(order(1), order(2), order(3)), None)
    right = error is None and answer == {"orders": 3}
    yield point(right, "It counts three orders.", about_three(answer, error))
    if not right:
        return
    for body, praise, advice in (
        (GREETING, "It leaves out what has another task.", "It counts every message"),
        (
            MENTION,
            "It looks at the task, not for a word in the text.",
            "It looks for a word in the text, and a greeting may have that word in it: read the "
            "body with json.loads, and compare its task",
        ),
        (NO_TASK, "It goes on at a body with no task.", "It counts a body with no task"),
        (NO_JSON, "It goes on at a body that is no JSON.", "It counts a body that is no JSON"),
    ):
        answer, error = try_out(handler, event_of(body, order(1)), None)
        said = f"{advice}: for {body!r} and one order it returns {answer!r}."
        if error:
            said = f"At the body {body!r} it stops with {named(error)}. This is no order: go on."
        yield point(error is None and answer == {"orders": 1}, praise, said)


def about_three(answer: Any, error: Exception | None) -> str:
    if isinstance(error, TypeError) and "indices" in str(error):
        return f"It stops with {named(error)}. A body is text: json.loads(record['body']) reads it."
    if error:
        return f"At three orders it stops with {named(error)}."
    if answer == {"orders": 1}:
        return "Of three orders it counts one: it returns inside of the loop, at the first of them."
    if answer == 3:
        return 'It returns the number 3; what is asked for is a dictionary, {"orders": 3}.'
    return f'For three orders it returns {answer!r}; it should return {{"orders": 3}}.'


def named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@exercise
def check_book(handler: Handler) -> Iterator[Point]:
    """A handler books every order of an event, and fails at one that it cannot read."""
    answer, error = try_out(handler, event_of(order(1)), None)
    said = f"For the order 1 it returns {answer!r}."
    if error:
        said = f"At the order 1 it stops with {named(error)}."
    elif try_out(handler, event_of(order(1), both=True), None)[0] == {"booked": ["1"]}:
        said = (
            'It reads record["Body"], as boto3 spells it; Lambda writes record["body"]. The '
            "KeyError was caught, so nobody saw it."
        )
    yield point(
        error is None and answer == {"booked": ["1"]}, "It finds the body of a message.", said
    )
    answer, error = try_out(handler, event_of(order(1), order(2), order(3), both=True), None)
    said = f"For the orders 1, 2 and 3 it returns {answer!r}."
    if error:
        said = f"At three orders it stops with {named(error)}."
    elif answer == {"booked": ["1"]}:
        said = "Of three orders it books the first: it returns inside of the loop."
    yield point(
        error is None and answer == {"booked": ["1", "2", "3"]}, "It books all of them.", said
    )
    for body in (json.dumps({"task": "process_order"}), NO_JSON):
        answer, error = try_out(handler, event_of(body, both=True), None)
        yield point(
            error is not None,
            f"It fails at {body!r}, so the message stays in the queue.",
            f"At the body {body!r} it returns {answer!r}, and Lambda deletes the message: let the "
            "error out.",
        )
