"""What Lambda writes to CloudWatch Logs: the platform's lines and the function's own.

Line formats: scenarios LS-046 to LS-049; the `Status` fields of REPORT and INIT_REPORT, and
the JSON format: "Monitor, debug and troubleshoot Lambda functions" in the Lambda Developer
Guide.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.logs.models import logs_backends

TAIL_BYTES = 4096  # of LogType=Tail
MAX_EVENT_BYTES = 1_048_576  # PutLogEvents in the CloudWatch Logs API reference
SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")


class LogStream:
    """The log stream of one execution environment.

    `may_write()` is asked once for each invocation, because Lambda writes with the
    permissions of the function's role: a role without `logs:*` leaves no logs, and nobody
    is told.
    """

    def __init__(self, function: Any, may_write: Callable[[], bool]) -> None:
        self.group = function.log_group
        self.name = stream_name(function)
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


class TextPlatform:
    """The platform's lines in the Text format (LS-035, LS-046)."""

    def __init__(self, stream: LogStream, function: Any) -> None:
        self._stream = stream
        self._function = function

    def init_start(self) -> None:
        version, arn = runtime_version(self._function)
        self._stream.event(f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")

    def init_report(
        self, duration_ms: float, phase: str, status: str, error_type: str | None
    ) -> None:
        error = f"\tError Type: {error_type}" if error_type else ""
        self._stream.event(
            f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}"
            f"\tStatus: {status}{error}\n"
        )

    def start(self, request_id: str) -> None:
        self._stream.event(f"START RequestId: {request_id} Version: {self._function.version}\n")

    def end(self, request_id: str) -> None:
        self._stream.event(f"END RequestId: {request_id}\n")

    def report(
        self,
        request_id: str,
        duration_ms: float,
        used_mb: int,
        init_ms: float | None = None,
        status: str | None = None,
        error_type: str | None = None,
    ) -> None:
        """The REPORT line. Durations in ms, memory in MB; `init_ms` only after a cold start."""
        fields = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed_ms(duration_ms, init_ms)} ms",
            f"Memory Size: {self._function.memory_mb} MB",
            f"Max Memory Used: {used_mb} MB",
        ]
        if init_ms is not None:
            fields.append(f"Init Duration: {init_ms:.2f} ms")
        fields.append(f"Status: {status}" if status else "")
        if error_type:
            fields.append(f"Error Type: {error_type}")
        self._stream.event("\t".join(fields) + "\n")


class JsonPlatform:
    """The platform's lines in the JSON format, as far as the system log level lets them through.

    Which line has which level: "Log level filtering" in the Lambda Developer Guide. There is
    none for the end of an invocation.
    """

    def __init__(self, stream: LogStream, function: Any) -> None:
        self._stream = stream
        self._function = function
        self._least = SYSTEM_LEVELS.index(function.logging_config["SystemLogLevel"])
        day, number = stream.name.rpartition("/")[0], stream.name.rpartition("]")[2]
        self._instance_id = f"{day}/{function.name}[{function.version}]{number}"

    def _event(self, level: str, kind: str, record: dict[str, Any]) -> None:
        if SYSTEM_LEVELS.index(level) >= self._least:
            time = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
            line = {"time": time, "type": f"platform.{kind}", "record": record}
            self._stream.event(json.dumps(line, separators=(",", ":")))

    def init_start(self) -> None:
        version, arn = runtime_version(self._function)
        self._event(
            "INFO",
            "initStart",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": version,
                "runtimeVersionArn": arn,
                "functionName": self._function.name,
                "functionVersion": self._function.version,
                "instanceId": self._instance_id,
                "instanceMaxMemory": self._function.memory_mb * 2**20,
            },
        )

    def init_report(
        self, duration_ms: float, phase: str, status: str, error_type: str | None
    ) -> None:
        record = {"initializationType": "on-demand", "phase": phase, "status": status}
        if error_type:
            record["errorType"] = error_type
        metrics = {"durationMs": round(duration_ms, 3)}
        self._event("WARN", "initReport", {**record, "metrics": metrics})

    def start(self, request_id: str) -> None:
        record = {
            "requestId": request_id,
            "functionArn": self._function.unqualified_arn,
            "version": self._function.version,
        }
        self._event("INFO", "start", record)

    def end(self, request_id: str) -> None:
        pass

    def report(
        self,
        request_id: str,
        duration_ms: float,
        used_mb: int,
        init_ms: float | None = None,
        status: str | None = None,
        error_type: str | None = None,
    ) -> None:
        """The report of an invocation. Durations in ms, memory in MB."""
        metrics: dict[str, Any] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed_ms(duration_ms, init_ms),
            "memorySizeMB": self._function.memory_mb,
            "maxMemoryUsedMB": used_mb,
        }
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
        record = {"requestId": request_id, "metrics": metrics, "status": status or "success"}
        if error_type:
            record["errorType"] = error_type
        self._event("WARN" if status else "INFO", "report", record)


def platform(stream: LogStream, function: Any) -> TextPlatform | JsonPlatform:
    """What writes the platform's lines of a function, in the format that it asks for."""
    is_json = function.logging_config.get("LogFormat") == "JSON"
    return JsonPlatform(stream, function) if is_json else TextPlatform(stream, function)


def as_text(printed: bytes) -> str:
    return printed.decode("utf-8", "backslashreplace")


def stream_name(function: Any) -> str:
    """The name of a new log stream; in a group of one's own it begins with the function."""
    own = function.name if function.log_group != f"/aws/lambda/{function.name}" else ""
    return f"{datetime.now(UTC):%Y/%m/%d}/{own}[{function.version}]{uuid.uuid4().hex}"


def runtime_version(function: Any) -> tuple[str, str]:
    version = function.runtime.replace("python", "python:") + ".v1"
    number = uuid.uuid5(uuid.NAMESPACE_DNS, function.runtime).hex * 2
    return version, f"arn:aws:lambda:{function.region}::runtime:{number}"


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    return math.ceil(duration_ms + (init_ms or 0))
