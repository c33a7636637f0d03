"""Lambda's control plane for event source mappings on SQS queues.

What CreateEventSourceMapping and its siblings answer, refuse and echo. Each mapping has a
`Poller`, which does the work. moto's own trigger never learns of a mapping: it would take
messages inside SendMessage and spoil their receive counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    UnknownFunctionException,
)
from moto.awslambda.models import EventSourceMapping

from helpers.localaws.common import arns
from helpers.localaws.common.errors import conflict, in_use, not_found, violation
from helpers.localaws.permissions.roles import Role
from helpers.localaws.runtime.kept_function import FindFunction, KeptFunction
from helpers.localaws.runtime.model import Result
from helpers.localaws.triggers.filters import is_valid_pattern
from helpers.localaws.triggers.poller import Poller

TRANSITION_S = 1.0  # AWS needs some seconds, up to a minute
ATTRIBUTES = {  # in which an update changes what it gives
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "max_batch_window",
    "FunctionResponseTypes": "function_response_types",
    "MetricsConfig": "metrics",
}
ECHOED = (
    "FilterCriteria",
    "ScalingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "KMSKeyArn",
)


class Mapping(EventSourceMapping):
    """A mapping with AWS's states (LS-001, LS-021, LS-022)."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(spec)
        self.max_batch_window = spec.get("MaximumBatchingWindowInSeconds") or 0
        self.function_response_types = spec.get("FunctionResponseTypes") or []
        self.filter_criteria = without_empty_filters(spec.get("FilterCriteria"))
        self.deleted = False
        self._settles_at = 0.0
        if self.enabled:
            self.in_transition("Creating")

    def in_transition(self, state: str) -> None:
        """Show `state` for a while, before the mapping settles."""
        self._passing_state = state
        self._settles_at = time.monotonic() + TRANSITION_S

    def seconds_to_next_state(self) -> float:
        left = self._settles_at - time.monotonic()
        return left if left > 0 else 60.0

    @property
    def in_passing(self) -> bool:
        """Whether the state is one that lasts for a while only, such as Creating."""
        return self._settles_at > time.monotonic()

    @property
    def state(self) -> str:
        if self.in_passing:
            return self._passing_state
        return "Enabled" if self.enabled else "Disabled"

    @property
    def polling(self) -> bool:
        return not self.deleted and self.state in ("Enabled", "Updating") and self.enabled

    @property
    def patterns(self) -> list[str]:
        filters = (self.filter_criteria or {}).get("Filters", [])
        return [each["Pattern"] for each in filters]

    def get_configuration(self) -> dict[str, Any]:
        full = super().get_configuration()
        return {
            "UUID": self.uuid,
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.max_batch_window,
            "EventSourceArn": self.event_source_arn,
            "EventSourceMappingArn": self.arn,
            "FunctionArn": self.function_arn,
            "FunctionResponseTypes": self.function_response_types,
            "LastModified": self.last_modified,
            "State": self.state,
            "StateTransitionReason": "USER_INITIATED",
            **{key: full[key] for key in ECHOED if key in full},
        }


def without_empty_filters(criteria: dict[str, Any] | None) -> dict[str, Any] | None:
    return criteria if criteria and criteria.get("Filters") else None


