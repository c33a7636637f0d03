"""The server's application with the effects of a rehearsal around each call."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

from helpers.localaws.front.access import Access, Caller
from helpers.localaws.front.protocols import Answer, read_call
from helpers.localaws.front.server import Application, StartResponse, reply
from helpers.localaws.rehearsal import (
    functions,
    limits,
    logs,
    metrics,
    permissions,
    queues,
    stacks,
    tables,
    triggers,
)
from helpers.localaws.rehearsal.conditions import Conditions, Effect, Request
from helpers.localaws.rehearsal.messages import WeakQueues
from helpers.localaws.settings import LikeAws

NO_MORE_TRUE = ("content-length", "x-amz-crc32")  # of a body that has been changed


class RehearsalApplication(Application):
    """Makes each call meet what AWS's own callers meet.

    `before` of an effect may answer in the service's place, `after` may change the answer.
    """

    def __init__(
        self, options: LikeAws, about: dict[str, Any], folder: Path, access: Access
    ) -> None:
        self._conditions = Conditions(options)
        self._options = options
        self._effects = install(self._conditions)
        self._told = False
        about = {**about, "clock_off_s": self._conditions.clock_off_s()}
        super().__init__(about, folder, access)

    def _call(
        self, caller: Caller, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        self._start_services()  # the effects look at what the services keep
        request = read_request(caller, environ)
        if request is None:
            return super()._call(caller, environ, start_response)
        for effect in self._effects:
            answer = effect.before(request)
            if answer is not None:
                return reply(answer, environ, start_response)
        held: list[Any] = []
        body = b"".join(super()._call(caller, environ, lambda *given: held.extend(given)))
        status, headers = held[:2]
        changed = self._change(request, status, body)
        if changed != body:
            headers = with_length(headers, len(changed))
        start_response(status, headers)
        return [changed]

    def _change(self, request: Request, status: str, body: bytes) -> bytes:
        if status.startswith("2"):
            for effect in self._effects:
                body = effect.after(request, body)
        return body

    def _status(self, environ: dict[str, Any]) -> Answer:
        self._about["rehearsal"] = self._sentence()
        return super()._status(environ)

    def _sentence(self) -> str:
        return f"Rehearsal ({self._options.words}): {self._conditions.report.sentence()}."

    def stop(self) -> None:
        super().stop()
        if not self._told:
            self._told = True
            print(self._sentence(), file=sys.stderr, flush=True)


def install(conditions: Conditions) -> list[Effect]:
    """Put in place what happens inside the services; returns what happens on a call's way."""
    functions.install(conditions)
    triggers.install(conditions)
    WeakQueues(conditions).install()
    logs.LateLines(conditions).install()
    metrics.install(conditions)
    policies = permissions.LatePolicies(conditions)
    policies.install()
    fresh = permissions.FreshRoles(conditions)
    stacks.install(fresh, policies)
    return [
        limits.Throttles(conditions),
        limits.StrayErrors(conditions),
        fresh,
        policies,
        functions.LateTags(conditions),
        queues.GhostQueues(conditions),
        queues.NewQueues(conditions),
        queues.LateAttributes(conditions),
        queues.LateCounters(conditions),
        queues.LateQueueTags(conditions),
        tables.SlowTables(conditions),
        logs.EmptyPages(conditions),
    ]


def read_request(caller: Caller, environ: dict[str, Any]) -> Request | None:
    """What a request calls; None when that cannot be told, which its service then answers."""
    account = caller.session.account_id if caller.session else DEFAULT_ACCOUNT_ID
    try:
        call = read_call(environ, caller.service, caller.region, account)
    except ValueError:
        return None
    return Request(call, environ) if call is not None else None


def with_length(headers: Any, length: int) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers if name.lower() not in NO_MORE_TRUE]
    return [*kept, ("Content-Length", str(length))]
