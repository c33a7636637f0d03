"""Connections of the HTTP server: patient with silent ones, and aware of clients that left."""

from __future__ import annotations

import io
import selectors
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cheroot.connections import ConnectionManager
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.wsgi import Gateway_10, Server

from helpers.localaws.settings import CLIENT_IS_GONE

KEEP_ALIVE_S = 60
LINGER_S = 0.02  # for the next request of a client that has just had an answer
STALL_LIMIT_S = 10  # in the middle of a request: a client that sends nothing more
DRAIN_LIMIT_S = 5
DRAIN_AT_ONCE = 65_536
MOST_DRAINS = 20
LOOK_AT_HEADS_S = 0.02
SMALL_HEAD, MAX_HEADER_BYTES = 8_192, 65_536
HEAD_ENDS = b"\r\n\r\n"
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_drains = threading.Semaphore(MOST_DRAINS)
REFUSED_UNREAD = "localaws.refused_unread"  # in a request's environ: its body was not read


class PatientConnections(ConnectionManager):
    """A connection gets a thread when the head of its request is there, not before."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._changed = threading.Condition()
        self._half: dict[Any, float] = {}  # connections with half a head, and since when
        threading.Thread(target=self._wait_for_heads, name="heads", daemon=True).start()

    def _from_server_socket(self, server_socket: socket.socket) -> None:
        connection = super()._from_server_socket(server_socket)
        if connection is not None:
            connection.socket.settimeout(STALL_LIMIT_S)
            self.put(connection)

    def keep(self, connection: Any) -> None:
        """Keep a connection until the rest of its request's head is there."""
        with self._changed:
            self._half[connection] = time.monotonic()
            self._changed.notify()

    def _wait_for_heads(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._half)
                waiting = list(self._half.items())
            for connection, since in waiting:
                try:
                    self._look_at(connection, since)
                except Exception:  # noqa: BLE001 (one connection must not end it for all)
                    traceback.print_exc()
                    self._half.pop(connection, None)
            time.sleep(LOOK_AT_HEADS_S)

    def _look_at(self, connection: Any, since: float) -> None:
        late = time.monotonic() - since > STALL_LIMIT_S
        if not late and not has_head(connection.socket):
            return
        with self._changed:
            self._half.pop(connection, None)
        if late:
            refuse_late(connection)
        else:
            self.server.process_complete(connection)


class SocketFile(socket.SocketIO):
    """A socket as a file. Without `waits`, what is not there yet is not waited for."""

    waits = True

    def readinto(self, buffer: Any) -> int | None:
        return super().readinto(buffer) if self.waits else None


class Reader(io.BufferedReader):
    """Reads a connection. cheroot's own reader is Python: it took as long as a small call."""

    bytes_read = 0  # for statistics of cheroot's that nobody asks for

    def __init__(self, client: socket.socket) -> None:
        self._file = SocketFile(client, "rb")
        super().__init__(self._file)

    def has_data(self) -> bool:
        """Whether something was read from the socket that nobody has read here yet."""
        self._file.waits = False
        try:
            return bool(self.peek())
        finally:
            self._file.waits = True


def make_file(client: socket.socket, mode: str, size: int) -> Any:
    return Reader(client) if mode == "rb" else MakeFile(client, mode, size)


class LingeringConnection(HTTPConnection):
    """Stays with its thread while the client's next request comes at once.

    The way back, to the selector and through the queue of the threads, wakes two threads for
    each request. Nobody is kept waiting for that: it is left when connections wait for a thread.
    """

    def __init__(self, server: Server, client: socket.socket, _makefile: Any = None) -> None:
        super().__init__(server, client, make_file)

    def communicate(self) -> bool:
        keep = super().communicate()
        while keep and self._has_next():
            keep = super().communicate()
        return bool(keep)

    def _has_next(self) -> bool:
        """Whether another request is there, after a short wait, and nobody waits for a thread."""
        if not self.server.ready or self.server.requests.qsize or self.rfile.has_data():
            return False
        self.socket.settimeout(LINGER_S)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return False
        finally:
            self.socket.settimeout(STALL_LIMIT_S)
        return has_head(self.socket)


class Gateway(Gateway_10):
    """Tells an application whether its client is still there, and lets refused bodies pass by.

    An answer leaves in one piece, head and body: two would wake its reader twice.
    """

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), CLIENT_IS_GONE: has_left(self.req.conn.socket)}

    def respond(self) -> None:
        writer, held = self.req.conn.wfile, io.BytesIO()
        self.req.conn.wfile = held
        try:
            super().respond()
        finally:
            self.req.conn.wfile = writer
            writer.write(held.getvalue())
        if self.env.get(REFUSED_UNREAD):
            drain(self.req.conn.socket)

    def start_response(self, status: str, headers: list, exc_info: Any = None) -> Callable:
        if self.env.get(REFUSED_UNREAD):
            self.req.close_connection = True  # else cheroot would read the body
        return super().start_response(status, headers, exc_info)


class PatientServer(Server):
    """cheroot's server with these connections."""

    ConnectionClass = LingeringConnection

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, timeout=KEEP_ALIVE_S, **named)
        self.gateway = Gateway

    def process_conn(self, conn: Any) -> None:
        if conn.rfile.has_data() or has_head(conn.socket):
            self.process_complete(conn)
        else:
            self._connections.keep(conn)

    def process_complete(self, conn: Any) -> None:
        super().process_conn(conn)

    def prepare(self) -> None:
        super().prepare()
        self._connections._selector.close()
        self._connections = PatientConnections(self)


def has_left(client: socket.socket) -> Callable[[], bool]:
    """A function that tells whether the client has closed its end of the connection."""

    def look() -> bool:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ)
                if not selector.select(0):
                    return False
            return client.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    return look


def has_head(client: socket.socket) -> bool:
    """Whether the head of a request has come, or the end of the connection."""
    try:
        for size in (SMALL_HEAD, MAX_HEADER_BYTES):
            seen = client.recv(size, socket.MSG_PEEK)
            if not seen or HEAD_ENDS in seen:
                return True
            if len(seen) < size:
                return False
    except OSError:
        pass  # it has gone: whoever reads next finds that
    return True


def refuse_late(connection: Any) -> None:
    """Close a connection whose request did not come."""
    with suppress(OSError):
        connection.socket.sendall(TOO_LATE)
    connection.close()


def drain(client: socket.socket) -> None:
    """Read what a refused client still sends, and keep nothing: then it reads the answer.

    Not for too many at once: they would take the threads of the others.
    """
    if not _drains.acquire(blocking=False):
        return
    deadline = time.monotonic() + DRAIN_LIMIT_S
    try:
        client.shutdown(socket.SHUT_WR)
        while time.monotonic() < deadline and client.recv(DRAIN_AT_ONCE):
            pass
    except OSError:
        pass
    finally:
        _drains.release()
