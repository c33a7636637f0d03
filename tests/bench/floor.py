"""Where the time goes on the local AWS, and how far that is from the floor.

Three parts of a call are told apart by measuring, with the same boto3 client:

- boto3: the call itself, to a server that answers at once with a canned reply;
- HTTP server: what a call takes more on the local AWS that does next to nothing (GetQueueUrl;
  Invoke as a dry run), its caller's signature checked;
- ours: what the call in question takes more than that.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.canned import RECEIVED
from tests.bench.measures import calls_per_second, milliseconds, one_message
from tests.bench.servers import OURS, ROOT, end, make_client, running
from tests.bench.table import INVOKE, SEND, parts_table
from tests.bench.workload import SILENT, Functions

CALLS = 300


def report() -> str:
    """A table of the parts, and what they mean."""
    with canned_server() as floor_url, running(OURS) as server:
        functions = Functions(server)
        [name] = functions.new(SILENT)
        queue_url = functions.queue()
        functions.invoke(name)
        floor_sqs, floor_lambda = (make_client(each, floor_url) for each in ("sqs", "lambda"))
        send = {"QueueUrl": queue_url, "MessageBody": "hello"}
        call = {"FunctionName": name, "Payload": b"{}"}
        floor_send, floor_find, ours_send, ours_find = alternating(
            lambda: floor_sqs.send_message(**send),
            lambda: floor_sqs.get_queue_url(QueueName="queue-2"),
            lambda: functions.sqs.send_message(**send),
            lambda: functions.sqs.get_queue_url(QueueName="queue-2"),
        )

        def invoke_at_floor() -> None:
            floor_lambda.invoke(**call)["Payload"].read()  # unread, it would keep its connection

        floor_invoke, ours_dry, ours_invoke = alternating(
            invoke_at_floor,
            lambda: functions.invoke(name, "DryRun"),
            lambda: functions.invoke(name),
        )
        [message] = one_message(server).values()
        to_send = statistics.median(ms_until_received(floor_sqs, send) for _ in range(CALLS))
        most = client_rate(floor_url, queue_url)
    http = ours_find - floor_find
    table = parts_table(
        {
            SEND: (floor_send, http, ours_send - floor_send - http),
            INVOKE: (floor_invoke, ours_dry - floor_invoke, ours_invoke - ours_dry),
            "one message, send to handler": (to_send, http, float(message) - to_send - http),
        }
    )  # fmt: skip
    return (
        f"{table}\n\nOurs is, of SendMessage: the checks and the queue; of Invoke: lease, pipe, "
        "worker, log events;\nof one message: the queue, the poller's waking, the event, pipe "
        "and worker. boto3's share of it ends\nwhen the request has been received. Four threads "
        f"of one client cannot send more than {most:,.0f} messages/s."
    )


@contextmanager
def canned_server() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.canned"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        end(process)


def alternating(*calls: Callable[[], Any]) -> list[float]:
    """The median of each call in ms; they take turns, so that drift hits all alike."""
    took: list[list[float]] = [[] for _ in calls]
    for _ in range(CALLS):
        for times, call in zip(took, calls, strict=True):
            times.append(milliseconds(call))
    return [statistics.median(times) for times in took]


def ms_until_received(sqs: Any, send: dict[str, str]) -> float:
    began = time.time()
    headers = sqs.send_message(**send)["ResponseMetadata"]["HTTPHeaders"]
    return (float(headers[RECEIVED]) - began) * 1000


def client_rate(floor_url: str, queue_url: str) -> float:
    """How many messages per second four threads of this process can send at all."""
    clients = [make_client("sqs", floor_url) for _ in range(4)]

    def send(number: int) -> Iterator[Any]:
        while True:
            yield clients[number].send_message(QueueUrl=queue_url, MessageBody="hello")

    return calls_per_second(send, len(clients))
