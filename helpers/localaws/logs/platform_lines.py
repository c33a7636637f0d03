"""What Lambda itself writes into a function's log: INIT_START, START, END, REPORT.

Line formats: scenarios LS-035 and LS-046; the `Status` fields of REPORT and INIT_REPORT, and
the JSON format: "Monitor, debug and troubleshoot Lambda functions" in the Lambda Developer
Guide.
"""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from helpers.localaws.common import arns
from helpers.localaws.logs.stream import Logged, LogStream

SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")


class Reported(Logged, Protocol):
    """What the platform's lines say of a function."""

    @property
    def unqualified_arn(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def logging_config(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Report:
    """How an invocation went. Durations in ms, memory in MB; `init_ms` only after a cold start."""

    request_id: str
    duration_ms: float
    used_mb: int
    init_ms: float | None = None
    status: str | None = None
    error_type: str | None = None

    @property
    def billed_ms(self) -> int:
        return math.ceil(self.duration_ms + (self.init_ms or 0))


class TextPlatform:
    """The platform's lines in the Text format (LS-035, LS-046)."""

    def __init__(self, stream: LogStream, function: Reported) -> None:
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

    def report(self, report: Report) -> None:
        fields = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration_ms:.2f} ms",
            f"Billed Duration: {report.billed_ms} ms",
            f"Memory Size: {self._function.memory_mb} MB",
            f"Max Memory Used: {report.used_mb} MB",
        ]
        if report.init_ms is not None:
            fields.append(f"Init Duration: {report.init_ms:.2f} ms")
        fields.append(f"Status: {report.status}" if report.status else "")
        if report.error_type:
            fields.append(f"Error Type: {report.error_type}")
        self._stream.event("\t".join(fields) + "\n")


class JsonPlatform:
    """The platform's lines in the JSON format, as far as the system log level lets them through.

    Which line has which level: "Log level filtering" in the Lambda Developer Guide. There is
    none for the end of an invocation.
    """

    def __init__(self, stream: LogStream, function: Reported) -> None:
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

    def report(self, report: Report) -> None:
        metrics: dict[str, Any] = {
            "durationMs": round(report.duration_ms, 3),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": self._function.memory_mb,
            "maxMemoryUsedMB": report.used_mb,
        }
        if report.init_ms is not None:
            metrics["initDurationMs"] = round(report.init_ms, 3)
        record = {
            "requestId": report.request_id,
            "metrics": metrics,
            "status": report.status or "success",
        }
        if report.error_type:
            record["errorType"] = report.error_type
        self._event("WARN" if report.status else "INFO", "report", record)


def platform(stream: LogStream, function: Reported) -> TextPlatform | JsonPlatform:
    """What writes the platform's lines of a function, in the format that it asks for."""
    is_json = function.logging_config.get("LogFormat") == "JSON"
    return JsonPlatform(stream, function) if is_json else TextPlatform(stream, function)


def runtime_version(function: Reported) -> tuple[str, str]:
    version = function.runtime.replace("python", "python:") + ".v1"
    number = uuid.uuid5(uuid.NAMESPACE_DNS, function.runtime).hex * 2
    return version, arns.of_runtime(function.region, number)
