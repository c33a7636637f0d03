"""A worker process: started, asked whether it has ended, ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import psutil

LOOK_EVERY_S = 0.005
# By this environment variable a worker's children are known: it leads to a folder of its own.
MARK = "TMPDIR"
MAX_ROUNDS = 5


class WorkerProcess:
    """One worker process, from its start to its end.

    Its exit status is collected by `end()` and nowhere else: until then the system gives
    its id to no other process, so no stranger can be killed in its place.
    """

    def __init__(
        self, command: list[str], variables: dict[str, str], folder: Path, stderr: IO[bytes]
    ) -> None:
        self.killed_by: str | None = None
        self._lock = threading.Lock()
        self._collected = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=variables,
            cwd=folder,
            **own_process_group(),
        )
        self._seen = psutil.Process(self._process.pid)
        assert self._process.stdin is not None  # both were asked for
        assert self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    def has_ended(self) -> bool:
        with self._lock:
            return self._collected or is_over(self._process)

    def wait(self) -> None:
        """Wait until it has ended by itself or by `end()`."""
        while not self.has_ended():
            time.sleep(LOOK_EVERY_S)

    def used_memory(self) -> int:
        """What it uses now, in MB; 0 when it has ended."""
        with self._lock:
            if self._collected:
                return 0
            try:
                return -(-self._seen.memory_info().rss // 2**20)
            except psutil.Error:
                return 0

    def end(self, reason: str | None = None) -> int:
        """Kill it and its children, if it still runs; returns its exit code.

        `reason` is kept as `killed_by`, unless it had ended before. Children that have left
        its process group and lost their parent are found by `kill_strays()`.
        """
        with self._lock:
            if not self._collected:
                if not is_over(self._process):
                    self.killed_by = reason
                self._kill()
                self._process.wait()
                self._collected = True
            return self._process.returncode

    def _kill(self) -> None:
        family = children_of(self._seen)
        if os.name == "posix":
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except OSError:
                pass  # macOS refuses it when only a zombie is left
        self._process.kill()
        for child in family:
            kill(child)

    def close(self) -> None:
        """End it and close its pipes."""
        self.end()
        for pipe in (self.stdin, self.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was still to be written has no reader any more


def own_process_group() -> dict[str, Any]:
    """Popen arguments that keep a terminal's Ctrl-C away from the workers."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended, without collecting the exit status of a POSIX process."""
    if os.name == "nt":
        return process.poll() is not None  # the open handle keeps the id
    if hasattr(os, "waitid"):
        state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return state is not None
    return psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE  # macOS before 3.13


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def kill(process: psutil.Process) -> None:
    """Kill a process; psutil makes sure that the id is still that process's own."""
    try:
        process.kill()
    except psutil.Error:
        pass


def kill_strays(folders: Collection[Path]) -> None:
    """Kill what was started by workers whose own folders are in these, however far it has moved.

    A daemon that was forked twice has neither its parent nor its process group any more, but
    it has the environment variables of its worker, unless it emptied them.
    """
    inside = tuple(os.path.join(folder, "") for folder in folders)
    for _ in range(MAX_ROUNDS):  # a stray may fork before it is killed
        strays = [each for each in psutil.process_iter() if mark_of(each).startswith(inside)]
        if not strays:
            return
        for stray in strays:
            kill(stray)


def mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""
