"""A template: read, looked at as a whole, and put in order.

Source: CloudFormation User Guide, "Template anatomy" and its sections.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from helpers.localaws.stacks import schemas
from helpers.localaws.stacks.intrinsics import references
from helpers.localaws.stacks.kinds import KINDS
from helpers.localaws.stacks.refusals import (
    format_error,
    invalid,
    missing_capabilities,
    not_here,
    template_error,
    unresolved,
)

Template = dict[str, Any]

MOST_BYTES = 51_200  # of a template in a call: "Understand CloudFormation quotas"
EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # neither of them calls itself
MOST_DEEP = 100  # levels; what reads YAML calls itself for each, and would end the server
SAM = "AWS::Serverless-2016-10-31"
SECTIONS = {
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings"),
    *("Conditions", "Transform", "Hooks", "Resources", "Outputs"),
}
ATTRIBUTES = {
    *("Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy"),
    *("Metadata", "CreationPolicy", "UpdatePolicy"),
}
PSEUDO = {
    *("AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition"),
    *("AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"),
}
POLICIES = ("Delete", "Retain", "RetainExceptOnCreate")  # Snapshot is for types that have some
# Types that need CAPABILITY_IAM, with the property that needs CAPABILITY_NAMED_IAM.
IAM_NAMES = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::RolePolicy": "",
}


def read(text: str) -> Template:
    """The template in a text of JSON or YAML. Raises StackError when it is none."""
    from cfnlint.decode import decode_str

    is_json = text.lstrip().startswith("{")
    language = "JSON" if is_json else "YAML"
    if is_json:
        try:
            return checked_form(json.loads(text))
        except ValueError:
            pass  # YAML may begin so, too
        except RecursionError:
            raise format_error("JSON not well-formed.") from None
    if depth_of(text) > MOST_DEEP:
        raise format_error(f"{language} not well-formed.")
    found, matches = decode_str(text)
    if matches:
        line, column = matches[0].linenumber, matches[0].columnnumber
        raise format_error(f"{language} not well-formed. (line {line}, column {column})")
    return checked_form(plain(found))


def depth_of(text: str) -> int:
    """How many levels a text of YAML has, as far as it can be read; found without recursion."""
    level = deepest = 0
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=EVENTS):
            begins = isinstance(event, yaml.CollectionStartEvent)
            level += begins - isinstance(event, yaml.CollectionEndEvent)
            deepest = max(deepest, level)
    return deepest


def plain(value: Any) -> Any:
    """The same without the marks of where it stood; dates are texts, as JSON has them."""
    if isinstance(value, dict):
        return {key_text(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value


def key_text(key: Any) -> str:
    return key.isoformat() if isinstance(key, datetime.date) else str(key)


def checked_form(template: Any) -> Template:
    """Sections and the form of each resource, before a transform."""
    if not isinstance(template, dict):
        raise format_error("unsupported structure.")
    check_sections(template)
    if not template.get("Resources"):
        raise format_error("At least one Resources member must be defined.")
    for name, resource in template["Resources"].items():
        check_resource_form(name, resource, is_sam(template))
    check_outputs_form(template.get("Outputs") or {})
    for parameter in (template.get("Parameters") or {}).values():
        if not isinstance(parameter, dict) or "Type" not in parameter:
            raise format_error("Every Parameters object must contain a Type member.")
    return template


def check_sections(template: Template) -> None:
    foreign = sorted(set(template) - SECTIONS - ({"Globals"} if is_sam(template) else set()))
    if foreign:
        raise invalid(f"Invalid template property or properties [{', '.join(foreign)}]")
    for section in ("Resources", "Parameters", "Mappings", "Conditions", "Outputs"):
        if section in template and not isinstance(template[section], dict):
            raise format_error(f"[/{section}] 'null' values are not allowed in templates")
    for section in ("Rules", "Hooks"):
        if template.get(section):
            raise not_here(f"The section {section} is not supported.")


def check_resource_form(name: str, resource: Any, sam: bool) -> None:
    where = f"[/Resources/{name}]"
    if not name.isalnum():
        raise format_error(f"Resource name {name} is non alphanumeric.")
    if not isinstance(resource, dict):
        raise format_error(f"{where} resource definition is malformed")
    if not isinstance(resource.get("Type"), str):
        raise format_error(f"{where} Every Resources object must contain a Type member.")
    needed = depends_on(resource)
    well_formed = (
        isinstance(resource.get("Properties") or {}, dict)
        and isinstance(resource.get("Condition", ""), str)
        and all(isinstance(each, str) for each in needed)
    )
    if not well_formed:
        raise format_error(f"{where} resource definition is malformed")
    foreign = sorted(set(resource) - ATTRIBUTES)
    if foreign and not (sam and resource["Type"].startswith("AWS::Serverless::")):
        raise invalid(f"Invalid template resource property '{foreign[0]}'")
    check_resource_policies(name, resource)


def check_resource_policies(name: str, resource: Template) -> None:
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if str(resource.get(policy, "Delete")) not in POLICIES:
            raise template_error(f"Unrecognized {policy} {resource[policy]} for resource {name}")
    for policy in ("CreationPolicy", "UpdatePolicy"):
        if resource.get(policy):
            raise not_here(f"{policy} is not supported: {name}.")


def check_outputs_form(outputs: Template) -> None:
    for output in outputs.values():
        if not isinstance(output, dict) or "Value" not in output:
            raise format_error("Every Outputs member must contain a Value object")
        export = output.get("Export", {"Name": ""})
        if not isinstance(export, dict) or "Name" not in export:
            raise format_error("Every Export must contain a Name member")
        if not isinstance(output.get("Condition", ""), str):
            raise format_error("Every Condition of an output must be a string")


def transforms(template: Template) -> list[str]:
    """The names of a template's transforms. Raises StackError for any but SAM."""
    given = template.get("Transform") or []
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name != SAM:
            raise not_here(f"The transform {name} is not supported.")
    return names


