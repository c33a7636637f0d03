"""The board of a class: what a learner reaches is shown there, if the learner joins.

Who joins sends to the board, from then on: which exercise was checked, whether it passed, the line
that said what is missing, and guesses. No code, no output, no name but the one that was given.
`leave()` ends it, and the board forgets this learner.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helpers.learning import record
from helpers.learning.writing import shortened

SETTING = "SQS_COURSE_BOARD"
NAME = "board.json"
PATIENCE_S = 3.0
MOST_WAITING = 100  # entries that were not sent yet; more are dropped, as the lesson goes on
KINDS = ("begin", "check", "guess", "question", "capstone")
FACTS = ("kind", "notebook", "name", "passed", "said", "guess", "right", "score")
# A class's board is near: a proxy that this computer uses for the Internet does not know it.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReached(ValueError):
    """The board cannot be joined; the message says why."""


@dataclass(frozen=True)
class Seat:
    """A place at a board: its address, the secret that this learner is known by, and the name."""

    address: str
    id: str
    name: str


class Sending:
    """What waits to be sent, and the seat that it is sent from."""

    seat: Seat | None = None
    waiting: queue.Queue[dict[str, Any]] = queue.Queue(MOST_WAITING)
    thread: threading.Thread | None = None


def join(address: str | None = None, name: str = "") -> Seat:
    """Take a seat at the board at `address`, or at the one that SQS_COURSE_BOARD names.

    Without a `name`, of at most 40 characters, the board chooses one, such as "amber heron". It
    holds for all notebooks of this learner until `leave`. Raises NotReached, in a sentence.
    """
    address = (address or os.environ.get(SETTING, "")).strip().rstrip("/")
    if urlsplit(address).scheme not in ("http", "https"):
        raise NotReached(
            f'The board\'s address is {address!r}; it must begin with "http://", as the instructor '
            "shows it."
        )
    answer = call("POST", f"{address}/people", {"name": shortened(name, 40)})
    seat = Seat(address, str(answer.get("id")), str(answer.get("name")))
    keep(seat)
    send_from(seat)
    return seat


def rejoin() -> Seat | None:
    """The seat that was taken in another notebook, or before the kernel was restarted."""
    path = file()
    if Sending.seat is None and path is not None:
        with suppress(OSError, ValueError, TypeError):
            send_from(Seat(**json.loads(path.read_text(encoding="utf-8"))))
    return Sending.seat


def leave() -> Seat | None:
    """Give the seat back; the board forgets what it saw. Returns the seat that was left, or None.

    Raises NotReached when the board did not hear of it; nothing more is sent to it all the same.
    """
    seat, Sending.seat = rejoin(), None
    path = file()
    if path is not None:
        path.unlink(missing_ok=True)
    if seat is not None:
        call("DELETE", f"{seat.address}/people/{seat.id}")
    return seat


def send_from(seat: Seat) -> None:
    """Send what is noted from now on, beside the cells and not in their way."""
    Sending.seat = seat
    if tell not in record.Kernel.watchers:
        record.Kernel.watchers.append(tell)
    if Sending.thread is None or not Sending.thread.is_alive():
        Sending.thread = threading.Thread(target=send_all, name="board", daemon=True)
        Sending.thread.start()


def tell(entry: dict[str, Any]) -> None:
    """Let an entry of the record be sent, if it is of a kind that the board shows."""
    if Sending.seat is not None and entry["kind"] in KINDS:
        with suppress(queue.Full):
            Sending.waiting.put_nowait({key: entry[key] for key in FACTS if key in entry})


def send_all() -> None:
    while True:
        entry, seat = Sending.waiting.get(), Sending.seat
        if seat is not None:
            with suppress(NotReached):  # a board that is closed is nothing that a lesson needs
                call("POST", f"{seat.address}/people/{seat.id}", entry)
        Sending.waiting.task_done()


def call(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The board's answer. Raises NotReached when there is none, or a refusal."""
    data = json.dumps(body, default=record.plain).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with OPENER.open(request, timeout=PATIENCE_S) as answer:
            said = json.loads(answer.read() or b"{}")
    except (OSError, ValueError) as error:
        raise NotReached(
            f"The board at {url.rsplit('/people', 1)[0]} does not answer: {error}."
        ) from None
    return said if isinstance(said, dict) else {}


def file() -> Path | None:
    """Where the seat is kept: beside the record, or nowhere when that is off."""
    beside = record.file()
    return beside.with_name(NAME) if beside else None


def keep(seat: Seat) -> None:
    """Keep the seat for other notebooks; where that cannot be written, for this kernel only."""
    path = file()
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(handle, "w", encoding="utf-8") as kept:
                json.dump(asdict(seat), kept)
