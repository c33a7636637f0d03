"""The servers that are measured: how each is started, and clients of it."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
MINISTACK = ROOT / ".venv-bench" / SCRIPTS / "ministack"
START_LIMIT_S = 60.0
QUESTION = "Action=GetCallerIdentity&Version=2011-06-15"
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sts/aws4_request, "
    "SignedHeaders=host, Signature=0",
}


@dataclass(frozen=True)
class Kind:
    """One kind of server. `command` and `variables` may hold {port}."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]
    runs_handlers: bool = True


OURS = Kind(
    "local AWS",
    (sys.executable, "-m", "helpers.localaws", "run", "--port", "{port}"),
    {},
)
MOTO = Kind(
    "plain moto",
    (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"),
    {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
    runs_handlers=False,
)
MINI = Kind("MiniStack", (str(MINISTACK),), {"GATEWAY_PORT": "{port}"})


@dataclass
class Running:
    """A server that answers. `start_ms`: from starting the process to its first answer."""

    kind: Kind
    process: subprocess.Popen
    url: str
    start_ms: float

    def client(self, name: str) -> Any:
        """A client in a session of its own, so that threads share nothing."""
        return boto3.session.Session().client(
            name,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    def memory_mb(self) -> float:
        """Resident memory of the server and its children, in MB."""
        main = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [main, *main.children(recursive=True)]) / 2**20


@contextmanager
def running(kind: Kind) -> Iterator[Running]:
    """Start a server, and end it with all its children."""
    folder = tempfile.mkdtemp(prefix="bench-")
    port = str(free_port())
    began = time.perf_counter()
    process = subprocess.Popen(
        [part.format(port=port) for part in kind.command],
        cwd=ROOT,
        env={
            **os.environ,
            "LOCALAWS_FOLDER": folder,
            **{name: value.format(port=port) for name, value in kind.variables.items()},
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_answer(int(port))
        start_ms = (time.perf_counter() - began) * 1000
        yield Running(kind, process, f"http://127.0.0.1:{port}", start_ms)
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_answer(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/", QUESTION, HEADERS)
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise TimeoutError(f"No answer on port {port} within {START_LIMIT_S:.0f} s")


def end(process: subprocess.Popen) -> None:
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            pass


def kinds() -> list[Kind]:
    """The kinds that can be measured here; says how to get MiniStack when it is missing."""
    if MINISTACK.exists():
        return [OURS, MOTO, MINI]
    print("MiniStack is not installed, so it is left out: `make bench` installs it.\n")
    return [OURS, MOTO]
