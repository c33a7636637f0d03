"""States of functions that last, and tags of functions that show late."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import unquote

from moto.awslambda_simple.models import lambda_simple_backends

from helpers.localaws.front.protocols import Answer
from helpers.localaws.functions.function import UPDATING_S, Function
from helpers.localaws.rehearsal.conditions import Conditions, Effect, OldValues, Request, replace

TAGGING = ("TagResource", "UntagResource")


def install(conditions: Conditions) -> None:
    """Let Pending and InProgress last as long as on AWS."""

    def settles_at(function: Any) -> float:
        drawn = conditions.delay_s("function settled", function.function_name)
        seconds = max(drawn, UPDATING_S)  # never sooner than in the plain local AWS
        conditions.report.lasted("function settled", seconds)
        return time.monotonic() + seconds

    def make_slowly(function: Any, *given: Any, **named: Any) -> None:
        make(function, *given, **named)
        function.active_at = settles_at(function)

    def change_slowly(function: Any) -> None:
        changed(function)
        function.updated_at = settles_at(function)

    make = replace(Function, "__init__", make_slowly)
    changed = replace(Function, "changed", change_slowly)


class LateTags(Effect):
    """ListTags shows tags of a function some time after they were changed."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._old = OldValues(conditions)

    def before(self, request: Request) -> Answer | None:
        if request.call.service == "lambda" and request.operation in TAGGING:
            function = find_function(request)
            if function is not None:
                request.notes["function tags"] = dict(function.tags)
        return None

    def after(self, request: Request, body: bytes) -> bytes:
        if request.call.service != "lambda":
            return body
        if "function tags" in request.notes:
            arn = arn_of(request)
            seconds = self.conditions.delay_s("tags read", arn)
            self._old.keep(arn, request.notes["function tags"], seconds)
        elif request.operation == "ListTags":
            seen = self._old.see(arn_of(request))
            if seen is not None:
                self.conditions.report.count("stale read")
                return json.dumps({"Tags": seen[0]}).encode()
        return body


def arn_of(request: Request) -> str:
    """The ARN at the end of a path of Lambda's tags."""
    return unquote(request.environ.get("PATH_INFO", "")).rstrip("/").rpartition("/tags/")[2]


def find_function(request: Request) -> Any:
    """The function whose tags are changed, or None."""
    backend = lambda_simple_backends[request.call.account][request.call.region]
    arn = arn_of(request)
    return next((each for each in backend._lambdas.latest() if each.function_arn == arn), None)
