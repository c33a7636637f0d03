"""What the tests of this folder share: a client for the local AWS, and things set up early.

Functions, queues and triggers need a second or so to become active. So a test module
declares at import what it needs; all of it is set up together, before the first test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers import steps
from helpers.localaws.lifecycle import CHECKOUT
from helpers.waiting import wait_until

REGION = "us-east-1"
ACCOUNT = "123456789012"
POSIX = os.name == "posix"

SEEN = "SEEN "
SHOW = """
import json, time
def show(event):
    print("SEEN " + json.dumps({"at": time.time(), "records": event["Records"]}))
"""


def unique(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def poll(look: Any, done: Any, what: str, limit_s: float = 20.0) -> Any:
    return wait_until(look, done, what, limit_s, 0.05)


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of the error that a call ends with."""
    try:
        call(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("The call was not refused.")


class Declared:
    """A function that is there when the first test starts."""

    all: list[Declared] = []

    def __init__(self, source: str, **settings: Any) -> None:
        self.name = unique("fn")
        self.source = source
        self.settings = settings
        Declared.all.append(self)


class Scenario:
    """A queue, a function and a trigger between them, with messages sent before it.

    `source` has a function `lambda_handler` and may call `show(event)`. The settings that
    follow `timeout` are the trigger's own.
    """

    all: list[Scenario] = []

    def __init__(
        self,
        source: str,
        bodies: list[str] | None = None,
        visibility: int = 30,
        max_receives: int | None = None,
        message: dict | None = None,
        timeout: int = 1,
        **mapping: Any,
    ) -> None:
        self.function = Declared(SHOW + source, Timeout=timeout)
        self.bodies = bodies or []
        self.visibility = visibility
        self.max_receives = max_receives
        self.message = message or {}
        self.mapping = mapping
        self.url = self.arn = self.dlq_url = self.dlq_arn = self.uuid = ""
        self.created: dict[str, Any] = {}
        Scenario.all.append(self)


@dataclass(frozen=True)
class Answer:
    """What Invoke answered."""

    payload: bytes
    error: str | None
    whole: dict[str, Any]

    @property
    def value(self) -> Any:
        return json.loads(self.payload)

    @property
    def request_id(self) -> str:
        return self.whole["ResponseMetadata"]["RequestId"]


class LocalAws:
    """Clients of one local AWS, and what tests do with them."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.sqs, self.iam, self.lambda_, self.logs = (
            boto3.client(
                name,
                endpoint_url=endpoint_url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=40),
            )
            for name in ("sqs", "iam", "lambda", "logs")
        )
        self.role_name = unique("role")
        self.role = steps.create_role(self.iam, self.role_name, {})

    # -- functions ---------------------------------------------------------------------

    def create_function(self, name: str, source: str, **settings: Any) -> dict[str, Any]:
        """CreateFunction's answer, at once."""
        return self.lambda_.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "lambda_function.lambda_handler",
                "Role": self.role,
                "Code": {"ZipFile": steps.make_package(source)},
                **settings,
            }
        )

    def wait_active(self, name: str) -> None:
        poll(
            lambda: self.lambda_.get_function_configuration(FunctionName=name)["State"],
            lambda state: state == "Active",
            f"{name} to be active",
        )

    def function(self, source: str, **settings: Any) -> str:
        """A new function, active. Returns its name."""
        name = unique("fn")
        self.create_function(name, source, **settings)
        self.wait_active(name)
        return name

    def invoke(self, name: str, event: Any = None, **arguments: Any) -> Answer:
        whole = self.lambda_.invoke(
            FunctionName=name, Payload=json.dumps(event).encode(), **arguments
        )
        return Answer(whole["Payload"].read(), whole.get("FunctionError"), whole)

    def log_events(self, name: str) -> list[dict[str, Any]]:
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}"
        )
        try:
            return [event for page in pages for event in page["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def log(self, name: str) -> list[str]:
        """The messages of a function's log."""
        return [event["message"] for event in self.log_events(name)]

    def own_lines(self, name: str) -> list[str]:
        """The messages that are not the platform's."""
        words = ("INIT_START ", "INIT_REPORT ", "START ", "END ", "REPORT ")
        return [message for message in self.log(name) if not message.startswith(words)]

    # -- queues and triggers -----------------------------------------------------------

    def queue(self, name: str = "", **attributes: Any) -> tuple[str, str]:
        """A new queue: URL and ARN."""
        url = self.sqs.create_queue(
            QueueName=name or unique("queue"),
            Attributes={key: str(value) for key, value in attributes.items()},
        )["QueueUrl"]
        return url, steps.queue_arn(self.sqs, url)

    def wait_mapping(self, uuid_: str, state: str) -> dict[str, Any]:
        return poll(
            lambda: self.lambda_.get_event_source_mapping(UUID=uuid_),
            lambda mapping: mapping["State"] == state,
            f"the trigger to be {state}",
        )

    def invocations(self, scenario: Scenario, at_least: int = 0) -> list[dict[str, Any]]:
        """What the scenario's function was handed: a list of `at` and `records`."""

        def look() -> list[dict[str, Any]]:
            lines = self.own_lines(scenario.function.name)
            return [json.loads(line[len(SEEN) :]) for line in lines if line.startswith(SEEN)]

        what = f"{at_least} invocations"
        return poll(look, lambda found: len(found) >= at_least, what)

    def wait_empty(self, url: str) -> None:
        poll(
            lambda: steps.queue_counts(self.sqs, url),
            lambda counts: not any(counts.values()),
            f"{url} to be empty",
        )

    def receive(self, url: str, wait_s: int = 0) -> list[dict[str, Any]]:
        return self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])

    # -- what is set up before the first test ------------------------------------------

    def set_up(self) -> None:
        for declared in Declared.all:
            self.create_function(declared.name, declared.source, **declared.settings)
        for scenario in Scenario.all:
            self._fill(scenario)
        for declared in Declared.all:
            self.wait_active(declared.name)
        for scenario in Scenario.all:
            scenario.created = self.lambda_.create_event_source_mapping(
                EventSourceArn=scenario.arn,
                FunctionName=scenario.function.name,
                **scenario.mapping,
            )
            scenario.uuid = scenario.created["UUID"]

    def _fill(self, scenario: Scenario) -> None:
        attributes: dict[str, Any] = {"VisibilityTimeout": scenario.visibility}
        if scenario.max_receives:
            scenario.dlq_url, scenario.dlq_arn = self.queue(unique("dlq"))
            attributes["RedrivePolicy"] = json.dumps(
                {
                    "deadLetterTargetArn": scenario.dlq_arn,
                    "maxReceiveCount": scenario.max_receives,
                }
            )
        scenario.url, scenario.arn = self.queue(**attributes)
        for body in scenario.bodies:
            self.sqs.send_message(QueueUrl=scenario.url, MessageBody=body, **scenario.message)


# -- servers of their own ----------------------------------------------------------------


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


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_gone(pid: int, what: str) -> None:
    poll(lambda: is_gone(pid), bool, f"{what} to be gone")
