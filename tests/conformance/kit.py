"""What the conformance tests share: clients of one endpoint, and things set up early.

The tests know nothing of the server behind the endpoint. Functions and triggers need a
while to become active, on AWS a minute; so a test module declares in its global variables
what it needs, and all of it is set up together, before the module's first test. A declared
thing that could not be set up fails the tests that use it, and no other.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers import steps
from helpers.account import target
from helpers.localaws.keys import AccessKey
from helpers.localaws.settings import RETRY_PAUSE_S
from helpers.waiting import wait_until, when_role_is_ready

REGION = "us-east-1"
SEEN = "SEEN "
SHOW = """
import json, time
def show(event):
    print("SEEN " + json.dumps({"at": time.time(), "records": event["Records"]}))
"""
HEAD = "def lambda_handler(event, context):\n"
PLATFORM_WORDS = ("INIT_START ", "INIT_REPORT ", "START ", "END ", "REPORT ")

# The access keys of the servers that tests have started, by endpoint URL.
access_keys: dict[str, AccessKey] = {}
patience_s = 20.0  # how long a wait may last; pytest's --patience sets it
# Before the first retry of an asynchronous event; a local AWS of the test run's own has less.
retry_pause_s = RETRY_PAUSE_S


def unique(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def poll(look: Any, done: Any, what: str, limit_s: float | None = None) -> Any:
    """Call `look` until `done(result)`; waits are polls, never sleeps."""
    return wait_until(look, done, what, limit_s or patience_s, 0.05)


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of the error that a call ends with."""
    try:
        call(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("The call was not refused.")


class Early:
    """A function to call before the first test of its module, for what takes long by itself."""

    def __init__(self, start: Callable[[Aws], None]) -> None:
        self.start = start


class Declared:
    """A function that is there when the first test of its module starts."""

    def __init__(self, source: str, **settings: Any) -> None:
        self.made_name = unique("fn")
        self.source = source
        self.settings = settings
        self.failure: Exception | None = None

    @property
    def name(self) -> str:
        if self.failure:
            raise self.failure
        return self.made_name


class Scenario:
    """A queue, a function and a trigger between them, with messages sent before it.

    `source` has a function `lambda_handler` and may call `show(event)`. `queue` holds
    attributes of the queue; a FIFO queue has `fifo=True`. The settings that follow
    `timeout` are the trigger's own.
    """

    def __init__(
        self,
        source: str,
        bodies: list[str] | None = None,
        visibility: int = 30,
        max_receives: int | None = None,
        message: dict | None = None,
        timeout: int = 1,
        fifo: bool = False,
        queue: dict | None = None,
        **mapping: Any,
    ) -> None:
        self.function = Declared(SHOW + source, Timeout=timeout)
        self.bodies = bodies or []
        self.visibility = visibility
        self.max_receives = max_receives
        self.message = message or {}
        self.fifo = fifo
        self.queue = queue or {}
        self.mapping = mapping
        self.url = self.arn = self.dlq_url = self.dlq_arn = self.uuid = ""
        self.sent: list[dict[str, Any]] = []
        self.created: dict[str, Any] = {}
        self.failure: Exception | None = None


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


class Aws:
    """Clients of one endpoint, and what tests do with them.

    `endpoint_url` None is a real account, with the credentials that boto3 finds.
    """

    def __init__(self, endpoint_url: str | None) -> None:
        self.endpoint_url = endpoint_url
        self._clean_up: list[Callable[[], Any]] = []
        self.sqs, self.iam, self.lambda_, self.logs, self.sts = (
            self.client(name) for name in ("sqs", "iam", "lambda", "logs", "sts")
        )
        self.region = self.sqs.meta.region_name
        self.account = self.sts.get_caller_identity()["Account"]
        self.role_name = unique("role")
        self.role = steps.create_role(self.iam, self.role_name, {})
        self.later(self.delete_role, self.role_name)

    def client(self, name: str, **arguments: Any) -> Any:
        """A client of the endpoint that repeats no call by itself."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
        if self.endpoint_url is None:
            return boto3.client(name, config=config, **arguments)
        key = access_keys.get(self.endpoint_url) or target.key_for(self.endpoint_url)
        return boto3.client(
            name,
            **{
                "endpoint_url": self.endpoint_url,
                "region_name": REGION,
                "aws_access_key_id": key.id,
                "aws_secret_access_key": key.secret,
                "config": config,
                **arguments,
            },
        )

    # -- functions ---------------------------------------------------------------------

    def create_function(self, name: str, source: str, **settings: Any) -> dict[str, Any]:
        """CreateFunction's answer, at once."""
        answer = self.lambda_.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "lambda_function.lambda_handler",
                "Role": self.role,
                "Code": {"ZipFile": steps.make_package(source)},
                **settings,
            },
        )
        self.later(self.lambda_.delete_function, FunctionName=name)
        self.later(self.logs.delete_log_group, logGroupName=f"/aws/lambda/{name}")
        return answer

    def wait_active(self, name: str) -> None:
        poll(
            lambda: self.lambda_.get_function_configuration(FunctionName=name)["State"],
            lambda state: state == "Active",
            f"{name} to be active",
        )

    def wait_updated(self, name: str) -> dict[str, Any]:
        """The function's configuration when no update is in progress any more."""
        return poll(
            lambda: self.lambda_.get_function_configuration(FunctionName=name),
            lambda seen: seen.get("LastUpdateStatus") == "Successful",
            f"the update of {name}",
        )

    def function(self, source: str, **settings: Any) -> str:
        """A new function, active. Returns its name."""
        name = unique("fn")
        when_role_is_ready(self.create_function, name=name, source=source, **settings)
        self.wait_active(name)
        return name

    def invoke(self, name: str, event: Any = None, **arguments: Any) -> Answer:
        whole = self.lambda_.invoke(
            FunctionName=name, Payload=json.dumps(event).encode(), **arguments
        )
        return Answer(whole["Payload"].read(), whole.get("FunctionError"), whole)

    def log_events(self, name: str, group: str | None = None) -> list[dict[str, Any]]:
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group or f"/aws/lambda/{name}"
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
        return [text for text in self.log(name) if not text.startswith(PLATFORM_WORDS)]

    def wait_lines(self, name: str, count: int) -> list[str]:
        """The messages that are not the platform's, when there are `count` of them."""
        what = f"{count} lines of {name}'s own in its log"
        return poll(lambda: self.own_lines(name), lambda lines: len(lines) >= count, what)

    # -- roles -------------------------------------------------------------------------

    def new_role(self, *statements: dict[str, Any]) -> tuple[str, str]:
        """A role that Lambda may assume, with one inline policy: its name and ARN."""
        name = unique("role")
        trust = json.dumps(steps.TRUST_POLICY)
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.later(self.delete_role, name)
        if statements:
            policy = {"Version": "2012-10-17", "Statement": list(statements)}
            self.iam.put_role_policy(
                RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy)
            )
        return name, arn

    def delete_role(self, name: str) -> None:
        for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self.iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self.iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        self.iam.delete_role(RoleName=name)

    # -- queues and triggers -----------------------------------------------------------

    def queue(self, name: str = "", **attributes: Any) -> tuple[str, str]:
        """A new queue: URL and ARN."""
        url = self.sqs.create_queue(
            QueueName=name or unique("queue"),
            Attributes={key: str(value) for key, value in attributes.items()},
        )["QueueUrl"]
        self.later(self.sqs.delete_queue, QueueUrl=url)
        return url, steps.queue_arn(self.sqs, url)

    def fifo_queue(self, **attributes: Any) -> tuple[str, str]:
        """A new FIFO queue: URL and ARN."""
        return self.queue(unique("queue") + ".fifo", FifoQueue="true", **attributes)

    def create_mapping(self, **settings: Any) -> dict[str, Any]:
        """CreateEventSourceMapping's answer, at once."""
        answer = self.lambda_.create_event_source_mapping(**settings)
        self.later(self.lambda_.delete_event_source_mapping, UUID=answer["UUID"])
        return answer

    def wait_mapping(self, uuid_: str, state: str) -> dict[str, Any]:
        return poll(
            lambda: self.lambda_.get_event_source_mapping(UUID=uuid_),
            lambda mapping: mapping["State"] == state,
            f"the trigger to be {state}",
        )

    def invocations(self, scenario: Scenario, at_least: int = 0) -> list[dict[str, Any]]:
        """What the scenario's function was handed: a list of `at` and `records`."""
        if scenario.failure:
            raise scenario.failure

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

    def receive(self, url: str, wait_s: int = 0, **arguments: Any) -> list[dict[str, Any]]:
        return self.sqs.receive_message(
            **{
                "QueueUrl": url,
                "MaxNumberOfMessages": 10,
                "WaitTimeSeconds": wait_s,
                "MessageSystemAttributeNames": ["All"],
                **arguments,
            }
        ).get("Messages", [])

    # -- what is set up before the first test ------------------------------------------

    def set_up(self, module: ModuleType) -> None:
        """Set up all that a module declares, together."""
        declared = list(declared_in(module))
        scenarios = [each for each in declared if isinstance(each, Scenario)]
        functions = [each for each in declared if isinstance(each, Declared)]
        functions += [scenario.function for scenario in scenarios]
        for function in functions:
            attempt(function, self._create, function)
        for scenario in scenarios:
            attempt(scenario, self._fill, scenario)
        for function in functions:
            attempt(function, self.wait_active, function.made_name)
        for scenario in scenarios:
            attempt(scenario, self._connect, scenario)
        for each in declared:
            if isinstance(each, Early):
                each.start(self)

    def _create(self, declared: Declared) -> None:
        when_role_is_ready(
            self.create_function,
            name=declared.made_name,
            source=declared.source,
            **declared.settings,
        )

    def _fill(self, scenario: Scenario) -> None:
        suffix = ".fifo" if scenario.fifo else ""
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if scenario.fifo else {}
        attributes: dict[str, Any] = {"VisibilityTimeout": scenario.visibility, **fifo}
        if scenario.max_receives:
            scenario.dlq_url, scenario.dlq_arn = self.queue(unique("dlq") + suffix, **fifo)
            attributes["RedrivePolicy"] = json.dumps(
                {
                    "deadLetterTargetArn": scenario.dlq_arn,
                    "maxReceiveCount": scenario.max_receives,
                }
            )
        attributes |= scenario.queue
        scenario.url, scenario.arn = self.queue(unique("queue") + suffix, **attributes)
        group = {"MessageGroupId": "g"} if scenario.fifo else {}
        scenario.sent = [
            self.sqs.send_message(
                QueueUrl=scenario.url, MessageBody=body, **group, **scenario.message
            )
            for body in scenario.bodies
        ]

    def _connect(self, scenario: Scenario) -> None:
        scenario.created = when_role_is_ready(
            self.create_mapping,
            EventSourceArn=scenario.arn,
            FunctionName=scenario.function.name,
            **scenario.mapping,
        )
        scenario.uuid = scenario.created["UUID"]

    # -- what is cleaned up after the last test ----------------------------------------

    def later(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Make this call at the end of the test session; what it makes of it is ignored."""
        self._clean_up.append(lambda: call(*arguments, **named))

    def clean_up(self) -> None:
        for call in reversed(self._clean_up):
            try:
                call()
            except (ClientError, BotoCoreError):
                pass  # a test deleted it already


def declared_in(module: ModuleType) -> Iterator[Any]:
    """The values of a module's global variables, and those in its lists and dictionaries."""
    for value in vars(module).values():
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def attempt(thing: Declared | Scenario, call: Callable[..., Any], *arguments: Any) -> None:
    """Make a call for something that is being set up, unless an earlier one failed."""
    if thing.failure is None:
        try:
            call(*arguments)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            thing.failure = error
