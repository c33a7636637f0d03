"""What must hold whatever happens: no message is lost, none overtakes, nothing is left behind."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from botocore.config import Config

from helpers import steps
from helpers.localaws import lifecycle
from helpers.localaws.keys import variables
from helpers.localaws.lifecycle import has_ended
from tests.conformance.kit import HEAD, REGION, Aws, Declared, access_keys, poll
from tests.localaws.kit import POSIX, own_server, server_pid, wait_gone

LIMIT_S = 180.0  # of any wait here; what takes seconds on an idle machine may take minutes
GROUPS = 20


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


# -- a trigger in a storm ------------------------------------------------------------------

# Each record has a fate, drawn from its body and receive count. A line of the journal is one
# write to a file opened for appending, so the lines stand in the order of the writes.
UNRULY = """
import json, os, time, zlib

journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND)

def note(word, record):
    attributes = record["attributes"]
    line = [
        word, record["body"], record["messageId"], attributes.get("MessageGroupId", ""),
        attributes.get("SequenceNumber", "0"), attributes["ApproximateReceiveCount"],
    ]
    os.write(journal, (" ".join(line) + "\\n").encode())

def lambda_handler(event, context):
    failures, stopped, answer = [], set(), None
    for record in event["Records"]:
        attributes = record["attributes"]
        group = attributes.get("MessageGroupId", record["messageId"])
        draw = zlib.crc32(f"{record['body']} {attributes['ApproximateReceiveCount']}".encode())
        fate, is_poison = draw % 1000, int(record["body"].split("-")[1]) % 97 == 96
        if group in stopped or is_poison or fate < 30:
            if group not in stopped:
                note("failed", record)
            stopped.add(group)
            failures.append({"itemIdentifier": record["messageId"]})
        elif fate < 36:
            note("failed", record)
            raise ValueError("no luck")
        elif fate < 39:
            note("failed", record)
            time.sleep(60)
        elif fate < 45:
            note("failed", record)
            stopped.add(group)
            answer = [
                {"batchItemFailures": [{"foo": "notvalid"}]},
                {"batchItemFailures": [{"itemIdentifier": "none of these"}]},
                {"batchItemFailures": "all"},
            ][fate % 3]
        else:
            note("handled", record)
    return answer or {"batchItemFailures": failures}
"""


@contextmanager
def in_background(*actions: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each action in a thread until the block ends; raises what an action raised."""
    over = threading.Event()
    with ThreadPoolExecutor(len(actions)) as pool:
        running = [pool.submit(action, over) for action in actions]
        try:
            yield
        finally:
            over.set()
    for each in running:
        each.result()


def kill_workers(server: psutil.Process, killed: list[int], over: threading.Event) -> None:
    chance = random.Random(1)
    while not over.wait(0.2):
        workers = server.children()
        if workers:
            victim = chance.choice(workers)
            try:
                victim.kill()
                killed.append(victim.pid)
            except psutil.NoSuchProcess:
                pass


def switch_off_and_on(aws: Aws, uuid: str, over: threading.Event) -> None:
    for _ in range(2):
        for enabled, state in ((False, "Disabled"), (True, "Enabled")):
            aws.lambda_.update_event_source_mapping(UUID=uuid, Enabled=enabled)
            aws.wait_mapping(uuid, state)
            over.wait(0.2)


def look_on(aws: Aws, url: str, uuid: str, total: int, over: threading.Event) -> None:
    while not over.wait(0.02):
        counts = steps.queue_counts(aws.sqs, url)
        assert min(counts.values()) >= 0
        assert max(counts.values()) <= total
        assert aws.lambda_.get_event_source_mapping(UUID=uuid)["EventSourceArn"]


def take_all(aws: Aws, url: str) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    while more := aws.receive(url):
        taken += more
        for message in more:
            aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken


def lost(sent: list[str], journal: list[list[str]], dead: set[str]) -> list[str]:
    handled = {body for word, body, *_ in journal if word == "handled"}
    return sorted(set(sent) - handled - dead)


def overtaken(sent: list[str], journal: list[list[str]], dead: set[str]) -> list[str]:
    """Messages that were looked at before an earlier one of their group was done with."""
    queues: dict[str, list[str]] = defaultdict(list)
    for body in sent:
        queues[group_of(body)].append(body)
    handled: set[str] = set()
    wrong = []
    for word, body, *_ in journal:
        lane = queues[group_of(body)]
        waiting = [each for each in lane[: lane.index(body)] if each not in handled | dead]
        if waiting:
            wrong.append(f"{body} before {', '.join(waiting)}")
        if word == "handled":
            handled.add(body)
    return wrong


