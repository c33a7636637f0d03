"""Lambda's control plane for functions: what CreateFunction and its siblings do.

moto keeps functions, versions, aliases and tags. Added here: the states that a function
goes through, and published versions; `refusals` has what AWS refuses, and
`answers` the form of the answers. States follow the clock: nothing has to happen for
a pending function to become active.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from moto.awslambda import models as moto_lambda
from moto.awslambda.exceptions import (
    ConflictException,
    InvalidParameterValueException,
    UnknownFunctionException,
    UnknownLayerVersionException,
)
from moto.awslambda.utils import make_function_arn
from moto.awslambda_simple import models as moto_simple
from moto.sqs import models as sqs

from helpers.localaws import settings
from helpers.localaws.common import arns
from helpers.localaws.common.errors import conflict, precondition_failed
from helpers.localaws.common.moto_patches import become
from helpers.localaws.functions import refusals as rules
from helpers.localaws.invocations.asynchronous import AsynchronousInvocations
from helpers.localaws.invocations.asynchronous_settings import EventSettings
from helpers.localaws.invocations.invoke import Invocations
from helpers.localaws.permissions.roles import Role
from helpers.localaws.runtime.executor import Executor
from helpers.localaws.runtime.model import FunctionVersion
from helpers.localaws.triggers.mappings import Mapping, Triggers

PENDING_S = 0.5  # AWS needs a second or two
UPDATING_S = 0.5
# An account's quota and the part of it that stays unreserved. Lambda Developer Guide,
# "Configuring reserved concurrency for a function". What this computer runs is the executor's.
CONCURRENCY_QUOTA = 1000
MIN_UNRESERVED = 100
MAX_CODE_STORAGE_BYTES = 80_530_636_800
BEING_CREATED = {"": "The function is being created.", "Code": "Creating"}
# ListFunctions and ListVersionsByFunction leave these out of a function's configuration.
NOT_LISTED = (
    *("State", "StateReason", "StateReasonCode", "RuntimeVersionConfig"),
    *("LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"),
)


class Function(moto_lambda.LambdaFunction):
    """$LATEST or a published version of a function, with AWS's states (LS-030 to LS-033)."""

    logs_group_name: str

    def __init__(
        self, account_id: str, spec: dict[str, Any], region: str, version: str = "$LATEST"
    ) -> None:
        # Versions are shallow copies of $LATEST: this they have in common.
        self.of_all_versions = SimpleNamespace(
            reserved_concurrency=None, recursive_loop="Terminate", published=0
        )
        spec = {**spec, "Code": dict(spec["Code"])}
        super().__init__(account_id, with_whole_vpc(spec), region, version)
        self.environment_vars = (spec.get("Environment") or {}).get("Variables") or {}
        self.echo_environment = "Environment" in spec
        self.dead_letter_arn = (spec.get("DeadLetterConfig") or {}).get("TargetArn")
        self.active_at = time.monotonic() + PENDING_S
        self.updated_at = 0.0
        self.logging_config = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
        self._set_logging(spec.get("LoggingConfig") or {})
        self._new_revision()

    @property
    def reserved_concurrency(self) -> int | None:
        return self.of_all_versions.reserved_concurrency

    @reserved_concurrency.setter
    def reserved_concurrency(self, value: int | None) -> None:
        self.of_all_versions.reserved_concurrency = value

    # -- states ------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        return time.monotonic() < self.active_at

    @property
    def updating(self) -> bool:
        return time.monotonic() < self.updated_at

    @property
    def revision_id(self) -> str:
        """It changes when a change begins and again when it is done (LS-031, LS-032)."""
        return self._revisions[0 if self.pending or self.updating else 1]

    def _new_revision(self) -> None:
        self.last_modified = time_now()
        self._revisions = [str(uuid.uuid4()), str(uuid.uuid4())]
        self.code_revision = self._revisions[1]

    def changed(self) -> None:
        """Code or configuration was updated: a new revision, in progress for a while."""
        self.updated_at = time.monotonic() + UPDATING_S
        self._new_revision()

    def set_version(self, version: int) -> None:
        """Make this copy of $LATEST a published version: pending while $LATEST settles."""
        super().set_version(version)
        self.active_at = max(self.active_at, self.updated_at)
        self.updated_at = 0.0
        self._new_revision()
        self._revisions = [self.code_revision] * 2

    def check_revision(self, revision_id: str | None) -> None:
        if revision_id and revision_id != self.revision_id:
            raise precondition_failed(
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id"
            )

    # -- what is shown -----------------------------------------------------------------

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        config = super().get_configuration(on_create)
        config["RevisionId"] = self.revision_id
        config["LoggingConfig"] = dict(self.logging_config)
        config["RuntimeVersionConfig"] = {
            "RuntimeVersionArn": arns.of_runtime(
                self.region, uuid.uuid5(uuid.NAMESPACE_DNS, self.run_time or "").hex * 2
            )
        }
        if not config["Layers"]:
            del config["Layers"]
        if self.echo_environment:
            config["Environment"] = {"Variables": self.environment_vars}
        if self.dead_letter_arn:
            config["DeadLetterConfig"] = {"TargetArn": self.dead_letter_arn}
        config.pop("LastUpdateStatus", None)
        config.update(self._state(on_create))
        return {key: value for key, value in config.items() if value is not None}

    def listed_configuration(self) -> dict[str, Any]:
        """The part of the configuration that listings show."""
        config = self.get_configuration()
        return {key: value for key, value in config.items() if key not in NOT_LISTED}

    def get_code(self) -> dict[str, Any]:
        answer = super().get_code()
        if self.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": self.reserved_concurrency}
        return answer

    def _state(self, on_create: bool) -> dict[str, str]:
        if self.pending or on_create:
            reasons = {f"StateReason{suffix}": text for suffix, text in BEING_CREATED.items()}
            return {"State": "Pending", **reasons}
        if self.updating:
            reasons = {f"LastUpdateStatusReason{s}": text for s, text in BEING_CREATED.items()}
            return {"State": "Active", "LastUpdateStatus": "InProgress", **reasons}
        return {"State": "Active", "LastUpdateStatus": "Successful"}

    # -- changes -----------------------------------------------------------------------

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """Change settings. Returns the answer, where a dead-letter target that is being
        removed is still shown (LS-100)."""
        updates = with_whole_vpc(config_updates)
        if updates.get("Environment") is not None:
            self.echo_environment = True
            updates["Environment"] = {"Variables": updates["Environment"].get("Variables") or {}}
        super().update_configuration(updates)
        if "LoggingConfig" in updates:
            self._set_logging(updates["LoggingConfig"])
        if "TracingConfig" in updates:
            self.tracing_config = updates["TracingConfig"]
        if "EphemeralStorage" in updates:
            self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
        target = (updates.get("DeadLetterConfig") or {}).get("TargetArn")
        self.dead_letter_arn = target or self.dead_letter_arn
        self.changed()
        answer = self.get_configuration()
        if "DeadLetterConfig" in updates:
            self.dead_letter_arn = target
        return answer

    def _set_logging(self, changes: dict[str, str]) -> None:
        """Text has no levels; JSON has INFO by default (LS-095)."""
        config = {**self.logging_config, **changes}
        levels = ("ApplicationLogLevel", "SystemLogLevel")
        if config["LogFormat"] == "JSON":
            config = {**dict.fromkeys(levels, "INFO"), **config}
        else:
            config = {key: value for key, value in config.items() if key not in levels}
        self.logging_config = config
        self.logs_group_name = config["LogGroup"]

    def _get_layers_data(self, layers_versions_arns: list[str]) -> list[Any]:
        try:
            return super()._get_layers_data(layers_versions_arns)
        except ValueError:  # not an ARN
            raise UnknownLayerVersionException(layers_versions_arns) from None

    def for_executor(self) -> FunctionVersion:
        return FunctionVersion(
            arn=self.function_arn,
            name=self.function_name,
            version=str(self.version),
            revision=self.code_revision,
            handler=self.handler,
            runtime=self.run_time,
            timeout_s=int(self.timeout),
            memory_mb=int(self.memory_size),
            variables=self.environment_vars,
            role=self.role,
            account=self.account_id,
            region=self.region,
            log_group=self.logs_group_name,
            package=self.code_bytes,
            logging_config=self.logging_config,
        )


