"""Execution environments from within: faults in the middle, and what stays of them."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import psutil
import pytest

from helpers.localaws.logs import backend as logs_api
from helpers.localaws.logs.stream import MAX_EVENT_BYTES, LogStream
from helpers.localaws.runtime import environment, executor, packages, raw_output
from helpers.localaws.runtime.environment import (
    MAX_RESPONSE_BYTES,
    Environment,
    read_frame,
)
from helpers.localaws.runtime.model import FunctionVersion, Invocation
from helpers.localaws.runtime.raw_output import RawOutput
from helpers.localaws.runtime.worker_process import WorkerProcess
from tests.conformance.kit import HEAD, poll, unique
from tests.localaws.kit import (
    ACCOUNT,
    POSIX,
    REGION,
    call,
    log_lines,
    make_function,
    own_executor,
    wait_gone,
)

ECHO_SOURCE = HEAD + "    print('one line')\n    return event\n"
ECHO = make_function(ECHO_SOURCE, "echo")
PID = "import os\n" + HEAD + "    return os.getpid()\n"
LOCALAWS = Path(environment.__file__).parents[1]


class Fault(Exception):
    pass


class Saboteur:
    """Follows the calls that this thread makes in the runtime; raises Fault at one of them."""

    def __init__(self, victim: str | None = None) -> None:
        self.seen: Counter[str] = Counter()
        self._victim = victim

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and LOCALAWS in Path(code.co_filename).parents:
            self.seen[code.co_qualname] += 1
            if code.co_qualname == self._victim:
                sys.settrace(None)
                raise Fault(self._victim)

    def __enter__(self) -> Saboteur:
        self._before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        sys.settrace(self._before)


# -- no answer crosses over -----------------------------------------------------------------


def test_after_a_fault_at_any_place_each_call_gets_its_own_answer(tmp_path) -> None:
    with own_executor(tmp_path) as runs:
        call(runs, ECHO)
        with Saboteur() as follower:
            call(runs, ECHO)
        places = [place for place in follower.seen if not place.startswith("Executor.")]
        assert {"LogStream.printed", "RawOutput.up_to", "read_frame"} < set(places)
        for number, place in enumerate(places):
            call(runs, ECHO)  # warm again
            with Saboteur(place), pytest.raises(Fault):
                call(runs, ECHO, f"lost {number}")
            assert [call(runs, ECHO, each) for each in ("a", "b")] == ["a", "b"], place
        assert not runs._running.total()


def test_deleting_the_log_group_in_the_middle_does_no_harm(tmp_path, monkeypatch) -> None:
    function = make_function(ECHO_SOURCE, unique("echo"))
    create, deleting = logs_api.Backend.create_log_stream, []

    def delete_meanwhile(self: logs_api.Backend, group: str, stream: str) -> None:
        if not deleting:
            deleting.append(threading.Thread(target=self.delete_log_group, args=[group]))
            deleting[0].start()
            deleting[0].join(0.2)  # it has to wait until the line is written
        create(self, group, stream)

    with own_executor(tmp_path) as runs:
        monkeypatch.setattr(logs_api.Backend, "create_log_stream", delete_meanwhile)
        assert [call(runs, function, number) for number in range(3)] == [0, 1, 2]
        deleting[0].join()
        assert call(runs, function, 3) == 3
        assert "one line\n" in log_lines(function)


# -- what an environment had is given back ----------------------------------------------------


class Credentials:
    """Gives credentials with a number, and counts what is given back."""

    def __init__(self) -> None:
        self.given = 0
        self.forgotten: list[str] = []

    def give(self, _function: object) -> dict[str, str]:
        self.given += 1
        return {"AWS_ACCESS_KEY_ID": str(self.given)}

    def forget(self, variables: dict[str, str]) -> None:
        self.forgotten.append(variables["AWS_ACCESS_KEY_ID"])

    @property
    def callables(self) -> dict[str, Any]:
        return {"role_credentials": self.give, "forget_credentials": self.forget}


def test_credentials_are_forgotten_once_for_each_environment(tmp_path, monkeypatch) -> None:
    credentials = Credentials()
    with own_executor(tmp_path, **credentials.callables) as runs:
        call(runs, ECHO)
        assert credentials.forgotten == []
        runs.retire(ECHO.arn)
        runs.retire(ECHO.arn)
        assert credentials.forgotten == ["1"]
        with monkeypatch.context() as patch:
            patch.setattr(LogStream, "printed", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                call(runs, ECHO)
        assert credentials.forgotten == ["1", "2"]
        with monkeypatch.context() as patch:
            patch.setattr(executor, "Environment", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                call(runs, ECHO)
        assert credentials.forgotten == ["1", "2", "3"]
        call(runs, ECHO)
        runs.stop()
    assert credentials.forgotten == ["1", "2", "3", "4"]


@pytest.mark.skipif(not POSIX, reason="signals")
def test_an_environment_that_ends_at_work_is_ended_once(tmp_path) -> None:
    credentials = Credentials()
    sleeps = make_function("import time\n" + HEAD + "    print('here')\n    time.sleep(60)\n", "s")
    with own_executor(tmp_path, **credentials.callables) as runs, ThreadPoolExecutor(1) as pool:
        running = pool.submit(call, runs, sleeps)
        poll(lambda: runs._environments, bool, "the environment")
        runs.stop()
        with pytest.raises(ValueError, match="signal: killed"):
            running.result()
    assert credentials.forgotten == ["1"]


@pytest.mark.parametrize("what", ["role_credentials", "may_write_logs", "raw output"])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, what) -> None:
    with own_executor(tmp_path) as runs:
        owner, name = (environment, "RawOutput") if what == "raw output" else (runs, f"_{what}")
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda _argument: 1 / 0)
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    runs.invoke(Invocation(ECHO, b"{}", "id"), reserved=1)
        assert [path for path in tmp_path.rglob("*") if path.parent != tmp_path] == []
        assert call(runs, ECHO, 1) == 1
        runs.retire(ECHO.arn)
        assert [path for path in tmp_path.rglob("*") if path.parent != tmp_path] == []


def test_one_step_that_fails_keeps_no_other_from_being_taken(tmp_path, capsys) -> None:
    with own_executor(tmp_path, forget_credentials=lambda variables: 1 / 0) as runs:
        assert call(runs, ECHO, 1) == 1
        runs.retire(ECHO.arn)
        assert not list((tmp_path / "packages").iterdir())
        assert not list((tmp_path / "environments").iterdir())
    assert "ZeroDivisionError" in capsys.readouterr().err


# -- packages -------------------------------------------------------------------------------


def test_unpacking_keeps_only_the_same_package_waiting(tmp_path, monkeypatch) -> None:
    begun, go_on, unpack = threading.Event(), threading.Event(), packages.unpack
    large = make_function(HEAD + "    return 'large'\n", "large")
    unpacked: list[Path] = []

    def slowly(zipped: tuple[bytes, ...], folder: Path) -> None:
        if large.package in zipped:
            unpacked.append(folder)
            begun.set()
            assert go_on.wait(60)
        unpack(zipped, folder)

    with own_executor(tmp_path) as runs, ThreadPoolExecutor(3) as pool:
        call(runs, ECHO)
        monkeypatch.setattr(packages, "unpack", slowly)
        try:
            waiting = [pool.submit(call, runs, large) for _ in range(3)]
            assert begun.wait(60)
            assert call(runs, ECHO, 1) == 1
            assert call(runs, make_function(ECHO_SOURCE, "another"), 2) == 2
        finally:
            go_on.set()
        assert [each.result() for each in waiting] == ["large"] * 3
    assert len(unpacked) == 1


SPOILS = (
    "import os, subprocess\n" + HEAD + "    if event == 'remove':\n"
    "        subprocess.run(['chmod', '-R', 'u+w', os.getcwd()])\n"
    "        subprocess.run(['rm', os.path.join(os.getcwd(), 'lambda_function.py')])\n"
    "    elif event == 'change':\n"
    "        subprocess.run('chmod -R u+w . && echo nonsense > lambda_function.py', shell=True)\n"
    "    elif event == 'add':\n"
    "        subprocess.run('chmod u+w . && echo 1/0 > json.py', shell=True)\n"
    "    else:\n        return sorted(os.listdir('.'))\n"
    "    os._exit(1)\n"
)


@pytest.mark.skipif(not POSIX, reason="runs rm and chmod")
def test_a_package_is_whole_at_each_cold_start(tmp_path) -> None:
    function = make_function(SPOILS, "spoils")
    with own_executor(tmp_path) as runs:
        for spoil in ("remove", "change", "add"):
            with pytest.raises(ValueError, match="exit status 1"):
                call(runs, function, spoil)
            assert call(runs, function) == ["lambda_function.py"]


WRITES = """
import os, pathlib, shutil, subprocess, tempfile

