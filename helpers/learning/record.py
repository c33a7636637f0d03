"""What a learner did, noted in a file of their own: one line of JSON for each thing.

The file lies beside the learner's copies, in `my_course/`, which no update of the course touches;
where that cannot be written, in the folder that the system has for a user's data. The setting
SQS_COURSE_RECORD names another file, or is "off". Nothing of it leaves the computer, unless the
learner joins the board of a class.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout
from platformdirs import user_data_path

SETTING = "SQS_COURSE_RECORD"
OFF = "off"
NAME = "record.jsonl"
MY_COURSE = Path(__file__).resolve().parents[2] / "my_course"
LOCK_S = 1.0  # a cell waits no longer for other kernels: a line is one write in any case


class Kernel:
    """What this process knows: the notebook it runs, and whether it has said what is wrong.

    `watchers` are told of each entry, too.
    """

    notebook: str | None = None
    complained = False
    watchers: ClassVar[list[Callable[[dict[str, Any]], None]]] = []


def current() -> str | None:
    """The notebook whose first cell ran last in this kernel, such as "04_add_trigger"."""
    return Kernel.notebook


def begin(notebook: str) -> None:
    """From now on what this kernel notes belongs to this notebook."""
    Kernel.notebook = notebook
    note("begin", notebook)


def note(kind: str, name: str, **facts: Any) -> None:
    """Add a line to the record. Never raises: what cannot be kept must not stop a cell.

    `kind` is "begin", "check", "guess", "question", "hint" or "capstone"; `name` says which of
    them in this notebook. A fact that JSON does not know is kept as its text.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = {**facts, "at": at, "notebook": current(), "kind": kind, "name": name}
    for watcher in Kernel.watchers:
        watcher(entry)
    path = file()
    if path is None:
        return
    try:
        append(path, json.dumps(entry, default=plain, skipkeys=True))
    except (OSError, ValueError, RecursionError) as error:
        complain(path, error)


def entries(kind: str | None = None, notebook: str | None = None) -> list[dict[str, Any]]:
    """What was noted, in its order; of one kind or notebook only, when named.

    A damaged line is passed over. Without a record, or without a right to read it: [].
    """
    path = file()
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError:
        text = ""
    whole = [entry for entry in map(read_line, text.split("\n")) if entry]
    return [
        entry
        for entry in whole
        if kind in (None, entry["kind"]) and notebook in (None, entry["notebook"])
    ]


def file() -> Path | None:
    """Where the record is, or None when it is off."""
    setting = os.environ.get(SETTING, "").strip()
    if setting.lower() == OFF:
        return None
    if setting:
        return Path(setting).expanduser()
    at_home = user_data_path("sqs-lambda-course", appauthor=False) / NAME
    return MY_COURSE / NAME if can_write_beside_the_copies() else at_home


def can_write_beside_the_copies() -> bool:
    place = MY_COURSE if MY_COURSE.exists() else MY_COURSE.parent
    return os.access(place, os.W_OK)


def append(path: Path, line: str) -> None:
    """Add a line with one write, behind a line that was cut off if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S)
    with suppress(Timeout, NotImplementedError):  # a file system may know no locks
        lock.acquire()
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "ab+", buffering=0) as record:
            start = b"" if ends_with_a_line(record) else b"\n"
            record.write(start + line.encode() + b"\n")
    finally:
        lock.release()


def ends_with_a_line(record: Any) -> bool:
    if record.seek(0, os.SEEK_END) == 0:
        return True
    record.seek(-1, os.SEEK_END)
    return bool(record.read(1) == b"\n")


def read_line(line: str) -> dict[str, Any] | None:
    """An entry, or None for a line that is none."""
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["at"])
        whole = isinstance(entry["kind"], str) and isinstance(entry["name"], str)
        return entry if whole and "notebook" in entry and at.tzinfo else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def plain(value: Any) -> Any:
    """What JSON takes for a value that it does not know: a number of numpy's, or its text."""
    with suppress(AttributeError, ValueError, TypeError):
        return value.item()
    return str(value)


def complain(path: Path, error: Exception) -> None:
    """Say once in a kernel that the record cannot be kept."""
    if not Kernel.complained:
        Kernel.complained = True
        print(
            f"Your progress is not kept: {path} cannot be written ({error}). Everything else "
            f"works. {SETTING} may name another file, or be {OFF!r}.",
            file=sys.stderr,
        )
