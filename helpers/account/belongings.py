"""All that there is in the account under the course's names, and every trigger that is ours.

A log group is made by Lambda without a tag: it belongs to whom its function belongs, or the
function's role when the function is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from helpers.account import names
from helpers.account.names import Names, name
from helpers.account.things import (
    LOOK_AT,
    Thing,
    connects,
    ignore_missing,
    look_at_log_groups,
    look_at_mapping,
)
from helpers.clients import client_for
from helpers.logs import log_group


def find(wanted: Names | None = None) -> list[Thing]:
    """What there is under these names, by default under all that the course uses.

    With it come the triggers of these queues and functions; and, when all is wanted, each
    trigger that is ours.
    """
    of = wanted or names.EVERYTHING
    queues = find_queues(None if wanted is None else map(name, of.queues))
    functions = look_at_each("function", map(name, of.functions))
    roles = look_at_each("role", map(name, of.roles))
    tables = look_at_each("table", map(name, of.tables))
    stacks = look_at_each("stack", map(name, of.stacks))
    alarms = look_at_each("alarm", map(name, of.alarms))
    groups = find_log_groups(map(name, of.functions), functions, roles)
    ends = {name(each) for each in of.queues + of.functions} | {queue.name for queue in queues}
    triggers = find_triggers(ends, all_ours=wanted is None)
    return [*stacks, *triggers, *functions, *queues, *tables, *alarms, *roles, *groups]


def look_at_each(kind: str, wanted: Iterable[str]) -> list[Thing]:
    """The things of a kind that exist, of these full names."""
    service, look = LOOK_AT[kind]
    client = client_for(service)
    return [thing for each in wanted if (thing := look(client, each))]


def find_queues(wanted: Iterable[str] | None = None) -> list[Thing]:
    """The queues that exist, of these full names or of all that the course uses."""
    if wanted is None:
        wanted = [*map(name, names.EVERYTHING.queues), *broken_queues()]
    return look_at_each("queue", wanted)


def broken_queues() -> list[str]:
    """The names of notebook 12's queues that hold the time at which they were made."""
    prefix = f"{name(names.BREAK_IT)}-"
    urls = client_for("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    found = [url.rsplit("/", 1)[-1] for url in urls]
    return [each for each in found if each.removeprefix(prefix)[:1].isdigit()]


def find_triggers(ends: Iterable[str], all_ours: bool = False) -> list[Thing]:
    """The triggers of queues and functions with these full names.

    With `all_ours` also every other trigger that carries our tag. It takes one pass through
    the account's triggers, and a look at the tags of each that may be meant.
    """
    lambda_ = client_for("lambda")
    pages = lambda_.get_paginator("list_event_source_mappings").paginate()
    mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    alive = [mapping for mapping in mappings if mapping["State"] != "Deleting"]
    near = {mapping["UUID"] for mapping in alive if {*connects(mapping)} & {*ends}}
    meant = [each for each in mappings if all_ours or each["UUID"] in near]
    found = [ignore_missing(partial(look_at_mapping, lambda_, each)) for each in meant]
    return [thing for thing in found if thing and (thing.ours or thing.key in near)]


def find_log_groups(
    wanted: Iterable[str], functions: list[Thing], roles: list[Thing]
) -> list[Thing]:
    """The log groups of functions with these full names.

    `functions` and `roles` are those that exist. A log group without a tag of the course
    belongs to whom its function belongs or, when the function is gone, to whom the function's
    role belongs, unless that was adopted: then nobody knows who wrote there.
    """
    made = {role.name: role for role in roles if not role.adopted}
    owners: dict[str, Thing | None] = {each: made.get(role_of(each)) for each in wanted}
    owners |= {each.name: each for each in functions}
    groups = {log_group(each): owner for each, owner in owners.items()}
    if not groups:
        return []
    found = look_at_log_groups(client_for("logs"), groups)
    return [inherit(each, groups[each.name]) for each in found]


def role_of(function: str) -> str:
    """The role with which a function of the course runs: in exercises that of the seven steps."""
    return name(names.ROLE) if function.startswith(name("Practice")) else f"{function}Role"


def inherit(thing: Thing, owner: Thing | None) -> Thing:
    """The thing as that of its owner, unless a tag of its own says whose it is."""
    if owner is None or thing.owner is not None:
        return thing
    return replace(thing, ours=owner.ours, tags=owner.tags)
