"""A stack: its template, its resources, and what has happened to it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from helpers.localaws.stacks import parameters
from helpers.localaws.stacks.kinds import Made, Wanted

STACK = "AWS::CloudFormation::Stack"
GONE = "DELETE_COMPLETE"
STACK_TAG, ID_TAG, LOGICAL_TAG = (
    f"aws:cloudformation:{name}" for name in ("stack-name", "stack-id", "logical-id")
)


NOT_MADE = Made("", {})


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Resource:
    """A resource of a stack as it is. `had` is what it was last made or changed to."""

    logical_id: str
    kind: str
    definition: Mapping[str, Any]
    made: Made = NOT_MADE
    had: Wanted | None = None
    status: str = ""
    reason: str = ""
    at: datetime = field(default_factory=now)

    def keeps(self, policy: str, creating: bool = False) -> bool:
        """Whether the resource stays when it is no longer the stack's.

        `policy`: DeletionPolicy or UpdateReplacePolicy. `creating`: its stack's creation or
        its own in an update has failed.
        """
        given = self.definition.get(policy)
        return given == "Retain" or (given == "RetainExceptOnCreate" and not creating)


@dataclass(frozen=True)
class Order:
    """What a caller wants a stack to be."""

    text: str
    template: dict[str, Any]  # without transforms
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""

    @property
    def declared(self) -> dict[str, Any]:
        return self.template.get("Parameters") or {}


@dataclass
class Stack:
    """`order` is what it was last told to be; a failed update puts the one before back."""

    name: str
    id: str
    order: Order
    status: str = ""
    reason: str = ""
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    outputs: list[dict[str, str]] = field(default_factory=list)
    resources: dict[str, Resource] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, Any] = field(default_factory=dict)
    protected: bool = False
    on_failure: str = "ROLLBACK"
    timeout_minutes: int | None = None
    token: str | None = None
    to_be_deleted: bool = False
    working: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_gone(self) -> bool:
        return self.status == GONE

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")

    def turn(self, status: str, reason: str = "") -> None:
        """The stack's own status, and the event of it."""
        self.status, self.reason = status, reason
        if status == GONE:
            self.deleted = now()
        self._note(self.name, self.id, STACK, status, reason, str(uuid.uuid4()))

    def note(self, resource: Resource, status: str, reason: str = "") -> None:
        """A resource's status, and the event of it."""
        resource.status, resource.reason, resource.at = status, reason, now()
        identity = f"{resource.logical_id}-{status}-{resource.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        properties = dict(resource.had.properties) if resource.had else {}
        self._note(
            resource.logical_id,
            resource.made.physical_id,
            resource.kind,
            status,
            reason,
            identity,
            ResourceProperties=json.dumps(properties, separators=(",", ":")),
        )

    def _note(
        self, name: str, physical: str, kind: str, status: str, reason: str, event: str, **more: str
    ) -> None:
        known = {
            "StackId": self.id,
            "EventId": event,
            "StackName": self.name,
            "LogicalResourceId": name,
            "PhysicalResourceId": physical,
            "ResourceType": kind,
            "Timestamp": now(),
            "ResourceStatus": status,
            **more,
        }
        if reason:
            known["ResourceStatusReason"] = reason
        if self.token:
            known["ClientRequestToken"] = self.token
        self.events.append(known)

    # -- as the answers have it ------------------------------------------------------------

    def description(self) -> dict[str, Any]:
        order = self.order
        known = {
            "StackName": self.name,
            "StackId": self.id,
            "Description": order.template.get("Description"),
            "Parameters": parameters.shown(order.declared, order.parameters),
            "CreationTime": self.created,
            "LastUpdatedTime": self.updated,
            "DeletionTime": self.deleted,
            "RollbackConfiguration": {},
            "StackStatus": self.status,
            "StackStatusReason": self.reason or None,
            "DisableRollback": self.on_failure == "DO_NOTHING",
            "NotificationARNs": [],
            "TimeoutInMinutes": self.timeout_minutes,
            "Capabilities": list(order.capabilities) or None,
            "Outputs": self.outputs or None,
            "RoleARN": order.role_arn or None,
            "Tags": [{"Key": key, "Value": value} for key, value in order.tags.items()],
            "EnableTerminationProtection": self.protected,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
        return {key: value for key, value in known.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        full = self.description()
        names = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime",
                 "StackStatus", "StackStatusReason", "DriftInformation")  # fmt: skip
        known = {name: full[name] for name in names if name in full}
        if self.order.template.get("Description"):
            known["TemplateDescription"] = self.order.template["Description"]
        return known

    def about(self, resource: Resource) -> dict[str, Any]:
        known = {
            "StackName": self.name,
            "StackId": self.id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.made.physical_id or None,
            "ResourceType": resource.kind,
            "Timestamp": resource.at,
            "LastUpdatedTimestamp": resource.at,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason or None,
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
        return {key: value for key, value in known.items() if value is not None}
