"""What this notebook has asked of AWS since its first cell, counted where boto3 sends it.

Only what the clients of boto3's default session ask is seen. What a handler asks, and what a
trigger asks its queue, nobody sees from here.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import boto3

from helpers.account.things import connects
from helpers.logs import answered_ms
from helpers.meter import sizes

Amounts = defaultdict[str, float]  # by kind; of direct calls by the function's name

FIFO = ".fifo"
ASKED = "course-meter"  # where a call's parameters wait for its answer
# Whether a trigger is on after a call that does not say so; None: as before.
SWITCHES = {
    "CreateEventSourceMapping": True,
    "UpdateEventSourceMapping": None,
    "DeleteEventSourceMapping": False,
}
# A trigger that a stack made is known when a cell asks for it: by its UUID, or its function.
LOOKS = ("GetEventSourceMapping", "ListEventSourceMappings")


@dataclass
class Trigger:
    """How long a trigger has been on since the count began, in s; `since` when it is on."""

    function: str
    queue: str
    on_s: float = 0.0
    since: float | None = None


class Calls:
    """Counts calls by kind. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was counted. The first answer from now on tells AWS's time."""
        with self._lock:
            self._began = time.monotonic()
            self._began_ms: int | None = None
            self._amounts: Amounts = defaultdict(float)
            self._triggers: dict[str, Trigger] = {}
            self._seen_on: dict[str, Trigger] = {}
            self._ended: set[str] = set()  # queries of the logs whose end was seen

    def listen(self) -> None:
        """Count from now on what clients ask that boto3's default session makes from now on."""
        if boto3.DEFAULT_SESSION is None:
            boto3.setup_default_session()
        events = boto3.DEFAULT_SESSION.events
        events.register("before-parameter-build", self._asked, unique_id=f"{ASKED}-asked")
        events.register("after-call", self._answered, unique_id=f"{ASKED}-answered")

    def _asked(self, params: sizes.Fields, context: sizes.Fields, **_others: Any) -> None:
        context[ASKED] = params

    def _answered(
        self, parsed: sizes.Fields, model: Any, context: sizes.Fields, **_others: Any
    ) -> None:
        asked = context.get(ASKED, {})
        service, operation = model.service_model.service_name, model.name
        with self._lock:
            if self._began_ms is None:
                self._began_ms = time_of(parsed)
            if service == "sqs":
                fifo = str(asked.get("QueueUrl", "")).endswith(FIFO)
                self._amounts["SQS FIFO" if fifo else "SQS"] += sizes.chunks(asked, parsed)
            elif service == "dynamodb":
                self._amounts["writes"] += sizes.writes(operation, asked)
                self._amounts["reads"] += sizes.reads(operation, asked, parsed)
            elif service in ("cloudwatch", "logs"):
                self._watched(operation, asked, parsed)
            elif operation == "Invoke":
                self._amounts[function_in(asked["FunctionName"])] += 1
            elif service == "lambda" and operation in SWITCHES and "FunctionArn" in parsed:
                self._switch(parsed, SWITCHES[operation], asked.get("Enabled"))
            elif service == "lambda" and operation in LOOKS and asked:
                self._see(parsed.get("EventSourceMappings", [parsed]))

    def _watched(self, operation: str, asked: sizes.Fields, answer: sizes.Fields) -> None:
        self._amounts["metrics read"] += sizes.metrics_read(operation, asked)
        self._amounts["alarms"] += operation == "PutMetricAlarm"
        if operation == "GetQueryResults" and answer.get("status") == "Complete":
            if asked["queryId"] not in self._ended:  # an answer may be asked for again
                self._amounts["scanned"] += answer["statistics"]["bytesScanned"]
            self._ended.add(asked["queryId"])

    def _switch(self, mapping: sizes.Fields, usual: bool | None, asked: bool | None) -> None:
        on = usual if asked is None else asked
        if on is None:  # an update that leaves it as it is
            return
        now = time.monotonic()
        if mapping["UUID"] not in self._triggers:
            found = self._triggers[mapping["UUID"]] = make_trigger(mapping)
            # One that is not new may have been on before: nobody tells.
            found.since = None if on or usual else self._began
        trigger = self._triggers[mapping["UUID"]]
        if trigger.since is not None:
            trigger.on_s += now - trigger.since
        trigger.since = now if on else None

    def _see(self, mappings: list[sizes.Fields]) -> None:
        """Nobody tells since when a trigger has been on: at most since the count began."""
        for mapping in mappings:
            if mapping.get("State") == "Enabled":
                found = self._seen_on[mapping["UUID"]] = make_trigger(mapping)
                found.on_s = time.monotonic() - self._began

    def look(self) -> tuple[Amounts, int | None, float]:
        """The amounts; when the count began by AWS's clock, ms since the epoch; s since then."""
        with self._lock:
            return self._amounts.copy(), self._began_ms, time.monotonic() - self._began

    def triggers(self, on_now: dict[str, Trigger]) -> list[Trigger]:
        """How long each trigger was on. `on_now`: those that are on, by UUID; one that was not
        switched since the count began has been on since then. One that is neither, for its stack
        is deleted, was on until it was last seen so."""
        now = time.monotonic()
        with self._lock:
            found = {uuid: replace(each) for uuid, each in self._triggers.items()}
            for uuid, each in on_now.items():
                found.setdefault(uuid, replace(each, since=self._began))
            for uuid, each in self._seen_on.items():
                found.setdefault(uuid, replace(each))
        for each in found.values():
            if each.since is not None:
                each.on_s, each.since = each.on_s + now - each.since, None
        return list(found.values())


def make_trigger(mapping: sizes.Fields) -> Trigger:
    queue, function = connects(mapping)
    return Trigger(function, queue)


def function_in(name: str) -> str:
    """The function's name in what an Invoke may call it by: a name or an ARN, with a version."""
    return name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]


def time_of(answer: sizes.Fields) -> int:
    """AWS's time of an answer, ms since the epoch; that of this computer where none is told."""
    try:
        return answered_ms(answer)
    except (KeyError, ValueError):
        return int(time.time() * 1000)


CALLS = Calls()
