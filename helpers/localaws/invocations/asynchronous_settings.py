"""Settings of a function's asynchronous invocations: retries, event age, destinations (LS-101)."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, UnknownFunctionException
from moto.awslambda.models import EventInvokeConfig

from helpers.localaws.common import arns
from helpers.localaws.common.errors import not_found

SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventInvokeConfigsMixin:
    """The part of the Lambda backend that keeps these settings, by function and qualifier."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._event_invoke_configs: dict[str, dict[str, Any]] = {}

    def event_invoke_config(self, function: Any, qualifier: str | None) -> dict[str, Any]:
        """The settings for a function; {} when it has none of its own."""
        return self._event_invoke_configs.get(qualified_arn(function, qualifier), {})

    def put_function_event_invoke_config(
        self, function_name: str, config: dict[str, Any], qualifier: str | None = None
    ) -> dict[str, Any]:
        function = self._function_for_config(function_name)
        arn = qualified_arn(function, qualifier)
        given = {key: config[key] for key in SETTINGS if config.get(key) is not None}
        check_config(function, given)
        destinations = {"OnSuccess": {}, "OnFailure": {}, **given.pop("DestinationConfig", {})}
        kept = {
            "LastModified": time.time(),
            "FunctionArn": arn,
            **given,
            "DestinationConfig": destinations,
        }
        self._event_invoke_configs[arn] = kept
        return kept

    def update_function_event_invoke_config(
        self, function_name: str, config: dict[str, Any], qualifier: str | None = None
    ) -> dict[str, Any]:
        before = self.get_function_event_invoke_config(function_name, qualifier)
        return self.put_function_event_invoke_config(function_name, {**before, **config}, qualifier)

    def get_function_event_invoke_config(
        self, function_name: str, qualifier: str | None = None
    ) -> dict[str, Any]:
        arn = qualified_arn(self._function_for_config(function_name), qualifier)
        if arn not in self._event_invoke_configs:
            raise not_found(f"The function {arn} doesn't have an EventInvokeConfig")
        return self._event_invoke_configs[arn]

    def delete_function_event_invoke_config(
        self, function_name: str, qualifier: str | None = None
    ) -> None:
        config = self.get_function_event_invoke_config(function_name, qualifier)
        del self._event_invoke_configs[config["FunctionArn"]]

    def list_function_event_invoke_configs(self, function_name: str) -> dict[str, Any]:
        arn = qualified_arn(self._function_for_config(function_name), "")
        found = [c for key, c in self._event_invoke_configs.items() if key.startswith(arn)]
        return {"FunctionEventInvokeConfigs": found}

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """Delete a function, or a version of it, with its settings."""
        super().delete_function(function_name, qualifier)
        start = arns.of_function(self.region_name, self.account_id, function_name) + ":"
        for arn in list(self._event_invoke_configs):
            if arn == start + qualifier if qualifier else arn.startswith(start):
                del self._event_invoke_configs[arn]

    def _function_for_config(self, name: str) -> Any:
        try:
            return self.get_function(name)
        except UnknownFunctionException:
            raise not_found("The function doesn't exist.") from None


def qualified_arn(function: Any, qualifier: str | None) -> str:
    """The function's ARN with a qualifier, $LATEST when there is none."""
    bare = arns.unqualified(function.function_arn)
    return f"{bare}:{'$LATEST' if qualifier is None else qualifier}"


def check_config(function: Any, config: dict[str, Any]) -> None:
    """Raises what AWS refuses; the form and ranges of values are moto's to check."""
    if not config:
        raise InvalidParameterValueException(
            "You must specify at least one of error handling or destination setting."
        )
    EventInvokeConfig(function.function_arn, "", config)
    for destination in config.get("DestinationConfig", {}).values():
        if destination.get("Destination", "").startswith(qualified_arn(function, "")[:-1]):
            raise InvalidParameterValueException(
                "You can't specify the function as a destination for itself."
            )


class EventInvokeConfigResponses:
    """The part of the Lambda responses that concerns these settings."""

    def put_function_event_invoke_config(self) -> str:
        return json.dumps(
            self.backend.put_function_event_invoke_config(
                self._configured(), self.json_body, self._config_qualifier()
            )
        )

    def update_function_event_invoke_config(self) -> str:
        return json.dumps(
            self.backend.update_function_event_invoke_config(
                self._configured(), self.json_body, self._config_qualifier()
            )
        )

    def get_function_event_invoke_config(self) -> str:
        return json.dumps(
            self.backend.get_function_event_invoke_config(
                self._configured(), self._config_qualifier()
            )
        )

    def delete_function_event_invoke_config(self) -> Any:
        self.backend.delete_function_event_invoke_config(
            self._configured(), self._config_qualifier()
        )
        return 204, {"status": 204}, ""

    def _configured(self) -> str:
        return unquote(self.path.rsplit("/", 2)[1])

    def _config_qualifier(self) -> str | None:
        return self.querystring.get("Qualifier", [None])[0]