@pytest.mark.slow
@pytest.mark.skipif(not POSIX, reason="kills processes by signal")
def test_no_message_is_lost_or_overtakes_in_a_storm(tmp_path) -> None:
    journal_file = tmp_path / "journal"
    journal_file.touch()
    folder = tmp_path / "aws"
    sent = {
        "standard": [f"standard-{number}" for number in range(1500)],
        "fifo": [f"fifo-{number}" for number in range(500)],
    }
    killed: list[int] = []
    with own_server(folder) as endpoint_url:
        server = psutil.Process(server_pid(folder))
        aws = Aws(endpoint_url)
        function = aws.function(
            UNRULY, Timeout=1, Environment={"Variables": {"JOURNAL": str(journal_file)}}
        )
        urls, dlqs, mappings = {}, {}, {}
        for kind, make in (("standard", aws.queue), ("fifo", aws.fifo_queue)):
            fifo = {"ContentBasedDeduplication": "true"} if kind == "fifo" else {}
            dlqs[kind], dlq_arn = make(**fifo)
            policy = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 4}
            urls[kind], arn = make(VisibilityTimeout=2, RedrivePolicy=json.dumps(policy), **fifo)
            send_all(aws, urls[kind], sent[kind], group_of if fifo else None)
            mappings[kind] = aws.create_mapping(
                EventSourceArn=arn,
                FunctionName=function,
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )["UUID"]
        for uuid in mappings.values():
            aws.wait_mapping(uuid, "Enabled")

        def all_gone() -> bool:
            return not any(any(steps.queue_counts(aws.sqs, url).values()) for url in urls.values())

        with in_background(
            lambda over: kill_workers(server, killed, over),
            *(
                lambda over, kind=kind: look_on(
                    aws, urls[kind], mappings[kind], len(sent[kind]), over
                )
                for kind in urls
            ),
        ):
            with in_background(
                *(
                    lambda over, uuid=uuid: switch_off_and_on(aws, uuid, over)
                    for uuid in mappings.values()
                )
            ):
                pass
            # Each counter is read at its own time: what moves in between is missed once.
            poll(lambda: [all_gone() for _ in range(3)], all, "both queues to be empty", LIMIT_S)
        dead = {kind: take_all(aws, url) for kind, url in dlqs.items()}
        workers = server.children(recursive=True)
        assert "Account" in aws.sts.get_caller_identity()

    journal = [line.split(" ") for line in journal_file.read_text().splitlines()]
    for kind, bodies in sent.items():
        mine = [line for line in journal if line[1].startswith(kind)]
        dead_bodies = [message["Body"] for message in dead[kind]]
        assert len(set(dead_bodies)) == len(dead_bodies)
        assert lost(bodies, mine, set(dead_bodies)) == []
        assert len({line[1] for line in mine if line[0] == "handled"}) > len(bodies) * 0.9
        assert set(bodies[96::97]) <= set(dead_bodies)
    fifo = [line for line in journal if line[1].startswith("fifo")]
    assert overtaken(sent["fifo"], fifo, {message["Body"] for message in dead["fifo"]}) == []
    assert killed
    for worker in workers:
        wait_gone(worker.pid, "a worker")
    assert has_ended(server.pid)
    assert not (folder / "files").exists()
    assert "Traceback" not in (folder / "server.log").read_text()


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


CLIENT = f"""
import sys
import botocore.session

url, name = sys.argv[1:]
sqs = botocore.session.get_session().create_client(
    "sqs", region_name="{REGION}", endpoint_url=url,
)
print("ready", flush=True)
sys.stdin.readline()
queue = sqs.create_queue(QueueName=name)["QueueUrl"]
assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
sqs.send_message(QueueUrl=queue, MessageBody=name)
(message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
sqs.delete_queue(QueueUrl=queue)
print(message["Body"], flush=True)
"""


@pytest.mark.slow
def test_thirty_processes_are_served_at_once(tmp_path) -> None:
    names = [f"client-{number}" for number in range(30)]
    with own_server(tmp_path) as endpoint_url:
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, endpoint_url, name],
                env={**os.environ, **variables(endpoint_url, access_keys[endpoint_url])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in names
        ]
        try:
            assert [client.stdout.readline() for client in clients] == ["ready\n"] * len(names)
            for client in clients:
                client.stdin.write("go\n")
                client.stdin.flush()
            answers = [client.communicate(timeout=LIMIT_S) for client in clients]
        finally:
            for client in clients:
                client.kill()
        assert answers == [(f"{name}\n", "") for name in names]
        assert "QueueUrls" not in Aws(endpoint_url).sqs.list_queues()
