"""Lambda's control plane for functions: what CreateFunction and its siblings answer.

moto keeps functions, versions, aliases and tags. Added here: the states that a function
goes through, and what AWS refuses with which words. States follow the clock: nothing has
to happen for a pending function to become active.
"""

from __future__ import annotations

import io
import json
import re
import time
import uuid
import zipfile
from typing import Any

from moto.awslambda import models as moto_lambda
from moto.awslambda import urls as moto_urls
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.responses import LambdaResponse
from moto.awslambda_simple import models as moto_simple
from moto.core.models import default_user_config

from helpers.localaws import environments, invocations, mappings
from helpers.localaws.errors import ResourceConflict
from helpers.localaws.executor import Executor
from helpers.localaws.permissions import lambda_may_assume

PENDING_S = 0.5  # AWS needs a second or two
UPDATING_S = 0.5
MAX_ZIP_BYTES = 52_428_800  # LS-085
MAX_UNZIPPED_BYTES = 262_144_000
MAX_ENVIRONMENT_BYTES = 4096
NAME = re.compile(r"[a-zA-Z0-9-_]+")

RUNTIMES = (
    "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.8", "python3.9", "python3.10",
    "python3.11", "python3.12", "python3.13", "python3.14", "java8.al2", "java11", "java17",
    "java21", "java25", "dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "provided.al2",
    "provided.al2023",
)  # fmt: skip


class RequestTooLarge(LambdaClientError):
    code = 413

    def __init__(self, message: str) -> None:
        super().__init__("RequestEntityTooLargeException", message)


class Function(moto_lambda.LambdaFunction):
    """A function with AWS's states (LS-030 to LS-033)."""

    def __init__(self, account_id: str, spec: dict, region: str, version: str = "$LATEST") -> None:
        super().__init__(account_id, spec, region, version)
        self.echo_environment = "Environment" in spec
        self.active_at = time.monotonic() + PENDING_S
        self.updated_at = 0.0
        self.revision_id = self.code_revision = str(uuid.uuid4())
        self.logging_config = spec.get("LoggingConfig") or {}
        self.logs_group_name = self.logging_config.get("LogGroup") or self.logs_group_name

    @property
    def pending(self) -> bool:
        return time.monotonic() < self.active_at

    @property
    def updating(self) -> bool:
        return time.monotonic() < self.updated_at

    def changed(self) -> None:
        """Code or configuration was updated: a new revision, in progress for a while."""
        self.updated_at = time.monotonic() + UPDATING_S
        self.revision_id = self.code_revision = str(uuid.uuid4())

    def set_version(self, version: int) -> None:
        super().set_version(version)
        self.revision_id = str(uuid.uuid4())

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        config = super().get_configuration(on_create)
        config["RevisionId"] = self.revision_id
        config["LoggingConfig"] = {
            "LogFormat": "Text",
            "LogGroup": self.logs_group_name,
            **self.logging_config,
        }
        config["RuntimeVersionConfig"] = {
            "RuntimeVersionArn": f"arn:aws:lambda:{self.region}::runtime:"
            + uuid.uuid5(uuid.NAMESPACE_DNS, self.run_time or "").hex * 2
        }
        if not config["Layers"]:
            del config["Layers"]
        if self.echo_environment:
            config["Environment"] = {"Variables": self.environment_vars}
        config.pop("LastUpdateStatus", None)
        config.update(self._state(on_create))
        return {key: value for key, value in config.items() if value is not None}

    def _state(self, on_create: bool) -> dict[str, str]:
        creating = {"": "The function is being created.", "Code": "Creating"}
        if self.pending or on_create:
            reasons = {f"StateReason{suffix}": text for suffix, text in creating.items()}
            return {"State": "Pending", **reasons}
        if self.updating:
            reasons = {f"LastUpdateStatusReason{s}": text for s, text in creating.items()}
            return {"State": "Active", "LastUpdateStatus": "InProgress", **reasons}
        return {"State": "Active", "LastUpdateStatus": "Successful"}

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        if config_updates.get("Environment") is not None:
            self.echo_environment = True
            config_updates["Environment"].setdefault("Variables", {})
        if "LoggingConfig" in config_updates:
            self.logging_config = config_updates["LoggingConfig"]
            self.logs_group_name = self.logging_config.get("LogGroup", self.logs_group_name)
        super().update_configuration(config_updates)
        self.changed()
        return self.get_configuration()

    def for_executor(self) -> environments.Function:
        return environments.Function(
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
        )


