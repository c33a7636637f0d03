"""What a function's role may do, judged by moto's own IAM policy evaluator."""

from __future__ import annotations

import json
from functools import lru_cache

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

LAMBDA_SERVICE = "lambda.amazonaws.com"


def role_allows(account: str, role_arn: str, action: str, resource: str) -> bool:
    """Whether the role's policies allow `action` (such as "sqs:ReceiveMessage") on an ARN."""
    try:
        documents = role_policies(account, role_arn)
    except NotFoundException:
        return False
    return _allowed(documents, action, resource)


def role_policies(account: str, role_arn: str) -> tuple[str, ...]:
    """The policy documents of a role, inline and attached. Raises NotFoundException."""
    role = iam_backends[account]["aws"].get_role_by_arn(role_arn)
    attached = [
        version.document
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.is_default
    ]
    return tuple(map(_as_text, [*role.policies.values(), *attached]))


def lambda_may_assume(account: str, role_arn: str) -> bool:
    """Whether the role exists and its trust policy names the Lambda service."""
    try:
        role = iam_backends[account]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        return False
    statements = json.loads(role.assume_role_policy_document).get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return any(_trusts_lambda(statement) for statement in statements)


def _trusts_lambda(statement: dict) -> bool:
    principal = statement.get("Principal", {})
    services = principal.get("Service", []) if isinstance(principal, dict) else principal
    services = [services] if isinstance(services, str) else services
    return statement.get("Effect") == "Allow" and bool({LAMBDA_SERVICE, "*"} & set(services))


def _as_text(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@lru_cache(maxsize=10_000)
def _allowed(documents: tuple[str, ...], action: str, resource: str) -> bool:
    results = [IAMPolicy(text).is_action_permitted(action, resource) for text in documents]
    return PermissionResult.DENIED not in results and PermissionResult.PERMITTED in results
