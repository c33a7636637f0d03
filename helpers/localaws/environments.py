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
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from helpers.localaws import logs, worker
from helpers.localaws.alarms import Alarms
from helpers.localaws.logs import LogStream
from helpers.localaws.raw_output import RawOutput

INIT_LIMIT_S = 10.0
MAX_RESPONSE_BYTES = 6_291_556  # LS-041
FRAME_HEAD = struct.Struct(">cQI")


@dataclass(frozen=True)
class Function:
    """What the executor must know of one version of a function."""

    arn: str  # with the version, except for $LATEST
    name: str
    version: str
    revision: str
    handler: str
    runtime: str
    timeout_s: int
    memory_mb: int
    variables: dict[str, str]
    role: str
    account: str
    region: str
    log_group: str
    package: bytes  # the zip file
    logging_config: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def unqualified_arn(self) -> str:
        return self.arn.removesuffix(f":{self.version}")


@dataclass(frozen=True)
class Result:
    """How an invocation ended. `error` is the value of FunctionError, if any."""

    payload: bytes
    error: str | None = None
    log_tail: bytes = b""


@dataclass(frozen=True)
class Failure:
    """An invocation or an init phase that did not end with the handler's own answer."""

    payload: bytes
    status: str | None
    error_type: str | None


class Environment:
    """One execution environment of one version of a function."""

    def __init__(
        self,
        function: Function,
        package_folder: Path,
        folder: Path,
        credentials: dict[str, str],
        endpoint_url: str,
        may_write_logs: Callable[[], bool],
        alarms: Alarms,
    ) -> None:
        self.function = function
        self.idle_since = time.monotonic()
        self.busy = False
        self._killed = False
        self.package_folder = package_folder
        self._folder = folder
        self._alarms = alarms
        self._log = LogStream(function, may_write_logs)
        self._platform = logs.platform(self._log, function)
        self._variables = worker_variables(
            function, credentials, endpoint_url, folder, self._log.name
        )
        self._process: subprocess.Popen | None = None
        self._started_before = False
        self._max_memory_mb = 0
        self._out_of_memory = False
        folder.mkdir(parents=True)
        self._raw_output = RawOutput(folder.with_suffix(".output"))

    # -- an invocation -----------------------------------------------------------------

    def invoke(self, event: bytes, request_id: str, invoked_arn: str, headers: dict) -> Result:
        """Run one invocation and write its log. `headers`: client context."""
        self.busy = True
        try:
            return self._invoke(event, request_id, invoked_arn, headers)
        finally:
            self.busy = False

    def _invoke(self, event: bytes, request_id: str, invoked_arn: str, headers: dict) -> Result:
        self._log.start_tail()
        init_ms = self._make_ready(request_id)
        started = time.perf_counter()
        timeout_s = float(self.function.timeout_s)
        failure = None
        if self._process is None:
            failure = self._init("invoke", timeout_s, request_id)[1]
        self._platform.start(request_id)
        if failure is None:
            left_s = max(timeout_s - (time.perf_counter() - started), 0.0)
            deadline_ms = int((time.time() + left_s) * 1000)
            all_headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Invoked-Function-Arn": invoked_arn,
                "Lambda-Runtime-Deadline-Ms": deadline_ms,
                "Lambda-Runtime-Trace-Id": make_trace_id(),
                "Content-Type": "application/json",
                **headers,
            }
            payload, failure = self._exchange(event, all_headers, request_id, left_s)
        duration_ms = (time.perf_counter() - started) * 1000
        if failure and failure.status == "timeout":
            duration_ms = timeout_s * 1000
        self._log.end_of_print()
        self._platform.end(request_id)
        self._platform.report(
            request_id,
            duration_ms,
            self._max_memory(),
            init_ms,
            failure and failure.status,
            failure and failure.error_type,
        )
        if failure:
            return Result(failure.payload, "Unhandled", self._log.tail())
        return Result(payload, None, self._log.tail())

    def _make_ready(self, request_id: str) -> float | None:
        """The init phase of a new environment: its duration in ms if it succeeds.

        Without a worker afterwards, the init is done (again) as a part of the invocation.
        """
        if self._process is not None and self._process.poll() is None:
            return None
        self._stop_worker()
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
        self._start_worker()
        with self._limit(limit_s) as timed_out:
            kind, data = self._read_until_done(worker.READY, worker.INIT_ERROR)
        duration_ms = (time.perf_counter() - started) * 1000
        self._log.end_of_print()
        if kind == worker.READY:
            self._max_memory()
            return duration_ms, None
        if kind == worker.INIT_ERROR:
            error_type = reported_error_type(json.loads(data)["errorType"])
            failure = Failure(self._as_aws(data), "error", error_type)
        else:
            failure = self._ended_early(request_id, timed_out.is_set())
        self._stop_worker()
        if timed_out.is_set():
            duration_ms = limit_s * 1000
        self._platform.init_report(duration_ms, phase, failure.status, failure.error_type)
        return duration_ms, failure

    def _exchange(
        self, event: bytes, headers: dict, request_id: str, limit_s: float
    ) -> tuple[bytes, Failure | None]:
        """Hand the event to the worker and read until its answer."""
        with self._limit(limit_s) as timed_out:
            try:
                head = json.dumps(headers).encode()
                self._process.stdin.write(struct.pack(">II", len(head), len(event)) + head + event)
                self._process.stdin.flush()
            except OSError:
                pass  # it died: the read below finds the end of its output
            kind, data = self._read_until_done(worker.RESULT, worker.ERROR)
        if kind == worker.RESULT and len(data) > MAX_RESPONSE_BYTES:
            return b"", response_too_large()
        if kind == worker.RESULT:
            return self._as_aws(data), None
        if kind == worker.ERROR:
            return b"", Failure(self._as_aws(data), None, None)
        failure = self._ended_early(request_id, timed_out.is_set())
        self._stop_worker()
        return b"", failure

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the worker when this takes longer, as the event given here then tells."""
        process, timed_out = self._process, threading.Event()

        def give_up() -> None:
            timed_out.set()
            kill_tree(process)

        cancel = self._alarms.set(seconds, give_up)
        try:
            yield timed_out
        finally:
            if not cancel():
                kill_tree(process)  # it is being killed: nobody shall be handed to it now

    def _read_until_done(self, *wanted: bytes) -> tuple[bytes | None, bytes]:
        """Log what the worker writes until a frame of a wanted kind, or until it has ended."""
        process = self._process
        while frame := read_frame(process.stdout):
            kind, raw_bytes, data = frame
            self._log_raw(self._raw_output.up_to(raw_bytes))
            if kind in wanted:
                return kind, data
            if kind == worker.PRINTED:
                self._log.printed(self._as_aws(data))
            elif kind == worker.LOGGED:
                self._log.event(self._as_aws(data).decode())
        process.wait()
        self._log_raw(self._raw_output.rest())
        return None, b""

    def _log_raw(self, data: bytes) -> None:
        if data:
            self._log.printed(self._as_aws(data))

    def _ended_early(self, request_id: str, timed_out: bool) -> Failure:
        """Why a worker ended without an answer: time-out, exit or crash (LS-038, LS-039)."""
        if timed_out:
            error_type, status = "Sandbox.Timedout", "timeout"
            text = f"Task timed out after {self.function.timeout_s:.2f} seconds"
        elif self._out_of_memory:
            error_type, status = "Runtime.OutOfMemory", "error"
            text = "Runtime exited with error: signal: killed"
        else:
            error_type, status = "Runtime.ExitError", "error"
            text = describe_exit(self._process.wait())
        payload = compact_json(
            {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {text}"}
        )
        return Failure(payload, status, None if timed_out else error_type)

    # -- the worker process ------------------------------------------------------------

    def _start_worker(self) -> None:
        self._out_of_memory = False
        with self._raw_output.for_worker() as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=self._variables,
                cwd=self.package_folder,
                **own_process_group(),
            )
        if self._killed:
            kill_tree(self._process)

    def _command(self) -> list[str]:
        command = [
            *(sys.executable, "-I", "-S", "-B", "-X", "utf8"),
            *(worker.__file__, str(self.package_folder), *library_folders()),
        ]
        wrapper = self.function.variables.get("AWS_LAMBDA_EXEC_WRAPPER")
        if wrapper and os.name == "posix":
            here = wrapper.replace("/var/task", str(self.package_folder), 1)
            return ["/bin/sh", "-c", 'exec "$0" "$@"', here, *command]
        return command

    def _stop_worker(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            kill_tree(process)
            for pipe in (process.stdin, process.stdout):
                try:
                    pipe.close()
                except OSError:
                    pass

    def kill(self) -> None:
        """End the process for good; an invocation that runs ends with an error."""
        self._killed = True
        process = self._process
        if process is not None:
            kill_tree(process)

    def stop(self) -> None:
        """End the process and remove the folder, when no invocation runs."""
        self._stop_worker()
        self._raw_output.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def check_memory(self) -> None:
        """Kill the worker if it uses more memory than the function has."""
        process = self._process
        if process is not None and self._used_memory(process) > self.function.memory_mb:
            self._out_of_memory = True
            kill_tree(process)

    def _used_memory(self, process: subprocess.Popen) -> int:
        """What the worker uses now, in MB."""
        try:
            used = -(-psutil.Process(process.pid).memory_info().rss // 2**20)
        except psutil.Error:
            return 0  # it is gone
        self._max_memory_mb = min(max(self._max_memory_mb, used), self.function.memory_mb)
        return used

    def _max_memory(self) -> int:
        """The most memory in MB that this environment was seen to use."""
        if self._process is not None:
            self._used_memory(self._process)
        return self._max_memory_mb

    def _as_aws(self, text: bytes) -> bytes:
        """Paths of this machine as a function on AWS would see them."""
        for here, there in aws_paths(str(self.package_folder), self.function.runtime):
            text = text.replace(here, there)
        return text


def worker_variables(
    function: Function,
    credentials: dict[str, str],
    endpoint_url: str,
    folder: Path,
    log_stream: str,
) -> dict[str, str]:
    """The environment variables of a worker: AWS's list (LS-044) and nothing of this machine's.

    Three things differ from AWS, so that boto3 inside a handler reaches the local AWS and
    nothing else: AWS_ENDPOINT_URL, the empty configuration files, and the folder for
    temporary files, which on AWS is each environment's own /tmp.
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
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "PYTHONPATH": "/var/runtime",
        "PWD": "/var/task",
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "PATH": os.defpath,
        "_HANDLER": function.handler,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    if function.logging_config.get("LogFormat") == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.logging_config["ApplicationLogLevel"]
    if sys.platform == "win32":
        variables["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        variables["TEMP"] = variables["USERPROFILE"] = str(folder)
    return variables


def library_folders() -> list[str]:
    paths = sysconfig.get_paths()
    return sorted({paths["purelib"], paths["platlib"]})


@functools.lru_cache(maxsize=1000)
def aws_paths(package_folder: str, runtime: str) -> list[tuple[bytes, bytes]]:
    paths = sysconfig.get_paths()
    pairs = [
        (package_folder, "/var/task"),
        (worker.__file__, "/var/runtime/bootstrap.py"),
        (paths["purelib"], "/var/runtime"),
        (paths["platlib"], "/var/runtime"),
        (paths["stdlib"], f"/var/lang/lib/{runtime}"),
    ]
    return [(here.encode(), there.encode()) for here, there in pairs]


def read_frame(pipe: IO[bytes]) -> tuple[bytes, int, bytes] | None:
    """The worker's next frame: its kind, the size of the raw output before it, its data.

    None at the end of its output, also when that is in the middle of a frame.
    """
    head = pipe.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        return None
    kind, raw_bytes, size = FRAME_HEAD.unpack(head)
    data = pipe.read(size)
    return (kind, raw_bytes, data) if len(data) == size else None


def own_process_group() -> dict:
    """Popen arguments that keep a terminal's Ctrl-C away from the workers."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a worker and what it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    process.kill()
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)  # children whose parents have ended too
        except OSError:
            pass  # there are none
    for child in family:
        try:
            child.kill()
        except psutil.Error:
            pass
    process.wait()


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


def response_too_large() -> Failure:
    payload = {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({MAX_RESPONSE_BYTES} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    return Failure(compact_json(payload), None, None)


def compact_json(value: dict) -> bytes:
    """JSON as the Lambda service itself writes it: without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()
