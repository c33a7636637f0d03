"""What happened to messages, read from log lines and queues."""

from helpers.evidence.journey import follow
from helpers.evidence.recorder import (
    cost_per_million,
    deliveries,
    fates,
    invocations,
    read_dead_letters,
    running,
    worker_deliveries,
)

__all__ = [
    "cost_per_million",
    "deliveries",
    "fates",
    "follow",
    "invocations",
    "read_dead_letters",
    "running",
    "worker_deliveries",
]
