"""Execution environments: where handlers really run.

Each environment is one worker process with its own log stream and its own folder. It runs
one invocation at a time and keeps its process and module state between invocations (warm
starts). After a time-out or a crash the process is started anew inside the same
environment, as AWS does.

An invocation is a read loop on the worker's pipe, in the thread of whoever invokes; an
alarm kills the worker when the function's time-out is over, which ends the loop.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import struct
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from helpers.localaws.logs.platform_lines import Report, platform
from helpers.localaws.logs.stream import LogStream
from helpers.localaws.runtime import worker
from helpers.localaws.runtime.alarms import Alarms
from helpers.localaws.runtime.model import Failure, FunctionVersion, Invocation, Result
from helpers.localaws.runtime.packages import Package, remove_tree
from helpers.localaws.runtime.raw_output import RawOutput
from helpers.localaws.runtime.worker_process import MARK, WorkerProcess, kill_strays

INIT_LIMIT_S = 10.0
MAX_RESPONSE_BYTES = 6_291_556  # LS-041
READ_AWAY_BYTES = 2**20
TIME_OUT, OUT_OF_MEMORY = "time-out", "out of memory"
FRAME_HEAD = struct.Struct(">cQI")


class Environment:
    """One execution environment of one version of a function.

    After an exception of `invoke` nothing is known of the worker, which may be about to
    answer: such an environment must not be used again.
    """

    def __init__(
        self,
        function: FunctionVersion,
        package: Package,
        folder: Path,
        credentials: dict[str, str],
        endpoint_url: str,
        may_write_logs: Callable[[], bool],
        alarms: Alarms,
    ) -> None:
        self.function = function
        self.package = package
        self.credentials = credentials
        self.idle_since = time.monotonic()
        self.busy = False
        self._killed = False
        self.folder = folder
        self._alarms = alarms
        self._log = LogStream(function, may_write_logs)
        self._platform = platform(self._log, function)
        self._process: WorkerProcess | None = None
        self._started_before = False
        self._max_memory_mb = 0
        home = folder / "tmp"
        self._variables = worker_variables(
            function, credentials, endpoint_url, home, self._log.name, package.task
        )
        home.mkdir(parents=True)
        self._raw_output = RawOutput(folder / "output")

    # -- an invocation -----------------------------------------------------------------

    def invoke(self, invocation: Invocation) -> Result:
        """Run one invocation and write its log."""
        self.busy = True
        try:
            return self._invoke(invocation)
        finally:
            self.busy = False

    def _invoke(self, invocation: Invocation) -> Result:
        request_id = invocation.request_id
        self._log.begin()
        self._raw_output.begin()
        init_ms = self._make_ready(request_id)
        started = time.perf_counter()
        timeout_s = float(self.function.timeout_s)
        failure, payload = None, b""
        if self._process is None:
            failure = self._init("invoke", timeout_s, request_id)[1]
        self._platform.start(request_id)
        if failure is None:
            left_s = max(timeout_s - (time.perf_counter() - started), 0.0)
            payload, failure = self._exchange(invocation, left_s)
        duration_ms = (time.perf_counter() - started) * 1000
        if failure and failure.status == "timeout":
            duration_ms = timeout_s * 1000
        self._log.end_of_print()
        self._platform.end(request_id)
        report = Report(request_id, duration_ms, self._max_memory(), init_ms)
        if failure is None:
            self._platform.report(report)
            return Result(payload, None, self._log.tail(), duration_ms)
        self._platform.report(replace(report, status=failure.status, error_type=failure.error_type))
        return Result(failure.payload, "Unhandled", self._log.tail(), duration_ms)

    def _make_ready(self, request_id: str) -> float | None:
        """The init phase of a new environment: its duration in ms if it succeeds.

        Without a worker afterwards, the init is done (again) as a part of the invocation.
        """
        if self._process is not None and not self._process.has_ended():
            return None
        self._stop_worker()
        self.package.make_whole()
        self._platform.init_start()
        self._log.start_tail()
        if self._started_before:
            return None
        self._started_before = True
        init_ms, failure = self._init("init", INIT_LIMIT_S, request_id)
        return None if failure else init_ms

    def _init(self, phase: str, limit_s: float, request_id: str) -> tuple[float, Failure | None]:
        """Start the worker and let it import the handler. Without success there is none then."""
        started = time.perf_counter()
        process = self._start_worker()
        with self._limit(limit_s, process):
            kind, data = self._read_until_done(process, worker.READY, worker.INIT_ERROR)
        duration_ms = (time.perf_counter() - started) * 1000
        self._log.end_of_print()
        if kind == worker.READY:
            self._max_memory()
            return duration_ms, None
        if kind == worker.INIT_ERROR:
            failure = self._failed_init(data)
        else:
            failure = self._ended_early(request_id, process)
        self._stop_worker()
        if failure.status == "timeout":
            duration_ms = limit_s * 1000
        status = failure.status or "error"
        self._platform.init_report(duration_ms, phase, status, failure.error_type)
        return duration_ms, failure

    def _failed_init(self, data: bytes) -> Failure:
        if len(data) > MAX_RESPONSE_BYTES:
            return response_too_large("error")
        error_type = reported_error_type(json.loads(data)["errorType"])
        return Failure(self._as_aws(data), "error", error_type)

    def _exchange(self, invocation: Invocation, limit_s: float) -> tuple[bytes, Failure | None]:
        """Hand the event to the worker and read until its answer."""
        process, event = self._process, invocation.event
        assert process is not None  # `_invoke` has just made sure of it
        with self._limit(limit_s, process):
            try:
                head = json.dumps(runtime_headers(invocation, limit_s)).encode()
                process.stdin.write(struct.pack(">II", len(head), len(event)) + head + event)
                process.stdin.flush()
            except OSError:
                pass  # it died: the read below finds the end of its output
            kind, data = self._read_until_done(process, worker.RESULT, worker.ERROR)
        if kind is None:
            failure = self._ended_early(invocation.request_id, process)
            self._stop_worker()
            return b"", failure
        if len(data) > MAX_RESPONSE_BYTES:
            return b"", response_too_large()
        if kind == worker.ERROR:
            return b"", Failure(self._as_aws(data), None, None)
        return self._as_aws(data), None

    @contextmanager
    def _limit(self, seconds: float, process: WorkerProcess) -> Iterator[None]:
        """Kill the worker when this takes longer."""
        alarm = self._alarms.set(seconds, lambda: process.end(TIME_OUT))
        try:
            yield
        finally:
            if not alarm.cancel():
                process.end(TIME_OUT)  # it is being killed: nobody shall be handed to it now

    def _read_until_done(
        self, process: WorkerProcess, *wanted: bytes
    ) -> tuple[bytes | None, bytes]:
        """Log what the worker writes until a frame of a wanted kind, or until it has ended."""
        while frame := read_frame(process.stdout):
            kind, raw_bytes, data = frame
            self._log_raw(self._raw_output.up_to(raw_bytes))
            if kind in wanted:
                return kind, data
            if kind == worker.PRINTED:
                self._log.printed(self._as_aws(data))
            elif kind == worker.LOGGED:
                self._log.event(self._as_aws(data).decode(errors="replace"))
        process.wait()
        self._log_raw(self._raw_output.rest())
        return None, b""

    def _log_raw(self, data: bytes) -> None:
        if data:
            self._log.printed(self._as_aws(data))

    def _ended_early(self, request_id: str, process: WorkerProcess) -> Failure:
        """Why a worker ended without an answer: time-out, exit or crash (LS-038, LS-039)."""
        if process.killed_by == TIME_OUT:
            error_type, status = "Sandbox.Timedout", "timeout"
            text = f"Task timed out after {self.function.timeout_s:.2f} seconds"
        elif process.killed_by == OUT_OF_MEMORY:
            error_type, status = "Runtime.OutOfMemory", "error"
            text = "Runtime exited with error: signal: killed"
        else:
            error_type, status = "Runtime.ExitError", "error"
            text = describe_exit(process.end())
        payload = compact_json(
            {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {text}"}
        )
        return Failure(payload, status, None if status == "timeout" else error_type)

    # -- the worker process ------------------------------------------------------------

    def _start_worker(self) -> WorkerProcess:
        with self._raw_output.for_worker() as output:
            process = WorkerProcess(self._command(), self._variables, self.package.task, output)
        self._process = process
        if self._killed:
            process.end()
        return process

    def _command(self) -> list[str]:
        command = [
            *(sys.executable, "-I", "-S", "-B", "-X", "utf8"),
            *(worker.__file__, str(self.package.task), str(self.package.opt), *library_folders()),
        ]
        wrapper = self.function.variables.get("AWS_LAMBDA_EXEC_WRAPPER")
        if wrapper and os.name == "posix":
            return ["/bin/sh", "-c", 'exec "$0" "$@"', self._here(wrapper), *command]
        return command

    def _here(self, path: str) -> str:
        """Where a file of the package or of a layer is on this machine."""
        for folder, there in self._folders():
            if path.startswith(f"{there}/"):
                return path.replace(there, folder, 1)
        return path

    def _folders(self) -> tuple[tuple[str, str], ...]:
        return (str(self.package.task), "/var/task"), (str(self.package.opt), "/opt")

    def _stop_worker(self) -> None:
        """End the worker and all that it started; the next one begins with nothing of it."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
            kill_strays([self.folder])

    def kill(self) -> None:
        """End the process for good; an invocation that runs ends with an error."""
        self._killed = True
        process = self._process
        if process is not None:
            process.end()

    def remove(self) -> None:
        """Remove what it has on disk, when it was killed and no invocation runs."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
        self._raw_output.close()
        remove_tree(self.folder)

    def check_limits(self) -> None:
        """Kill the worker if it uses more memory than the function has; keep the disk free."""
        self._raw_output.limit()
        process = self._process
        if self.busy and process is not None and self._used(process) > self.function.memory_mb:
            process.end(OUT_OF_MEMORY)

    def _used(self, process: WorkerProcess) -> int:
        """What the worker uses now, in MB."""
        used = process.used_memory()
        self._max_memory_mb = min(max(self._max_memory_mb, used), self.function.memory_mb)
        return used

    def _max_memory(self) -> int:
        """The most memory in MB that this environment was seen to use."""
        if self._process is not None:
            self._used(self._process)
        return self._max_memory_mb

    def _as_aws(self, text: bytes) -> bytes:
        """Paths of this machine as a function on AWS would see them."""
        for here, there in aws_paths(self._folders(), self.function.runtime):
            text = text.replace(here, there)
        return text


def worker_variables(
    function: FunctionVersion,
    credentials: dict[str, str],
    endpoint_url: str,
    folder: Path,
    log_stream: str,
    task_root: Path,
) -> dict[str, str]:
    """The environment variables of a worker: AWS's list (LS-044) and nothing of this machine's.

    Three things differ from AWS, so that boto3 inside a handler reaches the local AWS and
    nothing else: AWS_ENDPOINT_URL, the empty configuration files, and the folder for
    temporary files, which on AWS is each environment's own /tmp. LAMBDA_TASK_ROOT leads to
    the package's real folder, so that files beside the handler are found (DF-07); in all that
    a handler says it is /var/task.
    """
    variables = {
        **function.variables,
        **credentials,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": "169.254.100.1:9001",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "LAMBDA_TASK_ROOT": task_root.as_posix(),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "PYTHONPATH": "/var/runtime",
        "PWD": task_root.as_posix(),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "PATH": os.defpath,
        "_HANDLER": function.handler,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        MARK: str(folder),  # TMPDIR
    }
    if function.logging_config.get("LogFormat") == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.logging_config["ApplicationLogLevel"]
    if sys.platform == "win32":
        variables["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        variables["TEMP"] = variables["USERPROFILE"] = str(folder)
    return variables


def runtime_headers(invocation: Invocation, left_s: float) -> dict[str, object]:
    """What the runtime is told of an invocation that has `left_s` seconds (LS-044)."""
    return {
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn or invocation.function.arn,
        "Lambda-Runtime-Deadline-Ms": int((time.time() + left_s) * 1000),
        "Lambda-Runtime-Trace-Id": make_trace_id(),
        "Content-Type": "application/json",
        **invocation.headers,
    }


def library_folders() -> list[str]:
    paths = sysconfig.get_paths()
    return sorted({paths["purelib"], paths["platlib"]})


@functools.lru_cache(maxsize=1000)
def aws_paths(folders: tuple[tuple[str, str], ...], runtime: str) -> list[tuple[bytes, bytes]]:
    paths = sysconfig.get_paths()
    pairs = [
        *folders,
        *((Path(folder).as_posix(), there) for folder, there in folders if os.name == "nt"),
        (worker.__file__, "/var/runtime/bootstrap.py"),
        (paths["purelib"], "/var/runtime"),
        (paths["platlib"], "/var/runtime"),
        (paths["stdlib"], f"/var/lang/lib/{runtime}"),
    ]
    return [(here.encode(), there.encode()) for here, there in pairs]


def read_frame(pipe: IO[bytes]) -> tuple[bytes, int, bytes] | None:
    """The worker's next frame: its kind, the size of the raw output before it, its data.

    Of more data than an answer may have, one byte too many is kept, which shows it. None at
    the end of its output, also when that is in the middle of a frame.
    """
    head = pipe.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        return None
    kind, raw_bytes, size = FRAME_HEAD.unpack(head)
    kept = min(size, MAX_RESPONSE_BYTES + 1)
    data = pipe.read(kept)
    if len(data) < kept or not read_away(pipe, size - kept):
        return None
    return kind, raw_bytes, data


def read_away(pipe: IO[bytes], count: int) -> bool:
    """Read bytes that nobody wants. Tells whether they were all there."""
    while count:
        data = pipe.read(min(count, READ_AWAY_BYTES))
        if not data:
            return False
        count -= len(data)
    return True


def make_trace_id() -> str:
    """A value for _X_AMZN_TRACE_ID (LS-044) of an invocation that X-Ray does not sample."""
    number = uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{number[:24]};Parent={number[-16:]};Sampled=0"


def reported_error_type(error_type: str) -> str:
    """The error type of a failed init in the log: any but Lambda's own is Runtime.Unknown."""
    is_own = error_type.startswith(("Runtime.", "Function."))
    return error_type if is_own else "Runtime.Unknown"


def describe_exit(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code < 0:
        name = signal.strsignal(-code) or str(-code)
        return f"Runtime exited with error: signal: {name.lower()}"
    return f"Runtime exited with error: exit status {code}"


def response_too_large(status: str | None = None) -> Failure:
    payload = {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({MAX_RESPONSE_BYTES} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    return Failure(compact_json(payload), status, status and payload["errorType"])


def compact_json(value: dict[str, str]) -> bytes:
    """JSON as the Lambda service itself writes it: without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()
