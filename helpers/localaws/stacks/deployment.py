"""How a stack becomes what its order says: resource by resource, and back if one fails.

Sources: CloudFormation User Guide, "How CloudFormation works", "Update behaviors of stack
resources", "Stack failure options"; the reasons of events are those that users of AWS report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from botocore.exceptions import ClientError

from helpers.localaws.stacks import parameters, schemas
from helpers.localaws.stacks.calls import Calls, Failed, is_missing, reason_of
from helpers.localaws.stacks.intrinsics import NO_VALUE, SYMBOL, Scope
from helpers.localaws.stacks.kinds import KINDS, Made, Wanted
from helpers.localaws.stacks.refusals import format_error, unresolved
from helpers.localaws.stacks.stack import (
    GONE,
    ID_TAG,
    LOGICAL_TAG,
    STACK_TAG,
    Order,
    Resource,
    Stack,
)
from helpers.localaws.stacks.template import in_order

Undo = Callable[[], None]


def pseudo_parameters(stack_name: str, stack_id: str) -> dict[str, Any]:
    """What Ref says of the names that every template has; an id is an ARN."""
    partition, _, region, account = stack_id.split(":")[1:5]
    return {
        "AWS::AccountId": account,
        "AWS::NoValue": NO_VALUE,
        "AWS::NotificationARNs": [],
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::StackId": stack_id,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def names_of(order: Order, stack_name: str, stack_id: str) -> dict[str, Any]:
    pseudo = pseudo_parameters(stack_name, stack_id)
    return pseudo | parameters.values_of(order.declared, order.parameters)


def active(template: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """The resources whose condition holds."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or scope.condition(resource["Condition"])
    }


def outputs_of(template: Mapping[str, Any], scope: Scope) -> list[dict[str, str]]:
    """The outputs of a stack, as its description has them."""
    found = []
    for name, written in (template.get("Outputs") or {}).items():
        if "Condition" in written and not scope.condition(written["Condition"]):
            continue
        value = scope.value(written["Value"])
        if isinstance(value, (list, dict)):
            raise format_error("The Value field of every Outputs member must evaluate to a String.")
        output = {"OutputKey": name, "OutputValue": scope.text(value)}
        if "Description" in written:
            output["Description"] = written["Description"]
        if "Export" in written:
            output["ExportName"] = scope.text(written["Export"]["Name"])
        found.append(output)
    return found


def exports_in(outputs: list[dict[str, str]]) -> dict[str, str]:
    return {each["ExportName"]: each["OutputValue"] for each in outputs if "ExportName" in each}


def preview(
    order: Order, stack_name: str, stack_id: str, imports: Mapping[str, str]
) -> dict[str, Any]:
    """All that an order says before anything is made: of a resource only that it is referred to.

    Two orders with the same preview are the same. Raises StackError for what cannot be worked
    out.
    """

    def attribute_of(resource: str, attribute: str) -> str:
        if block == "Conditions":
            raise format_error(
                f"Unresolved dependencies [{resource}]. Cannot reference resources in the "
                "Conditions block of the template"
            )
        if resource not in there:
            raise unresolved([resource], block)
        return f"{SYMBOL}{resource}.{attribute}{SYMBOL}"

    block = "Conditions"
    names = names_of(order, stack_name, stack_id)
    scope = Scope(order.template, names, attribute_of, imports)
    scope.check_conditions()
    there: dict[str, Any] = active(order.template, scope)
    block = "Resources"
    resources = {
        name: {**resource, "Properties": scope.value(resource.get("Properties") or {})}
        for name, resource in there.items()
    }
    block = "Outputs"
    outputs = outputs_of(order.template, scope)
    return {"Resources": resources, "Outputs": outputs, "Tags": dict(order.tags)}


class Exports(Protocol):
    """What stacks of one account and region export and import."""

    def exports(self) -> dict[str, tuple[str, Stack]]:
        """The value of each export, and its stack."""

    def importers(self, name: str) -> list[str]:
        """The names of the stacks that import an export."""