def outcome(action):
    try:
        action()
        return "done"
    except OSError as error:
        return str(error)

def lambda_handler(event, context):
    own, inside = __file__, os.path.join(os.getcwd(), "new")
    elsewhere = tempfile.mkdtemp()
    pathlib.Path(elsewhere, "a", "b").mkdir(parents=True)
    pathlib.Path(elsewhere, "a", "b", "lambda_function.py").touch()
    return {
        "refused": [outcome(action) for action in (
            lambda: open("new", "w"),
            lambda: open("lambda_function.py", "a"),
            lambda: open("/var/task/new", "wb"),
            lambda: open("/opt/new", "wb"),
            lambda: os.mkdir("../opt/new"),
            lambda: open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "new"), "w"),
            lambda: pathlib.Path("new").touch(),
            lambda: os.remove(own),
            lambda: os.mkdir("new"),
            lambda: os.rename(own, os.path.join(elsewhere, "x")),
            lambda: os.rename(os.path.join(elsewhere, "a"), inside),
            lambda: os.symlink(elsewhere, "new"),
            lambda: os.chmod(os.getcwd(), 0o777),
            lambda: shutil.rmtree(os.getcwd()),
        )],
        "allowed": [outcome(action) for action in (
            lambda: open("lambda_function.py").read(),
            lambda: open(os.path.join(elsewhere, "x"), "w").close(),
            lambda: os.symlink(own, os.path.join(elsewhere, "link")),
            lambda: shutil.copytree(os.getcwd(), os.path.join(elsewhere, "copy")),
            lambda: shutil.rmtree(os.path.join(elsewhere, "a")),
        )],
        "files": os.listdir("."),
    }
