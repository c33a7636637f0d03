"""Execution environments: where handlers really run.

Each environment is one worker process with its own log stream and its own folder. It runs
one invocation at a time and keeps its process and module state between invocations (warm
starts). After a time-out or a crash the process is started anew inside the same
environment, as AWS does.

An invocation is a read loop on the worker's pipe, in the thread of whoever invokes; an
alarm kills the worker when the function's time-out is over, which ends the loop.
"""

from __future__ import annotations

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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from helpers.localaws import logs, worker
from helpers.localaws.alarms import Alarms
from helpers.localaws.logs import LogStream

INIT_LIMIT_S = 10.0
MAX_RESPONSE_BYTES = 6_291_556  # LS-041


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
        init_ms, failure = self._make_ready(request_id)
        started = time.perf_counter()
        timeout_s = float(self.function.timeout_s)
        if failure is None and self._process is None:
            failure = self._init("invoke", timeout_s, request_id)[1]
        self._platform.start(request_id)
        if failure is None:
            deadline_ms = int((time.time() + timeout_s) * 1000)
            all_headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Invoked-Function-Arn": invoked_arn,
                "Lambda-Runtime-Deadline-Ms": deadline_ms,
                "Lambda-Runtime-Trace-Id": make_trace_id(),
                "Content-Type": "application/json",
                **headers,
            }
            payload, failure = self._exchange(event, all_headers, request_id, timeout_s)
        duration_ms = (time.perf_counter() - started) * 1000
        if failure and failure.status == "timeout":
            duration_ms = timeout_s * 1000
        self._log.end_of_print()
        self._platform.end(request_id)
        self._platform.report(
            request_id,
            duration_ms,
            self._memory_mb(),
            init_ms,
            failure and failure.status,
            failure and failure.error_type,
        )
        if failure:
            return Result(failure.payload, "Unhandled", self._log.tail())
        return Result(payload, None, self._log.tail())

    def _make_ready(self, request_id: str) -> tuple[float | None, Failure | None]:
        """The init phase of a new environment: its duration in ms, or what went wrong."""
        if self._process is not None and self._process.poll() is None:
            return None, None
        self._process = None
        if self._started_before:
            return None, None
        self._started_before = True
        init_ms, failure = self._init("init", INIT_LIMIT_S, request_id)
        if failure:
            timeout_s = float(self.function.timeout_s)
            failure = self._init("invoke", timeout_s, request_id)[1]
            init_ms = None
        return init_ms, failure

    def _init(self, phase: str, limit_s: float, request_id: str) -> tuple[float, Failure | None]:
        """Start the worker and let it import the handler."""
        self._platform.init_start()
        started = time.perf_counter()
        self._start_worker()
        kind, data, timed_out = self._read_until_done(limit_s, worker.READY, worker.INIT_ERROR)
        duration_ms = (time.perf_counter() - started) * 1000
        self._log.end_of_print()
        if kind == worker.READY:
            return duration_ms, None
        if kind == worker.INIT_ERROR:
            failure = Failure(self._as_aws(data), "error", json.loads(data)["errorType"])
        else:
            failure = self._ended_early(request_id, limit_s, timed_out)
        self._stop_worker()
        if timed_out:
            duration_ms = limit_s * 1000
        self._platform.init_report(duration_ms, phase, failure.status, failure.error_type)
        return duration_ms, failure

    def _exchange(
        self, event: bytes, headers: dict, request_id: str, limit_s: float
    ) -> tuple[bytes, Failure | None]:
        """Hand the event to the worker and read until its answer."""
        try:
            head = json.dumps(headers).encode()
            self._process.stdin.write(struct.pack(">II", len(head), len(event)) + head + event)
            self._process.stdin.flush()
        except OSError:
            pass  # it died while idle: the read below finds the end of its output
        kind, data, timed_out = self._read_until_done(limit_s, worker.RESULT, worker.ERROR)
        if kind == worker.RESULT and len(data) > MAX_RESPONSE_BYTES:
            return b"", response_too_large()
        if kind == worker.RESULT:
            return self._as_aws(data), None
        if kind == worker.ERROR:
            return b"", Failure(self._as_aws(data), None, None)
        failure = self._ended_early(request_id, limit_s, timed_out)
        self._stop_worker()
        return b"", failure

    def _read_until_done(self, limit_s: float, *wanted: bytes) -> tuple[bytes | None, bytes, bool]:
        """Log what the worker writes until a frame of a wanted kind, or its end."""
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            kill_tree(process)

        process = self._process
        cancel = self._alarms.set(limit_s, give_up)
        try:
            while frame := read_frame(process.stdout):
                kind, data = frame
                if kind in wanted:
                    return kind, data, False
                if kind == worker.PRINTED:
                    self._log.printed(self._as_aws(data).decode())
                elif kind == worker.LOGGED:
                    self._log.event(self._as_aws(data).decode())
        finally:
            cancel()
        return None, b"", timed_out.is_set()

    def _ended_early(self, request_id: str, limit_s: float, timed_out: bool) -> Failure:
        """Why a worker ended without an answer: time-out, exit or crash (LS-038, LS-039)."""
        if timed_out:
            error_type, status = "Sandbox.Timedout", "timeout"
            text = f"Task timed out after {limit_s:.2f} seconds"
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
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._variables,
            cwd=self.package_folder,
            **own_process_group(),
        )
        if self._killed:
            kill_tree(self._process)
        threading.Thread(target=self._log_raw_output, args=[self._process], daemon=True).start()

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

    def _log_raw_output(self, process: subprocess.Popen) -> None:
        """Log what bypasses Python's sys.stdout: C libraries, child processes, crashes."""
        with process.stderr as output:
            for line in output:
                self._log.printed(self._as_aws(line).decode("utf-8", "backslashreplace"))

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
        shutil.rmtree(self._folder, ignore_errors=True)

    def check_memory(self) -> None:
        """Kill the worker if it uses more memory than the function has."""
        process = self._process
        if process is not None and self._memory_mb() > self.function.memory_mb:
            self._max_memory_mb = self.function.memory_mb
            self._out_of_memory = True
            kill_tree(process)

    def _memory_mb(self) -> int:
        """The most memory in MB that this environment was seen to use."""
        try:
            used = psutil.Process(self._process.pid).memory_info().rss
            self._max_memory_mb = max(self._max_memory_mb, -(-used // 2**20))
        except (psutil.Error, AttributeError):
            pass  # it is gone: what was seen before still stands
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


def aws_paths(package_folder: str, runtime: str) -> list[tuple[bytes, bytes]]:
    paths = sysconfig.get_paths()
    pairs = [
        (package_folder, "/var/task"),
        (paths["purelib"], "/var/runtime"),
        (paths["platlib"], "/var/runtime"),
        (paths["stdlib"], f"/var/lang/lib/{runtime}"),
    ]
    return [(here.encode(), there.encode()) for here, there in pairs]


def read_frame(pipe: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The kind and the data of the worker's next frame.

    None at the end of its output, also when that is in the middle of a frame.
    """
    head = pipe.read(5)
    if len(head) < 5:
        return None
    (size,) = struct.unpack(">I", head[1:])
    data = pipe.read(size)
    return (head[:1], data) if len(data) == size else None


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
