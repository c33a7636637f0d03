"""Runs functions: the way from a function's name to the executor."""

from __future__ import annotations

import time

from moto.awslambda.exceptions import UnknownFunctionException

from helpers.localaws.common import arns
from helpers.localaws.common.errors import conflict, not_found
from helpers.localaws.metrics.services import Invoked, of_function
from helpers.localaws.runtime.executor import Executor, Throttled
from helpers.localaws.runtime.kept_function import FindFunction, KeptFunction
from helpers.localaws.runtime.model import Invocation, Result


class Invocations:
    """The invocations of one account and region. `executor`: that of the whole server."""

    def __init__(self, find_function: FindFunction, executor: Executor) -> None:
        self._find_function = find_function
        self._executor = executor

    def function_to_invoke(self, name: str, qualifier: str | None) -> KeptFunction:
        """The function, if it is there and active (LS-042)."""
        try:
            function = self._find_function(name, qualifier)
        except UnknownFunctionException as error:
            text = error.message if qualifier else f"{error.message}:$LATEST"
            raise not_found(text) from None
        if function.pending:
            raise conflict(
                "The operation cannot be performed at this time. The function is currently "
                "in the following state: Pending"
            )
        return function

    def run(
        self,
        function: KeptFunction,
        event: bytes,
        request_id: str,
        qualifier: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Result:
        """Run a function now. Raises Throttled."""
        arn = function.function_arn
        if qualifier:  # as it was called, which an alias may be (DF-08)
            arn = arns.qualified(arns.unqualified(arn), qualifier)
        reserved = function.reserved_concurrency
        invocation = Invocation(function.for_executor(), event, request_id, arn, headers or {})
        counted = of_function(function.function_arn, qualifier)
        began_s = time.time()
        try:
            result = self._executor.invoke(
                invocation, None if reserved is None else int(reserved), counted.began
            )
        except Throttled:
            counted.throttled()
            raise
        counted.ended(Invoked(began_s, result.duration_ms, result.error is not None))
        return result
