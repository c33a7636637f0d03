"""What is measured. Each function takes a server that has just started and returns figures.

A figure is a value in the unit of its row; None where a server cannot do it.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers import steps
from tests.bench.servers import Running

Figures = dict[str, float | None]

FILL_LIMIT_S = 20.0  # filling a queue of plain moto takes ever longer
CALLS = 120
WARM_CALLS = 200
COLD_STARTS = 5
SINGLE_MESSAGES = 30
DRAIN_LIMIT_S = 120.0
SILENT = "def lambda_handler(event, context):\n    return 1\n"
PRINTS = "def lambda_handler(event, context):\n    print('hello')\n    return 1\n"
COUNTS = """\
import os, time
FILE = os.open(os.environ["OUT"], os.O_APPEND | os.O_WRONLY)
def lambda_handler(event, context):
    os.write(FILE, f"{time.time()} {len(event['Records'])}\\n".encode())
"""


def start_and_memory(server: Running) -> Figures:
    sqs = server.client("sqs")
    sqs.create_queue(QueueName="first")
    return {"start to first answer (ms)": server.start_ms, "memory (MB)": server.memory_mb()}


# -- SQS -----------------------------------------------------------------------------------


def sqs_rates(server: Running, backlogs: list[int]) -> Figures:
    """Calls per second from one client thread and from four, at several backlogs."""
    figures: Figures = {}
    for backlog in backlogs:
        url = server.client("sqs").create_queue(QueueName=f"backlog-{backlog}")["QueueUrl"]
        filled = fill(server, url, backlog, FILL_LIMIT_S)
        for threads in (1, 4):
            rates = rates_with(server, url, threads) if filled else dict.fromkeys(OPERATIONS)
            for operation, rate in rates.items():
                figures[f"{operation}, {threads} thread(s), backlog {backlog:,} (1/s)"] = rate
    return figures


OPERATIONS = ("send", "receive", "delete")


def fill(server: Running, url: str, count: int, limit_s: float) -> bool:
    """Send `count` messages in batches. False when that takes longer than `limit_s`."""
    sqs = server.client("sqs")
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(10)]
    began = time.monotonic()
    for _ in range(count // 10):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        if time.monotonic() - began > limit_s:
            return False
    return True


def rates_with(server: Running, url: str, threads: int) -> dict[str, float]:
    clients = [server.client("sqs") for _ in range(threads)]
    for client in clients:
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    calls = CALLS // threads
    handles: list[list[str]] = [[] for _ in clients]

    def send(number: int) -> None:
        for _ in range(calls):
            clients[number].send_message(QueueUrl=url, MessageBody="hello")

    def receive(number: int) -> None:
        for _ in range(calls):
            for message in clients[number].receive_message(QueueUrl=url).get("Messages", []):
                handles[number].append(message["ReceiptHandle"])

    def delete(number: int) -> None:
        for handle in handles[number]:
            clients[number].delete_message(QueueUrl=url, ReceiptHandle=handle)

    rates = {}
    for name, work in (("send", send), ("receive", receive), ("delete", delete)):
        rates[name] = calls * threads / seconds_of(work, threads)
    return rates


def seconds_of(work: Callable[[int], None], threads: int) -> float:
    """How long `threads` threads need for their work."""
    running = [threading.Thread(target=work, args=[number]) for number in range(threads)]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return time.perf_counter() - began


# -- Lambda --------------------------------------------------------------------------------


class Functions:
    """Makes functions on a server, and knows the role that they share."""

    def __init__(self, server: Running) -> None:
        self.lambda_, self.sqs = server.client("lambda"), server.client("sqs")
        self.role = steps.create_role(server.client("iam"), "bench", {})
        self._number = 0

    def new(self, source: str, **settings: Any) -> str:
        self._number += 1
        name = f"function-{self._number}"
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="lambda_function.lambda_handler",
            Role=self.role,
            Code={"ZipFile": steps.make_package(source)},
            **{"Timeout": 20, **settings},
        )
        self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def queue(self) -> str:
        self._number += 1
        return self.sqs.create_queue(QueueName=f"queue-{self._number}")["QueueUrl"]

    def invoke_ms(self, name: str) -> float:
        began = time.perf_counter()
        self.lambda_.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
        return (time.perf_counter() - began) * 1000

    def counting(self, out: Path) -> str:
        """A function that writes into a file what it handles."""
        return self.new(COUNTS, Environment={"Variables": {"OUT": str(out)}})

    def connect(self, url: str, name: str, batch_size: int) -> None:
        self.lambda_.create_event_source_mapping(
            EventSourceArn=steps.queue_arn(self.sqs, url),
            FunctionName=name,
            BatchSize=batch_size,
        )


def invoke(server: Running) -> Figures:
    functions = Functions(server)
    cold = [functions.invoke_ms(functions.new(SILENT)) for _ in range(COLD_STARTS)]
    figures: Figures = {"Invoke, cold, p50 (ms)": statistics.median(cold)}
    for word, source in (("silent", SILENT), ("prints", PRINTS)):
        name = functions.new(source)
        functions.invoke_ms(name)
        warm = [functions.invoke_ms(name) for _ in range(WARM_CALLS)]
        figures[f"Invoke, warm, {word}, p50 (ms)"] = statistics.median(warm)
        figures[f"Invoke, warm, {word}, p95 (ms)"] = statistics.quantiles(warm, n=20)[-1]
    return figures


# -- from queue to function ----------------------------------------------------------------


@contextmanager
def counting_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "handled"
        path.touch()
        yield path


def handled(path: Path) -> list[tuple[float, int]]:
    """What the handlers wrote: when each batch was handled, and how many messages it had."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return sorted((float(when), int(count)) for when, count in lines)


