"""The types of resources that a stack can have: how each is made, changed and deleted."""

from __future__ import annotations

from helpers.localaws.stacks.kinds import (
    alarms,
    buckets,
    functions,
    logs,
    queues,
    roles,
    tables,
    topics,
)
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted

__all__ = ["KINDS", "Kind", "Made", "Wanted"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for module in (alarms, buckets, functions, logs, queues, roles, tables, topics)
    for kind in module.KINDS
}
