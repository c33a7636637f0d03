"""The seven steps, each as one small function that may be called again.

Every function takes a boto3 client and returns data. What is there already is left as it
is, and what is missing is made. What is there without the tags that are given, or has a name
of the course and not its tag, is somebody else's: then NotOurs is raised, and nothing changed.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from typing import Any

from helpers.account.belongings import find_queues
from helpers.account.refusal import refuse_foreign, refuse_if_known
from helpers.account.things import (
    as_list,
    ignore_missing,
    look_at_function,
    look_at_mapping,
    look_at_queue,
    look_at_role,
)
from helpers.clients import Client
from helpers.waiting import wait_until, when_role_is_ready

# The runtime of the course's function. The text that this course follows says Python 3.9,
# which AWS has retired; https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
# lists what is supported.
RUNTIME = "python3.13"
HANDLER = "lambda_function.lambda_handler"
POLICY_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}

HELLO_STUB = """\
import json

def lambda_handler(event, context):
    # TODO implement
    return {
        'statusCode': 200,
        'body': json.dumps('Hello from Lambda!')
    }
"""

SEED_HANDLER = """\
import json

def lambda_handler(event, context):
    for record in event['Records']:
        message = record['body']
        print(f"Received message: {message}")

    return {
        'statusCode': 200,
        'body': json.dumps('Message processed successfully!')
    }
"""

SEED_MESSAGE = {"task": "process_order", "order_id": "12345"}


def create_queue(
    sqs: Client, name: str, tags: dict[str, str], attributes: dict[str, str] | None = None
) -> str:
    """Step 1: a queue, by default a standard one. Returns its URL."""
    queue = look_at_queue(sqs, name)
    if queue is None:
        return wait_out_deletion(sqs, name, tags, attributes)
    refuse_foreign([queue], tags)
    return queue.key


def wait_out_deletion(
    sqs: Client, name: str, tags: dict[str, str], attributes: dict[str, str] | None = None
) -> str:
    """Create a queue; if one of that name was deleted in the last 60 s, wait until AWS lets us."""

    def attempt() -> str | None:
        try:
            answer = sqs.create_queue(QueueName=name, Attributes=attributes or {}, tags=tags)
        except sqs.exceptions.QueueDeletedRecently:
            return None
        return str(answer["QueueUrl"])

    url = wait_until(attempt, bool, f"the 60 s after which {name} may be created again", 70, 1)
    assert url is not None  # by `bool`
    # "You must wait at least one second after the queue is created": CreateQueue in SQS's API.
    wait_until(lambda: ignore_missing(lambda: queue_arn(sqs, url)), bool, f"{name} to be usable")
    return url


def queue_name(address: str) -> str:
    """The name of a queue, from its URL or its ARN."""
    return re.split("[:/]", address)[-1]


def queue_arn(sqs: Client, queue_url: str) -> str:
    """The ARN of a queue."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def queue_counts(sqs: Client, queue_url: str) -> dict[str, int]:
    """How many messages are visible, in flight and delayed. Approximate on AWS."""
    names = {
        "visible": "ApproximateNumberOfMessages",
        "in flight": "ApproximateNumberOfMessagesNotVisible",
        "delayed": "ApproximateNumberOfMessagesDelayed",
    }
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names.values()))
    return {short: int(answer["Attributes"][long]) for short, long in names.items()}


