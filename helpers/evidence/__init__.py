"""What happened to messages, read from log lines and queues."""

from helpers.evidence.costs import cost_per_million
from helpers.evidence.dead_letters import read_dead_letters
from helpers.evidence.delivery_table import deliveries, worker_deliveries
from helpers.evidence.fate_table import fates
from helpers.evidence.invocation_table import invocations, running
from helpers.evidence.journey import follow, lines_of_call

__all__ = [
    "cost_per_million",
    "deliveries",
    "fates",
    "follow",
    "invocations",
    "lines_of_call",
    "read_dead_letters",
    "running",
    "worker_deliveries",
]
