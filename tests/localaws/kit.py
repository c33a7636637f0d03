"""What tests of the local AWS share: servers and executors of a test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from moto.logs.models import logs_backends

from helpers import steps
from helpers.localaws import lifecycle
from helpers.localaws.keys import AccessKey
from helpers.localaws.lifecycle import CHECKOUT, has_ended
from helpers.localaws.logs import backend as logs_api
from helpers.localaws.runtime.executor import Executor
from helpers.localaws.runtime.model import FunctionVersion, Invocation
from tests.conformance.kit import REGION, Aws, access_keys, poll

ACCOUNT = "123456789012"
logs_api.install()  # before moto makes log groups of its own in this process
POSIX = os.name == "posix"
LIMIT_S = 180.0  # of any wait in a storm; what takes seconds on an idle machine may take minutes
GROUPS = 20


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
def own_server(folder: Path, open_to_all: bool = False, **variables: str) -> Iterator[str]:
    """Another local AWS, with its endpoint URL, stopped at the end."""
    with local_aws_of(folder, **variables):
        lifecycle.start(open_to_all)
    try:
        yield endpoint_of(folder)
    finally:
        with local_aws_of(folder):
            lifecycle.stop()


def local_aws_of(folder: Path, **variables: str) -> Any:
    return mock.patch.dict(os.environ, LOCALAWS_FOLDER=str(folder), **variables)


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


# -- an executor in this process ------------------------------------------------------------


def make_function(
    source: str, name: str = "f", revision: str = "1", **changes: Any
) -> FunctionVersion:
    """What an executor must know of a function with this handler."""
    function = FunctionVersion(
        arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        name=name,
        version="$LATEST",
        revision=revision,
        handler="lambda_function.lambda_handler",
        runtime="python3.13",
        timeout_s=20,
        memory_mb=512,
        variables={},
        role="role",
        account=ACCOUNT,
        region=REGION,
        log_group=f"/aws/lambda/{name}",
        package=steps.make_package(source),
    )
    return replace(function, **changes)


@contextmanager
def own_executor(folder: Path, **callables: Any) -> Iterator[Executor]:
    """An executor whose roles may do all; `callables` are other arguments of Executor."""
    arguments = {
        "role_credentials": lambda function: {},
        "may_write_logs": lambda function: True,
        **callables,
    }
    executor = Executor(folder, "http://127.0.0.1:1", **arguments)
    try:
        yield executor
    finally:
        executor.stop()


def call(executor: Executor, function: FunctionVersion, event: Any = None) -> Any:
    """What a function returns; raises ValueError with its error if it ends with one."""
    result = executor.invoke(Invocation(function, json.dumps(event).encode(), "request-id"))
    value = json.loads(result.payload)
    if result.error:
        raise ValueError(value["errorMessage"][:1000])
    return value


@contextmanager
def threads_take_turns_often() -> Iterator[None]:
    """Let races show that are rare otherwise."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def log_lines(function: FunctionVersion) -> list[str]:
    group = logs_backends[function.account][function.region].groups[function.log_group]
    return [event.message for stream in group.streams.values() for event in stream.events]


# -- queues in this process -----------------------------------------------------------------


def make_pair(backend: Any, kind: str = "", max_receives: int = 1) -> tuple[Any, Any]:
    """A queue of an SQS backend and its dead-letter queue. `kind`: "" or ".fifo"."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if kind else {}
    dead_letters = backend.create_queue(f"dead{kind}", **fifo)
    policy = {"deadLetterTargetArn": dead_letters.queue_arn, "maxReceiveCount": max_receives}
    queue = backend.create_queue(f"q{kind}", RedrivePolicy=json.dumps(policy), **fifo)
    return queue, dead_letters


# -- many messages ----------------------------------------------------------------------------


def send_all(aws: Aws, url: str, bodies: list[str], group: Callable[[str], str] | None = None):
    """Send messages in batches of ten; `group` gives the message group of a body."""
    for start in range(0, len(bodies), 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": body,
                **({"MessageGroupId": group(body)} if group else {}),
            }
            for number, body in enumerate(bodies[start : start + 10])
        ]
        answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert "Failed" not in answer


def group_of(body: str) -> str:
    return f"g{int(body.partition('-')[2]) % GROUPS}"
