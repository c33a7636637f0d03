"""The services that answer otherwise than moto's, and the executor behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.awslambda_simple.models import lambda_simple_backends
from moto.sqs.models import sqs_backends

from helpers.localaws.front import authorisation, direct
from helpers.localaws.front.access import Access, Caller
from helpers.localaws.front.protocols import Answer
from helpers.localaws.functions import answers as function_answers
from helpers.localaws.logs import backend as logs_api
from helpers.localaws.metrics import answers as metrics_api
from helpers.localaws.permissions import execution_roles
from helpers.localaws.permissions.roles import CLOUDFORMATION, Role
from helpers.localaws.queues import backend as sqs
from helpers.localaws.runtime.executor import Executor

if TYPE_CHECKING:
    from helpers.localaws.stacks.calls import Calls

STACK_SESSION = "AWSCloudFormation"  # the name of a session of a stack's role
DAY_S = 86_400


class Services:
    """Our services in the place of moto's. `folder`: for packages and environments."""

    def __init__(self, folder: Path, endpoint_url: str, access: Access) -> None:
        self._endpoint_url = endpoint_url
        self._access = access
        self._executor = Executor(
            folder,
            endpoint_url,
            execution_roles.role_credentials,
            execution_roles.may_write_logs,
            execution_roles.forget_credentials,
        )
        sqs.install()
        logs_api.install()
        metrics_api.install()
        function_answers.install(self._executor)

    def prepare(self, service: str) -> None:
        """Put in place what is imported only when its service is first asked for."""
        if service == "cloudformation":
            from helpers.localaws.stacks import answers as stacks

            stacks.install(self._calls)

    def _calls(self, key_id: str, role_arn: str, account: str, region: str) -> Calls:
        """Calls of a stack: with its own role, if it has one, else as its caller.

        Raises StackError for a role that CloudFormation may not assume.
        """
        from helpers.localaws.stacks.calls import Calls
        from helpers.localaws.stacks.refusals import invalid

        if role_arn:
            if not Role(account, role_arn).may_be_assumed_by(CLOUDFORMATION):
                raise invalid(f"Role {role_arn} is invalid or cannot be assumed")
            variables = Role(account, role_arn).credentials(region, STACK_SESSION, DAY_S)
            credentials = {name.lower(): value for name, value in variables.items()}
        else:
            credentials = self._access.credentials(key_id)
        return Calls(self._endpoint_url, region, credentials)

    @staticmethod
    def refuse(environ: dict[str, Any], caller: Caller) -> Answer | None:
        """The answer to a call that the caller's role does not allow; None if it may go on."""
        if caller.session is None:
            return None
        return authorisation.refuse(environ, caller.service, caller.region, caller.session)

    @staticmethod
    def answer(environ: dict[str, Any], caller: Caller) -> Answer | None:
        """The answer to a call that needs no moto in front of its service; None for all others."""
        return direct.answer(environ, caller)

    def stop(self) -> None:
        """End triggers and workers, and let long polls return: a server's end waits for them."""
        for account in sqs_backends.values():
            for backend in account.values():
                for queue in list(backend.queues.values()):
                    queue.close()
        for account in lambda_simple_backends.values():
            for backend in account.values():
                backend.triggers.stop()
        self._executor.stop()
