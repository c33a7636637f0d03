"""The stacks of one account and region, and what can be done with them.

An operation looks at everything that can be refused at once, and then goes on in a thread of
its own, as AWS's does: CREATE_IN_PROGRESS is what a caller sees first.
"""

from __future__ import annotations

import re
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.base_backend import BaseBackend

from helpers.localaws.common import arns
from helpers.localaws.stacks import parameters, refusals, sam, schemas
from helpers.localaws.stacks import template as templates
from helpers.localaws.stacks.calls import Calls
from helpers.localaws.stacks.deployment import Deployment, preview
from helpers.localaws.stacks.intrinsics import SYMBOL
from helpers.localaws.stacks.kinds import KINDS
from helpers.localaws.stacks.refusals import StackError, invalid
from helpers.localaws.stacks.stack import GONE, Order, Stack, now

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED")
WITHOUT_RESOURCES = (GONE, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
NO_UPDATES = "No updates are to be performed."
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)


@dataclass
class ChangeSet:
    """What an order would change of a stack."""

    name: str
    id: str
    kind: str  # CREATE or UPDATE
    order: Order
    changes: list[dict[str, Any]]
    description: str | None
    status: str
    reason: str
    execution: str
    created: datetime
    on_failure: str = "ROLLBACK"


class Backend(BaseBackend):
    """`calls(access key id, role)` makes calls of the local AWS in a caller's name."""

    def __init__(
        self,
        region_name: str,
        account_id: str,
        calls: Callable[[str, str, str, str], Calls],
    ) -> None:
        super().__init__(region_name, account_id)
        self._calls = calls
        self._changing = threading.RLock()
        self.stacks: dict[str, Stack] = {}

    def reset(self) -> None:
        """Forget all stacks."""
        self.stacks = {}

    # -- looking -----------------------------------------------------------------------------

    def find(self, name: str) -> Stack | None:
        """The stack with this name or id. One that is deleted is found by its id only."""
        if name in self.stacks:
            return self.stacks[name]
        found = [s for s in self.stacks.values() if s.name == name and not s.is_gone]
        return found[-1] if found else None

    def get(self, name: str, error: Callable[[str], StackError] = refusals.no_stack) -> Stack:
        """The same. Raises StackError when there is none."""
        stack = self.find(name)
        if stack is None:
            raise error(name)
        return stack

    def exports(self) -> dict[str, tuple[str, Stack]]:
        """The value of each export, and its stack."""
        return {
            output["ExportName"]: (output["OutputValue"], stack)
            for stack in list(self.stacks.values())
            if not stack.is_gone
            for output in stack.outputs
            if "ExportName" in output
        }

    def importers(self, name: str) -> list[str]:
        """The names of the stacks that import an export."""
        return [
            stack.name
            for stack in list(self.stacks.values())
            if stack.status not in WITHOUT_RESOURCES and name in self._imports_in(stack)
        ]

    def _imports_in(self, stack: Stack) -> set[str]:
        """The exports that a stack looks at when it is worked out."""
        seen: set[str] = set()
        values = {name: value for name, (value, _) in self.exports().items()}
        try:
            preview(stack.order, stack.name, stack.id, Seen(values, seen))
        except StackError:
            pass
        return seen

    # -- orders ------------------------------------------------------------------------------

    def order(self, given: dict[str, Any], before: Order | None = None) -> tuple[Order, str]:
        """What a call wants of a stack, and why its transform has failed, if it has.

        Raises StackError for a template or parameters that cannot be used.
        """
        text = given.get("TemplateBody") or ""
        if given.get("UsePreviousTemplate") and before is not None:
            text = before.text
        written = templates.read(text)
        told = parameters.texts_given(
            written.get("Parameters") or {},
            given.get("Parameters") or [],
            before.parameters if before else {},
        )
        capabilities = given.get("Capabilities") or []
        sam_used = bool(templates.transforms(written))
        template, failed = written, ""
        if sam_used:
            if "CAPABILITY_AUTO_EXPAND" not in capabilities:
                raise refusals.missing_capabilities(["CAPABILITY_AUTO_EXPAND"])
            try:
                template = sam.transform(written, told, self.region_name)
            except StackError as error:
                failed = error.message
        if not failed:
            templates.check(template, self.region_name)
            templates.check_capabilities(template, capabilities)
        tags = given.get("Tags")
        order = Order(
            text,
            template,
            {key: told[key] for key in template.get("Parameters") or {} if key in told},
            {tag["Key"]: tag["Value"] for tag in tags}
            if tags is not None
            else dict(before.tags if before else {}),
            tuple(capabilities),
            given.get("RoleARN") or (before.role_arn if before else ""),
        )
        return order, failed

    def _preview(self, order: Order, stack: Stack) -> dict[str, Any]:
        values = {name: value for name, (value, _) in self.exports().items()}
        return preview(order, stack.name, stack.id, values)

    # -- operations --------------------------------------------------------------------------

    def create(self, given: dict[str, Any], caller: str) -> Stack:
        name = checked_name(given["StackName"])
        order, failed = self.order(given)
        stack = self._new(name, order)
        stack.protected = bool(given.get("EnableTerminationProtection"))
        stack.on_failure = on_failure(given)
        stack.timeout_minutes = given.get("TimeoutInMinutes")
        stack.token = given.get("ClientRequestToken")
        if not failed:
            self._preview(order, stack)
        deployment = self._deployment(stack, caller)
        with self._changing:
            self._check_is_new(name)
            self.stacks[stack.id] = stack
            stack.status = "CREATE_IN_PROGRESS"
        if failed:
            self._start(stack, lambda: deployment.refuse(failed))
        else:
            self._start(stack, deployment.create)
        return stack

    def _new(self, name: str, order: Order) -> Stack:
        number = str(uuid.uuid4())
        return Stack(name, arns.of_stack(self.region_name, self.account_id, name, number), order)

    def _check_is_new(self, name: str) -> None:
        if self.find(name) is not None:
            raise refusals.exists(name)

    def update(self, given: dict[str, Any], caller: str) -> Stack:
        stack = self.get(given["StackName"], refusals.no_stack_to_change)
        order, failed = self.order(given, stack.order)
        if failed:
            raise invalid(failed)
        self._check_updatable(stack)
        old, new = self._preview(stack.order, stack), self._preview(order, stack)
        check_types_stay(old, new)
        if new == old and stack.status != "CREATE_FAILED":
            raise invalid(NO_UPDATES)
        stack.token = given.get("ClientRequestToken")
        self._begin_update(stack, order, caller)
        return stack

    def _begin_update(self, stack: Stack, order: Order, caller: str) -> None:
        deployment = self._deployment(stack, caller, order.role_arn)
        with self._changing:
            self._check_updatable(stack)
            stack.status = "UPDATE_IN_PROGRESS"
        stack.updated = now()
        self._start(stack, lambda: deployment.update(order))

    @staticmethod
    def _check_updatable(stack: Stack) -> None:
        if stack.status not in UPDATABLE:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def delete(self, given: dict[str, Any], caller: str) -> None:
        stack = self.find(given["StackName"])
        if stack is None or stack.is_gone:
            return
        if stack.protected:
            raise invalid(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        retained = tuple(given.get("RetainResources") or ())
        if retained and stack.status != "DELETE_FAILED":
            raise invalid(
                f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which "
                "resources to retain only when the stack is in the DELETE_FAILED state."
            )
        if stack.status == "DELETE_IN_PROGRESS":
            return
        deployment = self._deployment(stack, caller, given.get("RoleARN") or "")
        stack.token = given.get("ClientRequestToken")
        stack.to_be_deleted = stack.status == "CREATE_IN_PROGRESS"
        if not stack.in_progress:
            stack.status = "DELETE_IN_PROGRESS"
        in_use = self._exports_in_use(stack)
        if in_use:
            self._start(stack, lambda: stack.turn("DELETE_FAILED", in_use))
        else:
            self._start(stack, lambda: deployment.delete(retained))

    def _exports_in_use(self, stack: Stack) -> str:
        """Which of a stack's exports are imported, as a reason not to delete it; "" if none is."""
        return " ".join(
            f"Export {output['ExportName']} cannot be deleted as it is in use by {', '.join(users)}"
            for output in stack.outputs
            if "ExportName" in output and (users := self.importers(output["ExportName"]))
        )

    def _deployment(self, stack: Stack, caller: str, role: str = "") -> Deployment:
        role = role or stack.order.role_arn
        aws = self._calls(caller, role, self.account_id, self.region_name)
        return Deployment(stack, aws, self)

    @staticmethod
    def _start(stack: Stack, work: Callable[[], None]) -> None:
        """Work in a thread of its own, one operation of a stack after the other."""

        def in_turn() -> None:
            with stack.working:
                try:
                    work()
                except Exception as error:  # noqa: BLE001 (it is never to stay in progress)
                    traceback.print_exception(error)
                    stack.turn(stack.status.replace("_IN_PROGRESS", "_FAILED"), "Internal Failure")

        threading.Thread(target=in_turn, name=f"stack {stack.name}", daemon=True).start()

    # -- change sets -------------------------------------------------------------------------

    def create_change_set(self, given: dict[str, Any]) -> tuple[ChangeSet, Stack]:
        kind, stack = given.get("ChangeSetType") or "UPDATE", self.find(given["StackName"])
        if kind == "CREATE":
            stack = self._under_review(given, stack)
        elif stack is None:
            raise refusals.no_stack_to_change(given["StackName"])
        elif stack.status == "REVIEW_IN_PROGRESS":
            raise invalid(f"Stack [{stack.name}] is in REVIEW_IN_PROGRESS state; use CREATE.")
        else:
            self._check_updatable(stack)
        name = given["ChangeSetName"]
        if name in stack.change_sets:
            raise StackError("AlreadyExistsException", f"ChangeSet {name} already exists")
        made = self._change_set(given, kind, stack)
        with self._changing:
            self.stacks.setdefault(stack.id, stack)
            stack.change_sets[name] = made
        return made, stack

    def _under_review(self, given: dict[str, Any], stack: Stack | None) -> Stack:
        """The stack that a change set is to create: it is there, and has nothing yet."""
        if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise invalid(
                f"Stack [{stack.name}] already exists and cannot be created again with the "
                f"changeSet [{given['ChangeSetName']}]."
            )
        if stack is None:
            order, _ = self.order(given)
            stack = self._new(checked_name(given["StackName"]), order)
            stack.turn("REVIEW_IN_PROGRESS", "User Initiated")
        return stack

    def _change_set(self, given: dict[str, Any], kind: str, stack: Stack) -> ChangeSet:
        before = stack.order if kind == "UPDATE" else None
        order, failed = self.order(given, before)
        changes: list[dict[str, Any]] = []
        if not failed:
            new = self._preview(order, stack)
            old = self._preview(before, stack) if before else {"Resources": {}}
            check_types_stay(old, new)
            changes = changes_between(old, new, stack, self.region_name)
            if new == old:
                failed = NO_CHANGES
        name = given["ChangeSetName"]
        return ChangeSet(
            name,
            arns.of_change_set(self.region_name, self.account_id, name, str(uuid.uuid4())),
            kind,
            order,
            changes,
            given.get("Description"),
            "FAILED" if failed else "CREATE_COMPLETE",
            failed,
            "UNAVAILABLE" if failed else "AVAILABLE",
            now(),
            on_failure(given) if "OnStackFailure" not in given else given["OnStackFailure"],
        )

    def change_set(self, name: str, stack_name: str | None) -> tuple[ChangeSet, Stack]:
        """A change set by its name and its stack, or by its id."""
        stacks = [self.get(stack_name, refusals.no_stack_to_change)] if stack_name else None
        for stack in stacks or list(self.stacks.values()):
            for made in list(stack.change_sets.values()):
                if name in (made.name, made.id):
                    return made, stack
        raise refusals.no_change_set(name)

    def execute(self, name: str, given: dict[str, Any], caller: str) -> None:
        made, stack = self.change_set(name, given.get("StackName"))
        if made.execution != "AVAILABLE":
            raise StackError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{made.id}] cannot be executed in its current status of "
                f"[{made.status}]",
            )
        stack.token = given.get("ClientRequestToken")
        if made.kind == "UPDATE":
            self._begin_update(stack, made.order, caller)
        else:
            deployment = self._deployment(stack, caller, made.order.role_arn)
            stack.order = made.order
            stack.on_failure = "DO_NOTHING" if given.get("DisableRollback") else made.on_failure
            stack.status = "CREATE_IN_PROGRESS"
            self._start(stack, deployment.create)
        made.execution = "EXECUTE_COMPLETE"
        stack.change_sets = {made.name: made}

    def delete_change_set(self, name: str, stack_name: str | None) -> None:
        try:
            made, stack = self.change_set(name, stack_name)
        except StackError:
            return
        stack.change_sets.pop(made.name, None)