def time_now() -> str:
    """Now, as `LastModified` shows it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def with_whole_vpc(spec: dict[str, Any]) -> dict[str, Any]:
    """moto expects both lists of a VPC configuration."""
    if not spec.get("VpcConfig"):
        return dict(spec)
    return {**spec, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], **spec["VpcConfig"]}}


class Alias(moto_lambda.LambdaAlias):
    """An alias, whose routing is shown only if it has weights."""

    def to_json(self) -> dict[str, Any]:
        shown = super().to_json()
        if not (self.routing_config or {}).get("AdditionalVersionWeights"):
            del shown["RoutingConfig"]
        return shown


class FunctionsByName(dict[str, Any]):
    """One that is not there, or has been deleted since somebody looked, is refused as AWS does."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__()
        self._where = region_name, account_id

    def __missing__(self, name: str) -> None:
        raise UnknownFunctionException(make_function_arn(*self._where, name))


class Storage(moto_lambda.LambdaStorage):
    """moto's functions by name, found by all spellings of a name, and their versions."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._functions = FunctionsByName(region_name, account_id)

    def latest(self) -> list[Function]:
        """The functions of this moment; others may come and go while the caller reads."""
        return [each["latest"] for each in list(self._functions.values()) if each["latest"]]

    def split_name(self, given: str, qualifier: str | None = None) -> tuple[str, str | None]:
        return rules.split_name(given, qualifier, self.region_name)

    def get_function_by_name_or_arn_with_qualifier(
        self, name_or_arn: str, qualifier: str | None = None
    ) -> Function:
        name, qualifier = self.split_name(name_or_arn, qualifier)
        return self.get_function_by_name_with_qualifier(name, qualifier)

    def get_function_by_name_or_arn_forbid_qualifier(self, name_or_arn: str) -> Function:
        name, qualifier = self.split_name(name_or_arn)
        if qualifier is not None:
            raise InvalidParameterValueException("Cannot provide qualifier")
        return self.get_function_by_name_forbid_qualifier(name)

    def publish_version(self, name_or_arn: str, description: str = "") -> Function:
        """A new version, or the last one if $LATEST has not changed since then."""
        latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        versions = self._functions[latest.function_name]["versions"]
        if versions and not latest.code_or_config_updated:
            return versions[-1]
        latest.code_or_config_updated = False
        latest.of_all_versions.published += 1
        version = copy.copy(latest)
        version.set_version(latest.of_all_versions.published)
        version.description = description or version.description
        versions.append(version)
        self._arns[version.function_arn] = version
        return version

    def list_versions_by_function(self, name: str) -> Iterable[Function]:
        function = self.get_function_by_name_or_arn_with_qualifier(name)
        return super().list_versions_by_function(function.function_name)

    def put_alias(
        self,
        name: str,
        function_name: str,
        function_version: str,
        description: str,
        routing_config: Any,
    ) -> Alias:
        rules.check_alias_name(name)
        bare = self.split_name(function_name)[0]
        try:
            made = super().put_alias(name, bare, function_version, description, routing_config)
        except ConflictException as error:
            raise conflict(error.message) from None
        return become(made, Alias)

    def update_alias(
        self,
        name: str,
        function_name: str,
        function_version: str,
        description: str,
        routing_config: Any,
    ) -> Alias:
        alias = super().update_alias(
            name, function_name, function_version, description, routing_config
        )
        alias.revision_id = str(uuid.uuid4())
        return alias


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
        self.invocations = Invocations(self.get_function, executor)
        self.asynchronous = AsynchronousInvocations(
            self.get_function,
            self.invocations.run,
            self.event_settings.of,
            self._queues,
            retry_pause_s=settings.retry_pause_seconds(),
        )
        self.triggers = Triggers(
            region_name,
            account_id,
            self.get_function,
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
        self._executor.retire(function.function_arn)

    # -- aliases -----------------------------------------------------------------------

    def create_alias(self, *details: Any, **named: Any) -> Alias:
        with self._changes:
            return super().create_alias(*details, **named)

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


def unreserved_refusal() -> InvalidParameterValueException:
    error = InvalidParameterValueException(
        "Specified ReservedConcurrentExecutions for function decreases account's "
        f"UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}]."
    )
    error.description = json.dumps({"message": error.message})  # LS-093: no Type
    return error
