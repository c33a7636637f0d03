"""The policy of a function, a version or an alias: who beside its account may use it (DF-15)."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any, Protocol

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    UnknownPolicyException,
)
from moto.awslambda.policy import Policy

from helpers.localaws.common.errors import conflict, not_found, precondition_failed
from helpers.localaws.common.moto_patches import WorkedOut
from helpers.localaws.functions import refusals as rules

ACCOUNT = re.compile(r"\d{12}")
# What AddPermission is given, the condition that it becomes, and the key that is asked for.
CONDITIONS = (
    ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
    ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("SourceArn", "ArnLike", "AWS:SourceArn"),
)


class Parent(Protocol):
    """The function, version or alias that a policy belongs to, and whose revisions it shares."""

    @property
    def revision_id(self) -> str: ...
    def touch(self) -> None: ...


class FunctionPolicy(Policy):
    """moto's policy, with AWS's statements and refusals. Each qualifier has one of its own."""

    statements: list[dict[str, Any]]

    def __init__(self, parent: Parent, arn: str) -> None:
        super().__init__(parent)
        self._arn = arn

    @WorkedOut
    def revision(self) -> str:
        """It is the parent's, as AWS shows it; moto's policies have their own."""
        return self.parent.revision_id

    def add_statement(self, raw: str, qualifier: str | None = None) -> tuple[Any, str]:
        """As moto's CloudFormation adds one."""
        wanted = {"StatementId": str(uuid.uuid4()), **json.loads(raw)}
        return self.add(wanted), self.revision

    def add(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Add a statement as AddPermission is asked for one. Returns it as it is shown."""
        rules.check_permission(wanted)
        if self._arn.endswith(":$LATEST"):
            raise InvalidParameterValueException(
                "We currently do not support adding policies for $LATEST."
            )
        self._check_revision(wanted.get("RevisionId"))
        name = wanted["StatementId"]
        if any(statement["Sid"] == name for statement in self.statements):
            raise conflict(
                f"The statement id ({name}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement."
            )
        statement = {
            "Sid": name,
            "Effect": "Allow",
            "Principal": principal(wanted["Principal"]),
            "Action": wanted["Action"],
            "Resource": self._arn,
            **conditions(wanted),
        }
        self.statements.append(statement)
        self.parent.touch()
        return statement

    def del_statement(self, sid: str, revision: str | None = None) -> None:
        """Remove a statement, as RemovePermission does."""
        if not self.statements:
            raise UnknownPolicyException()
        self._check_revision(revision)
        left = [statement for statement in self.statements if statement["Sid"] != sid]
        if len(left) == len(self.statements):
            raise not_found(f"Statement {sid} is not found in resource policy.")
        self.statements = left
        self.parent.touch()

    def _check_revision(self, revision: str | None) -> None:
        if revision and revision != self.revision:
            raise precondition_failed(
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetPolicy API to retrieve the latest Revision Id"
            )


def principal(given: str) -> dict[str, str] | str:
    """Whom a statement is for: a service, an account, or somebody with an ARN.

    >>> principal("s3.amazonaws.com"), principal("123456789012")
    ({'Service': 's3.amazonaws.com'}, {'AWS': 'arn:aws:iam::123456789012:root'})
    """
    if given.endswith(".amazonaws.com"):
        return {"Service": given}
    if ACCOUNT.fullmatch(given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith("arn:aws:iam::"):
        return {"AWS": given}
    if given == "*":
        return given
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


def conditions(wanted: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    for name, operator, key in CONDITIONS:
        if wanted.get(name):
            found.setdefault(operator, {})[key] = wanted[name]
    return {"Condition": found} if found else {}