class Deployment:
    """One operation on a stack. `aws` are calls in the name of its caller."""

    def __init__(self, stack: Stack, aws: Calls, exports: Exports) -> None:
        self.stack = stack
        self._aws = aws
        self._exports = exports
        self._undo: list[Undo] = []
        self._left_over: list[Resource] = []  # replaced or removed: deleted in the end
        self._failed: list[str] = []
        self._end = float("inf")

    # -- the operations ----------------------------------------------------------------------

    def create(self) -> None:
        stack = self.stack
        if stack.timeout_minutes:
            self._end = time.monotonic() + 60 * stack.timeout_minutes
        stack.turn("CREATE_IN_PROGRESS", "User Initiated")
        if self._make_all():
            stack.turn("CREATE_COMPLETE")
        elif not stack.to_be_deleted:
            self._creation_failed()

    def refuse(self, reason: str) -> None:
        """A stack whose template's transform has failed: it is made, and rolled back."""
        self.stack.turn("CREATE_IN_PROGRESS", "User Initiated")
        if self.stack.on_failure == "DO_NOTHING":
            self.stack.turn("CREATE_FAILED", reason)
            return
        self.stack.turn("ROLLBACK_IN_PROGRESS", f"{reason} Rollback requested by user.")
        self.stack.turn("ROLLBACK_COMPLETE")

    def update(self, order: Order) -> None:
        stack, before, outputs = self.stack, self.stack.order, self.stack.outputs
        stack.turn("UPDATE_IN_PROGRESS", "User Initiated")
        stack.order = order
        old = in_order({name: each.definition for name, each in stack.resources.items()})
        if self._make_all():
            there = active(order.template, self._scope())
            self._left_over += [stack.resources.pop(name) for name in old if name not in there]
            stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up("UPDATE_COMPLETE")
            return
        created = any(self._status_of(name) == "CREATE_FAILED" for name in self._failed)
        reason = self._reason("create" if created else "update")
        stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        stack.order, stack.outputs = before, outputs
        if self._undo_all():
            stack.turn("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up("UPDATE_ROLLBACK_COMPLETE")
        else:
            stack.turn("UPDATE_ROLLBACK_FAILED", self._reason("update"))

    def delete(self, retained: tuple[str, ...] = ()) -> None:
        stack = self.stack
        stack.turn("DELETE_IN_PROGRESS", "User Initiated")
        if self._delete_all(retained):
            stack.turn(GONE)
        else:
            stack.turn("DELETE_FAILED", self._reason("delete"))

    # -- forward -----------------------------------------------------------------------------

    def _make_all(self) -> bool:
        """Create or change each resource; False at the first that fails."""
        template = self.stack.order.template
        scope = self._scope()
        try:
            there = active(template, scope)
            for name in [each for each in in_order(template["Resources"]) if each in there]:
                if self.stack.to_be_deleted or not self._make(name, there[name], scope):
                    return False
            outputs = outputs_of(template, scope)
            self._check_exports(outputs)
            self.stack.outputs = outputs
        except Exception as error:  # noqa: BLE001 (a stack is never to stay in progress)
            self._failed.append(self.stack.name)
            self.stack.reason = reason_of(error)
            return False
        return True

    def _check_exports(self, outputs: list[dict[str, str]]) -> None:
        """What others export is not exported again; what they import stays as it is."""
        values = exports_in(outputs)
        for name, (_, owner) in self._exports.exports().items():
            if name in values and owner is not self.stack:
                raise Failed(f"Export with name {name} is already exported by stack {owner.name}. ")
        for name, value in exports_in(self.stack.outputs).items():
            users = self._exports.importers(name) if values.get(name) != value else []
            if users:
                verb = "updated" if name in values else "deleted"
                raise Failed(
                    f"Export {name} cannot be {verb} as it is in use by {', '.join(users)}"
                )

    def _status_of(self, name: str) -> str:
        resource = self.stack.resources.get(name)
        return resource.status if resource else ""

    def _scope(self) -> Scope:
        order = self.stack.order
        names = names_of(order, self.stack.name, self.stack.id)
        imports = {name: value for name, (value, _) in self._exports.exports().items()}
        return Scope(order.template, names, self._attribute_of, imports)

    def _attribute_of(self, name: str, attribute: str) -> Any:
        resource = self.stack.resources.get(name)
        if resource is None:
            raise unresolved([name], "Resources")
        if not attribute:
            return resource.made.physical_id
        if attribute not in resource.made.attributes:
            raise Failed(f"Attribute {attribute} of {name} has no value.")
        return resource.made.attributes[attribute]

    def _make(self, name: str, definition: Mapping[str, Any], scope: Scope) -> bool:
        existing = self.stack.resources.get(name)
        if existing and existing.status == "CREATE_FAILED":  # and was left so: it is made anew
            self._left_over.append(self.stack.resources.pop(name))
            existing = None
        creating = existing is None
        resource = existing or Resource(name, definition["Type"], definition)
        try:
            if time.monotonic() > self._end:
                raise Failed("Stack creation time exceeded the specified timeout.")
            wanted = self._wanted(name, definition, scope)
            if existing is None:
                self._create(resource, wanted)
            else:
                self._change(existing, definition, wanted)
            return True
        except Exception as error:  # noqa: BLE001 (a stack is never to stay in progress)
            if creating:
                self.stack.resources[name] = resource
            status = "CREATE_FAILED" if creating else "UPDATE_FAILED"
            self.stack.note(self.stack.resources[name], status, reason_of(error, resource.kind))
            self._failed.append(name)
            return False

    def _wanted(self, name: str, definition: Mapping[str, Any], scope: Scope) -> Wanted:
        kind, region = definition["Type"], self._aws.region
        schema = schemas.schema_of(kind, region)
        properties = scope.value(definition.get("Properties") or {})
        properties = schemas.coerced(properties, schema, schema)
        tags: dict[str, str] = {}
        if schemas.is_taggable(kind, region):
            tags = {**self.stack.order.tags, **tags_in(properties.get("Tags"))}
        if schemas.has_system_tags(kind, region):
            tags |= {
                STACK_TAG: self.stack.name,
                ID_TAG: self.stack.id,
                LOGICAL_TAG: name,
            }
        return Wanted(self.stack.name, name, properties, tags)

    def _create(self, resource: Resource, wanted: Wanted) -> None:
        name = resource.logical_id
        resource.had = wanted
        self.stack.resources[name] = resource
        self.stack.note(resource, "CREATE_IN_PROGRESS")
        self._undo.append(lambda: self._forget(name))
        self._check(resource.kind, name, wanted)
        self._call_create(resource, wanted, "CREATE_IN_PROGRESS")
        self.stack.note(resource, "CREATE_COMPLETE")

    def _call_create(self, resource: Resource, wanted: Wanted, status: str) -> None:
        """Make what is there of a resource known as soon as something is."""

        def begun(physical_id: str) -> None:
            resource.made = Made(physical_id, {})
            self.stack.note(resource, status, "Resource creation Initiated")

        made = KINDS[resource.kind].create(self._aws, replace(wanted, begun=begun))
        if not resource.made.physical_id:
            begun(made.physical_id)
        resource.made = made

    def _forget(self, name: str) -> None:
        """Undo a creation: it is deleted with what is left over."""
        self._left_over.append(self.stack.resources.pop(name))

    def _check(self, kind: str, name: str, wanted: Wanted) -> None:
        wrong = schemas.wrong(kind, dict(wanted.properties), self._aws.region)
        if wrong:
            listed = "\n".join(wrong)
            raise Failed(
                f"Properties validation failed for resource {name} with message:\n[{listed}]"
            )

    def _change(self, resource: Resource, definition: Mapping[str, Any], wanted: Wanted) -> None:
        """Change a resource, or make another one in its place, if it is to be different."""
        had, kind = resource.had, KINDS[resource.kind]
        before = resource.definition
        resource.definition = definition
        self._undo.append(lambda: setattr(resource, "definition", before))
        if had is None or had == wanted:
            return
        changed = {
            name
            for name in had.properties.keys() | wanted.properties.keys()
            if had.properties.get(name) != wanted.properties.get(name)
        }
        self._check(resource.kind, resource.logical_id, wanted)
        fixed = schemas.replacing(resource.kind, self._aws.region) | kind.replaced_by
        if changed & fixed:
            self._replace(resource, definition, wanted)
            return
        self.stack.note(resource, "UPDATE_IN_PROGRESS")
        self._undo.append(lambda: self._change_back(resource, wanted, had))
        resource.made = kind.update(self._aws, resource.made, had, wanted)
        resource.had = wanted
        self.stack.note(resource, "UPDATE_COMPLETE")

    def _change_back(self, resource: Resource, wanted: Wanted, had: Wanted) -> None:
        self.stack.note(resource, "UPDATE_IN_PROGRESS")
        kind = KINDS[resource.kind]
        resource.made = kind.update(self._aws, resource.made, wanted, had)
        resource.had = had
        self.stack.note(resource, "UPDATE_COMPLETE")

    def _replace(self, old: Resource, definition: Mapping[str, Any], wanted: Wanted) -> None:
        name, key = old.logical_id, KINDS[old.kind].name_property
        self.stack.note(
            old,
            "UPDATE_IN_PROGRESS",
            "Requested update requires the creation of a new physical resource; hence creating "
            "one.",
        )
        given = wanted.properties.get(key)
        if given and old.had and old.had.properties.get(key) == given:
            raise Failed(
                "CloudFormation cannot update a stack when a custom-named resource requires "
                f"replacing. Rename {given} and update the stack again."
            )
        new = Resource(name, old.kind, definition, had=wanted)
        self.stack.resources[name] = new
        self._undo.append(lambda: self._put_back(old))
        self._call_create(new, wanted, "UPDATE_IN_PROGRESS")
        self.stack.note(new, "UPDATE_COMPLETE")
        self._left_over.append(replace(old, definition=as_replaced(old)))

    def _put_back(self, old: Resource) -> None:
        new = self.stack.resources[old.logical_id]
        kept = [each for each in self._left_over if each.made != old.made]
        self._left_over = [*kept, new]
        self.stack.resources[old.logical_id] = old
        self.stack.note(old, "UPDATE_COMPLETE")

    # -- back --------------------------------------------------------------------------------

    def _creation_failed(self) -> None:
        stack, reason = self.stack, self._reason("create")
        if stack.on_failure == "DO_NOTHING":
            stack.turn("CREATE_FAILED", reason)
            return
        stack.outputs = []
        if stack.on_failure == "DELETE":
            stack.turn("DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
            ended, failed = GONE, "DELETE_FAILED"
        else:
            stack.turn("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            ended, failed = "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"
        self._failed.clear()
        if self._delete_all((), creating=True):
            stack.turn(ended)
        else:
            stack.turn(failed, self._reason("delete"))

    def _undo_all(self) -> bool:
        """Undo what an update has done, in the reverse order."""
        self._failed.clear()
        for undo in reversed(self._undo):
            try:
                undo()
            except Exception as error:  # noqa: BLE001 (the others are to be undone)
                self._failed.append(self.stack.name)
                self.stack.reason = reason_of(error)
        for resource in list(self.stack.resources.values()):
            if resource.status == "UPDATE_FAILED":  # before anything of it was changed
                self.stack.note(resource, "UPDATE_COMPLETE")
        return not self._failed

    def _clean_up(self, status: str) -> None:
        """Delete what is no longer the stack's. What cannot be deleted is left, as on AWS."""
        creating = status.startswith("UPDATE_ROLLBACK")
        for resource in reversed(self._left_over):
            self._delete(resource, creating)
        self.stack.turn(status)

    def _delete_all(self, retained: tuple[str, ...], creating: bool = False) -> bool:
        """Delete all resources, each before those that it needs."""
        resources = self.stack.resources
        for name in reversed(in_order({n: r.definition for n, r in resources.items()})):
            if name in retained:
                self.stack.note(resources[name], "DELETE_SKIPPED")
            elif not self._delete(resources[name], creating):
                self._failed.append(name)
                continue
        if not self._failed and not creating:
            self.stack.outputs = []
        return not self._failed

    def _delete(self, resource: Resource, creating: bool = False) -> bool:
        if resource.status in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
            return True
        if not resource.made.physical_id or resource.had is None:
            self.stack.note(resource, "DELETE_COMPLETE")
            return True
        if resource.keeps("DeletionPolicy", creating):
            self.stack.note(resource, "DELETE_SKIPPED")
            return True
        self.stack.note(resource, "DELETE_IN_PROGRESS")
        try:
            KINDS[resource.kind].delete(self._aws, resource.made, resource.had)
        except Exception as error:  # noqa: BLE001 (a stack is never to stay in progress)
            if not (isinstance(error, ClientError) and is_missing(error)):
                self.stack.note(resource, "DELETE_FAILED", reason_of(error, resource.kind))
                return False
        self.stack.note(resource, "DELETE_COMPLETE")
        return True

    def _reason(self, verb: str) -> str:
        """Why the whole has failed: by which resources, else by what was found last."""
        names = [name for name in self._failed if name != self.stack.name]
        if not names:
            return self.stack.reason
        return f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "


def tags_in(given: Any) -> dict[str, str]:
    """The tags in a property; of one that is no list of tags none, its schema refuses it."""
    listed = given if isinstance(given, list) else []
    return {
        str(tag["Key"]): str(tag["Value"])
        for tag in listed
        if isinstance(tag, dict) and {"Key", "Value"} <= tag.keys()
    }


def as_replaced(resource: Resource) -> dict[str, Any]:
    """A resource that has been replaced stays by its UpdateReplacePolicy, not its other one."""
    policy = resource.definition.get("UpdateReplacePolicy", "Delete")
    return {**resource.definition, "DeletionPolicy": policy}
