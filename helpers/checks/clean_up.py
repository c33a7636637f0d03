"""What the exercise of notebook 99 is checked by, and the proof that nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from helpers.checks.points import Point, exercise, point, try_out
from helpers.clean_up import find, goes
from helpers.learning import record
from helpers.learning.writing import shortened


def thing(kind: str, name: str, tag: str | None) -> dict[str, Any]:
    return {"kind": kind, "name": name, "tag": tag}


SHARED_ACCOUNT = (
    thing("log group", "/aws/lambda/anna-Retries", "anna"),
    thing("role", "anna-RetriesRole", "anna"),
    thing("queue", "anna-Retries", "anna"),
    thing("queue", "anna-lise-Retries", "anna-lise"),
    thing("table", "anna-ProcessedOrders", "anna"),
    thing("function", "anna-Retries", "anna"),
    thing("function", "bert-Retries", "bert"),
    thing("queue", "anna-Notes", None),
    thing("trigger", "Shared to anna-Retries", "anna"),
    thing("trigger", "bert-Retries to bert-Retries", "bert"),
)


@exercise
def check_to_delete(to_delete: Callable[[Any], Any]) -> Iterator[Point]:
    """A function picks Anna's things out of a shared account, in an order that AWS allows."""
    returned, error = try_out(to_delete, [dict(each) for each in SHARED_ACCOUNT])
    if error is not None:
        yield Point(False, f"It raises {type(error).__name__}: {shortened(error)}")
        return
    if not isinstance(returned, list) or not all(each in SHARED_ACCOUNT for each in returned):
        yield Point(
            False,
            f"It returns {shortened(returned)}, and should return a list with things of the list "
            "that it got, as they are.",
        )
        return
    yield only_hers(returned)
    yield all_hers(returned)
    yield in_order([each["kind"] for each in returned])


def only_hers(returned: list[dict[str, Any]]) -> Point:
    """Whether nothing of others would be deleted."""
    foreign = [each for each in returned if each["tag"] != "anna"]
    advice = ""
    if foreign:
        first = foreign[0]
        tag = f"its tag is {first['tag']!r}" if first["tag"] else "it has no tag, so she did not"
        advice = f"It would delete the {first['kind']} {first['name']}, which is not Anna's: {tag}."
        if first["name"].startswith("anna-"):
            advice += " A name may begin like hers by chance."
    return point(not foreign, "It deletes nothing of others.", advice)


def all_hers(returned: list[dict[str, Any]]) -> Point:
    left = [each for each in SHARED_ACCOUNT if each["tag"] == "anna" and each not in returned]
    named = ", ".join(f"the {each['kind']} {each['name']}" for each in left)
    return point(
        not left,
        "It leaves nothing of Anna's behind.",
        f"It leaves behind {named}: the tag is hers.",
    )


def in_order(kinds: list[str]) -> Point:
    """Whether the triggers go first, the functions before the roles, the log groups last."""
    triggers, log_groups = kinds.count("trigger"), kinds.count("log group")
    advice = ""
    if "trigger" in kinds[triggers:]:
        first = next(kind for kind in kinds if kind != "trigger")
        advice = f"A {first} goes before a trigger: as long as that lives, it calls its function."
    elif "log group" in kinds[: len(kinds) - log_groups]:
        advice = "A log group is not at the end: a call that still runs would make it again."
    elif "role" in kinds and "function" in kinds[kinds.index("role") :]:
        advice = "A role goes before the function that works with it."
    return point(not advice, "The order is right: triggers first, log groups last.", advice)


def check_nothing_left() -> None:
    """Notebook 99: nothing that the clean-up deletes is listed any more.

    What it leaves alone is named, with the reason, and triggers that go on polling.
    """
    found = find()
    left = [f"{thing.kind} {thing.name}" for thing in found if goes(thing)]
    kept = [
        f"{thing.kind} {thing.name} ({thing.whose}{', still polls' if thing.polls else ''})"
        for thing in found
        if not goes(thing)
    ]
    said = "Right: Nothing of this course is left."
    if kept:
        said = "Right: What the course made is deleted."
    if left:
        said = f"Not yet: Still there: {', '.join(left)}."
    print(said)
    record.note("check", "nothing left", passed=not left, said=said)
    if kept:
        print(f"Left alone: {', '.join(kept)}.")
