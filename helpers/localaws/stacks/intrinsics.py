"""The functions of a template, such as Ref and Fn::Sub: their values, and what they refer to.

Source: CloudFormation User Guide, "Intrinsic function reference".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from helpers.localaws.stacks.refusals import StackError, format_error, template_error

NO_VALUE = object()  # that of AWS::NoValue: what has it is left out
PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")
SYMBOL = "\0"  # in what stands for a value that is not known yet
MALFORMED = (TypeError, ValueError, KeyError, IndexError, AttributeError)
UNSUPPORTED = ("Fn::Transform", "Fn::Cidr", "Fn::GetStackOutput")


class Scope:
    """What the functions of one template look at.

    `names` are parameters and pseudo parameters. `attribute_of(resource, attribute)` is a
    resource's own value, with the attribute "" that of Ref; while that is not known, a text with
    SYMBOL. `imports` are exported values.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        names: Mapping[str, Any],
        attribute_of: Callable[[str, str], Any],
        imports: Mapping[str, str],
    ) -> None:
        self.names = names
        self.mappings = template.get("Mappings") or {}
        self.attribute_of = attribute_of
        self.imports = imports
        self._conditions = template.get("Conditions") or {}
        self._known: dict[str, bool] = {}
        self._being_found: list[str] = []

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            raise template_error(f"unresolved condition dependency {name} in Fn::If")
        if name not in self._known:
            self._being_found.append(name)
            if name in self._being_found[:-1]:
                raise format_error(f"Circular dependency between conditions: [{name}]")
            self._known[name] = bool(self.value(self._conditions[name]))
            self._being_found.remove(name)
        return self._known[name]

    def check_conditions(self) -> None:
        """Find all conditions, before there are resources that they could refer to."""
        for name in self._conditions:
            self.condition(name)

    def value(self, written: Any) -> Any:
        """What a part of the template stands for; NO_VALUE if it is to be left out."""
        if isinstance(written, list):
            return [each for each in map(self.value, written) if each is not NO_VALUE]
        if not isinstance(written, dict):
            return written
        if len(written) == 1:
            ((name, argument),) = written.items()
            function = FUNCTIONS.get(name)
            if function is not None:
                return self._apply(name, function, argument)
            if name in UNSUPPORTED:
                raise template_error(f"{name} is not supported by the local AWS.")
        values = {key: self.value(each) for key, each in written.items()}
        return {key: each for key, each in values.items() if each is not NO_VALUE}

    def _apply(self, name: str, function: Callable[[Scope, Any], Any], argument: Any) -> Any:
        try:
            return function(self, argument)
        except MALFORMED:
            raise template_error(f"the argument of {name} is malformed: {argument}") from None

    def text(self, written: Any) -> str:
        """The value as CloudFormation writes it into a text."""
        value = self.value(written)
        return str(value).lower() if isinstance(value, bool) else str(value)


# -- each function -----------------------------------------------------------------------


def ref(scope: Scope, name: Any) -> Any:
    return scope.names[name] if name in scope.names else scope.attribute_of(name, "")


def get_att(scope: Scope, argument: Any) -> Any:
    resource, attribute = attribute_named(argument)
    return scope.attribute_of(resource, scope.text(attribute))


def attribute_named(argument: Any) -> tuple[str, Any]:
    """The resource and the attribute of a Fn::GetAtt, in either of its two forms."""
    if isinstance(argument, str):
        resource, _, attribute = argument.partition(".")
        return resource, attribute
    if not isinstance(argument, list) or len(argument) < 2:
        raise template_error(
            "every Fn::GetAtt object requires two non-empty parameters, the resource name and "
            "the resource attribute"
        )
    attribute = argument[1] if len(argument) == 2 else ".".join(argument[1:])
    return str(argument[0]), attribute


def sub(scope: Scope, argument: Any) -> str:
    text, given = argument if isinstance(argument, list) else (argument, {})

    def fill(found: re.Match[str]) -> str:
        literal, name = found.groups()
        name = name.strip()
        if literal:
            return f"${{{found.group(2)}}}"
        if name in given:
            return scope.text(given[name])
        return scope.text({"Fn::GetAtt": name} if "." in name else {"Ref": name})

    return PLACEHOLDER.sub(fill, text)


