"""What the figures of the local AWS are made of, and how far they are from the floor.

The floor is the same boto3 call against a server that answers at once with a canned reply:
what is left of it is boto3's and the HTTP connection's own share.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cheroot.wsgi import Server

from tests.bench.measures import SILENT, Functions
from tests.bench.servers import OURS, Running, running

CALLS = 300
SENT = (
    b'{"MessageId":"219f8380-5770-4cc2-8c3e-5c715e145f5e",'
    b'"MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"}'
)


def canned(environ: dict[str, Any], start_response: Callable) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = SENT if environ["PATH_INFO"] == "/" else b"1"
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


@contextmanager
def canned_server() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), canned)
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()


def median_ms(call: Callable[[], Any]) -> float:
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def report() -> list[str]:
    """Sentences on a SendMessage and a warm Invoke of a silent handler."""
    with canned_server() as url, running(OURS) as server:
        nothing = Running(OURS, server.process, url, 0.0)
        functions = Functions(server)
        name = functions.new(SILENT)
        queue_url = functions.queue()
        functions.invoke_ms(name)
        rows = []
        for what, target in (("floor", nothing), ("ours", server)):
            sqs, lambda_ = target.client("sqs"), target.client("lambda")
            send = median_ms(lambda s=sqs: s.send_message(QueueUrl=queue_url, MessageBody="hello"))
            call = median_ms(
                lambda c=lambda_: c.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
            )
            rows.append((what, send, call))
    (_, send_floor, call_floor), (_, send, call) = rows
    return [
        f"SendMessage: {send:.2f} ms, of which boto3 and HTTP {send_floor:.2f} ms (the floor); "
        f"moto's request handling and the queue the other {send - send_floor:.2f} ms: "
        f"{send / send_floor:.1f} × the floor.",
        f"Warm Invoke, silent: {call:.2f} ms, of which boto3 and HTTP {call_floor:.2f} ms; moto's "
        f"request handling, four log events and the worker's answer the other "
        f"{call - call_floor:.2f} ms: {call / call_floor:.1f} × the floor.",
    ]