def create_role(iam: Client, name: str, tags: dict[str, str]) -> str:
    """Step 2: the role that lets the function read from SQS and write logs. Returns its ARN."""
    role = look_at_role(iam, name)
    refuse_foreign([role], tags)
    if role is None:
        trust = json.dumps(TRUST_POLICY)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=as_list(tags))
    iam.attach_role_policy(RoleName=name, PolicyArn=POLICY_ARN)
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def make_package(source: str, more: dict[str, str] | None = None) -> bytes:
    """A deployment package: a zip file with `lambda_function.py`, and `more` texts by file name.

    The same texts give the same bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {"lambda_function.py": source, **(more or {})}.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def package_hash(source: str) -> str:
    """The CodeSha256 that Lambda shows for the package of this source, in base64."""
    return base64.b64encode(hashlib.sha256(make_package(source)).digest()).decode()


def create_function(
    lambda_: Client, name: str, role_arn: str, tags: dict[str, str], source: str = HELLO_STUB
) -> str:
    """Step 3: the function, with the console's hello stub. Returns its ARN."""
    function = look_at_function(lambda_, name)
    if function:
        refuse_foreign([function], tags)
        return function.id
    arn: str = when_role_is_ready(
        lambda_.create_function,
        FunctionName=name,
        Runtime=RUNTIME,
        Handler=HANDLER,
        Role=role_arn,
        Code={"ZipFile": make_package(source)},
        Tags=tags,
    )["FunctionArn"]
    wait_for_function(lambda_, name, "function_active_v2")
    return arn


def wait_for_function(lambda_: Client, name: str, state: str) -> None:
    """Wait for a state of a function that boto3 has a waiter for.

    That waiter looks once a second; most changes take less. Raises WaiterError after 300 s, as
    it does, and at once when the change has failed.
    """
    often = {"Delay": 0.2, "MaxAttempts": 1500}
    lambda_.get_waiter(state).wait(FunctionName=name, WaiterConfig=often)


def find_trigger(lambda_: Client, function_name: str, source_arn: str) -> dict[str, Any] | None:
    """The event source mapping from this queue to this function, if there is one."""
    answer = lambda_.list_event_source_mappings(
        FunctionName=function_name, EventSourceArn=source_arn
    )
    alive = [m for m in answer["EventSourceMappings"] if m["State"] != "Deleting"]
    return alive[0] if alive else None


def add_trigger(
    lambda_: Client, function_name: str, source_arn: str, tags: dict[str, str], batch_size: int = 1
) -> str:
    """Step 4: the event source mapping, enabled. Returns its UUID.

    Not between things of somebody else, either: it would take the messages of the one and call
    the other.
    """
    mapping = find_trigger(lambda_, function_name, source_arn)
    if tags:
        ends = [look_at_function(lambda_, function_name), *find_queues([queue_name(source_arn)])]
        trigger = look_at_mapping(lambda_, mapping) if mapping else None
        refuse_foreign([*ends, trigger], tags)
    if mapping is None:
        mapping = when_role_is_ready(
            lambda_.create_event_source_mapping,
            EventSourceArn=source_arn,
            FunctionName=function_name,
            BatchSize=batch_size,
            Tags=tags,
        )
    uuid: str = mapping["UUID"]
    settled(lambda_, uuid)
    return uuid


def settled(lambda_: Client, trigger_uuid: str, *wanted: str) -> None:
    """Wait until a trigger is in one of the wanted states, by default in any lasting one."""
    states = wanted or ("Enabled", "Disabled")
    wait_until(
        lambda: lambda_.get_event_source_mapping(UUID=trigger_uuid)["State"],
        lambda state: state in states,
        f"the trigger to be {' or '.join(states)}",
        120,
        0.1,
    )


def deploy_handler(lambda_: Client, name: str, source: str = SEED_HANDLER) -> str:
    """Step 5: replace the function's code. Returns the SHA-256 of the package, in base64."""
    refuse_if_known("function", lambda_, name)
    answer = lambda_.update_function_code(FunctionName=name, ZipFile=make_package(source))
    wait_for_function(lambda_, name, "function_updated_v2")
    return str(answer["CodeSha256"])


def send_message(sqs: Client, queue_url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Step 6: send one message, the text's own by default. Returns SQS's answer."""
    refuse_if_known("queue", sqs, queue_name(queue_url))
    answer: dict[str, Any] = sqs.send_message(
        QueueUrl=queue_url, MessageBody=json.dumps(body or SEED_MESSAGE)
    )
    return answer