def is_sam(template: Template) -> bool:
    given = template.get("Transform") or []
    return SAM in (given if isinstance(given, list) else [given])


# -- a template without transforms ------------------------------------------------------------


def check(template: Template, region: str) -> None:
    """What CloudFormation refuses of a template as a whole, and what the local AWS cannot do."""
    resources = template["Resources"]
    check_types({each["Type"] for each in resources.values()}, region)
    known = {*resources, *(template.get("Parameters") or {}), *PSEUDO}
    check_references(resources, {"": resources}, known, "Resources")
    check_references(resources, template.get("Outputs") or {}, known, "Outputs")
    check_conditions(template)
    for name, resource in resources.items():
        check_properties(name, resource, region)
        lacking = [each for each in depends_on(resource) if each not in resources]
        if lacking:
            raise unresolved(lacking, "Resources")
    for written in (resources, template.get("Outputs") or {}):
        for name, attribute in references(written):
            if attribute and name in resources:
                check_attribute(name, resources[name]["Type"], attribute, region)
    in_order(resources)


def check_types(kinds: Iterable[str], region: str) -> None:
    lacking = sorted(kind for kind in kinds if kind not in KINDS)
    unknown = [kind for kind in lacking if not schemas.exists(kind, region) and not custom(kind)]
    if unknown:
        raise format_error(f"Unrecognized resource types: [{', '.join(unknown)}]")
    if lacking:
        raise not_here(
            f"Resource types that are not supported: [{', '.join(lacking)}]; there are "
            f"[{', '.join(sorted(KINDS))}]."
        )


def custom(kind: str) -> bool:
    return kind.startswith(("Custom::", "AWS::CloudFormation::", "AWS::Serverless::"))


def check_references(
    resources: Template, written: Mapping[str, Any], known: set[str], block: str
) -> None:
    lacking = []
    for name, attribute in references(written):
        if attribute and name not in resources:
            raise template_error(f"instance of Fn::GetAtt references undefined resource {name}")
        if name not in known:
            lacking.append(name)
    if lacking:
        raise unresolved(lacking, block)


def check_conditions(template: Template) -> None:
    conditions = template.get("Conditions") or {}
    for block in ("Resources", "Outputs"):
        for each in (template.get(block) or {}).values():
            name = each.get("Condition") if isinstance(each, dict) else None
            if name is not None and name not in conditions:
                raise format_error(
                    f"Unresolved condition dependency {name} in the {block} block of the template"
                )


def check_properties(name: str, resource: Template, region: str) -> None:
    """A property that AWS has and the local AWS would not heed is refused.

    What AWS has not either fails when the resource is made.
    """
    kind = resource["Type"]
    given = set(resource.get("Properties") or {}) & schemas.properties_of(kind, region)
    ignored = sorted(given - KINDS[kind].properties)
    if ignored:
        raise not_here(
            f"Properties of {kind} that are not supported: {name} [{', '.join(ignored)}]."
        )


def check_attribute(name: str, kind: str, attribute: str, region: str) -> None:
    if attribute in KINDS[kind].attributes:
        return
    if not schemas.has_attribute(kind, attribute, region):
        raise template_error(
            f"resource {name} does not support attribute type {attribute} in Fn::GetAtt"
        )
    raise not_here(f"The attribute {attribute} of {kind} is not supported.")


def capabilities_of(template: Template) -> list[str]:
    """What has to be acknowledged of a template that makes roles; SAM makes some, too."""
    named = {
        bool(IAM_NAMES[each["Type"]] and IAM_NAMES[each["Type"]] in (each.get("Properties") or {}))
        for each in template["Resources"].values()
        if each["Type"] in IAM_NAMES
    }
    if not named:
        return []
    return ["CAPABILITY_NAMED_IAM" if True in named else "CAPABILITY_IAM"]


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    """A template that makes roles has to be acknowledged; the greater capability is enough."""
    has = set(given)
    if "CAPABILITY_NAMED_IAM" in has:
        has.add("CAPABILITY_IAM")
    lacking = [each for each in capabilities_of(template) if each not in has]
    if lacking:
        raise missing_capabilities(lacking)


def depends_on(resource: Template) -> list[str]:
    given = resource.get("DependsOn") or []
    return list(given) if isinstance(given, list) else [given]


def in_order(resources: Template) -> list[str]:
    """The names of resources, each after those that it needs; else as they are written."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, resource in resources.items():
        needed = [each for each, _ in references(resource.get("Properties") or {})]
        sorter.add(name, *(n for n in [*needed, *depends_on(resource)] if n in resources))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        names = list(dict.fromkeys(error.args[1]))
        raise invalid(f"Circular dependency between resources: [{', '.join(names)}]") from None
