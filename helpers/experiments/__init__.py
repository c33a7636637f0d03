"""A queue, a function and a trigger between them, built for one question and watched."""

from helpers.experiments.experiment import (
    Experiment,
    allow,
    build,
    deploy,
    drain,
    empty_queue,
    empty_table,
    own_lines,
    send,
    send_and_settle,
    settle,
    switch,
    wait_for_deliveries,
)
from helpers.experiments.live import watch

__all__ = [
    "Experiment",
    "allow",
    "build",
    "deploy",
    "drain",
    "empty_queue",
    "empty_table",
    "own_lines",
    "send",
    "send_and_settle",
    "settle",
    "switch",
    "wait_for_deliveries",
    "watch",
]
