"""Start, find and stop the local AWS of this checkout.

One user has one local AWS for each checkout. It is a process of its own, so that it
outlives a notebook and is found again by the next one; a small state file says where it
listens. The file is believed only if the server behind it answers with the same id.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock
from platformdirs import user_cache_path

from helpers.localaws.settings import STATUS_PATH

CHECKOUT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0


class StartFailed(RuntimeError):
    """The local AWS did not start; the message says what its log says."""


@dataclass(frozen=True)
class Server:
    """A local AWS that answers."""

    endpoint_url: str
    pid: int
    id: str


def folder() -> Path:
    """Where the state file, the lock and the log of this checkout's local AWS are.

    The environment variable LOCALAWS_FOLDER names another folder, and so another local AWS.
    """
    chosen = os.environ.get("LOCALAWS_FOLDER")
    if chosen:
        path = Path(chosen)
    else:
        checkout = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
        path = user_cache_path("localaws", appauthor=False) / platform.node() / checkout
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def find() -> Server | None:
    """The running local AWS of this checkout, if there is one."""
    return answering(recorded())


def start() -> tuple[Server, str | None]:
    """The local AWS of this checkout, started if need be.

    The second value is a sentence for the user when the one that ran before was found dead.
    Raises StartFailed when it does not answer within 60 s.
    """
    with FileLock(folder() / "lock"):
        before = recorded()
        server = answering(before)
        if server is not None:
            return server, None
        note = None
        if before is not None:
            note = (
                "The local AWS that ran here before has been killed, so a new one was "
                "started. It is empty."
            )
        return launch(), note


def stop() -> bool:
    """Stop the local AWS of this checkout. False when there was none."""
    with FileLock(folder() / "lock"):
        server = find()
        if server is not None:
            request(server.endpoint_url, "DELETE")
            wait_for_end(server.pid)
        state_file().unlink(missing_ok=True)
        return server is not None


def record(endpoint_url: str, server_id: str) -> None:
    """Write the state file: called by the server when it answers."""
    state = {"endpoint_url": endpoint_url, "pid": os.getpid(), "id": server_id}
    partial = state_file().with_suffix(".partial")
    partial.write_text(json.dumps(state))
    partial.replace(state_file())


def forget(server_id: str) -> None:
    """Remove the state file if it is this server's: called by the server at its end."""
    server = recorded()
    if server is not None and server.id == server_id:
        state_file().unlink(missing_ok=True)


def state_file() -> Path:
    return folder() / "state.json"


def recorded() -> Server | None:
    try:
        return Server(**json.loads(state_file().read_text()))
    except (OSError, ValueError, TypeError):
        return None


def answering(server: Server | None) -> Server | None:
    """The server, if it answers and is the one that was recorded."""
    if server is None or not psutil.pid_exists(server.pid):
        return None
    about = request(server.endpoint_url, "GET")
    return server if about.get("id") == server.id else None


def request(endpoint_url: str, method: str) -> dict:
    """Ask the status page; {} when nothing that we know answers."""
    call = urllib.request.Request(endpoint_url + STATUS_PATH, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(call, timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return {}


def launch() -> Server:
    """Start the server in the background and wait until it answers."""
    server_id = uuid.uuid4().hex
    log = folder() / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.localaws", "run", "--recorded-as", server_id],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **detached(),
        )
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        server = recorded()
        if server is not None and server.id == server_id:
            return server
        time.sleep(0.02)
    process.kill()
    raise StartFailed(
        f"The local AWS did not start. Its log says:\n{log.read_text(errors='replace')[-2000:]}"
    )


def detached() -> dict:
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def wait_for_end(pid: int) -> None:
    """Wait until a server that was told to stop has ended; kill it if it does not."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < deadline:
        if has_ended(pid):
            return
        time.sleep(0.02)
    try:
        psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        pass


def has_ended(pid: int) -> bool:
    """Whether a process has ended, also where nobody has collected its exit status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
