"""The servers that are measured: how each is started and ended, and clients of it."""

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
MINISTACK = ROOT / ".venv-bench" / ("Scripts" if os.name == "nt" else "bin") / "ministack"
HOW_TO_GET_MINISTACK = (
    "MiniStack is left out, for it is not installed: `make bench` installs it, or `python -m venv "
    ".venv-bench && .venv-bench/bin/python -m pip install -r tests/bench/requirements.lock`."
)
START_LIMIT_S = 60.0
END_LIMIT_S = 10.0
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
WHO_AM_I = (
    "Action=GetCallerIdentity&Version=2011-06-15",
    {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": AUTHORIZATION.format("sts"),
    },
)
CREATE_QUEUE = (
    '{"QueueName": "first"}',
    {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.CreateQueue",
        "Authorization": AUTHORIZATION.format("sqs"),
    },
)


@dataclass(frozen=True)
class Kind:
    """One kind of server. `command` and `variables` may hold {port}."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]
    runs_handlers: bool = True


OURS = Kind("local AWS", (sys.executable, "-m", "helpers.localaws", "run", "--port", "{port}"), {})
MOTO = Kind(
    "plain moto",
    (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"),
    {},
    runs_handlers=False,
)
MINI = Kind(
    "MiniStack",
    (str(MINISTACK),),
    {"GATEWAY_PORT": "{port}", "BIND_HOST": "127.0.0.1", "LAMBDA_EXECUTOR": "local"},
)


@dataclass(frozen=True)
class Running:
    """A server that answers. `began`: when its process was started, by `time.perf_counter`."""

    kind: Kind
    pid: int
    port: int
    began: float
    start_ms: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, name: str) -> Any:
        return make_client(name, self.url)

    def memory_mb(self) -> float:
        """Resident memory of the server and its children, in MB."""
        main = psutil.Process(self.pid)
        return sum(p.memory_info().rss for p in [main, *main.children(recursive=True)]) / 2**20


def make_client(name: str, url: str) -> Any:
    """A client in a session of its own, so that threads share nothing."""
    return boto3.session.Session().client(
        name,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=120, proxies={}),
    )


@contextmanager
def running(kind: Kind) -> Iterator[Running]:
    """Start a server, and end it with all its children; what it left in files is removed."""
    folder = tempfile.mkdtemp(prefix="bench-")
    port = free_port()
    variables = {name: value.format(port=port) for name, value in kind.variables.items()}
    began = time.perf_counter()
    process = subprocess.Popen(
        [part.format(port=port) for part in kind.command],
        cwd=ROOT,
        env={**os.environ, "LOCALAWS_FOLDER": folder, "TMPDIR": folder, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_answer(port)
        start_ms = (time.perf_counter() - began) * 1000
        yield Running(kind, process.pid, port, began, start_ms)
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
        try:
            if ask(port, *WHO_AM_I) == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.005)
    raise TimeoutError(f"no answer on port {port} within {START_LIMIT_S:.0f} s")


def ask(port: int, body: str, headers: dict[str, str]) -> int:
    """One call without boto3; returns the HTTP status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def end(process: subprocess.Popen) -> None:
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
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
    print(HOW_TO_GET_MINISTACK, file=sys.stderr)
    return [OURS, MOTO]
