"""Log lines that can be read late, and empty pages that have a token."""

from __future__ import annotations

import itertools
import json
import threading
from collections import defaultdict, deque
from typing import Any

from helpers.localaws.front.protocols import BODY, Answer, make_answer
from helpers.localaws.logs.backend import Backend
from helpers.localaws.queues.message_store import now_ms
from helpers.localaws.rehearsal.conditions import Conditions, Effect, Request, replace
from helpers.localaws.runtime.alarms import Alarms

TOKEN = "rehearsal-page-"


class LateLines:
    """A line of a function's log can be read some seconds after it was written.

    It keeps its own time, and the lines of a stream their order.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._alarms = Alarms()
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(deque)

    def install(self) -> None:
        def write_late(backend: Backend, group: str, stream: str, message: str) -> None:
            self._keep(backend, group, stream, message)

        replace(Backend, "write", write_late)

    def _keep(self, backend: Backend, group: str, stream: str, message: str) -> None:
        """Make group and stream at once; put the line there when its time has come."""
        with backend._lock:
            backend.ensure_log_group(group)
            if stream not in backend.groups[group].streams:
                backend.create_log_stream(group, stream)
        with self._lock:
            self._waiting[group, stream].append({"timestamp": now_ms(), "message": message})
        self._conditions.report.count("late line")
        seconds = self._conditions.delay_s("log line readable", group)
        self._alarms.set(seconds, lambda: self._put_next(backend, group, stream))

    def _put_next(self, backend: Backend, group: str, stream: str) -> None:
        """Put the oldest line that waits where it belongs, unless that has been deleted."""
        with backend._lock:
            with self._lock:
                event = self._waiting[group, stream].popleft()
                if not self._waiting[group, stream]:
                    del self._waiting[group, stream]
            if group in backend.groups and stream in backend.groups[group].streams:
                backend.groups[group].streams[stream].put_log_events([event])


class EmptyPages(Effect):
    """Now and then FilterLogEvents answers with no event, and a token that goes on."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._numbers = itertools.count(1)
        self._next: dict[str, str | None] = {}

    def before(self, request: Request) -> Answer | None:
        if request.call.service != "logs" or request.operation != "FilterLogEvents":
            return None
        given = request.json
        token = given.get("nextToken")
        if isinstance(token, str) and token in self._next:
            go_on_from(request, given, self._next[token])
            return None
        group = str(given.get("logGroupName") or given.get("logGroupIdentifier"))
        if not self.conditions.happens("empty page", group):
            return None
        self.conditions.report.count("empty page")
        mine = f"{TOKEN}{next(self._numbers)}"
        self._next[mine] = token
        page = {"events": [], "searchedLogStreams": [], "nextToken": mine}
        return make_answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(page))


def go_on_from(request: Request, given: dict[str, Any], token: str | None) -> None:
    """Let a call go on from the page that was kept back."""
    asked = {name: value for name, value in given.items() if name != "nextToken"}
    body = json.dumps(asked if token is None else {**asked, "nextToken": token}).encode()
    request.environ[BODY] = body
    request.environ["CONTENT_LENGTH"] = str(len(body))
