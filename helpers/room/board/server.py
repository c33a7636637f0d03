"""The board's web server. Everything is below a word that only the room knows.

Source of the headers: MDN, "Content Security Policy". Entries must come as JSON, which no form of
another site can send.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from helpers.learning.lessons import read_lessons
from helpers.room.board.state import ANIMALS, Refused, Room

PAGE = Path(__file__).parent / "page"
TYPES = {"board.html": "text/html", "board.js": "text/javascript", "board.css": "text/css"}
MOST_BYTES = 16_384  # of a request; an entry with a long answer of a check has some 2,000
POLICY = (
    "default-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def new_word() -> str:
    """A word for the address of a board, to be read aloud and typed, such as "heron-48213"."""
    return f"{secrets.choice(ANIMALS)}-{secrets.randbelow(90_000) + 10_000}"


class Handler(RequestHandler):
    def initialize(self, room: Room) -> None:
        self.room = room

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")  # the address holds the room's word
        self.set_header("Cache-Control", "no-store")

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises Refused for anything else."""
        if self.request.headers.get("Content-Type", "").split(";")[0] != "application/json":
            raise Refused(415, "Entries come as application/json")
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise Refused(400, "That is no JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "An entry is a JSON object")
        return body

    def write_error(self, status_code: int, **named: Any) -> None:
        error = named.get("exc_info", (None, None))[1]
        refused = isinstance(error, Refused)
        self.set_status(error.status if refused else status_code)
        self.finish({"message": str(error) if refused else self._reason})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, Refused):
            super().log_exception(typ, value, tb)


class Page(Handler):
    def get(self, name: str = "") -> None:
        name = name or "board.html"
        self.set_header("Content-Type", f"{TYPES[name]}; charset=utf-8")
        self.finish((PAGE / name).read_bytes())


class State(Handler):
    def get(self) -> None:
        self.finish(self.room.view())


class People(Handler):
    def post(self) -> None:
        secret, name = self.room.join(self.body().get("name"))
        self.finish({"id": secret, "name": name})


class OnePerson(Handler):
    def post(self, secret: str) -> None:
        self.room.note(secret, self.body())
        self.finish({})

    def delete(self, secret: str) -> None:
        self.room.leave(secret)
        self.finish({})


def application(prefix: str, room: Room | None = None) -> Application:
    """The board below `prefix`, such as "/heron-48213"."""
    known: dict[str, Any] = {"room": room or Room(read_lessons())}
    return Application(
        [
            (rf"{prefix}/", Page, known),
            (rf"{prefix}/(board\.js|board\.css)", Page, known),
            (rf"{prefix}/state", State, known),
            (rf"{prefix}/people", People, known),
            (rf"{prefix}/people/([\w-]+)", OnePerson, known),
        ],
        log_function=lambda handler: None,  # nothing of the room is written anywhere
    )


def serve(prefix: str, port: int, address: str) -> HTTPServer:
    """Let the board answer. Raises OSError when the port is taken."""
    server = HTTPServer(application(prefix), max_body_size=MOST_BYTES, xheaders=False)
    server.listen(port, address)
    return server
