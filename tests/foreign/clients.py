"""`make foreign`: clients that nobody here wrote do what they are made for, on a local AWS.

They live in an environment of their own, `.venv-foreign`, with what pip and npm have installed.
`make test` does not look for tests in a file of this name.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import steps
from tests.conformance.kit import REGION, Aws, access_keys, poll, unique
from tests.localaws.kit import own_server

FOLDER = Path(__file__).resolve().parent
BIN = FOLDER.parent.parent / ".venv-foreign" / "bin"
LIMIT_S = 180
GOT = """
def lambda_handler(event, context):
    for record in event["Records"]:
        colour = record["messageAttributes"].get("colour", {}).get("stringValue", "no colour")
        print("GOT", record["body"], colour)
    return len(event["Records"])
"""
# What the handler with Powertools imports and AWS's runtime does not have.
IN_THE_PACKAGE = ("aws_lambda_powertools", "aws_xray_sdk", "wrapt", "typing_extensions.py")


@pytest.fixture(scope="module")
def aws(tmp_path_factory) -> Iterator[Aws]:
    with own_server(tmp_path_factory.mktemp("foreign")) as url:
        yield Aws(url)


def run(aws: Aws, *command: object) -> str:
    """What a program prints that gets the local AWS from its environment, as users give it."""
    key = access_keys[aws.endpoint_url]
    variables = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(BIN.parent / "node_modules"),
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(
        [str(each) for each in command],
        env=variables,
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def package(tmp_path) -> Path:
    path = tmp_path / "function.zip"
    path.write_bytes(steps.make_package(GOT))
    return path


def test_the_sdk_for_javascript(aws, package) -> None:
    seen = json.loads(run(aws, "node", "sdk.cjs", unique("js"), aws.role, package))
    assert seen == {
        "refusal": ["QueueDoesNotExist", 400],
        "answer": 0,
        "sent": 2,
        "lines": ["GOT first blue", "GOT second blue"],
    }


def test_the_aws_cli(aws, package, tmp_path) -> None:
    name, event, answer = unique("cli"), tmp_path / "event.json", tmp_path / "answer.json"
    event.write_text(json.dumps({"Records": [{"body": "by hand", "messageAttributes": {}}]}))

    def cli(*words: object) -> Any:
        # Its first version sends "aws sqs" elsewhere without this option.
        printed = run(aws, BIN / "aws", "--endpoint-url", aws.endpoint_url, *words)
        return json.loads(printed or "null")

    url = cli("sqs", "create-queue", "--queue-name", name)["QueueUrl"]
    about = cli("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "QueueArn")
    function = ("--function-name", name)
    cli(
        *("lambda", "create-function", *function, "--runtime", "python3.13"),
        *("--handler", "lambda_function.lambda_handler", "--role", aws.role),
        *("--zip-file", f"fileb://{package}"),
    )
    cli("lambda", "wait", "function-active-v2", *function)
    told = cli("lambda", "invoke", *function, "--payload", f"file://{event}", answer)
    assert (told["StatusCode"], json.loads(answer.read_text())) == (200, 1)
    cli(
        *("lambda", "create-event-source-mapping", *function, "--batch-size", "10"),
        *("--event-source-arn", about["Attributes"]["QueueArn"]),
    )
    cli("sqs", "send-message", "--queue-url", url, "--message-body", "by the trigger")
    group = ("--log-group-name", f"/aws/lambda/{name}")
    lines = poll(
        lambda: cli("logs", "filter-log-events", *group, "--filter-pattern", "GOT")["events"],
        lambda events: len(events) >= 2,
        "both lines",
        LIMIT_S,
    )
    assert [each["message"] for each in lines] == [
        "GOT by hand no colour\n",
        "GOT by the trigger no colour\n",
    ]


def test_boto3_for_asyncio(aws) -> None:
    assert json.loads(run(aws, BIN / "python", "aio.py", unique("aio"))) == ["one", "two"]


# -- Powertools -------------------------------------------------------------------------------


def package_with_powertools() -> bytes:
    [libraries] = BIN.parent.glob("lib/python*/site-packages")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(FOLDER / "powertools_handler.py", "powertools_handler.py")
        for name in IN_THE_PACKAGE:
            found = libraries / name
            for path in [found] if found.is_file() else found.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(libraries))
    return buffer.getvalue()


def log_records(aws: Aws, name: str) -> list[dict[str, Any]]:
    """The lines of JSON in a function's log."""
    return [json.loads(line) for line in aws.own_lines(name) if line.startswith("{")]


def test_powertools_in_a_handler(aws) -> None:
    aws.client("dynamodb").create_table(
        TableName="seen",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.iam.put_role_policy(RoleName=aws.role_name, PolicyName="seen", PolicyDocument=policy)
    name = aws.function(
        "",
        Code={"ZipFile": package_with_powertools()},
        Handler="powertools_handler.lambda_handler",
        Timeout=10,
        MemorySize=512,
    )
    dead_url, dead_arn = aws.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = aws.queue(VisibilityTimeout=10, RedrivePolicy=redrive)
    for order in ("a", "b", "a", "bad"):
        aws.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"id": order}))
    aws.create_mapping(
        EventSourceArn=arn, FunctionName=name, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    [dead] = poll(lambda: aws.receive(dead_url), bool, "the bad order", LIMIT_S)
    assert json.loads(dead["Body"]) == {"id": "bad"}
    aws.wait_empty(url)
    records = log_records(aws, name)
    shipped = [each for each in records if each.get("message") == "shipped"]
    assert sorted(each["order"] for each in shipped) == ["a", "b"]
    assert {each["function_name"] for each in shipped} == {name}
    counted = [each for each in records if "_aws" in each and "Shipped" in each]
    assert sum(map(len, (each["Shipped"] for each in counted))) == len(shipped)
    assert counted[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Orders"
