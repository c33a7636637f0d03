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

from helpers.localaws.keys import AccessKey
from helpers.localaws.lifecycle import CHECKOUT, has_ended
from tests.conformance.kit import access_keys, poll

POSIX = os.name == "posix"


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
def own_server(folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """Another local AWS, with its endpoint URL, stopped at the end."""
    started = command(folder, "start", *options, **variables)
    try:
        assert started.returncode == 0, started.stderr
        yield endpoint_of(folder)
    finally:
        command(folder, "stop")


def state(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "state.json").read_text())


def endpoint_of(folder: Path) -> str:
    """The endpoint URL of a folder's server, whose key is then known to `Aws`."""
    found = state(folder)
    key = AccessKey(found["access_key_id"], found["secret_access_key"])
    access_keys[found["endpoint_url"]] = key
    return found["endpoint_url"]


def server_pid(folder: Path) -> int:
    return state(folder)["pid"]


def kill_hard(pid: int) -> None:
    os.kill(pid, signal.SIGKILL if POSIX else signal.SIGTERM)


def wait_gone(pid: int, what: str) -> None:
    poll(lambda: has_ended(pid), bool, f"{what} to be gone")
