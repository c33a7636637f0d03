"""Lambda: functions, versions, aliases, permissions, layers and triggers.

Source: Template reference, the types AWS::Lambda::….
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

from helpers.localaws.stacks.calls import Calls, Failed, find, refuse_existing, wait_for
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags, changes

LONGEST_NAME = 64
CODE = ("Code", "Architectures")
# Settings of a function, with what they are when they are no longer given.
CONFIGURATION: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Handler": None,
    "KmsKeyArn": "",
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Role": None,
    "Runtime": None,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same code is the same package


class Function(Kind):
    name = "AWS::Lambda::Function"
    properties = frozenset(
        {
            *("FunctionName", "PackageType", "Tags", "ReservedConcurrentExecutions"),
            *("RecursiveLoop", *CODE, *CONFIGURATION),
        }
    )
    attributes = frozenset({"Arn"})
    name_property = "FunctionName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("FunctionName", LONGEST_NAME)
        found = find(aws("lambda").get_function_configuration, FunctionName=name)
        refuse_existing(found, self.name, name)
        made = aws("lambda").create_function(
            FunctionName=name,
            Code=package(wanted.properties),
            Tags=dict(wanted.tags),
            **wanted.some("PackageType", "Architectures", *CONFIGURATION),
        )
        wanted.begun(name)
        wait_until_active(aws, name)
        self._set_others(aws, name, wanted.some("ReservedConcurrentExecutions", "RecursiveLoop"))
        return Made(name, {"Arn": made["FunctionArn"]})

    @staticmethod
    def _set_others(aws: Calls, name: str, changed: dict[str, Any]) -> None:
        """What is not set by CreateFunction, nor by UpdateFunctionConfiguration."""
        reserved = changed.get("ReservedConcurrentExecutions")
        if reserved is not None:
            aws("lambda").put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=reserved
            )
        elif "ReservedConcurrentExecutions" in changed:
            aws("lambda").delete_function_concurrency(FunctionName=name)
        if "RecursiveLoop" in changed:
            loop = changed["RecursiveLoop"] or "Terminate"
            aws("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop=loop)

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        name, changed = made.physical_id, changes(had, wanted, CONFIGURATION)
        if changed.keys() & set(CODE):
            architectures = wanted.properties.get("Architectures", ["x86_64"])
            aws("lambda").update_function_code(
                FunctionName=name, Architectures=architectures, **package(wanted.properties)
            )
            wait_until_active(aws, name)
        settings = {key: value for key, value in changed.items() if key in CONFIGURATION}
        if settings:
            aws("lambda").update_function_configuration(FunctionName=name, **settings)
            wait_until_active(aws, name)
        self._set_others(aws, name, changed)
        set_tags(aws, made.attributes["Arn"], had, wanted)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("lambda").delete_function(FunctionName=made.physical_id)


def package(properties: Any) -> dict[str, Any]:
    """A function's code as Lambda takes it; inline code becomes a package of one file.

    Template reference, AWS::Lambda::Function Code: "index" is the name of that file.
    """
    code = dict(properties.get("Code", {}))
    if "ZipFile" not in code:
        return code
    runtime = str(properties.get("Runtime", ""))
    if not runtime.startswith(("python", "nodejs")):
        raise Failed("ZipFile can only be used when Runtime is set to any of nodejs, python.")
    file = "index.py" if runtime.startswith("python") else "index.js"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(file, EPOCH)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, code["ZipFile"])
    return {"ZipFile": held.getvalue()}


def wait_until_active(aws: Calls, name: str) -> None:
    def active() -> bool:
        found = aws("lambda").get_function_configuration(FunctionName=name)
        failed = [found.get(f"{key}Reason") for key in ("State", "LastUpdateStatus")
                  if found.get(key) == "Failed"]  # fmt: skip
        if failed:
            raise Failed(str(failed[0]))
        return found.get("State") == "Active" and found.get("LastUpdateStatus") != "InProgress"

    wait_for(active, f"Function {name}")


def set_tags(aws: Calls, arn: str, had: Wanted, wanted: Wanted) -> None:
    tags, gone = changed_tags(had, wanted)
    if tags:
        aws("lambda").tag_resource(Resource=arn, Tags=tags)
    if gone:
        aws("lambda").untag_resource(Resource=arn, TagKeys=gone)


class Version(Kind):
    name = "AWS::Lambda::Version"
    properties = frozenset({"FunctionName", "Description", "CodeSha256"})
    attributes = frozenset({"FunctionArn", "Version"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        made = aws("lambda").publish_version(
            **wanted.some("FunctionName", "Description", "CodeSha256")
        )
        arn = made["FunctionArn"]
        return Made(arn, {"FunctionArn": arn, "Version": made["Version"]})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("lambda").delete_function(
            FunctionName=made.physical_id.rpartition(":")[0], Qualifier=made.attributes["Version"]
        )


class Alias(Kind):
    name = "AWS::Lambda::Alias"
    properties = frozenset(
        {"FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig"}
    )
    attributes = frozenset({"AliasArn"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        made = aws("lambda").create_alias(
            **wanted.some("FunctionName", "Name", "FunctionVersion", "Description"),
            **routing(wanted),
        )
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        aws("lambda").update_alias(
            **wanted.some("FunctionName", "Name", "FunctionVersion"),
            Description=wanted.properties.get("Description", ""),
            **(routing(wanted) or {"RoutingConfig": {"AdditionalVersionWeights": {}}}),
        )
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("lambda").delete_alias(**had.some("FunctionName", "Name"))


def routing(alias: Wanted) -> dict[str, Any]:
    """The weights of an alias: a list in a template, a map in a call."""
    given = alias.properties.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    if not given:
        return {}
    weights = {each["FunctionVersion"]: each["FunctionWeight"] for each in given}
    return {"RoutingConfig": {"AdditionalVersionWeights": weights}}


class Permission(Kind):
    name = "AWS::Lambda::Permission"
    properties = frozenset(
        {
            *("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"),
            *("EventSourceToken", "PrincipalOrgID"),
        }
    )
    attributes = frozenset({"Id"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        identity = wanted.made_up(100)
        aws("lambda").add_permission(StatementId=identity, **wanted.some(*self.properties))
        return Made(identity, {"Id": identity})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("lambda").remove_permission(
            StatementId=made.physical_id, FunctionName=had.properties["FunctionName"]
        )


class EventInvokeConfig(Kind):
    name = "AWS::Lambda::EventInvokeConfig"
    properties = frozenset(
        {
            *("FunctionName", "Qualifier", "DestinationConfig"),
            *("MaximumEventAgeInSeconds", "MaximumRetryAttempts"),
        }
    )

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        aws("lambda").put_function_event_invoke_config(**wanted.some(*self.properties))
        names = wanted.some("FunctionName", "Qualifier")
        return Made("|".join(map(str, names.values())), {})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        aws("lambda").put_function_event_invoke_config(**wanted.some(*self.properties))
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("lambda").delete_function_event_invoke_config(**had.some("FunctionName", "Qualifier"))


class LayerVersion(Kind):
    name = "AWS::Lambda::LayerVersion"
    properties = frozenset(
        {
            *("LayerName", "Content", "CompatibleRuntimes", "CompatibleArchitectures"),
            *("Description", "LicenseInfo"),
        }
    )
    attributes = frozenset({"LayerVersionArn"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        given = wanted.some(*self.properties - {"LayerName"})
        name = wanted.name("LayerName", 64)
        made = aws("lambda").publish_layer_version(LayerName=name, **given)
        arn = made["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        layer, _, version = made.physical_id.rpartition(":")
        aws("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))


# Settings of a trigger, with what they are when they are no longer given.
MAPPING: dict[str, Any] = {
    "BatchSize": 10,
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionName": None,
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "ScalingConfig": {},
}


class EventSourceMapping(Kind):
    name = "AWS::Lambda::EventSourceMapping"
    properties = frozenset({"EventSourceArn", "Tags", *MAPPING})
    attributes = frozenset({"EventSourceMappingArn", "Id"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        made = aws("lambda").create_event_source_mapping(
            **wanted.some("EventSourceArn", *MAPPING), Tags=dict(wanted.tags)
        )
        wanted.begun(made["UUID"])
        self._settle(aws, made["UUID"])
        attributes = {"Id": made["UUID"], "EventSourceMappingArn": made["EventSourceMappingArn"]}
        return Made(made["UUID"], attributes)

    @staticmethod
    def _settle(aws: Calls, uuid: str) -> None:
        def settled() -> bool:
            found = aws("lambda").get_event_source_mapping(UUID=uuid)
            return found["State"] in ("Enabled", "Disabled")

        wait_for(settled, f"Event source mapping {uuid}")

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        uuid, changed = made.physical_id, changes(had, wanted, MAPPING)
        changed.pop("Tags", None)
        if changed:
            self._settle(aws, uuid)
            aws("lambda").update_event_source_mapping(UUID=uuid, **changed)
            self._settle(aws, uuid)
        set_tags(aws, made.attributes["EventSourceMappingArn"], had, wanted)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        client, uuid = aws("lambda"), made.physical_id
        if find(client.get_event_source_mapping, UUID=uuid) is None:
            return
        self._settle(aws, uuid)
        client.delete_event_source_mapping(UUID=uuid)
        wait_for(
            lambda: find(client.get_event_source_mapping, UUID=uuid) is None,
            f"Event source mapping {uuid}",
        )


KINDS: list[Kind] = [
    Function(),
    Version(),
    Alias(),
    Permission(),
    EventInvokeConfig(),
    LayerVersion(),
    EventSourceMapping(),
]
