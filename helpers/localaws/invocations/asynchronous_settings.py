"""Settings of a function's asynchronous invocations: retries, event age, destinations (LS-101)."""

from __future__ import annotations

import time
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, UnknownFunctionException
from moto.awslambda.models import EventInvokeConfig

from helpers.localaws.common import arns
from helpers.localaws.common.errors import not_found
from helpers.localaws.runtime.kept_function import FindFunction, KeptFunction

SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventSettings:
    """The settings of one account and region, by function and qualifier."""

    def __init__(self, find_function: FindFunction) -> None:
        self._find_function = find_function
        self._by_arn: dict[str, dict[str, Any]] = {}

    def of(self, function: KeptFunction, qualifier: str | None) -> dict[str, Any]:
        """The settings for a function; {} when it has none of its own."""
        return self._by_arn.get(qualified_arn(function, qualifier), {})

    def put(
        self, function_name: str, config: dict[str, Any], qualifier: str | None = None
    ) -> dict[str, Any]:
        function = self._function(function_name)
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
        self._by_arn[arn] = kept
        return kept

    def update(
        self, function_name: str, config: dict[str, Any], qualifier: str | None = None
    ) -> dict[str, Any]:
        before = self.get(function_name, qualifier)
        return self.put(function_name, {**before, **config}, qualifier)

    def get(self, function_name: str, qualifier: str | None = None) -> dict[str, Any]:
        arn = qualified_arn(self._function(function_name), qualifier)
        if arn not in self._by_arn:
            raise not_found(f"The function {arn} doesn't have an EventInvokeConfig")
        return self._by_arn[arn]

    def delete(self, function_name: str, qualifier: str | None = None) -> None:
        config = self.get(function_name, qualifier)
        del self._by_arn[config["FunctionArn"]]

    def all_of(self, function_name: str) -> list[dict[str, Any]]:
        start = qualified_arn(self._function(function_name), "")
        return [config for arn, config in self._by_arn.items() if arn.startswith(start)]

    def forget(self, function: KeptFunction, qualifier: str | None) -> None:
        """A function was deleted, or only what has this qualifier."""
        start = qualified_arn(function, "")
        for arn in list(self._by_arn):
            if arn == start + qualifier if qualifier else arn.startswith(start):
                del self._by_arn[arn]

    def _function(self, name: str) -> KeptFunction:
        try:
            return self._find_function(name)
        except UnknownFunctionException:
            raise not_found("The function doesn't exist.") from None


def qualified_arn(function: KeptFunction, qualifier: str | None) -> str:
    """The function's ARN with a qualifier, $LATEST when there is none."""
    bare = arns.unqualified(function.function_arn)
    return f"{bare}:{'$LATEST' if qualifier is None else qualifier}"


def check_config(function: KeptFunction, config: dict[str, Any]) -> None:
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
