"""What must hold whatever happens: no message is lost, none overtakes, nothing is left behind."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import Any

import botocore.session
import psutil
import pytest
from botocore.config import Config

from helpers import steps
from helpers.localaws import lifecycle
from helpers.localaws.keys import AccessKey
from helpers.localaws.lifecycle import has_ended
from tests.conformance.kit import HEAD, REGION, Aws, Declared, access_keys, poll
from tests.localaws.kit import LIMIT_S, POSIX, group_of, own_server, send_all, server_pid, wait_gone

# -- the end of a worker and of the server in the middle of something -----------------------

# A worker that ends while it writes: half of the last frame arrives.
TORN = """
import os
write = os.write

def torn(number, data):
    write(number, data[: len(data) // 2])
    os._exit(3)

def lambda_handler(event, context):
    os.write = torn
    if event["prints"]:
        print("x" * event["prints"], end="")
    return "r" * 100
"""
WRITER = Declared(TORN)


@pytest.mark.parametrize("prints", [0, 1, 100], ids=["result", "head of a line", "line"])
def test_half_of_an_answer_is_no_answer(aws, prints) -> None:
    answer = aws.invoke(WRITER.name, {"prints": prints})
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert aws.log(WRITER.name)[-1].startswith("REPORT ")


SHORT = "import time\n" + HEAD + "    time.sleep(0.05)\n"


def test_a_server_that_is_stopped_at_work_leaves_nothing(tmp_path) -> None:
    with own_server(tmp_path) as endpoint_url:
        aws = Aws(endpoint_url)
        server = psutil.Process(server_pid(tmp_path))
        url, arn = aws.queue()
        send_all(aws, url, [f"m-{number}" for number in range(500)])
        function = aws.function(SHORT, Timeout=30)
        aws.create_mapping(EventSourceArn=arn, FunctionName=function, BatchSize=1)
        poll(lambda: len(server.children()), lambda count: count == 5, "five workers")
        workers = server.children(recursive=True)
        assert steps.queue_counts(aws.sqs, url)["visible"] > 0
    for worker in workers:
        wait_gone(worker.pid, "a worker")
    assert has_ended(server.pid)
    assert not (tmp_path / "files").exists()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


# -- bodies that are hard to read ------------------------------------------------------------


def test_a_body_that_is_nested_too_deeply_blocks_no_trigger(aws) -> None:
    url, arn = aws.queue(VisibilityTimeout=30)
    for body in ("[" * 100_000, '{"a":' * 2_000 + "1" + "}" * 2_000, '{"a": 1}'):
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    function = aws.function(HEAD + "    print(len(event['Records']), end='')\n")
    pattern = json.dumps({"body": {"a": [1]}})
    aws.create_mapping(
        EventSourceArn=arn,
        FunctionName=function,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    aws.wait_empty(url)
    assert aws.wait_lines(function, 1) == ["1"]


# -- many clients ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["standard", "fifo"])
def test_several_consumers_share_a_queue(aws, kind) -> None:
    """Nobody gets what somebody else has, and each message is there once."""
    if kind == "fifo":
        url, _ = aws.fifo_queue(VisibilityTimeout=600, ContentBasedDeduplication="true")
    else:
        url, _ = aws.queue(VisibilityTimeout=600)
    bodies = [f"m-{number}" for number in range(1000)]
    taken: list[str] = []
    over = threading.Event()

    def consume() -> None:
        client = aws.client("sqs")
        while len(taken) < len(bodies) and not over.is_set():
            found = client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            ).get("Messages", [])
            taken.extend(message["Body"] for message in found)
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(found)
            ]
            if entries:
                answer = client.delete_message_batch(QueueUrl=url, Entries=entries)
                assert "Failed" not in answer

    with ThreadPoolExecutor(6) as pool:
        consumers = [pool.submit(consume) for _ in range(6)]
        send_all(aws, url, bodies, group_of if kind == "fifo" else None)
        wait(consumers, LIMIT_S)
        over.set()
    for consumer in consumers:
        consumer.result()
    assert Counter(taken) == Counter(bodies)
    assert not any(steps.queue_counts(aws.sqs, url).values())


def test_long_polls_keep_nobody_waiting(aws) -> None:
    count = 100
    url, _ = aws.queue()
    client = aws.client(
        "sqs", config=Config(max_pool_connections=count, retries={"total_max_attempts": 1})
    )
    server = psutil.Process(lifecycle.find().pid)

    def long_poll() -> int:
        return len(client.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []))

    with ThreadPoolExecutor(count) as pool:
        polls = [pool.submit(long_poll) for _ in range(count)]
        poll(lambda: connections(server), lambda number: number >= count, "the long polls")
        assert steps.queue_counts(aws.sqs, url)["visible"] == 0
        assert not any(each.done() for each in polls)
        send_all(aws, url, [f"m-{number}" for number in range(count)])
        assert sum(each.result(LIMIT_S) for each in polls) == count


def connections(server: psutil.Process) -> int:
    return sum(each.status == psutil.CONN_ESTABLISHED for each in server.net_connections("tcp"))


def be_client(url: str, key: AccessKey, name: str, together: Any) -> str:
    """A process of somebody's own: makes a queue, sends, receives, deletes, once all are there."""
    sqs = botocore.session.get_session().create_client(
        "sqs",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
    )
    together.wait(LIMIT_S)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    sqs.send_message(QueueUrl=queue, MessageBody=name)
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_queue(QueueUrl=queue)
    return message["Body"]


def process_context() -> Any:
    """Where processes are forked from one that has imported boto3: thirty imports take long."""
    if not POSIX:
        return multiprocessing.get_context()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.mark.slow
def test_thirty_processes_are_served_at_once(tmp_path) -> None:
    names = [f"client-{number}" for number in range(30)]
    context = process_context()
    with (
        own_server(tmp_path) as endpoint_url,
        context.Manager() as manager,
        ProcessPoolExecutor(len(names), context) as clients,
    ):
        key, together = access_keys[endpoint_url], manager.Barrier(len(names))
        answers = [clients.submit(be_client, endpoint_url, key, n, together) for n in names]
        assert [answer.result(LIMIT_S) for answer in answers] == names
        assert "QueueUrls" not in Aws(endpoint_url).sqs.list_queues()
