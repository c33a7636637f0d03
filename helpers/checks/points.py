"""What a check says: point by point, what is right and what is not, each with its reason.

A check is a function that yields points and is marked `@exercise`. What it looks at first comes
first; it returns early where nothing is left to look at:

    @exercise
    def check_practice_queue() -> Iterator[Point]:
        queue = look_at_queue(client_for("sqs"), course.name("PracticeQueue"))
        yield point(queue is not None, "PracticeQueue is there.", "There is no PracticeQueue: …")
        if queue is None:
            return
        yield tagged(queue)

It never raises for a wrong answer. What was made without the course's tag is not right yet: the
clean-up would not know it.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec

from helpers.account.things import LOOK_AT, Thing
from helpers.checks.looking import about_tag, see
from helpers.clients import client_for
from helpers.learning import record

P = ParamSpec("P")


@dataclass(frozen=True)
class Point:
    """One thing that a check looked at. `sentence` is praise, or what is wrong and what to do."""

    right: bool
    sentence: str


def point(right: bool, praise: str, advice: str) -> Point:
    return Point(right, praise if right else advice)


def tagged(thing: Thing) -> Point:
    """Whether something carries the course's tag with this learner's value.

    AWS may show a new tag late: what has none is looked at again.
    """
    if not thing.ours:
        thing = see(lambda: look_at(thing), lambda seen: seen.ours)
    what = f"the {thing.kind} {thing.name}"
    return point(
        thing.ours, f"The clean-up will find {what} by its tag.", capitalised(about_tag(thing))
    )


def look_at(thing: Thing) -> Thing:
    """The thing as it is now; as it was when it is gone."""
    service, look = LOOK_AT[thing.kind]
    known_by = thing.key if thing.kind == "trigger" else thing.name
    return look(client_for(service), known_by) or thing


def missing(kind: str, name: str) -> Point:
    """Nothing is there to look at yet."""
    return Point(False, f"There is no {kind} {name} yet. Create it, then run this cell again.")


def exercise(check: Callable[P, Iterator[Point]]) -> Callable[P, None]:
    """Let a check print its points, and note them in the learner's record.

    The record knows the exercise by the function's name without `check_`.
    """

    @functools.wraps(check)
    def checked(*arguments: P.args, **named: P.kwargs) -> None:
        points = list(check(*arguments, **named))
        said = answer_of(points)
        print(said)
        record.note(
            "check",
            check.__name__.removeprefix("check_"),
            passed=all(each.right for each in points),
            said=said,
        )

    return checked


def answer_of(points: list[Point]) -> str:
    """A line that says Right or Not yet, and one for each point."""
    first = "Not yet: what is marked ✗ is left to do."
    if all(each.right for each in points):
        first = "Right: all that was asked for is there."
    lines = [f"  {'✓' if each.right else '✗'} {each.sentence}" for each in points]
    return "\n".join([first, *lines])


def try_out(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Exception | None]:
    """What a learner's function returns, and the exception if it raises one.

    What it prints is not shown: it would stand between the points.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return function(*arguments), None
        except Exception as error:  # noqa: BLE001 (a learner's function may raise anything)
            return None, error


def capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