def wait_for(path: Path, count: int) -> list[tuple[float, int]]:
    """Wait until `count` messages were handled: that proves that none is missing."""
    deadline = time.monotonic() + DRAIN_LIMIT_S
    while time.monotonic() < deadline:
        seen = handled(path)
        if sum(number for _, number in seen) >= count:
            return seen
        time.sleep(0.02)
    raise TimeoutError(f"Only {sum(n for _, n in handled(path))} of {count} were handled")


def end_to_end(server: Running, count: int, batch_size: int) -> Figures:
    """Messages per second, from the first handled to the last, of a backlog."""
    functions = Functions(server)
    with counting_file() as out:
        url = functions.queue()
        fill(server, url, count, FILL_LIMIT_S)
        functions.connect(url, functions.counting(out), batch_size)
        seen = wait_for(out, count)
    seconds = seen[-1][0] - seen[0][0]
    rate = (sum(number for _, number in seen) - seen[0][1]) / seconds
    return {f"{count:,} messages, batch size {batch_size} (1/s)": rate}


def one_message(server: Running) -> Figures:
    """From just before SendMessage to the handler, one message at a time."""
    functions = Functions(server)
    with counting_file() as out:
        url = functions.queue()
        functions.connect(url, functions.counting(out), 1)
        functions.sqs.send_message(QueueUrl=url, MessageBody="warm up")
        wait_for(out, 1)
        took = []
        for number in range(SINGLE_MESSAGES):
            sent = time.time()
            functions.sqs.send_message(QueueUrl=url, MessageBody="hello")
            took.append((wait_for(out, number + 2)[-1][0] - sent) * 1000)
    return {"one message, send to handler, p50 (ms)": statistics.median(took)}


def ten_functions(server: Running) -> Figures:
    """Ten queues with a function each, 50 messages in each queue."""
    functions = Functions(server)
    with counting_file() as out:
        pairs = [(functions.queue(), functions.counting(out)) for _ in range(10)]
        for url, _ in pairs:
            fill(server, url, 50, FILL_LIMIT_S)
        for url, name in pairs:
            functions.connect(url, name, 1)
        seen = wait_for(out, 500)
    return {"ten functions, 50 messages each (s)": seen[-1][0] - seen[0][0]}