"""


@pytest.mark.skipif(not POSIX, reason="mode bits")
def test_a_package_is_read_only_for_its_handler(tmp_path) -> None:
    with own_executor(tmp_path) as runs:
        seen = call(runs, make_function(WRITES, "writes"))
    assert {text[: text.index(":")] for text in seen["refused"]} == {
        "[Errno 30] Read-only file system"
    }
    assert seen["refused"][0] == "[Errno 30] Read-only file system: 'new'"
    assert seen["allowed"] == ["done"] * 5
    assert seen["files"] == ["lambda_function.py"]


@pytest.mark.skipif(not POSIX, reason="runs a shell script")
def test_a_wrapper_keeps_its_execute_bit(tmp_path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        script = zipfile.ZipInfo("bin/wrapper.sh")
        script.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(script, '#!/bin/sh\nWRAPPED=yes exec "$@"\n')
        source = "import os\n" + HEAD + "    return os.environ['WRAPPED']\n"
        archive.writestr("lambda_function.py", source)
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bin/wrapper.sh"}
    function = make_function("", "wrapped", package=buffer.getvalue(), variables=variables)
    with own_executor(tmp_path) as runs:
        assert call(runs, function) == "yes"
        [folder] = (tmp_path / "packages").glob("*/task")
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}
        assert modes == {"bin": "0o555", "wrapper.sh": "0o555", "lambda_function.py": "0o444"}
        assert folder.stat().st_mode & 0o222 == 0


# -- the end of a worker ----------------------------------------------------------------------

DAEMON = """
import os, subprocess, sys, time

