"""Fresh roles that Lambda does not know yet, and policies that are enforced late (LS-072)."""

from __future__ import annotations

import threading
from typing import Any

from moto.iam.models import iam_backends

from helpers.localaws.front.protocols import Answer
from helpers.localaws.permissions import roles
from helpers.localaws.rehearsal.conditions import (
    Conditions,
    Effect,
    OldValues,
    Request,
    lambda_error,
    replace,
)

UNKNOWN_ROLE = "The role defined for the function cannot be assumed by Lambda."
TAKING_A_ROLE = ("CreateFunction", "UpdateFunctionConfiguration")
CHANGING_A_POLICY = (
    "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy",
)  # fmt: skip


class FreshRoles(Effect):
    """Lambda does not know a role for some seconds after it was created."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._lock = threading.Lock()
        self._known_at: dict[tuple[str, str], float] = {}

    def before(self, request: Request) -> Answer | None:
        if request.operation not in TAKING_A_ROLE or request.call.service != "lambda":
            return None
        role = str(request.json.get("Role", ""))
        key = request.call.account, role.rpartition("/")[2]
        if self.is_known(*key) or not find_role(*key):
            return None
        self.conditions.report.count("role refused")
        return lambda_error(400, "InvalidParameterValueException", UNKNOWN_ROLE)

    def after(self, request: Request, body: bytes) -> bytes:
        if request.call.service == "iam" and request.operation == "CreateRole":
            self._created(request.call.account, request.parameters["RoleName"])
        return body

    def is_known(self, account: str, name: str) -> bool:
        """Whether Lambda knows a role of this name, if there is one."""
        with self._lock:
            return self.conditions.now() >= self._known_at.get((account, name), float("-inf"))

    def _created(self, account: str, name: str) -> None:
        with self._lock:
            is_used = (account, name) in self._known_at
        seconds = 0.0
        if self.conditions.happens("role is late", name):
            effect = "role of a used name known" if is_used else "role known"
            seconds = self.conditions.delay_s(effect, name)
        with self._lock:
            self._known_at[account, name] = self.conditions.now() + seconds
        self.conditions.report.lasted("role known", seconds)


class LatePolicies(Effect):
    """A policy that was attached or detached is enforced some seconds later."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._old = OldValues(conditions)

    def install(self) -> None:
        """Let roles be judged by the policies that are enforced by now."""

        def enforced(role: Any) -> tuple[str, ...]:
            seen = self._old.see(role.arn)
            return self._present(role) if seen is None else seen[0]

        self._present = replace(roles, "role_policies", enforced)

    def are_enforced(self, account: str, name: str) -> bool:
        """Whether all that was done to a role's policies is in force."""
        role = find_role(account, name)
        return role is None or self._old.see(role.arn) is None

    def before(self, request: Request) -> Answer | None:
        if request.call.service == "iam" and request.operation in CHANGING_A_POLICY:
            role = find_role(request.call.account, request.parameters.get("RoleName", ""))
            if role is not None:
                request.notes["policies"] = role.arn, self._present(role)
        return None

    def after(self, request: Request, body: bytes) -> bytes:
        if "policies" in request.notes:
            arn, old = request.notes["policies"]
            seconds = self.conditions.delay_s("policy enforced", arn)
            self._old.keep(arn, old, seconds)
            self.conditions.report.lasted("policy enforced", seconds)
        return body


def find_role(account: str, name: str) -> Any:
    """The role of this name, or None."""
    every = list(iam_backends[account]["aws"].roles.values())
    return next((role for role in every if role.name == name), None)
