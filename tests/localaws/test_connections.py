"""Clients that are silent, slow, too large or gone take nothing from the others."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from botocore.config import Config

from helpers.localaws.front import connections
from helpers.localaws.front.server import THREADS
from helpers.room.settings import MEMORY_MB
from tests.conformance.kit import Aws, poll, refusal
from tests.localaws.kit import own_server, server_pid
from tests.localaws.test_access import AWSRequest, Signer, SigningCredentials

MIB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[Aws, psutil.Process]]:
    folder = tmp_path_factory.mktemp("aws")
    with own_server(folder) as url:
        yield Aws(url), psutil.Process(server_pid(folder))


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as client:
        yield client


@pytest.mark.parametrize("said", [b"", b"POST / HTTP/1.1\r\nHost: localhost\r\n"])
def test_silent_connections_keep_nobody_waiting(server, said) -> None:
    aws, _ = server
    with ExitStack() as silent:
        for _ in range(THREADS + 50):
            silent.enter_context(connected(aws.endpoint_url)).sendall(said)
        patient = aws.client(
            "sqs", config=Config(read_timeout=5, retries={"total_max_attempts": 1})
        )
        assert patient.list_queues()["ResponseMetadata"]


def test_one_connection_that_fails_ends_the_wait_of_no_other(capsys) -> None:
    looked_at = threading.Event()

    class Heads(connections.PatientConnections):
        def __init__(self) -> None:
            self._changed, self._half = threading.Condition(), {"bad": 0.0}

        def _look_at(self, connection: object, since: float) -> None:
            if connection == "bad":
                raise OSError("gone")
            self._half.clear()
            looked_at.set()

    heads = Heads()
    threading.Thread(target=heads._wait_for_heads, daemon=True).start()
    poll(lambda: heads._half, lambda half: not half, "the bad one to be dropped")
    heads.keep("good")
    assert looked_at.wait(10)
    assert "OSError: gone" in capsys.readouterr().err


def test_a_head_may_come_in_pieces(server) -> None:
    aws, _ = server
    with connected(aws.endpoint_url) as client:
        for piece in (b"POST / HTTP/1.1\r\nHost: local", b"host\r\nContent-Length: 0\r\n\r", b"\n"):
            client.sendall(piece)
            time.sleep(0.05)
        assert client.recv(100).startswith(b"HTTP/1.1 403 ")


def test_a_half_sent_request_does_not_hold_its_thread_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(connections, "STALL_LIMIT_S", 0.2)

    def application(_environ: dict, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = connections.PatientServer(("127.0.0.1", 0), application, numthreads=1)
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    url = f"http://127.0.0.1:{server.bind_addr[1]}"
    try:
        with connected(url) as stalled, connected(url) as other:
            stalled.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n")
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stalled.recv(100).startswith(b"HTTP/1.1 408 ")
            assert other.recv(100).startswith(b"HTTP/1.1 200 ")
    finally:
        server.stop()


def head(aws: Aws, service: str, path: str, body: bytes, length: int, **headers: str) -> bytes:
    """The head of a request that is signed with the server's key."""
    key = aws.client(service)._get_credentials()
    request = AWSRequest("POST", aws.endpoint_url + path, headers, body)
    signer = Signer(SigningCredentials(key.access_key, key.secret_key), service, aws.region)
    signer.add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    host = f"Host: {urlsplit(aws.endpoint_url).netloc}"
    all_lines = [f"POST {path} HTTP/1.1", host, f"Content-Length: {length}", *lines, "", ""]
    return "\r\n".join(all_lines).encode()


@pytest.mark.parametrize(
    ("service", "path", "status", "words"),
    [
        ("lambda", "/2015-03-31/functions/f/invocations", 413,
         "smaller than 6291456 bytes for the InvokeFunction operation"),
        ("lambda", "/2015-03-31/functions", 413,
         "smaller than 70167211 bytes for the CreateFunction operation"),
        ("sqs", "/", 413, "smaller than 8388608 bytes"),
    ],
)  # fmt: skip
def test_a_body_over_the_limit_is_refused_before_it_is_read(
    server, service, path, status, words
) -> None:
    aws, process = server
    target = {"X-Amz-Target": "AmazonSQS.SendMessage"} if service == "sqs" else {}
    before = process.memory_info().rss
    with connected(aws.endpoint_url) as client:
        client.sendall(head(aws, service, path, b"", 300 * MIB, **target))
        answer = client.recv(65_536)  # nothing of the body was sent
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        client.settimeout(5)
        sent = 0
        try:
            for _ in range(100):
                sent += client.send(b"x" * MIB)
        except OSError:
            pass  # it has closed
        while more := client.recv(65_536):
            answer += more
    assert words.encode() in answer
    assert process.memory_info().rss - before < 50 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_all_its_threads_fit_into_what_a_class_lets_a_learner_have(server) -> None:
    """What threads may use as a stack counts against the limit, used or not."""
    _, process = server
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmData:\s+(\d+) kB", status)
    assert found
    assert process.num_threads() >= THREADS
    assert int(found[1]) / 1024 < MEMORY_MB * 0.6  # the rest is for handlers' pollers and data


