"""How a check looks: patiently, and without changing what it looks at.

A check calls nothing that makes, sends, receives or deletes: the next look of the learner, and
the clean-up, find everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from helpers.account.names import TAG, tags
from helpers.account.target import aws_pace
from helpers.account.things import Thing
from helpers.waiting import wait_until

T = TypeVar("T")
AWS_IS_LATE_S = 60  # so long a check gives AWS to show what was done

HOW_TO_TAG = {
    "queue": "pass tags=course.tags() when you create it, or tag it with tag_queue",
    "role": "pass the course's tags as Tags when you create it, or tag it with tag_role",
    "function": "pass Tags=course.tags() when you create it, or tag it with tag_resource",
    "table": "pass the course's tags as Tags when you create it, or tag it with tag_resource",
    "stack": "pass the course's tags as Tags when you create or update it",
    "alarm": "pass the course's tags as Tags when you first put it, or tag it with tag_resource",
    "trigger": "pass Tags=course.tags() when you create it, or tag it with tag_resource",
}


def patience_s(local_s: float) -> float:
    """How long a check waits, in s: so long on the local AWS, and a minute more on AWS."""
    return local_s + AWS_IS_LATE_S * aws_pace()


def see(look: Callable[[], T], right: Callable[[T], bool], local_s: float = 0) -> T:
    """What is seen as soon as it is right, or last; AWS gets a minute more to show it."""
    seen: list[T] = []

    def look_again() -> T:
        seen.append(look())
        return seen[-1]

    with suppress(TimeoutError):
        wait_until(look_again, right, "what was done", patience_s(local_s))
    return seen[-1] if seen else look()


def about_tag(thing: Thing) -> str:
    """What is wrong with the tag of something that is not ours, and what to do."""
    wrong = f"has no tag {TAG}"
    if thing.owner is not None:
        wrong = f"has the tag {TAG} with {thing.owner!r}, not {tags()[TAG]!r}"
    return (
        f"the {thing.kind} {thing.name} {wrong}: {HOW_TO_TAG[thing.kind]}. The "
        "clean-up would leave it alone."
    )