class Seen(dict[str, str]):
    """Exports that note which of them are looked at."""

    def __init__(self, values: dict[str, str], seen: set[str]) -> None:
        super().__init__(values)
        self._seen = seen

    def __getitem__(self, name: str) -> str:
        self._seen.add(name)
        return super().__getitem__(name)


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise refusals.violation(
            "stackName",
            name,
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        )
    return name


def on_failure(given: dict[str, Any]) -> str:
    if given.get("OnFailure") and given.get("DisableRollback") is not None:
        raise invalid("You cannot specify both DisableRollback and OnFailure")
    if given.get("DisableRollback"):
        return "DO_NOTHING"
    return str(given.get("OnFailure") or "ROLLBACK")


def check_types_stay(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A resource does not become one of another type; under another name it may."""
    changed = [
        name
        for name, resource in new["Resources"].items()
        if resource["Type"] != old["Resources"].get(name, resource)["Type"]
    ]
    if changed:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of "
            f"the following resources: [{', '.join(changed)}]"
        )


# -- what a change set says ------------------------------------------------------------------


def changes_between(
    old: dict[str, Any], new: dict[str, Any], stack: Stack, region: str
) -> list[dict[str, Any]]:
    """The changes from one preview to another, as DescribeChangeSet has them."""
    had, wanted = old["Resources"], new["Resources"]
    changes: dict[str, dict[str, Any]] = {}
    for name in templates.in_order(wanted):
        if name not in had:
            changes[name] = change("Add", name, wanted[name]["Type"])
        else:
            details = details_of(had[name], wanted[name], changes, region)
            if details or old.get("Tags") != new.get("Tags"):
                changes[name] = modification(name, wanted[name], details, stack)
    for name in had:
        if name not in wanted:
            changes[name] = change("Remove", name, had[name]["Type"], physical(stack, name))
    return [{"Type": "Resource", "ResourceChange": each} for each in changes.values()]


def change(action: str, name: str, kind: str, physical_id: str = "") -> dict[str, Any]:
    known = {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Scope": []}
    if physical_id:
        known["PhysicalResourceId"] = physical_id
    return {**known, "Details": []}


def physical(stack: Stack, name: str) -> str:
    resource = stack.resources.get(name)
    return resource.made.physical_id if resource else ""


def modification(
    name: str, wanted: dict[str, Any], details: list[dict[str, Any]], stack: Stack
) -> dict[str, Any]:
    needs = {each["Target"].get("RequiresRecreation", "Never") for each in details}
    return {
        **change("Modify", name, wanted["Type"], physical(stack, name)),
        "Replacement": "True" if "Always" in needs else
                       "Conditional" if "Conditionally" in needs else "False",
        "Scope": sorted({each["Target"]["Attribute"] for each in details}) or ["Tags"],
        "Details": details,
    }  # fmt: skip


def details_of(
    had: dict[str, Any], wanted: dict[str, Any], changes: dict[str, dict[str, Any]], region: str
) -> list[dict[str, Any]]:
    """What is different of one resource, and whether that means another one."""
    kind = wanted["Type"]
    fixed = schemas.replacing(kind, region) | KINDS[kind].replaced_by
    before, after = had["Properties"], wanted["Properties"]
    details = []
    for name in sorted(before.keys() | after.keys()):
        replaced = any(
            f"{SYMBOL}{other}." in str(after.get(name)) for other in replaced_in(changes)
        )
        if before.get(name) != after.get(name) or replaced:
            recreation = "Always" if name in fixed else "Never"
            target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
            evaluation = "Dynamic" if replaced else "Static"
            source = "ResourceReference" if replaced else "DirectModification"
            details.append({"Target": target, "Evaluation": evaluation, "ChangeSource": source})
    for attribute in ("Metadata", "DeletionPolicy", "UpdateReplacePolicy"):
        if had.get(attribute) != wanted.get(attribute):
            target = {"Attribute": attribute, "RequiresRecreation": "Never"}
            details.append(
                {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}
            )
    return details


def replaced_in(changes: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, each in changes.items() if each.get("Replacement") == "True"]