def lambda_handler(event, context):
    reading, writing = os.pipe()
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.write(writing, str(os.getpid()).encode())
            os.execvp("sleep", ["sleep", "300"])
        os._exit(0)
    os.wait()
    print("daemon", os.read(reading, 20).decode())
    if event == "crash":
        os._exit(1)
    if event == "time out":
        time.sleep(60)
"""


def daemon_of(function: FunctionVersion) -> int:
    [pid] = [line.split()[1] for line in log_lines(function) if line.startswith("daemon")]
    return int(pid)


@pytest.mark.skipif(not POSIX, reason="forks")
@pytest.mark.parametrize("end", ["crash", "time out", "retire", "stop"])
def test_a_daemon_ends_with_its_environment(tmp_path, end) -> None:
    function = make_function(DAEMON, unique("daemon"), timeout_s=1)
    other = make_function(DAEMON, unique("other"), timeout_s=10)
    with own_executor(tmp_path) as runs:
        call(runs, other)
        if end in ("retire", "stop"):
            call(runs, function)
        else:
            with pytest.raises(ValueError, match=r"exit status 1|timed out"):
                call(runs, function, end)
        daemon, others = map(daemon_of, (function, other))
        if end == "retire":
            runs.retire(function.arn)
        if end == "stop":
            runs.stop()
        else:
            assert psutil.pid_exists(others)
        wait_gone(daemon, "the daemon")
    wait_gone(others, "the other function's daemon")


@pytest.mark.skipif(not POSIX, reason="forks")
def test_a_daemon_of_a_killed_server_ends_when_the_next_one_starts(tmp_path) -> None:
    own, other = (tmp_path / name / "environments" / "1" / "tmp" for name in ("own", "own2"))
    variables = [{**os.environ, "TMPDIR": str(folder)} for folder in (own, other)]
    sleeping = [subprocess.Popen(["sleep", "300"], env=each) for each in variables]
    try:
        with own_executor(tmp_path / "own"):
            assert sleeping[0].wait(10) == -signal.SIGKILL
            assert sleeping[1].poll() is None
    finally:
        for each in sleeping:
            each.kill()
            each.wait()


@pytest.mark.skipif(not POSIX, reason="zombies")
def test_the_id_of_a_process_stays_its_own_until_its_end_and_is_not_used_after(
    tmp_path, monkeypatch
) -> None:
    with (tmp_path / "output").open("wb") as output:
        process = WorkerProcess([sys.executable, "-c", "1/0"], {}, tmp_path, output)
    process.wait()
    assert psutil.Process(process._process.pid).status() == psutil.STATUS_ZOMBIE
    assert process.end("late") == 1
    assert process.killed_by is None

    def refuse(*_arguments: object) -> None:
        raise AssertionError("A stranger might have been killed.")

    for target, name in ((os, "killpg"), (os, "kill"), (psutil.Process, "children")):
        monkeypatch.setattr(target, name, refuse)
    assert process.end() == 1
    assert process.has_ended()
    assert process.used_memory() == 0
    process.close()


@pytest.mark.skipif(not POSIX, reason="signals")
def test_a_worker_that_died_is_ended_without_a_stranger_being_killed(tmp_path) -> None:
    with own_executor(tmp_path) as runs:
        function = make_function(PID, "pid")
        pid = call(runs, function)
        psutil.Process(pid).kill()
        [environment] = runs._environments
        poll(environment._process.has_ended, bool, "the worker's end")
        assert call(runs, function) != pid
        assert not psutil.pid_exists(pid)


def test_the_watch_goes_on_after_a_fault(tmp_path, monkeypatch, capsys) -> None:
    faults, works = [], Environment.check_limits

    def fails_at_first(self: Environment) -> None:
        if not faults:
            faults.append(1)
            raise Fault
        works(self)

    monkeypatch.setattr(Environment, "check_limits", fails_at_first)
    source = "import time\n" + HEAD + "    kept = b'x' * 400 * 2**20\n    time.sleep(20)\n"
    with own_executor(tmp_path) as runs:
        call(runs, ECHO)
        poll(lambda: faults, bool, "the fault")
        with pytest.raises(ValueError, match="signal: killed"):
            call(runs, make_function(source, "hog", memory_mb=128))
    assert "Fault" in capsys.readouterr().err


# -- nothing grows without a limit --------------------------------------------------------------


class Endless:
    """A pipe that never ends; `largest` is the most that was asked for at once."""

    def __init__(self, head: bytes) -> None:
        self.rest = head
        self.largest = 0

    def read(self, count: int) -> bytes:
        self.largest = max(self.largest, count)
        if self.rest:
            head, self.rest = self.rest, b""
            return head
        return bytes(count)


def test_of_a_large_frame_no_more_is_kept_than_shows_its_size() -> None:
    pipe = Endless(environment.FRAME_HEAD.pack(b"R", 0, 2**32 - 1))
    kind, _, data = read_frame(pipe)
    assert (kind, len(data)) == (b"R", MAX_RESPONSE_BYTES + 1)
    assert pipe.largest <= MAX_RESPONSE_BYTES + 1


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (HEAD + "    return 'x' * event\n", "Response payload size exceeded"),
        (HEAD + "    if event:\n        raise ValueError('x' * event)\n", "Response payload size"),
        ("raise ValueError('x' * 7 * 2**20)\n", "Response payload size"),
    ],
    ids=["answer", "error", "init"],
)
def test_an_answer_that_is_too_large_is_refused_and_the_next_one_is_right(
    tmp_path, source, error
) -> None:
    function = make_function(source, "large")
    with own_executor(tmp_path) as runs:
        with pytest.raises(ValueError, match=error):
            call(runs, function, 20 * 2**20)
        if source.startswith(HEAD):
            assert not call(runs, function, 0)


def log_stream(may_write: bool = True) -> LogStream:
    about = SimpleNamespace(log_group="/g", name="g", version="1", account=ACCOUNT, region=REGION)
    stream = LogStream(about, lambda: may_write)
    stream.begin()
    return stream


def test_of_the_log_the_last_4_kb_are_kept() -> None:
    stream, line = log_stream(may_write=False), b"x" * 10_000 + b"\n"
    tracemalloc.start()
    try:
        for _ in range(1000):
            stream.printed(line)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
    assert stream.tail() == line[-4096:]


def test_a_line_without_an_end_becomes_several_events(monkeypatch) -> None:
    stream, events = log_stream(), []
    monkeypatch.setattr(stream, "event", events.append)
    for _ in range(5):
        stream.printed(b"x" * 2**19)
    stream.printed(b"y\n")
    assert [len(text) for text in events] == [MAX_EVENT_BYTES, 2**19, MAX_EVENT_BYTES, 2]


def test_raw_output_is_cut_off_and_the_next_invocation_has_room(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(raw_output, "MAX_BYTES", 100)
    output = RawOutput(tmp_path / "output")
    with output.for_worker() as file:
        file.write(b"a" * 60)
        assert output.up_to(50) == b"a" * 50
        for _ in range(3):
            file.write(b"b" * 1000)
            output.limit()
            assert (tmp_path / "output").stat().st_size == 100
        assert output.up_to(3060) == b"a" * 10 + b"b" * 40
        assert output.rest() == b""
        output.begin()
        file.write(b"c" * 20)
        assert output.up_to(20) == b"c" * 20
        output.begin()
        file.write(b"d")
        assert output.rest() == b"d"
    output.close()


def test_the_watch_keeps_raw_output_small(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(raw_output, "MAX_BYTES", 2**20)
    source = (
        "import os\n" + HEAD + "    line = b'x' * 99 + b'\\n'\n    size = 2**30\n"
        "    while size > 2**20:\n        os.write(2, line * 5000)\n"
        "        size = os.fstat(2).st_size\n    return 'cut off'\n"
    )
    with own_executor(tmp_path) as runs:
        assert call(runs, make_function(source, "floods")) == "cut off"
