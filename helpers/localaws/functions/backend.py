"""Lambda's control plane for functions: what CreateFunction and its siblings do.

`refusals` has what AWS refuses, `answers` the form of the answers.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    UnknownAliasException,
    UnknownFunctionException,
)
from moto.awslambda_simple import models as moto_simple
from moto.sqs import models as sqs

from helpers.localaws import settings
from helpers.localaws.common.errors import conflict, not_found
from helpers.localaws.functions import refusals as rules
from helpers.localaws.functions.function import Alias, Function
from helpers.localaws.functions.policy import FunctionPolicy
from helpers.localaws.functions.storage import Storage
from helpers.localaws.invocations.asynchronous import AsynchronousInvocations
from helpers.localaws.invocations.asynchronous_settings import EventSettings
from helpers.localaws.invocations.invoke import Invocations
from helpers.localaws.permissions.roles import Role
from helpers.localaws.runtime.executor import Executor
from helpers.localaws.triggers.mappings import Mapping, Triggers

# An account's quota and the part of it that stays unreserved. Lambda Developer Guide,
# "Configuring reserved concurrency for a function". What this computer runs is the executor's.
CONCURRENCY_QUOTA = 1000
MIN_UNRESERVED = 100
MAX_CODE_STORAGE_BYTES = 80_530_636_800


class Backend(moto_simple.LambdaSimpleBackend):
    """Lambda in one account and region: its functions, and what they are used by.

    `executor` runs the functions of all accounts and regions.

    What looks before it changes something holds `_changes`: of several calls at once that
    exclude each other, one succeeds. Nothing slow is done under it.
    """

    def __init__(self, region_name: str, account_id: str, executor: Executor) -> None:
        super().__init__(region_name, account_id)
        self._executor = executor
        self._changes = threading.RLock()
        self._lambdas = Storage(region_name=region_name, account_id=account_id)
        self.event_settings = EventSettings(self.get_function)
        self.invocations = Invocations(self._lambdas.to_invoke, executor)
        self.asynchronous = AsynchronousInvocations(
            self._lambdas.to_invoke,
            self.invocations.run,
            self.event_settings.of,
            self._queues,
            retry_pause_s=settings.retry_pause_seconds(),
        )
        self.triggers = Triggers(
            region_name,
            account_id,
            self.get_function,
            self._lambdas.to_invoke,
            self.invocations.run,
            self._queues,
            self._changes,
        )
        self._event_source_mappings = self.triggers.by_uuid  # where moto looks for tags

    def reset(self) -> None:
        """Begin anew. moto's own would not hand the executor on."""
        self.triggers.stop()
        for function in self.list_functions():
            self._executor.retire(function.function_arn)
        where, executor = (self.region_name, self.account_id), self._executor
        self.__dict__.clear()
        Backend.__init__(self, *where, executor)

    def _queues(self) -> sqs.SQSBackend:
        return sqs.sqs_backends[self.account_id][self.region_name]

    # -- functions ---------------------------------------------------------------------

    def create_function(self, spec: dict[str, Any]) -> Function:
        name = rules.name_to_create(spec["FunctionName"], self.region_name)
        rules.check_settings(spec)
        rules.check_new(spec)
        role = Role(self.account_id, spec["Role"])
        rules.check_role(role)
        rules.check_dead_letter_target(role, spec)
        rules.check_tags(spec.get("Tags") or {})
        self._check_is_new(name)
        rules.check_code(self.account_id, self.partition, spec["Code"])
        function = Function(self.account_id, {**spec, "FunctionName": name}, self.region_name)
        with self._changes:
            self._check_is_new(name)
            self._lambdas.put_function(function)
            if spec.get("Publish"):
                self.publish_version(name)
        return function

    def _check_is_new(self, name: str) -> None:
        if name in self._lambdas._functions:
            raise conflict(f"Function already exist: {name}")

    def _to_change(self, name: str, qualifier: str | None, body: dict[str, Any]) -> Function:
        """The function, if it is the one that the caller expects and no update goes on."""
        function = self.get_function(name, qualifier)
        function.check_revision(body.get("RevisionId"))
        rules.check_not_updating(function)
        return function

    def update_function_code(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        self._to_change(function_name, qualifier, body)
        rules.check_code(self.account_id, self.partition, body)
        with self._changes:
            latest = function = self._to_change(function_name, qualifier, body)
            function.update_function_code(body)
            if not body.get("DryRun"):
                function.changed()
            if body.get("Publish"):
                function = self.publish_version(function.function_name)
        if not body.get("DryRun"):
            self._executor.retire(latest.function_arn)
        return function.get_configuration()

    def update_function_configuration(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        with self._changes:
            function = self._to_change(function_name, qualifier, body)
            rules.check_settings(body)
            role = Role(self.account_id, body.get("Role") or function.role)
            if "Role" in body:
                rules.check_role(role)
            rules.check_dead_letter_target(role, body)
            if "Timeout" in body:
                self.triggers.check_visibility_of_sources(function, body["Timeout"])
            answer = function.update_configuration(body)
        self._executor.retire(function.function_arn)
        return answer

    def publish_version_if(self, function_name: str, body: dict[str, Any]) -> Function:
        """Publish a version, if $LATEST is the one that the caller expects."""
        with self._changes:
            return self._publish_version_if(function_name, body)

    def _publish_version_if(self, function_name: str, body: dict[str, Any]) -> Function:
        latest = self._lambdas.get_function_by_name_or_arn_forbid_qualifier(function_name)
        latest.check_revision(body.get("RevisionId"))
        expected = body.get("CodeSha256")
        if expected and expected != latest.code_sha_256:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST "
                f"({latest.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )
        return self.publish_version(function_name, body.get("Description") or "")

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        name, qualifier = self._lambdas.split_name(function_name, qualifier)
        if qualifier == "$LATEST":
            raise InvalidParameterValueException(
                "$LATEST version cannot be deleted without deleting the function."
            )
        with self._changes:
            function = self.get_function(name)
            if qualifier:
                function = self._lambdas._get_version(name, qualifier)
                if function is None:
                    return  # LS-086: an unknown qualifier is silently accepted
            super().delete_function(name, qualifier)
            self.event_settings.forget(function, qualifier)
            function.of_all_versions.policies.pop(qualifier, None)
        self._executor.retire(function.function_arn)

    # -- aliases -----------------------------------------------------------------------

    def create_alias(self, *details: Any, **named: Any) -> Alias:
        with self._changes:
            return super().create_alias(*details, **named)

    # -- permissions, tags and layers --------------------------------------------------

    def policy_of(self, name: str, qualifier: str | None) -> FunctionPolicy:
        """The policy of a function, or of a version or alias that is there."""
        name, qualifier = self._lambdas.split_name(name, qualifier)
        function = self.get_function(name)
        try:
            function = self.get_function(name, qualifier)
        except UnknownFunctionException as error:
            if qualifier and not qualifier.isdecimal():
                raise UnknownAliasException(error.message.partition(": ")[2]) from None
            raise
        return function.policy_of(qualifier, self._lambdas.find_alias(name, qualifier))

    def _get_resource_by_arn(self, arn: str) -> Any:
        kind, name = rules.split_taggable(arn)
        if kind == "function":
            return self.get_function(arn)
        found = self.triggers.get(name) if kind == "event-source-mapping" else None
        if found is None:
            raise not_found(f"{kind.replace('-', ' ').capitalize()} not found: {arn}")
        return found

    def tag_resource(self, resource_arn: str, tags: dict[str, str]) -> None:
        with self._changes:
            resource = self._get_resource_by_arn(resource_arn)
            rules.check_tags({**resource.tags, **tags})
            super().tag_resource(resource_arn, tags)
            touch(resource)

    def untag_resource(self, resource_arn: str, tag_keys: list[str]) -> None:
        with self._changes:
            super().untag_resource(resource_arn, tag_keys)
            touch(self._get_resource_by_arn(resource_arn))

    def publish_layer_version(self, spec: dict[str, Any]) -> Any:
        rules.check_code(self.account_id, self.partition, spec["Content"])
        return super().publish_layer_version(spec)

    def delete_alias(self, name: str, function_name: str) -> None:
        with self._changes:
            super().delete_alias(name, function_name)
            self.get_function(function_name).of_all_versions.policies.pop(name, None)

    # -- triggers: by these names moto's answers and its CloudFormation call ------------

    def create_event_source_mapping(self, spec: dict[str, Any]) -> Mapping:
        return self.triggers.create(spec)

    def update_event_source_mapping(self, uuid: str, spec: dict[str, Any]) -> Mapping:
        return self.triggers.update(uuid, spec)

    def delete_event_source_mapping(self, uuid: str) -> Mapping:
        return self.triggers.delete(uuid)

    def get_event_source_mapping(self, uuid: str) -> Mapping | None:
        return self.triggers.get(uuid)

    def list_event_source_mappings(
        self, event_source_arn: str | None, function_name: str | None
    ) -> list[Mapping]:
        return self.triggers.find(event_source_arn, function_name)

    # -- concurrency and recursion -----------------------------------------------------

    def put_function_concurrency(self, function_name: str, reserved_concurrency: int) -> int:
        name, qualifier = self._lambdas.split_name(function_name)
        if qualifier:
            raise InvalidParameterValueException(
                "This operation is permitted on Lambda functions only. Aliases and versions do "
                "not support this operation. Please specify either a function name or an "
                "unqualified function ARN."
            )
        if name not in self._lambdas._functions:
            raise self._lambdas.construct_unknown_function_exception(name, "$LATEST")
        with self._changes:
            function = self.get_function(name)
            others = self.reserved_concurrency() - (function.reserved_concurrency or 0)
            if CONCURRENCY_QUOTA - others - reserved_concurrency < MIN_UNRESERVED:
                raise unreserved_refusal()
            function.reserved_concurrency = reserved_concurrency
        return reserved_concurrency

    def reserved_concurrency(self) -> int:
        """What all functions have reserved of the account's concurrency."""
        return sum(function.reserved_concurrency or 0 for function in self.list_functions())

    def account_settings(self) -> dict[str, Any]:
        functions = list(self.list_functions())
        return {
            "AccountLimit": {
                "TotalCodeSize": MAX_CODE_STORAGE_BYTES,
                "CodeSizeUnzipped": rules.MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": rules.MAX_ZIP_BYTES,
                "ConcurrentExecutions": CONCURRENCY_QUOTA,
                "UnreservedConcurrentExecutions": CONCURRENCY_QUOTA - self.reserved_concurrency(),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(function.code_size for function in functions),
                "FunctionCount": len(functions),
            },
        }


def touch(resource: Any) -> None:
    """A function gets a new revision when its tags change; a mapping has none."""
    if isinstance(resource, Function):
        resource.touch()


def unreserved_refusal() -> InvalidParameterValueException:
    error = InvalidParameterValueException(
        "Specified ReservedConcurrentExecutions for function decreases account's "
        f"UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}]."
    )
    error.description = json.dumps({"message": error.message})  # LS-093: no Type
    return error