class Triggers:
    """The mappings of one account and region, and their pollers.

    `get_function(name or ARN)`, `to_invoke(name or ARN)`, which chooses among the versions of an
    alias, and `run(function, event, request_id, qualifier)` are Lambda's, and `queues()` gives
    SQS of the same account and region: a poller uses them too. `changing` is held from the look
    at mappings and functions to the change of a mapping.
    """

    def __init__(
        self,
        region: str,
        account: str,
        get_function: FindFunction,
        to_invoke: FindFunction,
        run: Callable[[KeptFunction, bytes, str, str | None], Result],
        queues: Callable[[], Any],
        changing: AbstractContextManager[Any],
    ) -> None:
        self.get_function = get_function
        self.to_invoke = to_invoke
        self.run = run
        self.by_uuid: dict[str, Mapping] = {}
        self._where = {"RegionName": region, "AccountId": account}
        self._queues = queues
        self._changing = changing
        self._pollers: dict[str, Poller] = {}

    @property
    def sqs(self) -> Any:
        return self._queues()

    def create(self, spec: dict[str, Any]) -> Mapping:
        with self._changing:
            check_source(spec)
            function = self._function_of(spec["FunctionName"])
            check_settings(spec, spec["EventSourceArn"])
            self._check_queue(function, spec["EventSourceArn"])
            arn = arn_as_given(function, spec["FunctionName"])
            self._check_not_mapped_yet(spec["EventSourceArn"], arn, function.function_name)
            mapping = Mapping({**spec, **self._where, "FunctionArn": arn})
            self._pollers[mapping.uuid] = Poller(self, mapping)
            self.by_uuid[mapping.uuid] = mapping
        return mapping

    def update(self, uuid: str, spec: dict[str, Any]) -> Mapping:
        with self._changing:
            mapping = self._known_mapping(uuid, "update")
            merged = {
                "BatchSize": mapping.batch_size,
                "MaximumBatchingWindowInSeconds": mapping.max_batch_window,
                **spec,
            }
            check_settings(merged, mapping.event_source_arn)
            if "FunctionName" in spec:
                function = self._function_of(spec["FunctionName"])
                self._check_queue(function, mapping.event_source_arn)
                mapping.function_arn = arn_as_given(function, spec["FunctionName"])
            elif spec.get("Enabled", True):
                self._check_fit(mapping)
            apply_settings(mapping, spec)
            self._pollers[uuid].wake()
        return mapping

    def delete(self, uuid: str) -> Mapping:
        with self._changing:
            mapping = self._known_mapping(uuid, "delete")
            mapping.deleted = True
            mapping.in_transition("Deleting")
            self._pollers.pop(uuid).wake()
        return mapping

    def get(self, uuid: str) -> Mapping | None:
        self._forget_deleted()
        return self.by_uuid.get(uuid)

    def find(self, event_source_arn: str | None, function_name: str | None) -> list[Mapping]:
        self._forget_deleted()
        found = list(self.by_uuid.values())
        if event_source_arn:
            found = [m for m in found if m.event_source_arn == event_source_arn]
        if function_name:
            try:
                arn = self.get_function(function_name).function_arn
            except UnknownFunctionException:
                own_part = arns.qualified(*arns.function_and_qualifier(function_name))
                arn = f":function:{own_part}"
            found = [m for m in found if m.function_arn.endswith(arn)]
        return found

    def stop(self) -> None:
        """End all pollers."""
        for mapping in list(self.by_uuid.values()):
            mapping.deleted = True
        for poller in list(self._pollers.values()):
            poller.wake()

    def check_visibility_of_sources(self, function: KeptFunction, timeout_s: int) -> None:
        """A function's new time-out must fit the queues that trigger it (G-01)."""
        for mapping in list(self.by_uuid.values()):
            queue = self.sqs.queue_by_arn(mapping.event_source_arn)
            mine = f"{mapping.function_arn}:".startswith(f"{function.function_arn}:")
            if mine and queue is not None and not mapping.deleted:
                check_visibility(queue, timeout_s)

    def _forget_deleted(self) -> None:
        for uuid, mapping in list(self.by_uuid.items()):
            if mapping.deleted and mapping.state != "Deleting":
                self.by_uuid.pop(uuid, None)

    def _known_mapping(self, uuid: str, purpose: str) -> Mapping:
        """The mapping to update or delete; not while it is changing its state (G-08)."""
        mapping = self.get(uuid)
        if mapping is None:
            raise not_found("The resource you requested does not exist.")
        if mapping.in_passing:
            raise in_use(f"Cannot {purpose} the event source mapping because it is in use.")
        return mapping

    def _function_of(self, name: str) -> KeptFunction:
        try:
            return self.get_function(name)
        except UnknownFunctionException:
            raise InvalidParameterValueException("Function does not exist") from None

    def _check_queue(self, function: KeptFunction, queue_arn: str) -> None:
        """What Lambda tries with the function's role while it creates a mapping (G-02, LS-017)."""
        for action in ("ReceiveMessage", "DeleteMessage"):
            if not Role.of(function).allows(f"sqs:{action}", on=queue_arn):
                raise InvalidParameterValueException(
                    f"The function execution role does not have permissions to call {action} on SQS"
                )
        queue = self.sqs.queue_by_arn(queue_arn)
        if queue is None:
            raise InvalidParameterValueException(
                "Error occurred while ReceiveMessage. SQS Error Code: "
                "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified "
                "queue does not exist."
            )
        check_visibility(queue, int(function.timeout))

    def _check_fit(self, mapping: Mapping) -> None:
        """An update is refused while the queue does not fit the function (G-01).

        Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping":
        it is validated at each creation and update. Switching off is let through.
        """
        queue = self.sqs.queue_by_arn(mapping.event_source_arn)
        with suppress(UnknownFunctionException):
            timeout_s = int(self.get_function(mapping.function_arn).timeout)
            if queue is not None:
                check_visibility(queue, timeout_s)

    def _check_not_mapped_yet(self, queue_arn: str, function_arn: str, function_name: str) -> None:
        for other in self.find(queue_arn, None):
            if other.function_arn == function_arn and not other.deleted:
                raise conflict(
                    f'An event source mapping with SQS arn (" {queue_arn} ") and function '
                    f'(" {function_name} ") already exists. Please update or delete '
                    f"the existing mapping with UUID {other.uuid}"
                )


