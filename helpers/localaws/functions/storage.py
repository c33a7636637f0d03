"""Functions by name, with their versions and aliases."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable
from typing import Any

from moto.awslambda import models as moto_lambda
from moto.awslambda.exceptions import (
    ConflictException,
    InvalidParameterValueException,
    UnknownAliasException,
    UnknownFunctionException,
)
from moto.awslambda.utils import make_function_arn

from helpers.localaws.common import arns
from helpers.localaws.common.errors import conflict, not_found
from helpers.localaws.common.moto_patches import become
from helpers.localaws.functions import refusals as rules
from helpers.localaws.functions.function import Alias, Function


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

    def to_invoke(self, given: str, qualifier: str | None = None) -> Function:
        """The function that a call runs: of an alias with weights one version by chance."""
        name, qualifier = self.split_name(given, qualifier)
        function = self.get_function_by_name_with_qualifier(name, qualifier)
        alias = self.find_alias(name, qualifier)
        chosen = alias.choose(random.random()) if alias else str(function.version)
        return self._get_version(name, chosen) or function

    def find_alias(self, name: str, qualifier: str | None) -> Alias | None:
        """The alias that a qualifier means; None if it means a version, or there is none."""
        return self._get_function_aliases(name).get(qualifier) if qualifier else None

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
        latest.touch()
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
        self._check_routing(bare, function_version, routing_config)
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
        bare = self.split_name(function_name)[0]
        try:
            version = function_version or self.get_alias(name, bare).function_version
        except UnknownAliasException:
            raise not_found(f"Alias not found: {self._alias_arn(bare, name)}") from None
        self._check_routing(bare, version, routing_config)
        alias = super().update_alias(name, bare, function_version, description, routing_config)
        alias.touch()
        return alias

    def _alias_arn(self, function_name: str, name: str) -> str:
        return arns.of_function(self.region_name, self.account_id, function_name, name)

    def _check_routing(self, name: str, version: str, routing: dict[str, Any] | None) -> None:
        """An alias's versions are there, and may share its calls as they are to."""
        self.get_function_by_name_with_qualifier(name, version)
        weights = (routing or {}).get("AdditionalVersionWeights") or {}
        rules.check_weights(version, weights)
        for other in weights:
            self.get_function_by_name_with_qualifier(name, other)