def test_a_sender_of_a_refused_body_reads_the_answer(server) -> None:
    aws, _ = server
    refused = refusal(aws.lambda_.invoke, FunctionName="f", Payload=b"x" * (20 * MIB))
    assert refused == (
        413,
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    )
    stranger = aws.client("sqs", aws_access_key_id="test", aws_secret_access_key="test")
    url = f"{aws.endpoint_url}/123456789012/q"
    body = {"QueueUrl": url, "MessageBody": "x" * (5 * MIB)}
    assert refusal(stranger.send_message, **body)[1] == "InvalidClientTokenId"


def test_a_body_without_a_length_is_refused(server) -> None:
    aws, _ = server
    with connected(aws.endpoint_url) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 411 ")


def test_a_client_that_left_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        has_left = connections.has_left(ours)
        assert not has_left()
        theirs.sendall(b"more")
        assert not has_left()
        ours.recv(4)
        theirs.close()
        assert has_left()


def test_a_long_poll_that_nobody_waits_for_takes_no_message(server) -> None:
    aws, _ = server
    url, _ = aws.queue(VisibilityTimeout=600)
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    headers = {
        "X-Amz-Target": "AmazonSQS.ReceiveMessage",
        "Content-Type": "application/x-amz-json-1.0",
    }
    with connected(aws.endpoint_url) as client:
        client.sendall(head(aws, "sqs", "/", body, len(body), **headers) + body)
        time.sleep(0.5)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = poll(
        lambda: aws.sqs.receive_message(
            QueueUrl=url, AttributeNames=["ApproximateReceiveCount"]
        ).get("Messages", []),
        bool,
        "the message",
    )
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


# -- one connection, call after call ------------------------------------------------------------


class Serving:
    """A server with one thread, and what happens on it: the parts that it writes, and who waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        make_file, put = connections.make_file, connections.PatientConnections.put

        def recording(client: socket.socket, mode: str, size: int) -> Any:
            file = make_file(client, mode, size)
            if mode == "wb":
                write = file.write
                file.write = lambda part: self.events.append("written") or write(part)
            return file

        def putting(manager: Any, connection: Any) -> None:
            self.events.append("put")
            put(manager, connection)

        monkeypatch.setattr(connections, "make_file", recording)
        monkeypatch.setattr(connections.PatientConnections, "put", putting)

    @contextmanager
    def url(self) -> Iterator[str]:
        def application(_environ: dict, start_response: Any) -> list[bytes]:
            self.events.append("asked")
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        server = connections.PatientServer(("127.0.0.1", 0), application, numthreads=1)
        server.prepare()
        threading.Thread(target=server.serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.bind_addr[1]}"
        finally:
            server.stop()


def call_once(client: socket.socket) -> bytes:
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b"ok"):
        answer += client.recv(1000)
    return answer


def test_an_answer_leaves_in_one_piece_and_the_thread_stays_for_the_next_call(monkeypatch) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 20)
    serving = Serving(monkeypatch)
    with serving.url() as url, connected(url) as client:
        for _ in range(2):
            assert call_once(client).startswith(b"HTTP/1.1 200 OK\r\n")
    assert serving.events == ["put", "asked", "written", "asked", "written"]


def test_a_thread_does_not_stay_while_others_wait_for_one() -> None:
    """It would not even look whether another call comes."""
    connection = object.__new__(connections.LingeringConnection)
    connection.server = SimpleNamespace(ready=True, requests=SimpleNamespace(qsize=1))
    assert not connection._has_next()


def test_a_thread_goes_when_no_other_call_comes(monkeypatch) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.001)
    serving = Serving(monkeypatch)
    with serving.url() as url, connected(url) as client, connected(url) as other:
        call_once(client)
        call_once(other)  # there is one thread
        poll(lambda: serving.events.count("put"), lambda puts: puts == 4, "both to be put back")


def test_what_is_left_of_a_connection_is_told_without_waiting() -> None:
    near, far = socket.socketpair()
    with near, far, connections.Reader(near) as reader:
        near.settimeout(20)
        far.sendall(b"one\ntwo")
        assert reader.readline() == b"one\n"
        assert reader.has_data()
        assert reader.read(3) == b"two"
        near.settimeout(None)  # whoever waits now waits for ever
        assert not reader.has_data()
        far.sendall(b"more")
        assert reader.read(4) == b"more"
