"""What the exercises of notebook 02 are checked by: roles, and what their policies allow."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from helpers import course
from helpers.account.things import look_at_queue, look_at_role
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import Client, client_for

LAMBDA, SERVERS = "lambda.amazonaws.com", "ec2.amazonaws.com"
BASIC = "AWSLambdaBasicExecutionRole"
RECEIVE, DELETE, SEND = "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"


# -- reading policies --------------------------------------------------------------------------


def one_or_more(value: Any) -> list[Any]:
    """What policies write as one thing or as a list of them."""
    return value if isinstance(value, list) else [value]


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy; none of what is no policy."""
    found = policy.get("Statement", []) if isinstance(policy, dict) else []
    return [each for each in one_or_more(found) if isinstance(each, dict)]


def fits(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement speaks of this action on this resource. Capitals do not count in
    actions, and a star stands for anything (IAM User Guide, "IAM JSON policy elements")."""
    actions = [str(each).lower() for each in one_or_more(statement.get("Action", []))]
    resources = [str(each) for each in one_or_more(statement.get("Resource", []))]
    return any(fnmatchcase(action.lower(), each) for each in actions) and any(
        fnmatchcase(resource, each) for each in resources
    )


def ruling(policies: list[Any], action: str, resource: str) -> str:
    """Deny, Allow, or "" when no statement speaks of it. A Deny wins over every Allow."""
    said = {
        each.get("Effect")
        for policy in policies
        for each in statements(policy)
        if fits(each, action, resource)
    }
    return "Deny" if "Deny" in said else "Allow" if "Allow" in said else ""


def trusted(trust_policy: Any) -> set[str]:
    """The services that may assume a role, by its trust policy."""
    principals = [
        each.get("Principal") for each in statements(trust_policy) if each.get("Effect") == "Allow"
    ]
    services = [each.get("Service", []) for each in principals if isinstance(each, dict)]
    return {str(name) for each in services for name in one_or_more(each)}


def look_at_policies(iam: Client, name: str) -> tuple[set[str], list[str], list[Any]]:
    """Whom a role trusts, the managed policies attached to it, and those written into it."""
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    written = [
        iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return trusted(trust), [each["PolicyName"] for each in attached], written


# -- the exercises -----------------------------------------------------------------------------


@exercise
def check_log_writer() -> Iterator[Point]:
    """PracticeRole may be assumed by Lambda, and may write logs and nothing else."""
    iam = client_for("iam")
    role = look_at_role(iam, name := course.name(course.PRACTICE_ROLE))
    if role is None:
        yield missing("role", name)
        return
    who, attached, written = see(
        lambda: look_at_policies(iam, name), lambda seen: seen == ({LAMBDA}, [BASIC], [])
    )
    yield trusts(who, LAMBDA)
    yield point(
        attached == [BASIC] and not written,
        "It may write its log, and nothing else.",
        about_policies(attached, written),
    )
    yield tagged(role)


def trusts(who: set[str], wanted: str) -> Point:
    """Whether a trust policy names one service alone."""
    named = ", ".join(sorted(who)) or "no service"
    return point(
        who == {wanted},
        f"{wanted} may assume it, and nobody else.",
        f"Its trust policy names {named}, and should name {wanted} alone. For a role that is "
        "there, update_assume_role_policy changes it.",
    )


def about_policies(attached: list[str], written: list[Any]) -> str:
    """What is wrong with the policies of the role that only writes its log."""
    if BASIC not in attached:
        has = ", ".join(attached) or "none"
        return (
            f"Attached to it: {has}. {BASIC} is missing, so it may not write its log: "
            "attach_role_policy takes RoleName and PolicyArn."
        )
    more = [each for each in attached if each != BASIC] or ["a policy written into it"]
    return (
        f"It may do more than write its log: it has {', '.join(more)} as well. A function that "
        "reads no queue needs no right to; detach_role_policy takes it away."
    )


@exercise
def check_sender() -> Iterator[Point]:
    """PracticeSender may be assumed by EC2, and may send to the course's queue, and no more."""
    iam = client_for("iam")
    role = look_at_role(iam, name := course.name("PracticeSender"))
    if role is None:
        yield missing("role", name)
        return
    queue = look_at_queue(client_for("sqs"), queue_name := course.name(course.QUEUE))
    if queue is None:
        yield missing("queue", queue_name)
        return
    arn = queue.id
    who, attached, written = see(
        lambda: look_at_policies(iam, name),
        lambda seen: seen[0] == {SERVERS} and not beyond_sending(seen[1], seen[2], arn),
    )
    yield trusts(who, SERVERS)
    yield point(
        ruling(written, SEND, arn) == "Allow",
        f"It may send to {queue_name}.",
        f"Nothing that is written into it allows {SEND} on {queue_name}: put_role_policy takes "
        "RoleName, PolicyName and PolicyDocument, the document as text.",
    )
    more = beyond_sending(attached, written, arn)
    yield point(not more, "It may do nothing else.", more)
    yield tagged(role)


def beyond_sending(attached: list[str], written: list[Any], arn: str) -> str:
    """What a role may do beside sending to one queue, as a sentence; "" for nothing."""
    if attached:
        return (
            f"{', '.join(attached)} is attached as well, and allows what a producer does not "
            "need. detach_role_policy takes it away."
        )
    more = [each for each in (RECEIVE, DELETE) if ruling(written, each, arn) == "Allow"]
    if more:
        return f"It may do more than send: {' and '.join(more)} are a consumer's business."
    if ruling(written, SEND, f"{arn}-of-somebody-else") == "Allow":
        return "It may send to every queue: put the ARN of the one queue in place of the star."
    return ""


@exercise
def check_night_job(policy: Any) -> Iterator[Point]:
    """A policy: receive from and delete in one queue, and never send, whatever else is allowed."""
    if not statements(policy):
        yield Point(
            False, "This is no policy with statements: let night_policy be a dictionary as above."
        )
        return
    queue = look_at_queue(client_for("sqs"), name := course.name(course.QUEUE))
    if queue is None:
        yield missing("queue", name)
        return
    arn = queue.id
    yield allowed(policy, RECEIVE, arn, "it would never see a message")
    yield allowed(policy, DELETE, arn, "each message would come back again and again")
    said = ruling([policy], SEND, arn)
    advice = f"{SEND} is allowed, and the job must never send."
    if not said:
        advice = (
            f"This policy does not allow {SEND}, but another policy of the role could. Only a "
            "Deny keeps it out for good."
        )
    yield point(said == "Deny", "It can never send: a Deny wins over every Allow.", advice)
    yield point(
        ruling([policy], RECEIVE, f"{arn}-of-somebody-else") != "Allow",
        "Other queues are none of its business.",
        "It may receive from every queue: leave the ARN of the one queue where it stood.",
    )


def allowed(policy: Any, action: str, arn: str, otherwise: str) -> Point:
    """Whether a policy allows an action, and if not which of three mistakes it is."""
    said = ruling([policy], action, arn)
    advice = f"{action} is not allowed by any statement: {otherwise}."
    if said == "Deny":
        advice = f"{action} is denied: a Deny that fits it wins over every Allow."
    elif misspelt := [each for each in actions_of(policy) if is_near(each, action)]:
        advice = f"{action} is not allowed: {misspelt[0]} is another word, which AWS does not know."
    return point(said == "Allow", f"{action} is allowed.", advice)


def actions_of(policy: Any) -> list[str]:
    return [str(each) for one in statements(policy) for each in one_or_more(one.get("Action", []))]


def is_near(written: str, action: str) -> bool:
    """Whether a word has the letters of an action in another order."""
    return written.lower() != action.lower() and sorted(written.lower()) == sorted(action.lower())
