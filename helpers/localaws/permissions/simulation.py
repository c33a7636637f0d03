"""SimulatePrincipalPolicy: what the policies of a role, user or group say of some actions.

Judged as the calls of a handler are (see `roles`), so a simulation and the call itself agree.
Form of the answer: IAM API Reference, "SimulatePrincipalPolicy" and "EvaluationResult".
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

from moto.iam.exceptions import InvalidInput, NoSuchEntity

from helpers.localaws.permissions import conditions, roles

KINDS = ("role", "user", "group")
ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"


class Source(NamedTuple):
    """A policy that is judged, and the name that the answer gives it."""

    name: str
    document: str


def find_principal(backend: Any, arn: str) -> tuple[str, Any]:
    """A role, user or group of moto's by its ARN, and which of them it is."""
    kind, _, path = arn.rpartition(":")[2].partition("/")
    if ":iam::" not in arn or kind not in KINDS:
        raise InvalidInput(
            f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        )
    everything = {"role": backend.roles, "user": backend.users, "group": backend.groups}
    found = next((each for each in list(everything[kind].values()) if each.arn == arn), None)
    if found is None:
        name = path.rpartition("/")[2]
        raise NoSuchEntity(f"The {kind} with name {name} cannot be found.")
    return kind, found


def sources_of(backend: Any, kind: str, principal: Any) -> list[Source]:
    """The policies of a principal, inline and attached; of a user, those of its groups too."""
    inline = [
        Source(f"{kind}_{principal.name}_{name}", roles.as_text(document))
        for name, document in principal.policies.items()
    ]
    attached = [
        Source(policy.name, roles.as_text(roles.default_version(policy)))
        for policy in list(principal.managed_policies.values())
    ]
    groups = list(backend.groups.values()) if kind == "user" else []
    of_groups = [
        source
        for group in groups
        if principal in group.users
        for source in sources_of(backend, "group", group)
    ]
    return inline + attached + of_groups


def simulate(
    backend: Any,
    arn: str,
    actions: list[str],
    resources: list[str],
    more: list[str],
    context: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The evaluation of each action on each resource.

    `more` are policies that are judged as if the principal had them too; `context` is what
    conditions ask for, its keys in small letters. Raises InvalidInput and NoSuchEntity for an
    ARN that is none of a principal.
    """
    kind, principal = find_principal(backend, arn)
    sources = sources_of(backend, kind, principal)
    sources += [Source(f"PolicyInputList.{n}", text) for n, text in enumerate(more, 1)]
    if kind == "role":
        sources = [
            Source(each.name, *roles.filled_in((each.document,), principal)) for each in sources
        ]
        tags = roles.tags_of(principal)
        context = {**context, **{f"{conditions.CALLERS_TAG}{k}": v for k, v in tags.items()}}
    given = frozenset(context.items())
    boundary = boundary_of(backend, principal)
    return [
        evaluate(sources, boundary, action, resource, given)
        for action, resource in product(actions, resources)
    ]


def boundary_of(backend: Any, principal: Any) -> tuple[str, ...] | None:
    """The document of a principal's permissions boundary; None if it has none."""
    arn = getattr(principal, "permissions_boundary_arn", None)
    return roles.boundary_documents(backend, arn) if arn else None


def evaluate(
    sources: list[Source],
    boundary: tuple[str, ...] | None,
    action: str,
    resource: str,
    context: frozenset[tuple[str, str]],
) -> dict[str, Any]:
    """One result: explicit denies win, and a boundary must allow what a policy allows."""
    said: dict[str, list[str]] = {ALLOWED: [], EXPLICIT: [], IMPLICIT: []}
    for source in sources:
        said[decision((source.document,), action, resource, context)].append(source.name)
    decided = next((word for word in (EXPLICIT, ALLOWED) if said[word]), IMPLICIT)
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decided,
        "MatchedStatements": [
            {"SourcePolicyId": name, "SourcePolicyType": "IAM Policy"}
            for name in (said[decided] if decided != IMPLICIT else [])
        ],
        "MissingContextValues": [],
    }
    if boundary is not None:
        within = decision(boundary, action, resource, context)
        detail = {"AllowedByPermissionsBoundary": within == ALLOWED}
        result["PermissionsBoundaryDecisionDetail"] = detail
        if within != ALLOWED and decided == ALLOWED:
            result |= {"EvalDecision": within, "MatchedStatements": []}
    return result


def decision(
    documents: tuple[str, ...], action: str, resource: str, context: frozenset[tuple[str, str]]
) -> str:
    """What policies say of an action, in the words of the answer."""
    refused = roles.judge(documents, roles.IDENTITY_BASED, action, resource, context)
    if refused is None:
        return ALLOWED
    return EXPLICIT if refused.explicit else IMPLICIT
