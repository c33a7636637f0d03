"""What is run, for whom, and how it ended: the words that the whole runtime shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.localaws.common import arns


@dataclass(frozen=True)
class FunctionVersion:
    """What the executor must know of one version of a function."""

    arn: str  # with the version, except for $LATEST
    name: str
    version: str
    revision: str
    handler: str
    runtime: str
    timeout_s: int
    memory_mb: int
    variables: dict[str, str]
    role: str
    account: str
    region: str
    log_group: str
    package: bytes  # the zip file
    layers: tuple[bytes, ...] = ()  # their zip files, in their order
    logging_config: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def unqualified_arn(self) -> str:
        return arns.unqualified(self.arn)


@dataclass(frozen=True)
class Invocation:
    """One run of a version of a function, as somebody asked for it.

    `invoked_arn`: as it was called, which an alias or "$LATEST" may end; that of the version
    if it is empty. `headers`: what a runtime is told beside the event, such as the client
    context.
    """

    function: FunctionVersion
    event: bytes
    request_id: str
    invoked_arn: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How an invocation ended. `error` is the value of FunctionError, if any.

    `duration_ms`: as its REPORT line says it, without the init.
    """

    payload: bytes
    error: str | None = None
    log_tail: bytes = b""
    duration_ms: float = 0.0


@dataclass(frozen=True)
class Failure:
    """An invocation or an init phase that did not end with the handler's own answer.

    `status` and `error_type` are those of the log's REPORT or INIT_REPORT line.
    """

    payload: bytes
    status: str | None
    error_type: str | None
