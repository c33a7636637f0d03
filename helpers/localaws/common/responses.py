"""What a service answers to an HTTP request, before it is put into the form of a server."""

from __future__ import annotations

from typing import NamedTuple

REQUEST_ID = "x-amzn-RequestId"


class Response(NamedTuple):
    """An answer of a service: HTTP status, headers without the length, and body."""

    status: int
    headers: dict[str, str]
    body: bytes
