"""What is not ours is refused before anything is changed, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from helpers.account import names
from helpers.account.belongings import find
from helpers.account.names import Names, name
from helpers.account.things import LOOK_AT, Thing
from helpers.clients import Client
from helpers.logs import log_group


class NotOurs(ValueError):
    """Something has a name of the course, and the course did not make it."""


def refuse_names(wanted: Names) -> None:
    """Raise NotOurs if anything foreign has one of these names, or is a trigger of theirs."""
    if wanted != Names():
        refuse_foreign(find(wanted))


def refuse_foreign(things: Iterable[Thing | None], tags: dict[str, str] | None = None) -> None:
    """Raise NotOurs, naming all that is foreign: nothing of somebody else is changed.

    Foreign is what does not carry these tags, by default the course's with this learner's
    value. None stands for a thing that does not exist.
    """
    foreign = [thing for thing in things if thing and not carries(thing, tags)]
    groups = {log_group(thing.name) for thing in foreign if thing.kind == "function"}
    foreign = [thing for thing in foreign if thing.name not in groups]  # as their function
    if foreign:
        raise NotOurs(refusal(foreign))


def carries(thing: Thing, tags: dict[str, str] | None) -> bool:
    return thing.ours if tags is None else tags.items() <= thing.tags.items()


def refuse_if_known(kind: str, client: Client, full_name: str) -> None:
    """Raise NotOurs if a queue or function is foreign and has a name of the course.

    For calls that get no tags: what has another name is up to the caller.
    """
    known = {"queue": names.EVERYTHING.queues, "function": names.EVERYTHING.functions}[kind]
    if full_name in map(name, known):
        refuse_foreign([LOOK_AT[kind][1](client, full_name)])


def refusal(foreign: list[Thing]) -> str:
    """What is foreign, one line for each thing, and the two ways out."""
    made = "\n".join(
        f"There is a {thing.kind} {thing.name} that this course did not make ({thing.id}; "
        f"{said_by_tag(thing)})."
        for thing in foreign
    )
    calls = [f'course.adopt("{each.kind}", "{each.name}", "{each.id}")' for each in foreign]
    end = " " if len(foreign) == 1 else "\n"
    return (
        f"{made}{end}Set SQS_COURSE_PREFIX, such as anna- (with make: PREFIX=anna-), for names of "
        f"your own, or adopt what is yours:{end}{end.join(calls)}"
    )


def said_by_tag(thing: Thing) -> str:
    if thing.owner is None:
        return f"it has no tag {names.TAG}"
    return f"its tag {names.TAG} says {thing.owner!r}"
