"""What is measured. Each function takes a server that has just started and returns figures.

A figure is a value in the unit that its row names, or a text that says why there is none.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from tests.bench.servers import CREATE_QUEUE, Running, ask, make_queues, repeat, send_batch
from tests.bench.workload import (
    PRINTS,
    RECORDS,
    RECORDS_AND_PRINTS,
    SILENT,
    Functions,
    TooSlow,
    fill,
    tally,
)

Figures = dict[str, float | str]

CALLS = 200  # of SQS, in all threads together
CALLS_LIMIT_S = 1.5
WARM_CALLS = 100
COLD_STARTS = 8
SINGLE_MESSAGES = 30
OPERATIONS = ("Send", "Receive", "Delete")
IN_TENS = ("SendBatch of 10", "Receive of 10", "DeleteBatch of 10")
MANY_MESSAGES, MANY_QUEUES = 100_000, 10_000


def milliseconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def start_and_memory(server: Running) -> Figures:
    """Neither call is boto3's. The second makes a server load what it loads on demand."""
    if ask(server.port, server.key, *CREATE_QUEUE) != 200:
        raise RuntimeError("no queue was made")
    return {
        "start to first answer (ms)": server.start_ms,
        "start to first queue (ms)": (time.perf_counter() - server.began) * 1000,
        "memory after one SQS call (MB)": server.memory_mb(),
    }


# -- SQS -----------------------------------------------------------------------------------


def sqs_rates(server: Running, backlogs: list[int]) -> Figures:
    """Calls per second from one client thread and from four, at several backlogs."""
    figures: Figures = {}
    missing: dict[str, float | str] = {}
    for backlog in backlogs:
        sqs = server.client("sqs")
        url = sqs.create_queue(QueueName=f"backlog-{backlog}")["QueueUrl"]
        try:
            if not missing:  # what was too slow at a smaller backlog is not tried again
                fill(sqs, url, backlog)
        except TooSlow as slow:
            missing = dict.fromkeys(OPERATIONS, str(slow))
        for threads in (1, 4):
            for name, rate in (missing or rates(server, url, threads)).items():
                figures[sqs_row(name, threads, backlog)] = rate
    return figures


def batch_rates(server: Running) -> Figures:
    """The same for ten messages at a time."""
    url = server.client("sqs").create_queue(QueueName="batches")["QueueUrl"]
    return {
        sqs_row(name, threads): rate
        for threads in (1, 4)
        for name, rate in rates(server, url, threads, 10).items()
    }


