"""A queue, a function and a trigger between them, built for one question and watched."""

from helpers.experiments.building import build
from helpers.experiments.changes import allow, deploy, switch
from helpers.experiments.emptying import drain, empty_queue, empty_table
from helpers.experiments.experiment import Experiment
from helpers.experiments.live import watch
from helpers.experiments.sending import send
from helpers.experiments.settling import (
    own_lines,
    send_and_settle,
    settle,
    wait_for_deliveries,
)

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
