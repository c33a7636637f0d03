"""What CloudFormation answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.s3.models import s3_backends

from helpers.localaws.common.clean_refusals import CleanRefusals
from helpers.localaws.common.moto_patches import bring_in, put_in_place
from helpers.localaws.stacks import parameters, refusals
from helpers.localaws.stacks import template as templates
from helpers.localaws.stacks.backend import Backend, ChangeSet
from helpers.localaws.stacks.calls import Calls
from helpers.localaws.stacks.refusals import StackError, invalid
from helpers.localaws.stacks.stack import Stack

PAGE = 100  # of events and the like
NOT_HEEDED = (
    *("StackPolicyBody", "StackPolicyURL", "RollbackConfiguration", "ResourceTypes"),
    *("StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "ResourcesToImport"),
    *("NotificationARNs", "RetainExceptOnCreate", "ImportExistingResources", "DeletionMode"),
    *("DeploymentMode", "DeploymentConfig"),
)


stack_backends: BackendDict[Any] = BackendDict(Backend, "cloudformation")
URLS = SimpleNamespace(  # in the place of a module of moto's
    url_bases=[r"https?://cloudformation\.(.+)\.amazonaws\.com"], url_paths={"{0}/$": None}
)


class Responses(CleanRefusals, BaseResponse):
    """The operations on stacks and change sets; stack sets, drift and types are not here."""

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Backend:
        found: Backend = stack_backends[self.current_account][self.region]
        return found

    @staticmethod
    def refusal(message: str) -> str:
        return (
            "<ErrorResponse><Error><Type>Sender</Type><Code>NotImplemented</Code>"
            f"<Message>{message}</Message></Error></ErrorResponse>"
        )

    def _given(self) -> dict[str, Any]:
        """The parameters of a call that makes or changes a stack, with its template's text."""
        given = self._heeded()
        if given.get("TemplateURL"):
            given["TemplateBody"] = self._from_s3(given["TemplateURL"])
        if not given.get("TemplateBody") and not given.get("UsePreviousTemplate"):
            raise invalid("Either Template URL or Template Body must be specified.")
        text = given.get("TemplateBody") or ""
        if not given.get("TemplateURL") and len(text.encode()) > templates.MOST_BYTES:
            limit = f"Member must have length less than or equal to {templates.MOST_BYTES}"
            raise refusals.violation("templateBody", text, limit)
        return given

    def _heeded(self, *more: str) -> dict[str, Any]:
        """The parameters of a call. Raises StackError for one that would be passed over."""
        for name in (*NOT_HEEDED, *more):
            if self.params.get(name):
                raise invalid(f"{name} is not supported by the local AWS for {self._get_action()}.")
        return dict(self.params)

    def _from_s3(self, url: str) -> str:
        bucket, _, key = url.partition("://")[2].partition("/")[2].partition("/")
        host = url.partition("://")[2].partition("/")[0]
        if ".s3" in host:
            bucket, key = host.partition(".s3")[0], url.partition(host)[2].lstrip("/")
        try:
            found = s3_backends[self.current_account][self.partition].get_object(bucket, key)
            return str(found.value.decode())
        except Exception:  # noqa: BLE001 (moto has several for what is not there)
            raise invalid("S3 error: Access Denied") from None

    # -- stacks ------------------------------------------------------------------------------

    def create_stack(self) -> ActionResult:
        stack = self.backend.create(self._given(), self.get_access_key())
        return ActionResult({"StackId": stack.id})

    def update_stack(self) -> ActionResult:
        self._heeded("DisableRollback")
        stack = self.backend.update(self._given(), self.get_access_key())
        return ActionResult({"StackId": stack.id})

    def delete_stack(self) -> ActionResult:
        self.backend.delete(self._heeded(), self.get_access_key())
        return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        stack = self._stack(refusals.no_stack_to_change)
        stack.protected = bool(self._get_param("EnableTerminationProtection"))
        return ActionResult({"StackId": stack.id})

    def _stack(self, error: Callable[[str], StackError] = refusals.no_stack) -> Stack:
        return self.backend.get(self._get_param("StackName"), error)

    def describe_stacks(self) -> ActionResult:
        if self._get_param("StackName"):
            return ActionResult({"Stacks": [self._stack().description()]})
        there = [stack for stack in self.backend.stacks.values() if not stack.is_gone]
        return self._page("Stacks", [stack.description() for stack in reversed(there)])

    def list_stacks(self) -> ActionResult:
        wanted = self._get_param("StackStatusFilter") or []
        found = [
            stack.summary()
            for stack in reversed(list(self.backend.stacks.values()))
            if not wanted or stack.status in wanted
        ]
        return self._page("StackSummaries", found)

    def describe_stack_events(self) -> ActionResult:
        events = list(self._stack(refusals.no_stack_to_change).events)
        return self._page("StackEvents", events[::-1])

    def describe_stack_resources(self) -> ActionResult:
        wanted = self._get_param("LogicalResourceId")
        physical = self._get_param("PhysicalResourceId")
        if physical and not self._get_param("StackName"):
            stack = self._owner(physical)
        else:
            stack = self._stack()
        found = [
            stack.about(resource)
            for resource in list(stack.resources.values())
            if wanted in (None, resource.logical_id)
            and physical in (None, resource.made.physical_id)
        ]
        if wanted and not found:
            raise self._no_resource(wanted, stack)
        return ActionResult({"StackResources": found})

    def _owner(self, physical_id: str) -> Stack:
        for stack in self.backend.stacks.values():
            ids = {resource.made.physical_id for resource in stack.resources.values()}
            if physical_id in ids and not stack.is_gone:
                return stack
        raise invalid(f"Stack for {physical_id} does not exist")

    @staticmethod
    def _no_resource(name: str, stack: Stack) -> StackError:
        return invalid(f"Resource {name} does not exist for stack {stack.name}")

    def describe_stack_resource(self) -> ActionResult:
        stack, name = self._stack(), self._get_param("LogicalResourceId")
        if name not in stack.resources:
            raise self._no_resource(name, stack)
        resource = stack.resources[name]
        about = stack.about(resource)
        if "Metadata" in resource.definition:
            about["Metadata"] = as_json(resource.definition["Metadata"])
        return ActionResult({"StackResourceDetail": about})

    def list_stack_resources(self) -> ActionResult:
        stack = self._stack()
        found = [stack.about(resource) for resource in list(stack.resources.values())]
        return self._page("StackResourceSummaries", found)

    def list_exports(self) -> ActionResult:
        found = [
            {"ExportingStackId": owner.id, "Name": name, "Value": value}
            for name, (value, owner) in sorted(
                self.backend.exports().items(), key=lambda each: each[0]
            )
        ]
        return self._page("Exports", found)

    def list_imports(self) -> ActionResult:
        name = self._get_param("ExportName")
        found = self.backend.importers(name)
        if not found:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        return self._page("Imports", found)

    def _page(self, key: str, found: list[Any]) -> ActionResult:
        """A page of a listing: a token is the number of entries before it."""
        token = self._get_param("NextToken") or "0"
        if not token.isdecimal():
            raise invalid("The token is not valid: NextToken")
        first = int(token)
        more = {"NextToken": str(first + PAGE)} if first + PAGE < len(found) else {}
        return ActionResult({key: found[first : first + PAGE], **more})

    # -- templates ---------------------------------------------------------------------------

    def get_template(self) -> ActionResult:
        order = self._stack().order
        if self._get_param("ChangeSetName"):
            order = self._change_set()[0].order
        stage = self._get_param("TemplateStage") or "Original"
        text = order.text if stage == "Original" else as_json(order.template)
        stages = ["Original", "Processed"]
        return ActionResult({"TemplateBody": text, "StagesAvailable": stages})

    def validate_template(self) -> ActionResult:
        about = self._summary(templates.read(self._given()["TemplateBody"]))
        names = ("Parameters", "Description", "Capabilities", "CapabilitiesReason",
                 "DeclaredTransforms")  # fmt: skip
        known = {name: about[name] for name in names if name in about}
        known["Parameters"] = [
            {key: value for key, value in each.items() if key in VALIDATED}
            for each in about["Parameters"]
        ]
        return ActionResult(known)

    def get_template_summary(self) -> ActionResult:
        if self._get_param("StackName"):
            return ActionResult(self._summary(templates.read(self._stack().order.text)))
        return ActionResult(self._summary(templates.read(self._given()["TemplateBody"])))

    def _summary(self, template: templates.Template) -> dict[str, Any]:
        """What a template declares. Raises StackError for one that cannot be used."""
        used = templates.transforms(template)
        if not used:
            templates.check(template, self.region)
        known: dict[str, Any] = {
            "Parameters": [
                declaration(name, about)
                for name, about in (template.get("Parameters") or {}).items()
            ],
            "ResourceTypes": sorted({each["Type"] for each in template["Resources"].values()}),
            "Version": template.get("AWSTemplateFormatVersion", "2010-09-09"),
        }
        if template.get("Description"):
            known["Description"] = template["Description"]
        if used:
            known["DeclaredTransforms"] = used
        needed = templates.capabilities_of(template)
        needed += ["CAPABILITY_AUTO_EXPAND"] if used else []
        if needed:
            kinds = sorted({k for k in known["ResourceTypes"] if k in templates.IAM_NAMES})
            known["Capabilities"] = needed
            known["CapabilitiesReason"] = (
                f"The following resource(s) require capabilities: [{', '.join(kinds)}]"
            )
        return known

    # -- change sets -------------------------------------------------------------------------

    def create_change_set(self) -> ActionResult:
        made, stack = self.backend.create_change_set(self._given())
        return ActionResult({"Id": made.id, "StackId": stack.id})

    def _change_set(self) -> tuple[ChangeSet, Stack]:
        name = self._get_param("ChangeSetName")
        return self.backend.change_set(name, self._get_param("StackName"))

    def describe_change_set(self) -> ActionResult:
        made, stack = self._change_set()
        order = made.order
        return ActionResult(
            {
                **about_change_set(made, stack),
                "Parameters": parameters.shown(order.declared, order.parameters),
                "NotificationARNs": [],
                "RollbackConfiguration": {},
                "Capabilities": list(order.capabilities),
                "Tags": [{"Key": key, "Value": value} for key, value in order.tags.items()],
                "Changes": made.changes,
            }
        )

    def list_change_sets(self) -> ActionResult:
        stack = self._stack(refusals.no_stack_to_change)
        made = [about_change_set(each, stack) for each in stack.change_sets.values()]
        return self._page("Summaries", made)

    def execute_change_set(self) -> ActionResult:
        name = self._get_param("ChangeSetName")
        self.backend.execute(name, self._heeded(), self.get_access_key())
        return EmptyResult()

    def delete_change_set(self) -> ActionResult:
        name = self._get_param("ChangeSetName")
        self.backend.delete_change_set(name, self._get_param("StackName"))
        return EmptyResult()