def join(scope: Scope, argument: Any) -> str:
    if not isinstance(argument, list) or len(argument) != 2:
        raise template_error(
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a "
            "list of strings to be joined or a function that returns a list of strings (such as "
            "Fn::GetAZs) to be joined."
        )
    return str(argument[0]).join(map(scope.text, as_list(scope.value(argument[1]))))


def select(scope: Scope, argument: Any) -> Any:
    index, values = scope.value(argument[0]), as_list(scope.value(argument[1]))
    if not str(index).isdecimal() or int(index) >= len(values):
        if any(SYMBOL in str(each) for each in values):
            return f"{values}[{index}]"
        raise template_error(f"Fn::Select cannot select nonexistent value at index {index}")
    return values[int(index)]


def split(scope: Scope, argument: Any) -> list[str]:
    return scope.text(argument[1]).split(argument[0])


def find_in_map(scope: Scope, argument: Any) -> Any:
    name, first, second = map(scope.value, argument[:3])
    if name not in scope.mappings:
        raise template_error(
            f"Mapping named '{name}' is not present in the 'Mappings' section of template."
        )
    try:
        return scope.mappings[name][str(first)][str(second)]
    except KeyError:
        if len(argument) > 3 and "DefaultValue" in argument[3]:
            return scope.value(argument[3]["DefaultValue"])
        raise template_error(f"Unable to get mapping for {name}::{first}::{second}") from None


def choose(scope: Scope, argument: Any) -> Any:
    condition, if_true, if_false = argument
    return scope.value(if_true if scope.condition(condition) else if_false)


def import_value(scope: Scope, argument: Any) -> str:
    name = scope.text(argument)
    if name not in scope.imports:
        raise StackError("ValidationError", f"No export named {name} found.")
    return scope.imports[name]


def same(scope: Scope, argument: Any) -> bool:
    return scope.text(argument[0]) == scope.text(argument[1])


def to_json(scope: Scope, argument: Any) -> str:
    return json.dumps(scope.value(argument), separators=(",", ":"))


def as_list(value: Any) -> list[Any]:
    """A list parameter may be given as a text with commas."""
    return value if isinstance(value, list) else str(value).split(",")


FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": ref,
    "Fn::GetAtt": get_att,
    "Fn::Sub": sub,
    "Fn::Join": join,
    "Fn::Select": select,
    "Fn::Split": split,
    "Fn::FindInMap": find_in_map,
    "Fn::If": choose,
    "Fn::ImportValue": import_value,
    "Fn::Base64": lambda scope, text: base64.b64encode(scope.text(text).encode()).decode(),
    "Fn::GetAZs": lambda scope, region: [
        f"{scope.text(region) or scope.names['AWS::Region']}{zone}" for zone in "abc"
    ],
    "Fn::ToJsonString": to_json,
    "Fn::Length": lambda scope, values: len(as_list(scope.value(values))),
    "Fn::Equals": same,
    "Fn::And": lambda scope, conditions: all(map(scope.value, conditions)),
    "Fn::Or": lambda scope, conditions: any(map(scope.value, conditions)),
    "Fn::Not": lambda scope, conditions: not scope.value(conditions[0]),
    "Condition": lambda scope, name: scope.condition(name) if isinstance(name, str) else name,
}


# -- what is referred to -----------------------------------------------------------------


def references(written: Any) -> list[tuple[str, str]]:
    """Each resource or parameter that is referred to, with the attribute, "" for Ref.

    Raises StackError for a function whose argument is none.
    """
    try:
        return list(found_in(written))
    except MALFORMED:
        raise template_error("an argument of Fn::GetAtt or Fn::Sub is malformed") from None


def found_in(written: Any) -> Iterator[tuple[str, str]]:
    if isinstance(written, list):
        for each in written:
            yield from found_in(each)
    elif isinstance(written, dict):
        for name, argument in written.items():
            if name == "Ref" and len(written) == 1:
                yield str(argument), ""
            elif name == "Fn::GetAtt" and len(written) == 1:
                resource, attribute = attribute_named(argument)
                yield resource, attribute if isinstance(attribute, str) else ""
            elif name == "Fn::Sub" and len(written) == 1:
                yield from references_of_sub(argument)
            else:
                yield from found_in(argument)


def references_of_sub(argument: Any) -> Iterator[tuple[str, str]]:
    text, given = argument if isinstance(argument, list) else (argument, {})
    yield from found_in(given)
    for literal, name in PLACEHOLDER.findall(text):
        if not literal and name.strip() not in given:
            resource, _, attribute = name.strip().partition(".")
            yield resource, attribute
