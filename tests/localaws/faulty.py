"""A local AWS in which anything may fail: `python -m tests.localaws.faulty run …`.

While the file "storm" is in its folder, functions of the server raise instead of doing what
they are for, now and then and at random. FAULT_SEED makes the dice fall alike.
"""

from __future__ import annotations

import functools
import os
import random
import sys
from collections.abc import Callable
from typing import Any

from helpers.localaws.front import server  # isort: skip  # moto is imported after its settings
from helpers.localaws import lifecycle
from helpers.localaws.__main__ import main
from helpers.localaws.logs import stream as logs
from helpers.localaws.permissions import execution_roles
from helpers.localaws.permissions.roles import Role
from helpers.localaws.queues.message_store import MessageStore
from helpers.localaws.runtime import environment, packages, raw_output, worker_process
from helpers.localaws.triggers import poller

CHANCE = 0.01
PLACES = [
    (logs.LogStream, "begin"),
    (logs.LogStream, "_line"),  # what a handler prints
    (logs.LogStream, "event"),  # START, END and REPORT
    (logs.LogStream, "tail"),
    (raw_output.RawOutput, "up_to"),
    (raw_output.RawOutput, "for_worker"),
    (worker_process.WorkerProcess, "__init__"),
    (environment.Environment, "_make_ready"),
    (packages.Packages, "borrow"),
    (execution_roles, "role_credentials"),
    (Role, "refusal"),  # each check of a role
    (poller, "make_record"),
    (poller, "make_event"),
    (poller, "failed_ids"),
    (poller.ThreadPoolExecutor, "submit"),
    (poller.Poller, "_process_part"),
    (MessageStore, "_bury"),
    (MessageStore, "add"),
    (MessageStore, "counts"),
    (MessageStore, "delete"),
    (MessageStore, "receive"),
]


class Fault(RuntimeError):
    """Nothing is wrong but that this was raised."""


def install() -> None:
    dice = random.Random(os.environ["FAULT_SEED"])
    storm = lifecycle.folder() / "storm"
    for owner, name in PLACES:
        setattr(owner, name, failing(getattr(owner, name), dice, storm.exists))


def failing(function: Callable, dice: random.Random, stormy: Callable[[], bool]) -> Callable:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if dice.random() < CHANCE and stormy():
            raise Fault(function.__qualname__)
        return function(*arguments, **named)

    return call


if __name__ == "__main__":
    assert server
    install()
    sys.exit(main())