VALIDATED = ("ParameterKey", "DefaultValue", "NoEcho", "Description")


def as_json(value: Any) -> str:
    return json.dumps(value)


def declaration(name: str, about: dict[str, Any]) -> dict[str, Any]:
    """A parameter as a template declares it."""
    known = {
        "ParameterKey": name,
        "ParameterType": about.get("Type"),
        "NoEcho": parameters.is_hidden(about),
        "Description": about.get("Description"),
        "DefaultValue": parameters.as_text(about["Default"]) if "Default" in about else None,
    }
    if "AllowedValues" in about:
        allowed = [parameters.as_text(each) for each in about["AllowedValues"]]
        known["ParameterConstraints"] = {"AllowedValues": allowed}
    return {key: value for key, value in known.items() if value is not None}


def about_change_set(made: ChangeSet, stack: Stack) -> dict[str, Any]:
    known = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": made.id,
        "ChangeSetName": made.name,
        "ExecutionStatus": made.execution,
        "Status": made.status,
        "StatusReason": made.reason or None,
        "CreationTime": made.created,
        "Description": made.description,
        "IncludeNestedStacks": False,
    }
    return {key: value for key, value in known.items() if value is not None}


def install(calls: Callable[[str, str, str, str], Calls]) -> None:
    """Make moto's server use these stacks.

    `calls(access key id, role's ARN or "", account, region)` makes calls in a caller's name.
    """
    put_in_place(stack_backends, Backend, URLS, Responses.dispatch, calls=calls)
    bring_in(stack_backends)
