"""From log lines to invocations: what the evidence says, and what it does not say.

An environment handles one invocation at a time. So what a function prints belongs to the
invocation during which it was printed: after its START line, before its END or REPORT line,
in the same log stream. Lines with a request id of their own need no such reasoning. Where a
line fits two invocations, neither gets it and both are in doubt: better no answer than a
wrong one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any, Protocol, TypedDict, TypeGuard

import pandas as pd

from helpers.logs import Report, read_report, request_id_in

PLATFORM_KINDS = ("START", "END", "REPORT")
OUTCOMES = ("returned", "reported", "raised", "timed out", "exited", "unknown")
NOTE_KINDS = ("event", "answer", "raised", "timed out", "exited")
# The runtime client writes "[ERROR] ValueError: …" for an exception that nobody caught. What
# a function logs by itself as an error has a tab there, or in JSON the name of a logger.
RAISED = "[ERROR] "
TIMED_OUT = "Task timed out after "
EXITED = "Error: Runtime exited"
OWN_REQUEST_ID = re.compile(r"^(?:\S+ |RequestId: )([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ")

RECORD_TIMES = {
    *("SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"),
}

Place = tuple[int, int]  # a time in ns, and the place in the log among lines of that time
NEVER, FOREVER = (0, 0), (2**63, 0)


class Line(Protocol):
    """A row of a frame of log events."""

    time: pd.Timestamp
    kind: str
    message: str


class Record(TypedDict):
    """A record of an SQS event, as far as it is read here."""

    messageId: str
    body: str
    attributes: dict[str, str]


@dataclass
class Note:
    """What one line of a function tells: `kind` is one of NOTE_KINDS.

    An event has `records`; an answer has the message ids that it names, None for each entry
    that has no readable id.
    """

    kind: str
    request_id: str | None = None
    records: list[Record] = field(default_factory=list)
    named: list[str | None] = field(default_factory=list)


@dataclass
class Invocation:
    """One invocation, as far as the log shows it.

    `request_id` is None where an event was printed that belongs to no known invocation.
    """

    request_id: str | None
    environment: str
    started: pd.Timestamp | None = None
    ended: pd.Timestamp | None = None
    report: Report | None = None
    records: list[Record] = field(default_factory=list)
    answer: list[str | None] = field(default_factory=list)
    failure: str | None = None
    in_doubt: bool = False
    begins: Place | None = None
    finishes: Place | None = None

    @property
    def first_place(self) -> Place:
        """Where its first line stands, as far as the log shows it."""
        return self.begins or self.finishes or NEVER

    def outcome(self, message_id: str) -> str:
        """How the delivery of a message ended: one of OUTCOMES."""
        status = self.report["status"] if self.report else None
        if status == "timeout" or self.failure == "timed out":
            return "timed out"
        if self.failure:
            return self.failure
        if self.in_doubt:
            return "unknown"
        if status:
            return "exited"
        if self.report is None:
            return "unknown"
        return "reported" if self.is_reported(message_id) else "returned"

    def is_reported(self, message_id: str) -> bool:
        """Whether the answer names a message. An answer that AWS cannot read names all."""
        return message_id in self.answer or not self.message_ids().issuperset(self.answer)

    def message_ids(self) -> set[str]:
        return {record["messageId"] for record in self.records}


def read_invocations(events: pd.DataFrame) -> list[Invocation]:
    """The invocations in a frame of log events, as `helpers.logs.read_events` returns it.

    The rows may be in any order, and may be there more than once: equal lines of an
    environment in the same millisecond count as one.
    """
    unique = events.drop_duplicates(["time", "stream", "message"])
    lines = unique.sort_values("time", kind="stable")
    found: list[Invocation] = []
    for stream, of_stream in lines.groupby("stream", sort=False):
        found += read_stream(str(stream), list(of_stream.itertuples(index=False)))
    return found


def read_stream(stream: str, lines: list[Line]) -> list[Invocation]:
    """The invocations of one environment, and events that belong to none of them.

    Lines of the same millisecond are taken in the order given, unless that cannot be the
    order in which they were written.
    """
    notes = [
        (number, note)
        for number, line in enumerate(lines)
        if line.kind == "" and (note := read_note(line.message))
    ]
    if is_in_order(lines):
        places = [(line.time.value, number) for number, line in enumerate(lines)]
        found = put_together(stream, lines, places, notes)
        if not any(each.in_doubt for each in found):
            return found
    return put_together(stream, lines, [(line.time.value, 0) for line in lines], notes)


def put_together(
    stream: str, lines: list[Line], places: list[Place], notes: list[tuple[int, Note]]
) -> list[Invocation]:
    found = platform_invocations(stream, lines, places)
    windows = Windows(found)
    owned = [
        (note, [found[note.request_id]] if note.request_id in found else windows.at(places[number]))
        for number, note in notes
    ]
    clear_ones_first = sorted(owned, key=lambda pair: len(pair[1]))
    lost = [take_note(note, owners, stream) for note, owners in clear_ones_first]
    return [*found.values(), *(each for each in lost if each)]


def is_in_order(lines: list[Line]) -> bool:
    """Whether lines of the same millisecond are in the order in which they were written.

    Then all lines of an invocation stand together, and its START line comes first.
    """
    platform = [
        (request_id_in(line.message), line.kind) for line in lines if line.kind in PLATFORM_KINDS
    ]
    seen: set[str] = set()
    for request_id, group in groupby(platform, key=lambda line: line[0]):
        kinds = [PLATFORM_KINDS.index(kind) for _, kind in group]
        if request_id in seen or kinds != sorted(kinds):
            return False
        seen.add(request_id)
    return True


def platform_invocations(
    stream: str, lines: list[Line], places: list[Place]
) -> dict[str, Invocation]:
    found: dict[str, Invocation] = {}
    for place, line in zip(places, lines, strict=True):
        if line.kind not in PLATFORM_KINDS:
            continue
        request_id = request_id_in(line.message)
        invocation = found.setdefault(request_id, Invocation(request_id, stream))
        if line.kind == "START":
            invocation.started, invocation.begins = line.time, place
        else:
            invocation.ended = invocation.ended or line.time
            invocation.finishes = max(invocation.finishes or place, place)
        if line.kind == "REPORT":
            invocation.report = read_report(line.message)
    return found


class Windows:
    """Which invocation of an environment was running at which place in its log."""

    def __init__(self, found: dict[str, Invocation]) -> None:
        self._all = sorted(found.values(), key=lambda each: each.first_place)
        self._begins: list[Place] = []
        self._ends: list[Place] = []
        for each, later in zip_longest(self._all, self._all[1:]):
            before = self._ends[-1] if self._ends else NEVER
            following = later.first_place if later else FOREVER
            self._begins.append(each.begins or before)
            self._ends.append(max(each.finishes or following, before))

    def at(self, place: Place) -> list[Invocation]:
        """The invocations that were running there; two if they touch each other there."""
        first, last = bisect_left(self._ends, place), bisect_right(self._begins, place)
        if first >= last:
            first = bisect_left(self._ends, place[0], key=itemgetter(0))
            last = bisect_right(self._begins, place[0], key=itemgetter(0))
        return self._all[first:last]


def take_note(note: Note, owners: list[Invocation], stream: str) -> Invocation | None:
    """Give a note to its invocation; returns one for an event whose invocation is unknown."""
    if len(owners) > 1:
        likely = [each for each in owners if may_own(each, note)]
        owners = likely if likely or note.kind == "event" else owners
    if len(owners) == 1 and keep_note(owners[0], note):
        return None
    for each in owners:
        each.in_doubt = True
    return Invocation(None, stream, records=note.records) if note.kind == "event" else None


def may_own(invocation: Invocation, note: Note) -> bool:
    """Whether a line can be of an invocation, by what else is known of it."""
    if note.kind == "event":
        return not invocation.records
    return note.kind != "answer" or not invocation.message_ids().isdisjoint(note.named)


def keep_note(owner: Invocation, note: Note) -> bool:
    """Keep what a line tells about its invocation. False for a second, different event."""
    if note.kind == "event":
        if owner.records and owner.records != note.records:
            return False
        owner.records = note.records
    elif note.kind == "answer":
        owner.answer = note.named
    else:
        owner.failure = note.kind
    return True


def read_note(text: str) -> Note | None:
    """What a line of a function tells about its invocation; None for most lines."""
    if text.startswith(RAISED):
        return Note("raised")
    if text.startswith("{"):
        return read_json_note(text)
    for words, kind in ((TIMED_OUT, "timed out"), (EXITED, "exited")):
        if words in text and (found := OWN_REQUEST_ID.match(text)):
            return Note(kind, request_id=found[1])
    return None


def read_json_note(text: str) -> Note | None:
    """What a line of JSON tells: the event, the answer, or an error of the JSON log format."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    request_id = line.get("requestId")
    if line.get("level") == "ERROR" and "errorType" in line and "logger" not in line:
        return Note("raised", request_id=request_id)
    if "level" in line and isinstance(line.get("message"), str):
        inner = read_json_note(line["message"]) if line["message"].startswith("{") else None
        return replace(inner, request_id=request_id) if inner else None
    if isinstance(line.get("Records"), list):
        records = list(filter(is_record, line["Records"]))
        return Note("event", records=records) if records else None
    failures = line.get("batchItemFailures")
    if failures and isinstance(failures, list):
        return Note("answer", named=named_in(failures))
    return None


def is_record(thing: Any) -> TypeGuard[Record]:
    """Whether this is a record of an SQS event, and nothing that a function made up."""
    if not isinstance(thing, dict) or not isinstance(thing.get("attributes"), dict):
        return False
    return {"messageId", "body"} <= thing.keys() and thing["attributes"].keys() >= RECORD_TIMES


def named_in(failures: list[Any]) -> list[str | None]:
    """The message ids in an answer; None for each entry that has no readable id."""
    names = [each.get("itemIdentifier") if isinstance(each, dict) else None for each in failures]
    return [name if isinstance(name, str) else None for name in names]
