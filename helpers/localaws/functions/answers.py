"""What Lambda answers about functions: moto's responses with AWS's statuses and forms.

`functions` keeps the functions; here a request becomes a call of it, and its result a body.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda import urls as moto_urls
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.responses import LambdaResponse
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.models import default_user_config

from helpers.localaws.common import arns
from helpers.localaws.common.clean_refusals import ERROR_TYPE, CleanRefusals
from helpers.localaws.common.errors import body_as_recorded, violation
from helpers.localaws.common.moto_patches import put_in_place
from helpers.localaws.functions import refusals as rules
from helpers.localaws.functions.backend import Backend
from helpers.localaws.invocations.answers import EventInvokeConfigResponses
from helpers.localaws.runtime.executor import Executor
from helpers.localaws.triggers.answers import MappingResponses

MORE_PATHS = (
    "{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/recursion-config/?$",
    "{0}/(?P<api_version>[^/]+)/account-settings/?$",
    "{0}/(?P<api_version>20[^/]+)/(?P<not_implemented>.+)$",
)


class Responses(
    CleanRefusals,
    MappingResponses,
    EventInvokeConfigResponses,
    LambdaResponse,
):
    """moto's Lambda responses, with the states, refusals and statuses of AWS."""

    content_type = "application/json"
    use_raw_body = True

    def call_action(self) -> Any:
        status, headers, body = super().call_action()
        if status >= 400:
            error_type = headers.get(ERROR_TYPE) or headers.get(ERROR_TYPE.lower(), "")
            body = body_as_recorded(error_type, body)
        return status, headers, body

    def _named(self, parts_after: int) -> str:
        """The function's name in the path, which has so many parts after it."""
        return unquote(self.path.rstrip("/").rsplit("/", parts_after + 1)[1])

    def create_function(self) -> Any:
        rules.check_request_size(len(self.body), "CreateFunction")
        function = self.backend.create_function(self.json_body)
        config = function.get_configuration(on_create=True)
        if self.json_body.get("Publish"):
            config["Version"] = "1"
        return 201, {"status": 201}, json.dumps(config)

    def update_function_code(self) -> Any:
        rules.check_request_size(len(self.body), "UpdateFunctionCode")
        return super().update_function_code()

    def publish_version(self) -> Any:
        body = json.loads(self.body or "{}")
        version = self.backend.publish_version_if(self._named(1), body)
        return 201, {"status": 201}, json.dumps(version.get_configuration())

    def _set_configuration_qualifier(
        self, configuration: dict[str, Any], function_name: str, qualifier: str | None
    ) -> dict[str, Any]:
        """The ARN ends with the qualifier that was asked for, an alias too."""
        qualifier = rules.split_name(function_name, qualifier, self.region)[1]
        if qualifier:
            bare = arns.unqualified(configuration["FunctionArn"])
            configuration["FunctionArn"] = arns.qualified(bare, qualifier)
        return configuration

    # -- listings ----------------------------------------------------------------------

    def list_functions(self) -> Any:
        functions = list(self.backend.list_functions())
        if self._get_param("FunctionVersion") == "ALL":
            names = [function.function_name for function in functions]
            functions = [v for name in names for v in self.backend.list_versions_by_function(name)]
        return self._page("Functions", [each.listed_configuration() for each in functions])

    def list_versions_by_function(self) -> Any:
        versions = self.backend.list_versions_by_function(self._named(1))
        return self._page("Versions", [version.listed_configuration() for version in versions])

    def list_aliases(self) -> Any:
        wanted = self._get_param("FunctionVersion")
        aliases = [alias.to_json() for alias in self.backend.list_aliases(self._named(1))]
        chosen = [alias for alias in aliases if wanted in (None, alias["FunctionVersion"])]
        return self._page("Aliases", chosen)

    def _page(self, key: str, found: list[dict[str, Any]]) -> str:
        """A page of a listing: a marker is the number of entries before it."""
        first = marker_value(self._get_param("Marker"))
        size = int(self._get_param("MaxItems") or 0) or len(found)
        answer: dict[str, Any] = {key: found[first : first + size]}
        if first + size < len(found):
            answer["NextMarker"] = str(first + size)
        return json.dumps(answer)

    # -- aliases and tags: moto's answers have other statuses ----------------------------

    def get_alias(self) -> Any:
        return with_status(200, super().get_alias())

    def update_alias(self) -> Any:
        return with_status(200, super().update_alias())

    def delete_alias(self) -> Any:
        return with_status(204, super().delete_alias())

    def tag_resource(self) -> Any:
        super().tag_resource()
        return 204, {"status": 204}, ""

    # -- concurrency, recursion and the account ------------------------------------------

    def get_function_concurrency(self) -> Any:
        function = self.backend.get_function(self._named(1))
        if function.reserved_concurrency is None:
            return "{}"
        return json.dumps({"ReservedConcurrentExecutions": function.reserved_concurrency})

    def put_function_concurrency(self) -> Any:
        wanted = self.json_body["ReservedConcurrentExecutions"]
        reserved = self.backend.put_function_concurrency(self._named(1), wanted)
        return json.dumps({"ReservedConcurrentExecutions": reserved})

    def get_function_recursion_config(self) -> Any:
        function = self.backend.get_function(self._named(1))
        return json.dumps({"RecursiveLoop": function.of_all_versions.recursive_loop})

    def put_function_recursion_config(self) -> Any:
        function = self.backend.get_function(self._named(1))
        wanted = self.json_body["RecursiveLoop"]
        if wanted not in ("Terminate", "Allow"):
            constraint = "Member must satisfy enum value set: [Terminate, Allow]"
            raise violation(wanted, "recursiveLoop", constraint)
        function.of_all_versions.recursive_loop = wanted
        return json.dumps({"RecursiveLoop": wanted})

    def get_account_settings(self) -> Any:
        return json.dumps(self.backend.account_settings())

    # -- permissions ---------------------------------------------------------------------

    def add_permission(self) -> Any:
        policy = self.backend.policy_of(self._named(1), self._get_param("Qualifier"))
        statement = policy.add(self.json_body)
        return 201, {"status": 201}, json.dumps({"Statement": json.dumps(statement)})

    def get_policy(self) -> str:
        policy = self.backend.policy_of(self._named(1), self._get_param("Qualifier"))
        return policy.wire_format()

    def remove_permission(self) -> Any:
        policy = self.backend.policy_of(self._named(2), self._get_param("Qualifier"))
        policy.del_statement(unquote(self.path.rsplit("/", 1)[1]), self._get_param("RevisionId"))
        return 204, {"status": 204}, ""


def marker_value(marker: str | None) -> int:
    if marker and not marker.isdigit():
        raise InvalidParameterValueException(f"Invalid Marker: {marker}")
    return int(marker or 0)


def with_status(status: int, answer: tuple[Any, ...]) -> tuple[Any, ...]:
    return status, {"status": status}, "" if status == 204 else answer[2]


def install(executor: Executor) -> None:
    """Make moto's server use these functions and mappings."""
    default_user_config["lambda"]["use_docker"] = False
    # moto's own pattern knows no "$LATEST" in a name, and no mistake: AWS answers to both.
    paths = [path.replace(r"[\w_:%-]+", "[^/]+") for path in moto_urls.url_paths]
    put_in_place(
        lambda_simple_backends,
        Backend,
        moto_urls,
        Responses.dispatch,
        [*paths, *MORE_PATHS],
        executor=executor,
    )
