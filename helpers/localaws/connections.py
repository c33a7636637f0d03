"""Connections of the HTTP server: patient with silent ones, and aware of clients that left."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from cheroot.connections import ConnectionManager
from cheroot.wsgi import Gateway_10, Server

from helpers.localaws.settings import CLIENT_IS_GONE

KEEP_ALIVE_S = 60
STALL_LIMIT_S = 10  # in the middle of a request: a client that sends nothing more
DRAIN_LIMIT_S = 10
DRAIN_AT_ONCE = 65_536
REFUSED_UNREAD = "localaws.refused_unread"  # there: its body was not read


class PatientConnections(ConnectionManager):
    """A new connection gets a thread when its first byte is there, not before."""

    def _from_server_socket(self, server_socket: socket.socket) -> None:
        connection = super()._from_server_socket(server_socket)
        if connection is not None:
            connection.socket.settimeout(STALL_LIMIT_S)
            self.put(connection)


class Gateway(Gateway_10):
    """Tells an application whether its client is still there, and lets refused bodies pass by."""

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), CLIENT_IS_GONE: has_left(self.req.conn.socket)}

    def respond(self) -> None:
        super().respond()
        if self.env.get(REFUSED_UNREAD):
            drain(self.req.conn.socket)

    def start_response(self, status: str, headers: list, exc_info: Any = None) -> Callable:
        if self.env.get(REFUSED_UNREAD):
            self.req.close_connection = True  # else cheroot would read the body
        return super().start_response(status, headers, exc_info)


class PatientServer(Server):
    """cheroot's server with these connections."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, timeout=KEEP_ALIVE_S, **named)
        self.gateway = Gateway

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


def drain(client: socket.socket) -> None:
    """Read what a refused client still sends, and keep nothing: then it reads the answer."""
    deadline = time.monotonic() + DRAIN_LIMIT_S
    try:
        client.shutdown(socket.SHUT_WR)
        while time.monotonic() < deadline and client.recv(DRAIN_AT_ONCE):
            pass
    except OSError:
        pass
