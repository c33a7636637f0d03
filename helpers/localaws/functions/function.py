"""A function and an alias as Lambda keeps and shows them.

moto keeps the settings; the states that a function goes through are added here. They follow the
clock: nothing has to happen for a pending function to become active.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from moto.awslambda import models as moto_lambda
from moto.awslambda.exceptions import (
    UnknownLayerVersionException,
)

from helpers.localaws.common import arns
from helpers.localaws.common.errors import precondition_failed
from helpers.localaws.functions.policy import FunctionPolicy, Parent
from helpers.localaws.runtime.model import FunctionVersion

PENDING_S = 0.5  # AWS needs a second or two
UPDATING_S = 0.5
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
            reserved_concurrency=None, recursive_loop="Terminate", published=0, policies={}
        )
        spec = {**spec, "Code": dict(spec["Code"])}
        super().__init__(account_id, with_whole_vpc(spec), region, version)
        self.policy = self.policy_of(None)
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

    def touch(self) -> None:
        """A new revision, of what changes neither code nor configuration (DF-20)."""
        self._revisions = [str(uuid.uuid4()), str(uuid.uuid4())]

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

    def policy_of(self, qualifier: str | None, parent: Parent | None = None) -> FunctionPolicy:
        """Who else may use the function, or the version or alias of it that is meant.

        `parent`: that version or alias.
        """
        policies = self.of_all_versions.policies
        arn = arns.qualified(arns.unqualified(self.function_arn), qualifier)
        return policies.setdefault(qualifier, FunctionPolicy(parent or self, arn))

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
        """What is shown of the layers; their packages outlive the layers' own deletion."""
        try:
            shown = super()._get_layers_data(layers_versions_arns)
        except ValueError:  # not an ARN
            raise UnknownLayerVersionException(layers_versions_arns) from None
        find = moto_lambda.get_backend(self.account_id, self.region).layers_versions_by_arn
        self.layer_packages = tuple(find(each["Arn"]).code_bytes for each in shown)
        return shown

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
            layers=self.layer_packages,
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
    """An alias, whose routing is shown only if it has weights (DF-14)."""

    def to_json(self) -> dict[str, Any]:
        shown = super().to_json()
        if not self.weights:
            del shown["RoutingConfig"]
        return shown

    def touch(self) -> None:
        """A new revision, after a change."""
        self.revision_id = str(uuid.uuid4())

    @property
    def weights(self) -> dict[str, float]:
        """What part of the calls goes to another version."""
        return (self.routing_config or {}).get("AdditionalVersionWeights") or {}

    def choose(self, draw: float) -> str:
        """The version that a call runs. `draw`: a number from 0 to 1, by chance."""
        for version, weight in self.weights.items():
            if draw < weight:
                return str(version)
        return str(self.function_version)
