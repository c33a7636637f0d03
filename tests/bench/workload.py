"""What the measures do with a server: fill queues, make functions, count what is handled."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers import steps
from tests.bench.servers import Running

FILL_LIMIT_S = 10.0  # filling a queue of plain moto takes ever longer
HANDLE_LIMIT_S = 120.0
EMPTY_LIMIT_S = 15.0
SILENT = "def lambda_handler(event, context):\n    return 1\n"
PRINTS = "def lambda_handler(event, context):\n    print('hello')\n    return 1\n"
RECORDS = """\
import os, time

FILE = os.open(os.environ["OUT"], os.O_APPEND | os.O_WRONLY)

def lambda_handler(event, context):
    os.write(FILE, f"{time.time()} {len(event['Records'])}\\n".encode())
"""
RECORDS_AND_PRINTS = f"{RECORDS}    print('hello')\n"


class TooSlow(Exception):
    """Something took longer than its limit; the message is what the table says."""


def fill(sqs: Any, url: str, count: int) -> None:
    """Send `count` messages in batches of ten."""
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(10)]
    deadline = time.monotonic() + FILL_LIMIT_S
    for _ in range(count // 10):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        if time.monotonic() > deadline:
            raise TooSlow(f"> {FILL_LIMIT_S:.0f} s to fill")


class Functions:
    """Makes functions, queues and mappings on a server; all functions share a role."""

    def __init__(self, server: Running) -> None:
        self.lambda_, self.sqs = server.client("lambda"), server.client("sqs")
        self.role = steps.create_role(server.client("iam"), "bench", {})
        self._number = 0

    def new(self, source: str, count: int = 1, **settings: Any) -> list[str]:
        """Names of new functions, all of them active."""
        names = [self._next("function") for _ in range(count)]
        for name in names:
            self.lambda_.create_function(
                FunctionName=name,
                Runtime=steps.RUNTIME,
                Handler=steps.HANDLER,
                Role=self.role,
                Code={"ZipFile": steps.make_package(source)},
                Timeout=20,
                **settings,
            )
        for name in names:
            self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        return names

    def recording(self, out: Path, count: int = 1, source: str = RECORDS) -> list[str]:
        """Functions that write into a file when they handled how many messages."""
        return self.new(source, count, Environment={"Variables": {"OUT": str(out)}})

    def queue(self) -> str:
        return self.sqs.create_queue(QueueName=self._next("queue"))["QueueUrl"]

    def connect(self, url: str, name: str, batch_size: int) -> None:
        self.lambda_.create_event_source_mapping(
            EventSourceArn=steps.queue_arn(self.sqs, url), FunctionName=name, BatchSize=batch_size
        )

    def invoke(self, name: str, kind: str = "RequestResponse") -> None:
        answer = self.lambda_.invoke(FunctionName=name, Payload=b"{}", InvocationType=kind)
        answer["Payload"].read()
        if "FunctionError" in answer:
            raise RuntimeError(f"{name} failed")

    def wait_until_empty(self, url: str) -> None:
        """Every message was deleted, none is in flight."""
        deadline = time.monotonic() + EMPTY_LIMIT_S
        while any((counts := steps.queue_counts(self.sqs, url)).values()):
            if time.monotonic() > deadline:
                raise TooSlow(f"queue not empty: {counts}")
            time.sleep(0.1)

    def _next(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"


class Tally:
    """What `RECORDS` handlers have written: when each batch was handled, and its size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.batches: list[tuple[float, int]] = []
        self._file = path.open("rb")
        self._half_line = b""

    @property
    def messages(self) -> int:
        return sum(size for _, size in self.batches)

    def wait_for(self, count: int, look_every_s: float = 0.05) -> None:
        """Wait until `count` messages were handled, which proves that none is missing."""
        deadline = time.monotonic() + HANDLE_LIMIT_S
        while True:
            self._read()
            if self.messages >= count:
                return
            if time.monotonic() > deadline:
                raise TooSlow(f"{self.messages} of {count} in {HANDLE_LIMIT_S:.0f} s")
            time.sleep(look_every_s)

    def seconds(self) -> float:
        """From the first handled batch to the last."""
        times = [when for when, _ in self.batches]
        return max(times) - min(times)

    def rate(self) -> float:
        """Messages per second after the first batch, to the last."""
        return (self.messages - min(self.batches)[1]) / self.seconds()

    def _read(self) -> None:
        """Read only what is new: the cores belong to the server. A line may be half written."""
        *lines, self._half_line = (self._half_line + self._file.read()).split(b"\n")
        for line in lines:
            when, size = line.split()
            self.batches.append((float(when), int(size)))


@contextmanager
def tally() -> Iterator[Tally]:
    """A tally of a new file."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "handled"
        path.touch()
        counted = Tally(path)
        try:
            yield counted
        finally:
            counted._file.close()