def arn_as_given(function: KeptFunction, name: str) -> str:
    """The function's ARN with the qualifier that the caller wrote, if any (LS-077)."""
    _, qualifier = arns.function_and_qualifier(name)
    return arns.qualified(arns.unqualified(function.function_arn), qualifier)


def apply_settings(mapping: Mapping, spec: dict[str, Any]) -> None:
    state = "Updating"
    if "Enabled" in spec and spec["Enabled"] != mapping.enabled:
        state = "Enabling" if spec["Enabled"] else "Disabling"
        mapping.enabled = spec["Enabled"]
    for name, attribute in ATTRIBUTES.items():
        if name in spec:
            setattr(mapping, attribute, spec[name])
    if "FilterCriteria" in spec:
        mapping.filter_criteria = without_empty_filters(spec["FilterCriteria"])
    if "ScalingConfig" in spec:
        mapping.scaling_config = spec["ScalingConfig"] or None
    mapping.last_modified = time.time()
    if mapping.enabled or state == "Disabling":
        mapping.in_transition(state)


def check_source(spec: dict[str, Any]) -> None:
    """What is refused before the function is looked up (LS-019, G-06)."""
    if not spec.get("EventSourceArn"):
        raise InvalidParameterValueException("Unrecognized event source.")
    if spec.get("DestinationConfig"):
        raise InvalidParameterValueException(
            "Unsupported DestinationConfig parameter for given event source mapping type."
        )
    if spec.get("StartingPosition"):
        raise InvalidParameterValueException("StartingPosition is not valid for SQS event sources.")
    if arns.service(spec["EventSourceArn"]) != "sqs":
        raise InvalidParameterValueException("Unrecognized event source.")


def check_settings(spec: dict[str, Any], queue_arn: str) -> None:
    """Batch size, batching window and filters (LS-014, LS-025, G-04)."""
    batch_size = spec.get("BatchSize") or 10
    window_s = spec.get("MaximumBatchingWindowInSeconds") or 0
    if queue_arn.endswith(".fifo") and window_s:
        raise InvalidParameterValueException("Batching window is not supported for FIFO queues")
    if batch_size > 10 and not window_s:
        raise InvalidParameterValueException(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
    for where, value, highest in (
        ("batchSize", batch_size, 10_000),
        ("maximumBatchingWindowInSeconds", window_s, 300),
        ("scalingConfig.maximumConcurrency",
         (spec.get("ScalingConfig") or {}).get("MaximumConcurrency", 2), 1000),
    ):  # fmt: skip
        if value > highest:
            constraint = f"Member must have value less than or equal to {highest}"
            raise violation(value, where, constraint)
    filters = (spec.get("FilterCriteria") or {}).get("Filters", [])
    if not all(is_valid_pattern(each.get("Pattern")) for each in filters):
        raise InvalidParameterValueException("Invalid filter pattern definition.")


def check_visibility(queue: Any, timeout_s: int) -> None:
    """G-01."""
    if queue.visibility_timeout < timeout_s:
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
            f"Function timeout: {timeout_s} seconds"
        )
