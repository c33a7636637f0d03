"""What must hold in any storm: no message is lost, none overtakes, no answer is another's.

While messages arrive, workers are killed, the server's own functions raise at random, settings
change, and log groups and dead-letter queues are deleted. `--storm 600` makes it last ten
minutes.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from helpers import steps
from helpers.localaws.lifecycle import CHECKOUT, has_ended
from tests.conformance.kit import Aws, poll
from tests.localaws.kit import (
    LIMIT_S,
    POSIX,
    command,
    endpoint_of,
    group_of,
    send_all,
    server_pid,
)

MAX_RECEIVES = 2
REFUSED = (ClientError, BotoCoreError)  # what a call may end with in a storm

# A direct event is echoed. Each record has a fate, drawn from its body and receive count. A line
# of the journal is one write to a file opened for appending, so the lines stand in the order of
# the writes.
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
    if "echo" in event:
        print(event["echo"])
        return event["echo"]
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
            print(record["body"])
    return answer or {"batchItemFailures": failures}
"""


# -- the server and what happens to it -------------------------------------------------------------


@contextmanager
def faulty_server(folder: Path) -> Iterator[str]:
    """A server whose functions fail while the storm lasts; its endpoint URL."""
    folder.mkdir()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.localaws.faulty", "run", "--recorded-as", "storm"],
            cwd=CHECKOUT,
            env={**os.environ, "LOCALAWS_FOLDER": str(folder), "FAULT_SEED": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        state = folder / "state.json"
        poll(state.exists, bool, "the server to answer", LIMIT_S)
        yield endpoint_of(folder)
    finally:
        command(folder, "stop")
        process.wait(LIMIT_S)


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


def patiently(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call again after an error of the server, as SDKs do."""
    while True:
        try:
            return call(*arguments, **named)
        except HTTPClientError:  # it has closed the connection
            pass
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise


class Storm:
    """What happens at once. Each method that takes `over` runs until that is set."""

    def __init__(self, aws: Aws, function: str, server: psutil.Process) -> None:
        self.aws = aws
        self.function = function
        self.server = server
        self.queues: dict[str, str] = {}  # URLs by kind
        self.dead_letter_queues: dict[str, list[str]] = {"standard": [], "fifo": []}
        self.mappings: dict[str, str] = {}
        self.sent: dict[str, list[str]] = {"standard": [], "fifo": []}
        self.dead: dict[str, list[dict[str, Any]]] = {"standard": [], "fifo": []}
        self.killed: list[int] = []
        self.answers: list[tuple[str, Any]] = []  # what was asked, and what came

    def send(self, kind: str, over: threading.Event) -> None:
        while not over.wait(0.1):
            first = len(self.sent[kind])
            bodies = [f"{kind}-{number}" for number in range(first, first + 10)]
            group = group_of if kind == "fifo" else None
            patiently(send_all, self.aws, self.queues[kind], bodies, group)
            self.sent[kind] += bodies

    def kill_workers(self, over: threading.Event) -> None:
        chance = random.Random(1)
        while not over.wait(0.2):
            workers = self.server.children()
            if workers:
                victim = chance.choice(workers)
                try:
                    victim.kill()
                    self.killed.append(victim.pid)
                except psutil.NoSuchProcess:
                    pass

    def invoke(self, over: threading.Event) -> None:
        client = self.aws.client("lambda", config=Config(retries={"total_max_attempts": 1}))
        while not over.wait(0.01):
            asked = uuid.uuid4().hex
            try:
                answer = client.invoke(
                    FunctionName=self.function, Payload=json.dumps({"echo": asked})
                )
            except REFUSED:
                continue
            if "FunctionError" not in answer:
                self.answers.append((asked, json.load(answer["Payload"])))

    def change_settings(self, over: threading.Event) -> None:
        """Of function, queues and triggers; a change that is refused is made another time."""
        chance = random.Random(2)
        changes = [
            self.change_visibility,
            self.change_batch_size,
            self.switch,
            self.change_time_out,
            self.change_code,
            self.delete_log,
        ]
        while not over.wait(0.15):
            with suppress(*REFUSED):
                chance.choice(changes)(chance, chance.choice(list(self.queues)))

    def change_visibility(self, chance: random.Random, kind: str) -> None:
        settings = {"VisibilityTimeout": str(chance.randint(2, 3))}
        self.aws.sqs.set_queue_attributes(QueueUrl=self.queues[kind], Attributes=settings)

    def change_batch_size(self, chance: random.Random, kind: str) -> None:
        self.aws.lambda_.update_event_source_mapping(
            UUID=self.mappings[kind], BatchSize=chance.randint(1, 10)
        )

    def switch(self, chance: random.Random, kind: str) -> None:
        self.aws.lambda_.update_event_source_mapping(
            UUID=self.mappings[kind], Enabled=chance.random() < 0.7
        )

    def change_time_out(self, chance: random.Random, _kind: str) -> None:
        self.aws.lambda_.update_function_configuration(
            FunctionName=self.function, Timeout=chance.randint(1, 2)
        )

    def change_code(self, chance: random.Random, _kind: str) -> None:
        package = steps.make_package(f"{UNRULY}# {chance.random()}\n")
        self.aws.lambda_.update_function_code(FunctionName=self.function, ZipFile=package)

    def delete_log(self, _chance: random.Random, _kind: str) -> None:
        self.aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{self.function}")

    def replace_dead_letter_queues(self, over: threading.Event) -> None:
        """A queue gets another dead-letter queue; the old one is emptied and deleted."""
        while not over.wait(1):
            for kind in self.queues:
                with suppress(*REFUSED):
                    self.replace_dead_letter_queue(kind)

    def replace_dead_letter_queue(self, kind: str) -> None:
        url, arn = self.aws.fifo_queue() if kind == "fifo" else self.aws.queue()
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
        self.aws.sqs.set_queue_attributes(
            QueueUrl=self.queues[kind], Attributes={"RedrivePolicy": policy}
        )
        self.dead_letter_queues[kind].append(url)
        for old in self.dead_letter_queues[kind][:-1]:  # nothing goes there any more
            self.take_dead(kind, old)
            self.aws.sqs.delete_queue(QueueUrl=old)
            self.dead_letter_queues[kind].remove(old)

    def take_dead(self, kind: str, url: str) -> None:
        """Take all that is in a dead-letter queue."""
        while sum(steps.queue_counts(self.aws.sqs, url).values()):
            for message in self.aws.receive(url, VisibilityTimeout=600):
                handle = message["ReceiptHandle"]
                patiently(self.aws.sqs.delete_message, QueueUrl=url, ReceiptHandle=handle)
                self.dead[kind].append(message)

    def look_on(self, over: threading.Event) -> None:
        """Nobody counts less than nothing."""
        while not over.wait(0.05):
            for url in self.queues.values():
                with suppress(*REFUSED):
                    assert min(steps.queue_counts(self.aws.sqs, url).values()) >= 0

    def all_gone(self) -> bool:
        counts = [steps.queue_counts(self.aws.sqs, url) for url in self.queues.values()]
        return not any(any(each.values()) for each in counts)


# -- what must hold afterwards ---------------------------------------------------------------------


def lost(sent: list[str], journal: list[list[str]], dead: set[str]) -> list[str]:
    handled = {body for word, body, *_ in journal if word == "handled"}
    return sorted(set(sent) - handled - dead)


def overtaken(sent: list[str], journal: list[list[str]], dead: set[str]) -> list[str]:
    """Messages that were looked at before an earlier one of their group was done with."""
    lanes: dict[str, list[str]] = defaultdict(list)
    places: dict[str, int] = {}
    for body in sent:
        places[body] = len(lanes[group_of(body)])
        lanes[group_of(body)].append(body)
    done: dict[str, int] = defaultdict(int)  # how many of a group's first ones are done with
    finished = set(dead)
    wrong = []
    for word, body, *_ in journal:
        group = group_of(body)
        while done[group] < len(lanes[group]) and lanes[group][done[group]] in finished:
            done[group] += 1
        if places[body] > done[group]:
            wrong.append(f"{body} before {lanes[group][done[group]]}")
        if word == "handled":
            finished.add(body)
    return wrong


def out_of_number(sent: list[str], journal: list[list[str]]) -> list[str]:
    """Messages of a group whose sequence numbers are not in the order of sending."""
    numbers = {body: int(number) for _, body, _, _, number, _ in journal}
    last: dict[str, int] = defaultdict(int)
    wrong = []
    for body in filter(numbers.__contains__, sent):
        if numbers[body] <= last[group_of(body)]:
            wrong.append(body)
        last[group_of(body)] = numbers[body]
    return wrong


def unexpected(log: str) -> list[str]:
    """Errors in the server's log that nobody made on purpose."""
    return re.findall(
        r"^(?!tests\.localaws\.faulty\.Fault|Fault)[\w.]*(?:Error|Exception)\b.*", log, re.M
    )


@pytest.mark.slow
@pytest.mark.skipif(not POSIX, reason="kills processes by signal")
def test_no_storm_loses_a_message_or_leaves_anything(tmp_path, request) -> None:
    seconds = request.config.getoption("storm")
    journal_file = tmp_path / "journal"
    journal_file.touch()
    folder = tmp_path / "aws"
    with faulty_server(folder) as endpoint_url:
        aws = Aws(endpoint_url)
        server = psutil.Process(server_pid(folder))
        variables = {"Variables": {"JOURNAL": str(journal_file)}}
        function = aws.function(UNRULY, Timeout=1, Environment=variables)
        storm = Storm(aws, function, server)
        before = server.num_threads()
        for kind, make in (("standard", aws.queue), ("fifo", aws.fifo_queue)):
            fifo = {"ContentBasedDeduplication": "true"} if kind == "fifo" else {}
            storm.queues[kind], arn = make(VisibilityTimeout=2, **fifo)
            storm.replace_dead_letter_queue(kind)
            storm.mappings[kind] = aws.create_mapping(
                EventSourceArn=arn,
                FunctionName=function,
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )["UUID"]
        for mapping in storm.mappings.values():
            aws.wait_mapping(mapping, "Enabled")
        (folder / "storm").touch()
        with in_background(
            storm.kill_workers,
            storm.invoke,
            storm.invoke,
            storm.change_settings,
            storm.replace_dead_letter_queues,
            storm.look_on,
            *(lambda over, kind=kind: storm.send(kind, over) for kind in storm.queues),
        ):
            threading.Event().wait(seconds)
        (folder / "storm").unlink()
        for mapping in storm.mappings.values():
            poll_enabled(aws, mapping)
        # Each counter is read at its own time: what moves in between is missed once.
        poll(
            lambda: [storm.all_gone() for _ in range(3)],
            all,
            "both queues to be empty",
            LIMIT_S + seconds,
        )
        for kind, urls in storm.dead_letter_queues.items():
            for url in urls:
                storm.take_dead(kind, url)
        for mapping in storm.mappings.values():
            aws.lambda_.delete_event_source_mapping(UUID=mapping)
        aws.lambda_.delete_function(FunctionName=function)
        files = folder / "files"
        poll(lambda: list(files.glob("*/*")), lambda left: not left, "the folders to be gone")
        poll(server.children, lambda left: not left, "the workers to be gone")
        poll(server.num_threads, lambda number: number <= before, "the threads to end")

    journal = [line.split(" ") for line in journal_file.read_text().splitlines()]
    for kind, bodies in storm.sent.items():
        mine = [line for line in journal if line[1].startswith(kind)]
        ids = [message["MessageId"] for message in storm.dead[kind]]
        assert len(set(ids)) == len(ids)
        dead = {message["Body"] for message in storm.dead[kind]}
        assert lost(bodies, mine, dead) == []
        assert len({line[1] for line in mine if line[0] == "handled"}) > len(bodies) * 0.8
        assert set(bodies[96::97]) <= dead
    fifo = [line for line in journal if line[1].startswith("fifo")]
    assert overtaken(storm.sent["fifo"], fifo, dead) == []
    assert out_of_number(storm.sent["fifo"], fifo) == []
    assert storm.answers
    assert [(asked, came) for asked, came in storm.answers if asked != came] == []
    assert storm.killed
    assert has_ended(server.pid)
    assert not (folder / "files").exists()
    log = (folder / "server.log").read_text()
    assert "\nFault: " in log
    assert unexpected(log) == []


def poll_enabled(aws: Aws, mapping: str) -> None:
    """Enable a mapping when it is not in the middle of another change."""

    def enable() -> bool:
        try:
            aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)
        except aws.lambda_.exceptions.ResourceInUseException:
            return False
        return True

    poll(enable, bool, "the trigger to take a change")
    aws.wait_mapping(mapping, "Enabled")
