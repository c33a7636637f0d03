"""The values of a template's parameters.

Source: CloudFormation User Guide, "CloudFormation template Parameters syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from helpers.localaws.stacks.refusals import invalid, not_here

HIDDEN = "****"
LISTS = ("CommaDelimitedList", "List<Number>")
TYPES = ("String", "Number", *LISTS)


def texts_given(
    declared: Mapping[str, Any], given: Iterable[Mapping[str, Any]], before: Mapping[str, str]
) -> dict[str, str]:
    """The value of each parameter as a text: the caller's, the one from before, the default.

    `before` are the values that the stack has, for those with UsePreviousValue.
    """
    told: dict[str, str] = {}
    for each in given:
        name = each["ParameterKey"]
        if each.get("UsePreviousValue"):
            if name in before:
                told[name] = before[name]
        elif "ParameterValue" in each:
            told[name] = str(each["ParameterValue"])
    foreign = sorted(set(told) - set(declared))
    if foreign:
        raise invalid(f"Parameters: [{', '.join(foreign)}] do not exist in the template")
    defaults = {name: as_text(p["Default"]) for name, p in declared.items() if "Default" in p}
    values = defaults | told
    lacking = sorted(set(declared) - set(values))
    if lacking:
        raise invalid(f"Parameters: [{', '.join(lacking)}] must have values")
    for name, about in declared.items():
        check(name, about, values[name])
    return values


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(name: str, about: Mapping[str, Any], value: str) -> None:
    """A value's type and its constraints."""
    kind = str(about.get("Type"))
    if kind not in TYPES:
        if kind.startswith(("AWS::", "List<AWS::")):
            raise not_here(f"Parameters of type {kind} are not supported: {name}.")
        raise invalid(f"Template format error: Unrecognized parameter type: {kind}")
    for each in value.split(",") if kind in LISTS else [value]:
        problem = problem_of(name, about, kind, each.strip() if kind in LISTS else each)
        if problem:
            described = about.get("ConstraintDescription")
            if described:
                problem = f"Parameter {name} failed to satisfy constraint: {described}"
            raise invalid(problem)


def problem_of(name: str, about: Mapping[str, Any], kind: str, value: str) -> str | None:
    """What is wrong with one value, as a sentence."""
    allowed = [as_text(each) for each in about.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"Parameter '{name}' must be one of AllowedValues"
    pattern = about.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"Parameter '{name}' must match pattern {pattern}"
    if "Number" in kind:
        return problem_of_number(name, about, value)
    return problem_of_length(name, about, value)


def problem_of_number(name: str, about: Mapping[str, Any], value: str) -> str | None:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", value):
        return f"Parameter '{name}' must be a number"
    if float(value) < float(about.get("MinValue", "-inf")):
        return f"Parameter '{name}' must be a number not less than {about['MinValue']}"
    if float(value) > float(about.get("MaxValue", "inf")):
        return f"Parameter '{name}' must be a number not greater than {about['MaxValue']}"
    return None


def problem_of_length(name: str, about: Mapping[str, Any], value: str) -> str | None:
    if len(value) < int(about.get("MinLength", 0)):
        return f"Parameter '{name}' must contain at least {about['MinLength']} characters"
    if len(value) > int(about.get("MaxLength", 4096)):
        return f"Parameter '{name}' must contain at most {about.get('MaxLength', 4096)} characters"
    return None


def values_of(declared: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """What Ref says of each parameter: a list of those that are one."""
    return {
        name: [part.strip() for part in text.split(",")]
        if declared[name].get("Type") in LISTS
        else text
        for name, text in texts.items()
    }


def shown(declared: Mapping[str, Any], texts: Mapping[str, str]) -> list[dict[str, str]]:
    """The parameters as a description of the stack has them: secrets are hidden."""
    return [
        {
            "ParameterKey": name,
            "ParameterValue": HIDDEN if is_hidden(declared.get(name, {})) else text,
        }
        for name, text in texts.items()
    ]


def is_hidden(about: Mapping[str, Any]) -> bool:
    return as_text(about.get("NoEcho", False)) == "true"
