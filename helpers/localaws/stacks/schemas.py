"""AWS's own schemas of its resource types, as cfn-lint brings them.

They say which properties a type has, which of them AWS itself writes, and which make another
resource of it when they change. cfn-lint and jsonschema are imported at the first use, for that
takes about a second each.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import ValidationError

NAMES = {
    "integer": "Integer",
    "number": "Number",
    "string": "String",
    "boolean": "Boolean",
    "array": "JSONArray",
    "object": "JSONObject",
}
KINDS: tuple[tuple[type, str], ...] = (
    (bool, "Boolean"),
    (int, "Integer"),
    (float, "BigDecimal"),
    (str, "String"),
    (list, "JSONArray"),
    (dict, "JSONObject"),
)


def exists(kind: str, region: str) -> bool:
    """Whether AWS has this type of resource."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    return kind in PROVIDER_SCHEMA_MANAGER.get_resource_types(region)


@functools.lru_cache(maxsize=100)
def schema_of(kind: str, region: str) -> dict[str, Any]:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema
    return found


def properties_of(kind: str, region: str) -> set[str]:
    """The names of the properties that a template may write."""
    schema = schema_of(kind, region)
    return set(schema["properties"]) - top_level(schema.get("readOnlyProperties"))


def has_attribute(kind: str, attribute: str, region: str) -> bool:
    """Whether AWS has this attribute of Fn::GetAtt."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    return attribute in PROVIDER_SCHEMA_MANAGER.get_type_getatts(kind, region)


def replacing(kind: str, region: str) -> set[str]:
    """The properties that cannot change: another value means another resource."""
    return top_level(schema_of(kind, region).get("createOnlyProperties"))


def has_system_tags(kind: str, region: str) -> bool:
    """Whether AWS tags a resource of this type with its stack and its logical id."""
    tagging = schema_of(kind, region).get("tagging") or {}
    return bool(tagging.get("taggable") and tagging.get("cloudFormationSystemTags"))


def is_taggable(kind: str, region: str) -> bool:
    return bool((schema_of(kind, region).get("tagging") or {}).get("taggable"))


def top_level(pointers: list[str] | None) -> set[str]:
    return {pointer.split("/")[2] for pointer in pointers or [] if pointer.count("/") == 2}


# -- types and what is wrong ---------------------------------------------------------------


def coerced(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """Texts in the place of numbers and of true and false, as CloudFormation takes them.

    >>> coerced("30", {"type": "integer"}, {}), coerced(5, {"type": "string"}, {})
    (30, '5')
    """
    schema = resolved(schema, root)
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        return {key: coerced(each, known.get(key, {}), root) for key, each in value.items()}
    if isinstance(value, list):
        return [coerced(each, schema.get("items") or {}, root) for each in value]
    return scalar(value, schema.get("type"))


def scalar(value: Any, kind: Any) -> Any:
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind in ("integer", "number") and isinstance(value, str):
        if re.fullmatch(r"-?\d+", value):
            return int(value)
        is_fraction = kind == "number" and re.fullmatch(r"-?\d*\.\d+", value)
        return float(value) if is_fraction else value
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """A schema without the reference to a definition that it may be."""
    if not isinstance(schema, dict):
        return {}
    pointer = schema.get("$ref")
    if not pointer:
        return schema
    found: Any = root
    for part in pointer.removeprefix("#/").split("/"):
        found = found.get(part, {})
    return resolved(found, root)


def wrong(kind: str, properties: dict[str, Any], region: str) -> list[str]:
    """What AWS says of properties that its schema does not allow."""
    from jsonschema import Draft7Validator

    errors = Draft7Validator(without_patterns(kind, region)).iter_errors(properties)
    return [sentence for error in errors for sentence in sentences(error)]


@functools.lru_cache(maxsize=100)
def without_patterns(kind: str, region: str) -> dict[str, Any]:
    """The schema but for its patterns, which are of another language than Python's.

    The service whose resource it is looks at them, too.
    """
    stripped: dict[str, Any] = strip(schema_of(kind, region))
    for name in top_level(stripped.get("readOnlyProperties")):
        stripped["properties"].pop(name, None)
    return stripped


def strip(schema: Any) -> Any:
    if isinstance(schema, list):
        return [strip(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = [name for name in ("pattern", "format") if isinstance(schema.get(name), str)]
    if "patternProperties" in schema:
        dropped += ["patternProperties", "additionalProperties"]
    return {key: strip(each) for key, each in schema.items() if key not in dropped}


def sentences(error: ValidationError) -> Iterator[str]:
    where = "#" + "".join(f"/{part}" for part in error.absolute_path)
    value, limit = error.instance, error.validator_value
    if error.validator == "additionalProperties":
        for name in sorted(set(value) - set(error.schema.get("properties", {}))):
            yield f"{where}: extraneous key [{name}] is not permitted"
    elif error.validator == "required":
        name = error.message.split("'")[1]
        yield f"{where}: required key [{name}] not found"
    elif error.validator == "type":
        expected = NAMES.get(str(limit), str(limit))
        yield f"{where}: expected type: {expected}, found: {kind_of(value)}"
    elif error.validator == "enum":
        yield f"{where}: {value} is not a valid enum value"
    elif error.validator == "maximum":
        yield f"{where}: {value} is not less or equal to {limit}"
    elif error.validator == "minimum":
        yield f"{where}: {value} is not greater or equal to {limit}"
    else:
        yield f"{where}: failed validation constraint for keyword [{error.validator}]"


def kind_of(value: Any) -> str:
    return next((name for kind, name in KINDS if isinstance(value, kind)), "Null")
