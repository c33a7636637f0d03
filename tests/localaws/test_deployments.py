"""How a stack is made, changed and taken back, with resources that only note what is done."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.localaws.stacks import deployment
from helpers.localaws.stacks.calls import Failed
from helpers.localaws.stacks.deployment import Deployment
from helpers.localaws.stacks.kinds import Kind, Made
from helpers.localaws.stacks.stack import Order, Stack
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT

KIND = "AWS::SQS::Queue"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/1"


@dataclass
class Noted(Kind):
    """Queues that are only noted. `fails` are calls that end with an exception."""

    done: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    name = KIND
    properties = frozenset({"QueueName", "VisibilityTimeout", "FifoQueue"})
    attributes = frozenset({"Arn"})
    name_property = "QueueName"

    def _note(self, what: str) -> None:
        self.done.append(what)
        if what in self.fails:
            raise self.fails[what]

    def create(self, aws: Any, wanted: Any) -> Made:
        made = Made(f"{wanted.logical_id}{len(self.done)}", {"Arn": f"arn-{wanted.logical_id}"})
        wanted.begun(made.physical_id)
        self._note(f"create {wanted.logical_id}")
        return made

    def update(self, aws: Any, made: Any, had: Any, wanted: Any) -> Made:
        self._note(f"update {wanted.logical_id} {wanted.properties.get('VisibilityTimeout')}")
        return made

    def delete(self, aws: Any, made: Any, had: Any) -> None:
        self._note(f"delete {had.logical_id}")


@pytest.fixture
def queues(monkeypatch) -> Noted:
    noted = Noted()
    monkeypatch.setitem(deployment.KINDS, KIND, noted)
    return noted


def order(**resources: Any) -> Order:
    described = {
        name: {"Type": KIND, **(about if "Properties" in about else {"Properties": about})}
        for name, about in resources.items()
    }
    template = {"Resources": described, "Outputs": {"First": {"Value": {"Ref": min(described)}}}}
    return Order(json.dumps(template), template, {}, {})


def deployed(stack: Stack, importers: list[str] | None = None) -> Deployment:
    """An operation on a stack whose exports these stacks import."""
    aws: Any = SimpleNamespace(region=REGION)
    exports: Any = SimpleNamespace(exports=dict, importers=lambda _name: importers or [])
    return Deployment(stack, aws, exports)


def made(**resources: Any) -> Stack:
    stack = Stack("s", STACK_ID, order(**resources))
    deployed(stack).create()
    return stack


def turns(stack: Stack) -> list[str]:
    """The statuses that the stack itself went through."""
    return [e["ResourceStatus"] for e in stack.events if e["LogicalResourceId"] == "s"]


AFTER_A = {"QueueName": {"Fn::GetAtt": ["A", "Arn"]}}


def test_what_needs_another_is_made_after_it_and_deleted_before_it(queues) -> None:
    stack = made(B=AFTER_A, A={})
    deployed(stack).delete()
    assert queues.done == ["create A", "create B", "delete B", "delete A"]
    assert stack.status == "DELETE_COMPLETE"


def test_what_was_begun_is_deleted_when_the_rest_of_it_failed(queues) -> None:
    queues.fails = {"create B": Failed("no")}
    stack = made(B=AFTER_A, A={})
    assert queues.done == ["create A", "create B", "delete B", "delete A"]
    assert turns(stack) == ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]


def test_a_fault_of_ours_fails_the_resource_and_leaves_no_stack_in_progress(queues, capsys) -> None:
    queues.fails = {"create A": RuntimeError("a fault")}
    stack = made(A={})
    reason = next(e for e in stack.events if e["ResourceStatus"] == "CREATE_FAILED")
    assert stack.status == "ROLLBACK_COMPLETE"
    assert '"Internal Failure"' in reason["ResourceStatusReason"]
    assert "RuntimeError: a fault" in capsys.readouterr().err


def test_what_has_not_changed_is_let_alone(queues) -> None:
    stack = made(A={}, B={"VisibilityTimeout": 1})
    deployed(stack).update(order(A={}, B={"VisibilityTimeout": "2"}))
    assert queues.done[2:] == ["update B 2"]
    assert stack.status == "UPDATE_COMPLETE"


def test_a_failed_update_is_undone_in_the_reverse_order(queues) -> None:
    stack = made(A={"VisibilityTimeout": 1}, B={**AFTER_A, "VisibilityTimeout": 1})
    outputs = stack.outputs
    queues.fails = {"update B 2": Failed("no")}
    deployed(stack).update(
        order(A={"VisibilityTimeout": 2}, B={**AFTER_A, "VisibilityTimeout": 2}, C={})
    )
    before, after = ["update A 2", "create C", "update B 2"], ["update B 1", "update A 1"]
    assert queues.done[2:] == [*before, *after, "delete C"]
    assert turns(stack)[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert set(stack.resources) == {"A", "B"}
    assert stack.outputs == outputs


def test_of_what_is_removed_each_is_deleted_before_what_it_needs(queues) -> None:
    stack = made(A={}, B={}, C={})
    deployed(stack).update(order(C={}, B={}, A={"QueueName": {"Fn::GetAtt": ["B", "Arn"]}}))
    deployed(stack).update(order(C={}))
    assert queues.done[-2:] == ["delete A", "delete B"]


def test_the_reason_of_an_update_tells_what_could_not_be_created(queues) -> None:
    stack = made(A={})
    queues.fails = {"create B": Failed("no")}
    deployed(stack).update(order(A={}, B={}))
    reasons = [e.get("ResourceStatusReason") for e in stack.events]
    assert "The following resource(s) failed to create: [B]. " in reasons


def test_a_replaced_resource_is_deleted_when_all_else_is_done(queues) -> None:
    stack = made(A={"QueueName": "a"}, B={})
    first = stack.resources["A"].made
    deployed(stack).update(order(A={"QueueName": "b"}, B={"VisibilityTimeout": 2}))
    assert queues.done[2:] == ["create A", "update B 2", "delete A"]
    assert stack.resources["A"].made != first
    assert stack.outputs[0]["OutputValue"] == stack.resources["A"].made.physical_id


def test_a_failed_replacement_leaves_the_old_one(queues) -> None:
    stack = made(A={"QueueName": "a"}, B={})
    first = stack.resources["A"].made
    queues.fails = {"update B 2": Failed("no")}
    deployed(stack).update(order(A={"QueueName": "b"}, B={"VisibilityTimeout": 2}))
    assert queues.done[2:] == ["create A", "update B 2", "update B None", "delete A"]
    assert stack.resources["A"].made == first
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize(
    ("policy", "kept"), [("Delete", False), ("Retain", True), ("RetainExceptOnCreate", True)]
)
def test_a_removed_resource_stays_by_its_policy(queues, policy, kept) -> None:
    stack = made(A={}, B={"Properties": {}, "DeletionPolicy": policy})
    deployed(stack).update(order(A={}))
    assert ("delete B" not in queues.done) is kept


@pytest.mark.parametrize(("policy", "kept"), [("Delete", False), ("Retain", True)])
def test_a_replaced_resource_stays_by_its_other_policy(queues, policy, kept) -> None:
    about = {"UpdateReplacePolicy": policy, "DeletionPolicy": "Retain"}
    stack = made(A={**about, "Properties": {"QueueName": "a"}})
    deployed(stack).update(order(A={**about, "Properties": {"QueueName": "b"}}))
    assert ("delete A" not in queues.done) is kept


def test_what_cannot_be_deleted_may_be_retained_at_the_next_try(queues) -> None:
    stack = made(A={}, B={})
    queues.fails = {"delete A": Failed("no")}
    deployed(stack).delete()
    assert (stack.status, stack.reason) == (
        "DELETE_FAILED",
        "The following resource(s) failed to delete: [A]. ",
    )
    deployed(stack).delete(("A",))
    assert queues.done.count("delete B") == 1
    assert stack.status == "DELETE_COMPLETE"


def test_a_stack_that_is_to_be_deleted_is_not_made_further(queues) -> None:
    stack = Stack("s", STACK_ID, order(A={}, B={}))
    stack.to_be_deleted = True
    deployed(stack).create()
    deployed(stack).delete()
    assert queues.done == []
    assert turns(stack) == ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


@pytest.mark.parametrize(
    ("new", "verb"), [({"Value": "b", "Export": {"Name": "e"}}, "updated"), (None, "deleted")]
)
def test_an_export_that_is_in_use_stays_as_it_is(queues, new, verb) -> None:
    stack = made(A={})
    stack.order.template["Outputs"]["E"] = {"Value": "a", "Export": {"Name": "e"}}
    deployed(stack).update(stack.order)
    after = order(A={"VisibilityTimeout": 2})
    after.template["Outputs"] |= {"E": new} if new else {}
    deployed(stack, ["other"]).update(after)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(e for e in stack.events if e["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS")
    text = f"Export e cannot be {verb} as it is in use by other"
    assert reason["ResourceStatusReason"] == text
    assert queues.done[1:] == ["update A 2", "update A None"]


def test_what_was_left_failed_is_made_by_the_next_update(queues) -> None:
    queues.fails = {"create B": Failed("no")}
    stack = Stack("s", STACK_ID, order(A={}, B={}), on_failure="DO_NOTHING")
    deployed(stack).create()
    failed = stack.resources["B"].made
    queues.fails = {}
    deployed(stack).update(order(A={}, B={}))
    assert queues.done == ["create A", "create B", "create B", "delete B"]
    assert stack.status == "UPDATE_COMPLETE"
    assert stack.resources["B"].made != failed


def test_a_creation_that_takes_too_long_fails(queues, monkeypatch) -> None:
    times = iter([0.0, 0.0, 61.0])
    monkeypatch.setattr(deployment.time, "monotonic", lambda: next(times))
    stack = Stack("s", STACK_ID, order(A={}, B={}), timeout_minutes=1)
    deployed(stack).create()
    assert queues.done == ["create A", "delete A"]
    assert stack.status == "ROLLBACK_COMPLETE"