def many(server: Running) -> Figures:
    """Calls per second with very many messages in a queue, and with very many queues."""
    url = make_queues(server, 1)
    figures = with_many("few messages", rates(server, url, 1))
    repeat(server, *send_batch(url), MANY_MESSAGES // 10)
    figures |= with_many("100,000 messages", rates(server, url, 1))
    server.client("sqs").purge_queue(QueueUrl=url)
    make_queues(server, MANY_QUEUES)
    return figures | with_many("10,000 queues", rates(server, url, 1))


def with_many(what: str, found: dict[str, float | str]) -> Figures:
    return {many_row(name, what): rate for name, rate in found.items()}


def many_row(operation: str, what: str) -> str:
    return f"{operation}, {what} (1/s)"


def sqs_row(operation: str, threads: int, backlog: int | None = None) -> str:
    there = "" if backlog is None else f", backlog {backlog:,}"
    return f"{operation}, {threads} thread{'s' * (threads > 1)}{there} (1/s)"


Work = Callable[[int], Iterator[Any]]


def rates(server: Running, url: str, threads: int, size: int = 1) -> dict[str, float | str]:
    """Calls per second of each operation, with one message a call or with ten."""
    clients = [server.client("sqs") for _ in range(threads)]
    names, works = (OPERATIONS, one_a_call) if size == 1 else (IN_TENS, ten_a_call)
    return {
        name: calls_per_second(work, threads)
        for name, work in zip(names, works(clients, url), strict=True)
    }


def one_a_call(clients: list[Any], url: str) -> tuple[Work, Work, Work]:
    """What each thread sends, receives and deletes."""
    received: list[list[str]] = [[] for _ in clients]

    def send(number: int) -> Iterator[Any]:
        while True:
            yield clients[number].send_message(QueueUrl=url, MessageBody="hello")

    def receive(number: int) -> Iterator[Any]:
        while True:
            for message in clients[number].receive_message(QueueUrl=url)["Messages"]:
                received[number].append(message["ReceiptHandle"])
            yield

    def delete(number: int) -> Iterator[Any]:
        for handle in received[number]:
            yield clients[number].delete_message(QueueUrl=url, ReceiptHandle=handle)

    return send, receive, delete


def ten_a_call(clients: list[Any], url: str) -> tuple[Work, Work, Work]:
    received: list[list[list[dict[str, str]]]] = [[] for _ in clients]
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(10)]

    def send(number: int) -> Iterator[Any]:
        while True:
            yield clients[number].send_message_batch(QueueUrl=url, Entries=entries)

    def receive(number: int) -> Iterator[Any]:
        while True:
            found = clients[number].receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            received[number].append(
                [
                    {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                    for n, message in enumerate(found["Messages"])
                ]
            )
            yield

    def delete(number: int) -> Iterator[Any]:
        for batch in received[number]:
            yield clients[number].delete_message_batch(QueueUrl=url, Entries=batch)

    return send, receive, delete


def calls_per_second(work: Work, threads: int) -> float:
    """The rate of calls: `CALLS` of them, or as many as `CALLS_LIMIT_S` allows.

    The first call of each thread opens its connection and is not counted.
    """
    barrier = threading.Barrier(threads + 1)
    done: list[int] = []

    def run(number: int) -> None:
        calls = work(number)
        next(calls)
        barrier.wait()
        deadline = time.monotonic() + CALLS_LIMIT_S
        count = 0
        for _ in islice(calls, CALLS // threads):
            count += 1
            if time.monotonic() > deadline:
                break
        done.append(count)

    running = [threading.Thread(target=run, args=[n], daemon=True) for n in range(threads)]
    for thread in running:
        thread.start()
    barrier.wait(60)
    began = time.perf_counter()
    for thread in running:
        thread.join()
    if len(done) < threads:
        raise RuntimeError("a client thread failed")
    return sum(done) / (time.perf_counter() - began)


# -- Lambda --------------------------------------------------------------------------------


def invoke(server: Running) -> Figures:
    functions = Functions(server)
    functions.sqs.list_queues()
    names = functions.new(SILENT, COLD_STARTS)
    cold = [milliseconds(lambda n=name: functions.invoke(n)) for name in names]
    figures: Figures = {"Invoke cold, p50 (ms)": statistics.median(cold)}
    for word, source in (("silent", SILENT), ("prints", PRINTS)):
        [name] = functions.new(source)
        functions.invoke(name)
        warm = [milliseconds(lambda n=name: functions.invoke(n)) for _ in range(WARM_CALLS)]
        figures[f"Invoke warm, {word}, p50 (ms)"] = statistics.median(warm)
        figures[f"Invoke warm, {word}, p95 (ms)"] = statistics.quantiles(warm, n=20)[-1]
    return figures


# -- from queue to function ----------------------------------------------------------------


def one_message(server: Running) -> Figures:
    """From just before SendMessage to the handler, one message at a time."""
    functions = Functions(server)
    with tally() as seen:
        url = functions.queue()
        functions.connect(url, functions.recording(seen.path)[0], 1)
        functions.sqs.send_message(QueueUrl=url, MessageBody="warm up")
        seen.wait_for(1)
        took = []
        for number in range(SINGLE_MESSAGES):
            # Idle again, and in no step with a poller that looks at fixed intervals.
            time.sleep(0.1 + number % 7 * 0.013)
            sent = time.time()
            functions.sqs.send_message(QueueUrl=url, MessageBody="hello")
            seen.wait_for(number + 2, 0.005)
            took.append((seen.batches[-1][0] - sent) * 1000)
    return {"one message, send to handler, p50 (ms)": statistics.median(took)}


def drain(server: Running, count: int, batch_size: int, prints: bool) -> Figures:
    """Messages per second of a backlog, from the first handled to the last, none missing.

    Both kinds of handler, for MiniStack waits 50 ms for the output of one that prints nothing.
    """
    functions = Functions(server)
    with tally() as seen:
        url = functions.queue()
        source = RECORDS_AND_PRINTS if prints else RECORDS
        [name] = functions.recording(seen.path, source=source)
        fill(functions.sqs, url, count)
        functions.connect(url, name, batch_size)
        seen.wait_for(count)
        functions.wait_until_empty(url)
        return {drain_row(count, batch_size, prints): seen.rate()}


def drain_row(count: int, batch_size: int, prints: bool) -> str:
    word = "prints" if prints else "silent"
    return f"{count:,} messages, {word}, batch size {batch_size} (1/s)"


def ten_functions(server: Running) -> Figures:
    """Ten queues with a function each, 50 messages in each queue."""
    functions = Functions(server)
    with tally() as seen:
        pairs = [(functions.queue(), name) for name in functions.recording(seen.path, 10)]
        for url, _ in pairs:
            fill(functions.sqs, url, 50)
        for url, name in pairs:
            functions.connect(url, name, 1)
        seen.wait_for(500)
        for url, _ in pairs:
            functions.wait_until_empty(url)
        return {"ten functions, 50 messages each (s)": seen.seconds()}