class Backend(
    mappings.MappingsMixin, invocations.InvocationsMixin, moto_simple.LambdaSimpleBackend
):
    """Lambda in one account and region."""

    @property
    def _url_module(self) -> Any:
        return moto_urls

    def reset(self) -> None:
        self.stop_mappings()
        for function in self.list_functions():
            self.executor.retire(function.function_arn)
        super().reset()

    # -- functions ---------------------------------------------------------------------

    def create_function(self, spec: dict[str, Any]) -> Function:
        check_zip(spec["Code"])
        check_role(self.account_id, spec["Role"])
        function = Function(self.account_id, spec, self.region_name)
        self._lambdas.put_function(function)
        if spec.get("Publish"):
            return self.publish_version(function.function_name)
        return function

    def update_function_code(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        function = self.get_function(function_name, qualifier)
        check_not_updating(function)
        check_zip(body)
        function.update_function_code(body)
        if not body.get("DryRun"):
            function.changed()
            self.executor.retire(function.function_arn)
        if body.get("Publish"):
            function = self.publish_version(function_name)
        return function.get_configuration()

    def update_function_configuration(
        self, function_name: str, qualifier: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        function = self.get_function(function_name, qualifier)
        check_not_updating(function)
        check_function({"FunctionName": function.function_name, **body})
        if "Role" in body:
            check_role(self.account_id, body["Role"])
        if "Timeout" in body:
            self.check_visibility_of_sources(function, body["Timeout"])
        function.update_configuration(body)
        self.executor.retire(function.function_arn)
        return function.get_configuration()

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        if qualifier:
            self.get_function(function_name)
            try:
                super().delete_function(function_name, qualifier)
            except moto_lambda.UnknownFunctionException:
                pass  # LS-086: an unknown qualifier is silently accepted
            return
        function = self.get_function(function_name)
        super().delete_function(function_name, qualifier)
        self.executor.retire(function.function_arn)


# -- what AWS refuses ------------------------------------------------------------------


def invalid(value: Any, where: str, constraint: str) -> LambdaClientError:
    return LambdaClientError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy "
        f"constraint: {constraint}",
    )


def check_function(spec: dict[str, Any]) -> None:
    """Name, runtime, architecture and environment (LS-082 to LS-084)."""
    name = spec["FunctionName"].rsplit(":function:", 1)[-1].split(":")[0]
    if len(name) > 64:
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
            "constraint: Member must have length less than or equal to 64"
        )
    if not NAME.fullmatch(name):
        pattern = (
            r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?"
            r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
        )
        text = f"Member must satisfy regular expression pattern: {pattern}"
        raise invalid(spec["FunctionName"], "functionName", text)
    if "Runtime" in spec and spec["Runtime"] not in RUNTIMES:
        check_runtime(spec["Runtime"])
    if len(spec.get("Architectures", [])) > 1:
        shown = f"[{', '.join(spec['Architectures'])}]"
        raise invalid(shown, "architectures", "Member must have length less than or equal to 1")
    variables = (spec.get("Environment") or {}).get("Variables", {})
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured) > MAX_ENVIRONMENT_BYTES:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: " + measured
        )


def check_runtime(runtime: str) -> None:
    if runtime in ("python3.7", "python3.6", "python2.7"):
        raise InvalidParameterValueException(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    raise InvalidParameterValueException(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
        f"value set: [{', '.join(RUNTIMES)}] or be a valid ARN"
    )


def check_zip(code: dict[str, Any]) -> None:
    """The deployment package, when it comes with the request (LS-082, LS-085)."""
    if "ZipFile" not in code:
        return
    package, size, _, _ = moto_lambda._zipfile_content(code["ZipFile"])
    if size > MAX_ZIP_BYTES:
        raise RequestTooLarge(f"Zipped size must be smaller than {MAX_ZIP_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
    if unzipped > MAX_UNZIPPED_BYTES:
        raise InvalidParameterValueException(
            f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
        )


def check_role(account: str, role: str) -> None:
    """A role ARN of the right form, whose role Lambda may assume (LS-082, G-03)."""
    pattern = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
    if not re.fullmatch(pattern, role):
        text = f"Member must satisfy regular expression pattern: {pattern}"
        raise invalid(role, "role", text)
    if not lambda_may_assume(account, role):
        raise InvalidParameterValueException(
            "The role defined for the function cannot be assumed by Lambda."
        )


def check_not_updating(function: Function) -> None:
    """One update at a time (LS-033)."""
    if function.pending:
        raise ResourceConflict(
            "The operation cannot be performed at this time. The function is currently in the "
            "following state: Pending"
        )
    if function.updating:
        raise ResourceConflict(
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {function.function_arn}"
        )


# -- responses -------------------------------------------------------------------------


class Responses(mappings.ResponsesMixin, invocations.InvokeResponses, LambdaResponse):
    """moto's Lambda responses, with the states and refusals of AWS."""

    use_raw_body = True

    def create_function(self) -> Any:
        check_function(self.json_body)
        name = self.json_body["FunctionName"].rsplit(":", 1)[-1]
        if name in self.backend._lambdas._functions:
            raise ResourceConflict(f"Function already exist: {name}")
        function = self.backend.create_function(self.json_body)
        return 201, {"status": 201}, json.dumps(function.get_configuration(on_create=True))


def install(executor: Executor) -> None:
    """Make moto's server use these functions and mappings."""
    default_user_config["lambda"]["use_docker"] = False
    Backend.executor = executor
    moto_simple.lambda_simple_backends.backend = Backend
    for path in moto_urls.url_paths:
        moto_urls.url_paths[path] = Responses.dispatch
