"""What a role may do, judged by moto's own IAM policy evaluator.

Inline and attached policies and the permissions boundary count, with their wildcards and
explicit denies; of conditions those that `conditions` knows, and of policy variables the role's
tags (`aws:PrincipalTag/...`). moto's evaluator takes no notice of `NotResource`, the wildcard `?`
and other policy variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from helpers.localaws.permissions import conditions

LAMBDA_SERVICE = "lambda.amazonaws.com"
CLOUDFORMATION = "cloudformation.amazonaws.com"
IDENTITY_BASED, BOUNDARY = "identity-based policy", "permissions boundary"
ANY = "*"
NOTHING: Mapping[str, str] = MappingProxyType({})
PRINCIPAL_TAG = re.compile(r"\$\{aws:PrincipalTag/([^}]+)\}", re.I)


class Refusal(NamedTuple):
    """Why something is not allowed: a policy of this kind denies it, or none allows it."""

    policy: str
    explicit: bool = False


class HasRole(Protocol):
    """One of moto's functions, as far as it concerns us here."""

    account_id: str
    role: str


@dataclass(frozen=True)
class Role:
    """The role with this ARN, which need not exist: it is looked for at each question.

    A role that does not exist may do nothing.
    """

    account: str
    arn: str

    @classmethod
    def of(cls, function: HasRole) -> Role:
        """The execution role of a function."""
        return cls(function.account_id, function.role)

    def allows(self, action: str, on: str) -> bool:
        """Whether the policies allow `action` (such as "sqs:ReceiveMessage") on an ARN."""
        return self.refusal(action, on) is None

    def refusal(
        self, action: str, on: str | None, context: Mapping[str, str] = NOTHING
    ) -> Refusal | None:
        """Why the role may not do `action` on the resource with this ARN; None when it may.

        `on` None stands for an ARN that is not known: then a statement that allows the action
        on some resource is enough. `context` is what conditions ask for.
        """
        role = self._find()
        if role is None:
            return Refusal(IDENTITY_BASED)
        tags = {f"{conditions.CALLERS_TAG}{key}": value for key, value in tags_of(role).items()}
        given = frozenset({**context, **tags}.items())
        refused = judge(filled_in(role_policies(role), role), IDENTITY_BASED, action, on, given)
        if refused or not role.permissions_boundary_arn:
            return refused
        boundary = boundary_documents(
            iam_backends[self.account]["aws"], role.permissions_boundary_arn
        )
        return judge(filled_in(boundary, role), BOUNDARY, action, on, given)

    def may_be_assumed_by(self, service: str) -> bool:
        """Whether the role exists and its trust policy names a service ("lambda.amazonaws.com")."""
        role = self._find()
        if role is None:
            return False
        statements = json.loads(role.assume_role_policy_document).get("Statement", [])
        return any(_trusts(statement, service) for statement in _as_list(statements))

    def credentials(self, region: str, session_name: str, duration_s: int) -> dict[str, str]:
        """Temporary credentials of a new session, as the environment variables that hold them."""
        session = sts_backends[self.account]["aws"].assume_role(
            region_name=region,
            role_session_name=session_name,
            role_arn=self.arn,
            policy="",
            duration=duration_s,
            external_id="",
        )
        return {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
        }

    def _find(self) -> Any:
        """moto's role, or None. moto's own search fails while another role is being made."""
        roles = list(iam_backends[self.account]["aws"].roles.values())
        return next((role for role in roles if role.arn == self.arn), None)


def role_policies(role: Any) -> tuple[str, ...]:
    """The policy documents of a role, inline and attached. Both may be changing meanwhile."""
    attached = [default_version(policy) for policy in list(role.managed_policies.values())]
    return tuple(map(as_text, [*role.policies.values(), *attached]))


def filled_in(documents: tuple[str, ...], role: Any) -> tuple[str, ...]:
    """The policies with the role's tags in the place of variables.

    A variable without a value stays as it is, and what has it fits nothing.
    """
    tags = tags_of(role)
    return tuple(
        PRINCIPAL_TAG.sub(lambda found: tags.get(found[1].lower(), found[0]), text)
        for text in documents
    )


def tags_of(role: Any) -> dict[str, str]:
    """The tags of a role. IAM does not mind the case of their keys."""
    return {tag["Key"].lower(): tag["Value"] for tag in role.tags}


def boundary_of(account: str, role_arn: str) -> str | None:
    """The ARN of a role's permissions boundary; None without one, or without the role."""
    role = Role(account, role_arn)._find()
    return role.permissions_boundary_arn if role else None


def boundary_documents(backend: Any, policy_arn: str) -> tuple[str, ...]:
    try:
        return (as_text(default_version(backend.get_policy(policy_arn))),)
    except NotFoundException:
        return ()


def default_version(policy: Any) -> Any:
    """While the default version changes, moto marks none of them for an instant."""
    default = policy.default_version_id
    return next(each.document for each in policy.versions if each.version_id == default)


def _trusts(statement: dict[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    services = principal.get("Service", []) if isinstance(principal, dict) else principal
    return statement.get("Effect") == "Allow" and bool({service, ANY} & set(_as_list(services)))


def as_text(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=10_000)
def judge(
    documents: tuple[str, ...],
    kind: str,
    action: str,
    resource: str | None,
    context: frozenset[tuple[str, str]],
) -> Refusal | None:
    results = {
        IAMPolicy(_prepared(text, resource is None, dict(context))).is_action_permitted(
            action.lower(), resource or ANY
        )
        for text in documents
    }
    if PermissionResult.DENIED in results:
        return Refusal(kind, explicit=True)
    return None if PermissionResult.PERMITTED in results else Refusal(kind)


def _prepared(text: str, on_any_resource: bool, context: dict[str, str]) -> str:
    """A policy for moto's evaluator, which minds the case of action names; IAM does not.

    Only statements whose conditions hold are left.
    """
    policy = json.loads(text)
    policy["Statement"] = [
        statement
        for statement in _as_list(policy["Statement"])
        if conditions.hold(statement.pop("Condition", {}), context)
    ]
    for statement in policy["Statement"]:
        for key in statement.keys() & {"Action", "NotAction"}:
            statement[key] = [word.lower() for word in _as_list(statement[key])]
        if on_any_resource and statement["Effect"] == "Allow":
            statement["Resource"] = ANY
    return json.dumps(policy)
