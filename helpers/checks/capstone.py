"""What the exercises of notebook 15 are checked by. They only look; `capstone.judge` tries."""

from __future__ import annotations

from collections.abc import Iterator

from helpers import course, steps
from helpers.account.things import Thing, look_at_mapping
from helpers.capstone import settings, system
from helpers.capstone.rows import Row
from helpers.capstone.system import System
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import client_for


@exercise
def check_role() -> Iterator[Point]:
    """Queues, table and role are there, and the role allows what is needed and nothing else."""
    name = course.name(course.CAPSTONE)
    built = see(system.look, lambda seen: bool(seen.role and settings.about_role(seen).right))
    wanted = {
        ("queue", name): built.queue,
        ("queue", f"{name}-dlq"): built.dead,
        ("table", course.name(course.REFUNDS_DONE)): built.done,
        ("role", f"{name}Role"): built.role,
    }
    if absent := [key for key, thing in wanted.items() if thing is None]:
        yield from (missing(*key) for key in absent)
        return
    lacking = settings.lacking(built)
    yield point(
        not lacking,
        "The role allows what the function cannot do without.",
        f"The function cannot do without {', '.join(lacking)}, and the role's policies do not name "
        "it on the thing that it is needed on.",
    )
    yield as_point(settings.about_role(built))
    yield from map(tagged, (thing for thing in wanted.values() if thing))


@exercise
def check_system() -> Iterator[Point]:
    """The function and its trigger are there, and connected with all that they need."""
    built = see(system.look, lambda seen: not seen.missing)
    name = course.name(course.CAPSTONE)
    if built.queue is None or built.function is None:
        kind = "function" if built.queue else "queue"
        yield missing(kind, name)
        return
    yield about_redrive(built, built.queue)
    yield about_variable(built)
    yield from about_trigger(built)
    yield tagged(built.function)


@exercise
def check_alarm() -> Iterator[Point]:
    """One message in the dead-letter queue raises the alarm."""
    built = see(system.look, lambda seen: settings.about_alarm(seen).right is True)
    yield as_point(settings.about_alarm(built))
    if built.alarm:
        yield tagged(built.alarm)


def as_point(row: Row) -> Point:
    return Point(row.right is True, row.sentence)


def about_redrive(built: System, queue: Thing) -> Point:
    """Whether what fails goes to the dead-letter queue of this name."""
    dead, target = f"{queue.name}-dlq", built.redrive.get("deadLetterTargetArn", "")
    wrong = f"The queue {queue.name} has no redrive policy: what fails comes back until it expires."
    if target:
        wrong = f"The queue {queue.name} gives up into {steps.queue_name(target)}, not into {dead}."
    is_right = built.dead is not None and target == built.dead.id
    return point(is_right, f"What is given up goes to {dead}.", wrong)


def about_variable(built: System) -> Point:
    """Whether the function knows the bank's table."""
    variables = built.configuration.get("Environment", {}).get("Variables", {})
    given, wanted = variables.get("PAYOUTS"), course.name(course.PAYOUTS)
    wrong = (
        f"The function {course.name(course.CAPSTONE)} has no variable PAYOUTS: set it, {wanted}."
    )
    if given is not None:
        wrong = f"PAYOUTS is {given!r}, and the bank's table is {wanted}."
    return point(given == wanted, "The function knows the bank's table.", wrong)


def about_trigger(built: System) -> Iterator[Point]:
    name = course.name(course.CAPSTONE)
    if built.trigger is None:
        yield Point(False, f"No trigger connects the queue {name} to the function {name} yet.")
        return
    is_on = built.trigger["State"] == "Enabled"
    yield point(is_on, "The trigger is on.", "The trigger is off. Enable it.")
    yield tagged(look_at_mapping(client_for("lambda"), built.trigger))
