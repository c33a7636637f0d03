"""Local AWS servers of a test's own: start them, find their processes, kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.localaws.lifecycle import CHECKOUT, has_ended
from tests.conformance.kit import poll

POSIX = os.name == "posix"
ACCOUNT = "123456789012"


def command(
    folder: Path, *arguments: str, limit_s: float = 60, **variables: str
) -> subprocess.CompletedProcess:
    """Run `python -m helpers.localaws …` for the local AWS of a folder."""
    return subprocess.run(
        [sys.executable, "-m", "helpers.localaws", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "LOCALAWS_FOLDER": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


@contextmanager
def own_server(folder: Path, **variables: str) -> Iterator[str]:
    """Another local AWS, with its endpoint URL, stopped at the end."""
    started = command(folder, "start", **variables)
    try:
        assert started.returncode == 0, started.stderr
        yield started.stdout.strip()
    finally:
        command(folder, "stop")


def server_pid(folder: Path) -> int:
    return json.loads((folder / "state.json").read_text())["pid"]


def kill_hard(pid: int) -> None:
    os.kill(pid, signal.SIGKILL if POSIX else signal.SIGTERM)


def wait_gone(pid: int, what: str) -> None:
    poll(lambda: has_ended(pid), bool, f"{what} to be gone")


def make_pair(backend: Any, kind: str = "", max_receives: int = 1) -> tuple[Any, Any]:
    """A queue of an SQS backend and its dead-letter queue. `kind`: "" or ".fifo"."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if kind else {}
    dead_letters = backend.create_queue(f"dead{kind}", **fifo)
    policy = {"deadLetterTargetArn": dead_letters.queue_arn, "maxReceiveCount": max_receives}
    queue = backend.create_queue(f"q{kind}", RedrivePolicy=json.dumps(policy), **fifo)
    return queue, dead_letters
