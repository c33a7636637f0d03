"""Notebooks run with a policy: that of a learner in an assumed role, or of the functions' roles.

Each run has a local AWS of its own, on which nothing is left of others.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import boto3

from helpers import waiting
from helpers.account import names, target
from helpers.localaws import lifecycle
from tests.notebook_files import code_cells, read, run_cells
from tests.policies.documents import FILES, Document, without
from tests.policies.recording import ACCOUNT, BOUNDARY_ARN, PREFIX

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    ],
}
FUNCTION_ARN = f"arn:aws:iam::{ACCOUNT}:policy/function"
# How long the longest wait of a run that is meant to break takes, and a call that is made again.
IN_VAIN_S, REFUSED_S = 30.0, 2.0


class Broken(NamedTuple):
    """Where a run has ended, and what the cell said."""

    notebook: str
    cell: int
    said: str

    def __str__(self) -> str:
        return f"{self.notebook}, cell {self.cell}: {self.said[:300]}"


@dataclass(frozen=True)
class Policies:
    """The policies of a run."""

    learner: Document
    function: Document
    boundary: Document

    def without(self, file: str, action: str) -> Policies:
        """The same, but without an action in that which is stored in this file."""
        field = dict(zip(FILES, ("learner", "function", "boundary"), strict=True))[file]
        return replace(self, **{field: without(getattr(self, field), action)})


@contextmanager
def own_local_aws() -> Iterator[None]:
    """An empty local AWS, connected to as its owner, for a learner with the prefix."""
    settings = {"SQS_COURSE_PREFIX": PREFIX, "SQS_COURSE_TARGET": "local"}
    session = boto3.DEFAULT_SESSION
    with (
        tempfile.TemporaryDirectory(prefix="course-policies-") as folder,
        mock.patch.dict(os.environ, {**settings, "LOCALAWS_FOLDER": folder}),
    ):
        target.connect()
        try:
            yield
        finally:
            lifecycle.stop()
            boto3.DEFAULT_SESSION = session


def make_policy(arn: str, policy: Document) -> None:
    name = arn.rpartition("/")[2]
    boto3.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))


@contextmanager
def with_boundary(boundary: Document) -> Iterator[None]:
    """The roles that cells make get this boundary, as SQS_COURSE_BOUNDARY says."""
    make_policy(BOUNDARY_ARN, boundary)
    with mock.patch.dict(os.environ, {"SQS_COURSE_BOUNDARY": BOUNDARY_ARN}):
        yield


@contextmanager
def as_learner(policy: Document) -> Iterator[None]:
    """Cells that connect have the credentials of a role with just this policy."""
    variables = keys_of_role("Learner", policy, PREFIX.rstrip("-"))
    use_endpoint = target.use_endpoint

    def use_as_learner(url: str, key: Any) -> None:
        use_endpoint(url, key)
        os.environ.update(variables)

    with mock.patch.object(target, "use_endpoint", use_as_learner):
        yield


def keys_of_role(name: str, policy: Document, learner: str | None) -> dict[str, str]:
    """Credentials of a new role with this policy and, as the course's tag, a learner's name."""
    iam = boto3.client("iam")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    make_policy(arn, policy)
    tags = [{"Key": names.TAG, "Value": learner}] if learner else []
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tags)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    given = boto3.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="anna")
    keys = given["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


@contextmanager
def in_roles(policy: Document) -> Iterator[None]:
    """The roles of functions have just this policy, whatever cells attach or write into them."""
    make_policy(FUNCTION_ARN, policy)
    connect = target.connect_wanted

    def attach(params: dict[str, Any], **_others: Any) -> None:
        params["PolicyArn"] = FUNCTION_ARN

    def put(params: dict[str, Any], **_others: Any) -> None:
        params["PolicyDocument"] = json.dumps(policy)

    def connect_and_change(wanted: str) -> target.Target:
        found = connect(wanted)
        events = boto3.DEFAULT_SESSION.events
        events.register("before-parameter-build.iam.AttachRolePolicy", attach)
        events.register("before-parameter-build.iam.PutRolePolicy", put)
        return found

    with mock.patch.object(target, "connect_wanted", connect_and_change):
        yield


@contextmanager
def short_waits() -> Iterator[None]:
    """No wait of the course kit takes long: it is in vain, where a policy lacks an action."""
    began, fast = time.monotonic(), 180 / IN_VAIN_S

    def monotonic() -> float:
        return began + (time.monotonic() - began) * fast

    clock = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
    with (
        mock.patch.object(waiting, "time", clock),
        mock.patch.object(waiting, "KNOWN_LIMIT_S", REFUSED_S),
    ):
        yield


def run(notebooks: Iterable[str]) -> Broken | None:
    """Run notebooks to the first cell that breaks, or whose check says that all is not well."""
    for name in notebooks:
        cells = code_cells(read(name))
        for number, (printed, error) in enumerate(run_cells(name)):
            if error is not None:
                return Broken(name, number + 1, str(error))
            checked_again = number > 1 and cells[number].source == cells[number - 2].source
            if checked_again and printed.startswith("Not yet"):
                return Broken(name, number + 1, printed.strip())
    return None


def replay(
    notebooks: Iterable[str],
    policies: Policies,
    *,
    only_function: bool = False,
    impatient: bool = False,
) -> Broken | None:
    """Run notebooks on an empty local AWS with these policies; what breaks first, if anything.

    By default a learner runs them. With `only_function` the owner does, and all roles that are
    made have just the function's policy. With `impatient` no wait takes long.
    """
    with ExitStack() as stack:
        stack.enter_context(own_local_aws())
        if only_function:
            stack.enter_context(in_roles(policies.function))
        else:
            stack.enter_context(with_boundary(policies.boundary))
            stack.enter_context(as_learner(policies.learner))
        if impatient:
            stack.enter_context(short_waits())
        return run(notebooks)
