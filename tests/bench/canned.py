"""The smallest HTTP server that boto3 accepts: it answers every call at once with the same.

`python -m tests.bench.canned` prints its port. It is a process of its own, as the servers
are, and a bare socket: what a call to it takes is boto3's own share of any call.
"""

from __future__ import annotations

import socket
import threading
import time

RECEIVED = "x-received-at"  # a header: when the request was there, in s since the epoch
BODY = (
    b'{"MessageId":"219f8380-5770-4cc2-8c3e-5c715e145f5e",'
    b'"MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592",'
    b'"QueueUrl":"http://127.0.0.1/123456789012/queue"}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
    + f"Content-Length: {len(BODY)}\r\n{RECEIVED}: ".encode()
    + b"%.6f\r\n\r\n"
    + BODY
)


def answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        head, found, body = received.partition(b"\r\n\r\n")
        if found and len(body) >= content_length(head):
            connection.sendall(ANSWER % time.time())
            received = b""


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=[connection], daemon=True).start()


if __name__ == "__main__":
    main()
