"""What an execution environment gets of its function's role."""

from __future__ import annotations

from typing import Protocol

from helpers.localaws.common import arns
from helpers.localaws.permissions import sts
from helpers.localaws.permissions.roles import Role

ENVIRONMENT_LASTS_S = 365 * 86_400  # that of a function which is never idle has no end


class Function(Protocol):
    """A function with an environment, as far as it concerns its role."""

    @property
    def name(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def log_group(self) -> str: ...


def role_credentials(function: Function) -> dict[str, str]:
    """Temporary credentials of the function's role, as a session named like the function.

    They are valid for as long as an environment may live, which is told when it ends.
    """
    name = function.name if len(function.name) > 1 else f"{function.name}@lambda_function"
    role = Role(function.account, function.role)
    return role.credentials(function.region, name, ENVIRONMENT_LASTS_S)


def forget_credentials(variables: dict[str, str]) -> None:
    """End a session: its environment has ended."""
    sts.forget(variables["AWS_ACCESS_KEY_ID"])


def may_write_logs(function: Function) -> bool:
    """Whether the function's role lets Lambda write to the function's log group."""
    stream = arns.of_log_stream(function.region, function.account, function.log_group, "x")
    return Role(function.account, function.role).allows("logs:PutLogEvents", on=stream)
