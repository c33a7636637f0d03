"""The log stream of an execution environment: which text becomes which log event.

What a function prints: scenarios LS-047 to LS-049.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from moto.logs.models import logs_backends

from helpers.localaws.metrics.recording import record_lines

TAIL_BYTES = 4096  # of LogType=Tail
MAX_EVENT_BYTES = 1_048_576  # PutLogEvents in the CloudWatch Logs API reference


class Logged(Protocol):
    """What a log stream must know of the function that it is for."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def log_group(self) -> str: ...


class LogStream:
    """The log stream of one execution environment.

    `may_write()` is asked once for each invocation, because Lambda writes with the
    permissions of the function's role: a role without `logs:*` leaves no logs, and nobody
    is told.
    """

    def __init__(self, function: Logged, may_write: Callable[[], bool]) -> None:
        self.group = function.log_group
        self.name = stream_name(function)
        self._account, self._region = function.account, function.region
        self._backend = logs_backends[function.account][function.region]
        self._ask = may_write
        self._may_write = False
        self._rest = b""
        self._tail = b""

    def begin(self) -> None:
        """An invocation begins."""
        self._may_write = self._ask()
        self.start_tail()

    def event(self, text: str) -> None:
        """One log event, whatever lines it has."""
        line = text if text.endswith("\n") else text + "\n"
        self._tail = (self._tail + line.encode())[-TAIL_BYTES:]
        if self._may_write:
            self._backend.write(self.group, self.name, text)
            record_lines(self._account, self._region, [text])

    def printed(self, data: bytes) -> None:
        """What a function printed: an event for each line that is complete and not blank."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line:
                self._line(line, "\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            self.end_of_print()

    def _line(self, line: bytes, end: str) -> None:
        """An event; several of them if the line is too long for one."""
        while len(line) > MAX_EVENT_BYTES:
            self.event(as_text(line[:MAX_EVENT_BYTES]))
            line = line[MAX_EVENT_BYTES:]
        self.event(as_text(line) + end)

    def end_of_print(self) -> None:
        """Write what was printed without a newline at its end."""
        rest, self._rest = self._rest, b""
        if rest:
            self._line(rest, "")

    def start_tail(self) -> None:
        self._tail = b""

    def tail(self) -> bytes:
        """The last 4 KB of the log since `start_tail()`."""
        return self._tail


def as_text(printed: bytes) -> str:
    return printed.decode("utf-8", "backslashreplace")


def stream_name(function: Logged) -> str:
    """The name of a new log stream; in a group of one's own it begins with the function."""
    own = function.name if function.log_group != f"/aws/lambda/{function.name}" else ""
    return f"{datetime.now(UTC):%Y/%m/%d}/{own}[{function.version}]{uuid.uuid4().hex}"
