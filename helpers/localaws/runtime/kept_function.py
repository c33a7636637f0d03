"""A function as Lambda keeps it, as far as triggers and invocations look at it."""

from __future__ import annotations

from typing import Protocol

from helpers.localaws.runtime.model import FunctionVersion


class KeptFunction(Protocol):
    """$LATEST or a version of a function: `functions.function.Function`, and moto's names."""

    function_name: str
    function_arn: str  # with the version, except for $LATEST
    version: str | int
    account_id: str
    role: str
    timeout: int
    dead_letter_arn: str | None

    @property
    def pending(self) -> bool: ...

    @property
    def reserved_concurrency(self) -> int | None: ...

    def for_executor(self) -> FunctionVersion: ...


class FindFunction(Protocol):
    """Finds a function by its name, a part of its ARN or the ARN. Raises UnknownFunctionException.

    A qualifier may also be in the name.
    """

    def __call__(self, name: str, qualifier: str | None = None, /) -> KeptFunction: ...
