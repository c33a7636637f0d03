"""The services that answer otherwise than moto's, and the executor behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moto.awslambda_simple.models import lambda_simple_backends
from moto.sqs.models import sqs_backends

from helpers.localaws.front import authorisation
from helpers.localaws.front.access import Caller
from helpers.localaws.front.protocols import Answer
from helpers.localaws.functions import answers as function_answers
from helpers.localaws.functions.backend import Backend
from helpers.localaws.invocations import invoke as invocations
from helpers.localaws.logs import backend as logs_api
from helpers.localaws.queues import backend as sqs
from helpers.localaws.runtime.executor import Executor


def start(folder: Path, endpoint_url: str) -> None:
    """Put our services in the place of moto's. `folder`: for packages and environments."""
    sqs.install()
    logs_api.install()
    function_answers.install(
        Executor(
            folder,
            endpoint_url,
            invocations.role_credentials,
            invocations.may_write_logs,
            invocations.forget_credentials,
        )
    )


def refuse(environ: dict[str, Any], caller: Caller) -> Answer | None:
    """The answer to a call that the caller's role does not allow; None if it may go on."""
    if caller.session is None:
        return None
    return authorisation.refuse(environ, caller.service, caller.region, caller.session)


def stop() -> None:
    """End triggers and workers, and let long polls return: a server's end waits for its calls."""
    for account in sqs_backends.values():
        for backend in account.values():
            for queue in list(backend.queues.values()):
                queue.close()
    for account in lambda_simple_backends.values():
        for backend in account.values():
            backend.stop_mappings()
    Backend.executor.stop()
