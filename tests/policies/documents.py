"""Policies made from what was recorded."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from helpers.account import names
from helpers.localaws.permissions import conditions
from tests.policies.recording import ACCOUNT, BOUNDARY_ARN, FOLDER, PREFIX, Need

Document = dict[str, Any]

FILES = LEARNER, FUNCTION, BOUNDARY = "learner.json", "function.json", "class_boundary.json"
# The course's tag, which the learner's user or role carries too: the prefix without its hyphen.
TAG = f"aws:PrincipalTag/{names.TAG}"
OWN = f"${{{TAG}}}-"
SIZE = 6144  # characters without white space: "IAM and AWS STS quotas" in the IAM User Guide
# To read is harmless, and what is deleted has no function any more that a condition could ask for.
NO_CONDITION = ("lambda:GetEventSourceMapping",)
KINDS = {
    "Queues": r"arn:aws:sqs:[^:]*:[^:]*:\w",
    "Functions": r"arn:aws:lambda:[^:]*:[^:]*:function:",
    "Triggers": r"arn:aws:lambda:[^:]*:[^:]*:event-source-mapping:",
    "Roles": r"arn:aws:iam::[^:]*:role/",
    "Policies": r"arn:aws:iam::aws:policy/",
    "Tables": r"arn:aws:dynamodb:",
    "Alarms": r"arn:aws:cloudwatch:[^:]*:[^:]*:alarm:",
    "Logs": r"arn:aws:logs:[^:]*:[^:]*:log-group:/",
    "Stacks": r"arn:aws:cloudformation:[^:]*:[^:]*:stack/",
    "Transforms": r"arn:aws:cloudformation:[^:]*:aws:transform/",
}
# All of a kind that are a learner's own.
OWN_THINGS = {
    "Queues": f"arn:aws:sqs:*:*:{OWN}*",
    "Functions": f"arn:aws:lambda:*:*:function:{OWN}*",
    "Triggers": "arn:aws:lambda:*:*:event-source-mapping:*",
    "Roles": f"arn:aws:iam::*:role/{OWN}*",
    "Tables": f"arn:aws:dynamodb:*:*:table/{OWN}*",
    "Alarms": f"arn:aws:cloudwatch:*:*:alarm:{OWN}*",
    "Logs": f"arn:aws:logs:*:*:log-group:/aws/lambda/{OWN}*",
    "Stacks": f"arn:aws:cloudformation:*:*:stack/{OWN}*/*",
    "Transforms": "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31",
    "Any": "*",
}
WITH_BOUNDARY = {"ArnLike": {"iam:PermissionsBoundary": BOUNDARY_ARN.replace(ACCOUNT, "*")}}
# By the first thing that a condition of a call can ask for: the statement and its conditions.
GUARDED = {
    conditions.PASSED_TO: (
        "RolesToLambdaOnly",
        {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    ),
    conditions.FUNCTION: (
        "TriggersOfOwnFunctions",
        {"ArnLike": {"lambda:FunctionArn": OWN_THINGS["Functions"]}},
    ),
    conditions.POLICY: (
        "PoliciesOfRolesWithBoundary",
        {
            **WITH_BOUNDARY,
            "ArnEquals": {
                "iam:PolicyARN": [
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
                ]
            },
        },
    ),
    conditions.BOUNDARY: (
        "RolesWithBoundary",
        {
            **WITH_BOUNDARY,
            "StringEqualsIfExists": {f"aws:RequestTag/{names.TAG}": f"${{{TAG}}}"},
        },
    ),
    f"{conditions.TAG_IN_CALL}{names.TAG}": (
        "RolesWithOwnTag",
        {"StringEquals": {f"aws:RequestTag/{names.TAG}": f"${{{TAG}}}"}},
    ),
}
NOBODY_WITHOUT_NAME = {
    "Sid": "NobodyWithoutName",
    "Effect": "Deny",
    "Action": "*",
    "Resource": "*",
    "Condition": {"StringNotLike": {TAG: "?*"}},
}


def kind_of(arn: str) -> str:
    return next((kind for kind, start in KINDS.items() if re.match(start, arn)), "Any")


def learner(needs: Iterable[Need]) -> Document:
    """What a learner needs: a statement for each kind of thing, and for each of the conditions."""
    actions, on, asked = defaultdict(set), defaultdict(set), {}
    for action, resource, context in needs:
        if not resource:
            continue  # the same action is needed on what is known
        kind = kind_of(resource)
        known = dict(context) if action not in NO_CONDITION else {}
        statement, condition = next((GUARDED[key] for key in GUARDED if key in known), (kind, None))
        actions[statement].add(action)
        on[statement].add(OWN_THINGS.get(kind, resource))
        asked[statement] = condition
    made = [allow(each, actions[each], on[each], asked[each]) for each in sorted(actions)]
    return document([NOBODY_WITHOUT_NAME, *made])


def functions(grants: Iterable[Need]) -> Document:
    """What the functions of the course need, each action on the things that it is needed on."""
    on, actions = defaultdict(set), defaultdict(set)
    for action, resource, _ in grants:
        on[action] |= set(patterns(resource))
    for action, found in on.items():
        actions[tuple(sorted(found))].add(action)
    made = sorted(actions.items(), key=lambda item: sorted(item[1]))
    return document([allow(title(each), each, found) for found, each in made])


def boundary(grants: Iterable[Need]) -> Document:
    """The most that roles may do in a class: what functions need, on the learner's own things."""
    actions = defaultdict(set)
    for each in grants:
        actions[kind_of(each.resource)].add(each.action)
    return document([allow(kind, actions[kind], {OWN_THINGS[kind]}) for kind in sorted(actions)])


