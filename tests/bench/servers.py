"""The servers that are measured: how each is started and ended, and clients of it."""

from __future__ import annotations

import http.client
import json
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
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]
MINISTACK = ROOT / ".venv-bench" / ("Scripts" if os.name == "nt" else "bin") / "ministack"
HOW_TO_GET_MINISTACK = (
    "MiniStack is left out, for it is not installed: `make bench` installs it, or `python -m venv "
    ".venv-bench && .venv-bench/bin/python -m pip install -r tests/bench/requirements.lock`."
)
START_LIMIT_S = 60.0
END_LIMIT_S = 10.0
WHO_AM_I = (
    "sts",
    "Action=GetCallerIdentity&Version=2011-06-15",
    {"Content-Type": "application/x-www-form-urlencoded"},
)
CREATE_QUEUE = (
    "sqs",
    '{"QueueName": "first"}',
    {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.CreateQueue",
    },
)
# Other servers take any key; the local AWS writes its own to this file of its folder.
ANY_KEY = Credentials("test", "test")
STATE_FILE = "state.json"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Kind:
    """One kind of server. `command` and `variables` may hold {port}."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]
    runs_handlers: bool = True


OURS = Kind(
    "local AWS",
    (
        *(sys.executable, "-m", "helpers.localaws", "run"),
        *("--port", "{port}", "--recorded-as", "bench"),
    ),
    {},
)
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
    key: Credentials

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, name: str) -> Any:
        return make_client(name, self.url, self.key)

    def memory_mb(self) -> float:
        """Resident memory of the server and its children, in MB."""
        main = psutil.Process(self.pid)
        return sum(p.memory_info().rss for p in [main, *main.children(recursive=True)]) / 2**20


def make_client(name: str, url: str, key: Credentials = ANY_KEY) -> Any:
    """A client in a session of its own, so that threads share nothing."""
    return boto3.session.Session().client(
        name,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
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
        key = wait_for_answer(port, Path(folder) / STATE_FILE if kind is OURS else None)
        start_ms = (time.perf_counter() - began) * 1000
        yield Running(kind, process.pid, port, began, start_ms, key)
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_answer(port: int, state_file: Path | None) -> Credentials:
    """Wait for the first answer. Returns the key that the server takes."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            key = key_in(state_file) if state_file else ANY_KEY
            if ask(port, key, *WHO_AM_I) == 200:
                return key
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.005)
    raise TimeoutError(f"no answer on port {port} within {START_LIMIT_S:.0f} s")


def key_in(state_file: Path) -> Credentials:
    """The key in a local AWS's state file. Raises OSError while there is none."""
    state = json.loads(state_file.read_text())
    return Credentials(state["access_key_id"], state["secret_access_key"])


def ask(port: int, key: Credentials, service: str, body: str, headers: dict[str, str]) -> int:
    """One signed call without a client of boto3's; returns the HTTP status."""
    with connected(port) as connection:
        return send(connection, signed(port, key, service, body, headers), body)


def repeat(server: Running, service: str, body: str, headers: dict[str, str], count: int) -> None:
    """The same signed call so many times: ten times as fast as boto3 makes calls."""
    request = signed(server.port, server.key, service, body, headers)
    with connected(server.port) as connection:
        for _ in range(count):
            if send(connection, request, body) != 200:
                raise RuntimeError(f"refused: {body[:200]}")


def make_queues(server: Running, count: int) -> str:
    """Make queues with names from 0 on; returns the URL of the first."""
    with connected(server.port) as connection:
        for number in range(count):
            body = json.dumps({"QueueName": str(number)})
            request = signed(server.port, server.key, "sqs", body, CREATE_QUEUE[2])
            if send(connection, request, body) != 200:
                raise RuntimeError(f"refused: {body}")
    return f"{server.url}/{ACCOUNT}/0"


def send_batch(url: str) -> tuple[str, str, dict[str, str]]:
    """A call of SendMessageBatch with ten messages."""
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(10)]
    headers = {**CREATE_QUEUE[2], "X-Amz-Target": "AmazonSQS.SendMessageBatch"}
    return "sqs", json.dumps({"QueueUrl": url, "Entries": entries}), headers


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def signed(
    port: int, key: Credentials, service: str, body: str, headers: dict[str, str]
) -> dict[str, str]:
    """The headers of a signed call."""
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", headers, body.encode())
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    return dict(request.headers)


def send(connection: http.client.HTTPConnection, headers: dict[str, str], body: str) -> int:
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    response.read()
    return response.status


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
