"""What one thread reads while another changes it, and changes that two make at once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from moto.iam.models import IAMBackend

from helpers.localaws.permissions import roles as permissions
from helpers.localaws.permissions.roles import LAMBDA_SERVICE, Role
from helpers.localaws.queues.move_tasks import COMPLETED, FAILED, MOST_LISTED
from helpers.localaws.triggers import mappings
from helpers.localaws.triggers.mappings import Triggers
from tests.conformance.kit import REGION, poll
from tests.localaws.kit import ACCOUNT, make_pair

VERSION = {"Version": "2012-10-17"}
ALLOW = json.dumps(
    {**VERSION, "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
)
TRUST = json.dumps({**VERSION, "Statement": []})


# -- mappings --------------------------------------------------------------------------------------


def get_function(name: str) -> Any:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return SimpleNamespace(function_name=name, function_arn=arn)


def triggers_on(queues: Any) -> Triggers:
    """Triggers of functions that never run."""
    return Triggers(
        REGION, ACCOUNT, get_function, get_function, pytest.fail, lambda: queues, threading.Lock()
    )


class SlowMapping(mappings.Mapping):
    """What is slow here gives other threads the time to come in between."""

    def __init__(self, spec: dict[str, Any]) -> None:
        time.sleep(0.05)
        super().__init__(spec)

    def in_transition(self, state: str) -> None:
        time.sleep(0.05)
        super().in_transition(state)


def outcomes(call: Callable[[], Any]) -> Counter[str]:
    """What a call answers when it is made four times at once: how often what."""

    def once(_: int) -> str:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (the test is to see whichever it is)
            return getattr(error, "error_type", type(error).__name__)
        return "done"

    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(once, range(4)))


def test_of_several_who_create_or_delete_a_mapping_at_once_one_does(monkeypatch) -> None:
    monkeypatch.setattr(mappings, "Mapping", SlowMapping)
    monkeypatch.setattr(mappings, "Poller", lambda *_: SimpleNamespace(wake=lambda: None))
    monkeypatch.setattr(mappings, "TRANSITION_S", 0.0)
    monkeypatch.setattr(Triggers, "_check_queue", lambda *_: None)
    triggers = triggers_on(queues=None)
    spec = {"EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "FunctionName": "f"}
    created = outcomes(lambda: triggers.create(dict(spec)))
    assert created == {"done": 1, "ResourceConflictException": 3}
    (uuid,) = triggers.by_uuid
    deleted = outcomes(lambda: triggers.delete(uuid))
    assert deleted == {"done": 1, "ResourceNotFoundException": 3}


def test_mappings_may_appear_while_a_function_is_changed() -> None:
    def find(_arn: str) -> None:
        triggers.by_uuid["b"] = triggers.by_uuid["a"]

    triggers = triggers_on(SimpleNamespace(queue_by_arn=find))
    triggers.by_uuid["a"] = SimpleNamespace(event_source_arn="q", function_arn="f", deleted=False)
    triggers.check_visibility_of_sources(SimpleNamespace(function_arn="f"), 1)
    assert set(triggers.by_uuid) == {"a", "b"}


# -- permissions -----------------------------------------------------------------------------------


@pytest.fixture
def iam(monkeypatch) -> IAMBackend:
    made = IAMBackend("aws", ACCOUNT)
    monkeypatch.setattr(permissions, "iam_backends", {ACCOUNT: {"aws": made}})
    return made


def make_role(iam: IAMBackend, name: str) -> Any:
    return iam.create_role(name, TRUST, "/", None, "", {}, "3600")


def may_receive(role: Any) -> bool:
    return Role(ACCOUNT, role.arn).allows("sqs:ReceiveMessage", on="arn:aws:sqs:::q")


def attach(iam: IAMBackend, role: Any, name: str) -> Any:
    policy = iam.create_policy("", "/", ALLOW, name, {})
    iam.attach_role_policy(policy.arn, role.name)
    return policy


def test_policies_may_be_attached_while_a_role_is_judged(iam, monkeypatch) -> None:
    role = make_role(iam, "r")
    attach(iam, role, "p")
    read = permissions.default_version

    def read_and_attach(policy: Any) -> Any:
        if len(role.managed_policies) == 1:
            attach(iam, role, "q")
        return read(policy)

    monkeypatch.setattr(permissions, "default_version", read_and_attach)
    assert may_receive(role)


def test_a_policy_counts_while_its_default_version_changes(iam) -> None:
    role = make_role(iam, "r")
    policy = attach(iam, role, "p")
    policy.versions[0].is_default = False  # moto marks the next one a moment later
    assert may_receive(role)


def test_roles_may_appear_while_one_is_looked_for(iam) -> None:
    class Watched:
        name = "first"

        @property
        def arn(self) -> str:
            make_role(iam, f"another-{len(iam.roles)}")
            return "arn"

    iam.roles["first"] = Watched()
    role = make_role(iam, "r")
    assert not may_receive(role)
    assert not Role(ACCOUNT, role.arn).may_be_assumed_by(LAMBDA_SERVICE)


# -- queues ----------------------------------------------------------------------------------------


def test_queues_may_appear_and_go_while_they_are_listed(backend) -> None:
    for name in ("a", "b"):
        backend.create_queue(name)
    listing = iter(backend.queues.items())
    seen = [next(listing)[0]]
    backend.create_queue("c")
    backend.delete_queue("a")
    assert seen + [name for name, _ in listing] == ["a", "b"]
    assert [queue.name for queue in backend.list_queues("")] == ["b", "c"]


# -- redrives --------------------------------------------------------------------------------------


@pytest.fixture
def dead(backend) -> Any:
    """A dead-letter queue with one message."""
    queue, dead_letters = make_pair(backend)
    backend.send_message(queue.name, "m")
    queue.receive(1, 0, 0)
    queue.receive(1, 0, 0)
    return dead_letters


def redrive(backend: Any, dead: Any) -> Any:
    backend.move_tasks.start(dead.queue_arn, None, None)
    task = backend.move_tasks._tasks[0]
    poll(lambda: task.active, lambda active: not active, "the redrive to end")
    return task


def test_a_redrive_that_fails_in_the_middle_leaves_the_rest_visible(backend, dead, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(backend, "move_message", lambda *_: 1 / 0)
        assert redrive(backend, dead).describe()["Status"] == FAILED
    assert dead.store.counts(60)["ready"] == 1
    assert redrive(backend, dead).describe()["Status"] == COMPLETED
    assert [message.body for message in backend.queues["q"].receive(1, 0)] == ["m"]


def test_the_redrives_that_are_listed_are_kept(backend, dead) -> None:
    tasks = [redrive(backend, dead) for _ in range(MOST_LISTED + 5)]
    assert backend.move_tasks._tasks == tasks[: -MOST_LISTED - 1 : -1]
    backend.delete_queue(dead.name)
    assert backend.move_tasks._tasks == []
