"""What Lambda writes to CloudWatch Logs: the platform's lines and the function's own.

Line formats: scenarios LS-046 to LS-049; the `Status` fields of REPORT and INIT_REPORT:
"Monitor, debug and troubleshoot Lambda functions" in the Lambda Developer Guide.
"""

from __future__ import annotations

import math
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.logs.models import logs_backends

from helpers.localaws.messages import now_ms

TAIL_BYTES = 4096  # of LogType=Tail


class LogStream:
    """The log stream of one execution environment.

    `may_write()` is asked before each event, because Lambda writes with the permissions of
    the function's role: a role without `logs:*` leaves no logs, and nobody is told.
    """

    def __init__(self, account: str, region: str, group: str, version: str, may_write: Any) -> None:
        self.group = group
        today = datetime.now(UTC)
        self.name = f"{today:%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"
        self._backend = logs_backends[account][region]
        self._may_write = may_write
        self._lock = threading.Lock()
        self._rest = ""
        self._tail: list[str] = []

    def event(self, text: str) -> None:
        """One log event, whatever lines it has."""
        self._tail.append(text if text.endswith("\n") else text + "\n")
        if not self._may_write():
            return
        with self._lock:
            self._backend.ensure_log_group(self.group)
            self._backend.ensure_log_stream(self.group, self.name)
            self._backend.put_log_events(
                self.group, self.name, [{"timestamp": now_ms(), "message": text}]
            )

    def printed(self, text: str) -> None:
        """What a function printed: an event for each line that is complete and not blank."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line:
                self.event(line + "\n")

    def end_of_print(self) -> None:
        """Write what was printed without a newline at its end."""
        rest, self._rest = self._rest, ""
        if rest:
            self.event(rest)

    def start_tail(self) -> None:
        self._tail = []

    def tail(self) -> bytes:
        """The last 4 KB of the log since `start_tail()`."""
        return "".join(self._tail).encode()[-TAIL_BYTES:]


def init_start(runtime: str, region: str) -> str:
    version = runtime.replace("python", "python:")
    arn = f"arn:aws:lambda:{region}::runtime:{uuid.uuid5(uuid.NAMESPACE_DNS, runtime).hex * 2}"
    return f"INIT_START Runtime Version: {version}.v1\tRuntime Version ARN: {arn}\n"


def init_report(duration_ms: float, phase: str, status: str, error_type: str | None) -> str:
    error = f"\tError Type: {error_type}" if error_type else ""
    return (
        f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}"
        f"\tStatus: {status}{error}\n"
    )


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}\n"


def report(
    request_id: str,
    duration_ms: float,
    memory_mb: int,
    used_mb: int,
    init_ms: float | None = None,
    status: str | None = None,
    error_type: str | None = None,
) -> str:
    """The REPORT line. Durations in ms, memory in MB; `init_ms` only after a cold start."""
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {math.ceil(duration_ms + (init_ms or 0))} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {used_mb} MB",
    ]
    if init_ms is not None:
        fields.append(f"Init Duration: {init_ms:.2f} ms")
    fields.append(f"Status: {status}" if status else "")
    if error_type:
        fields.append(f"Error Type: {error_type}")
    return "\t".join(fields) + "\n"