def patterns(arn: str) -> list[str]:
    """A thing of the course in any account and region, by its name after the learner's prefix.

    All things of an experiment have one pattern. A log group has two: IAM asks by that with the
    streams behind it for most calls.
    """
    text = arn.replace(ACCOUNT, "*").replace(":us-east-1:", ":*:")
    for experiment in names.EXPERIMENTS:
        text = re.sub(rf"\b{PREFIX}{experiment}\b.*", f"{PREFIX}{experiment}*", text)
    text = text.replace(PREFIX, OWN)
    return [text, f"{text}:*"] if kind_of(arn) == "Logs" and not text.endswith("*") else [text]


def title(actions: Iterable[str]) -> str:
    """A name for a statement: that of its first action."""
    service, _, action = min(actions).partition(":")
    return service.capitalize() + action


def allow(
    name: str, actions: Iterable[str], on: Iterable[str], condition: Document | None = None
) -> Document:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": one_or_more(actions),
        "Resource": one_or_more(on),
        **({"Condition": condition} if condition else {}),
    }


def one_or_more(texts: Iterable[str]) -> str | list[str]:
    found = sorted(set(texts))
    return found[0] if len(found) == 1 else found


def document(statements: list[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}


def all_of(needs: dict[str, set[Need]], grants: dict[str, set[Need]]) -> dict[str, Document]:
    """The three policies, by the names of their files."""
    needed, given = set().union(*needs.values()), set().union(*grants.values())
    return {
        LEARNER: learner(needed),
        FUNCTION: functions(given),
        BOUNDARY: boundary(given),
    }


def text_of(policy: Document) -> str:
    return json.dumps(policy, indent=2) + "\n"


def size_of(policy: Document) -> int:
    """The characters that count for IAM."""
    return len(re.sub(r"\s", "", json.dumps(policy)))


def read(name: str) -> Document:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def without(policy: Document, action: str) -> Document:
    """The policy without an action."""
    left = []
    for statement in policy["Statement"]:
        kept = [each for each in as_list(statement["Action"]) if each != action]
        if kept:
            left.append({**statement, "Action": kept})
    return {**policy, "Statement": left}


def actions_of(policy: Document) -> list[str]:
    """All actions that a policy allows, each once."""
    allowed = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    return sorted({action for each in allowed for action in as_list(each["Action"])})


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
