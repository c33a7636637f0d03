"""Filter patterns of a trigger: which are valid, and which records pass them.

LS-023 to LS-025, and "Lambda event filtering" in the Lambda Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from moto.events.models import EventPattern

TEXT_OPERATORS = {"cidr", "equals-ignore-case", "prefix", "suffix", "wildcard"}
SIGNS = ("<", "<=", "=", ">=", ">")


def is_valid_pattern(pattern: Any) -> bool:
    """Whether AWS takes a filter pattern: an object whose leaves are lists (LS-025)."""
    try:
        return _is_node(json.loads(pattern))
    except (TypeError, ValueError, RecursionError):
        return False


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and bool(node) and all(map(_is_rule, node, node.values()))


def _is_rule(key: str, value: Any) -> bool:
    if isinstance(value, dict) and key != "$or":
        return _is_node(value)
    check = _is_node if key == "$or" else _is_leaf
    return isinstance(value, list) and bool(value) and all(map(check, value))


def _is_leaf(value: Any) -> bool:
    """A value to compare with, or one operator, such as {"prefix": "us-"}."""
    if isinstance(value, dict):
        return len(value) == 1 and all(map(_is_operation, value, value.values()))
    return not isinstance(value, list)


def _is_operation(operator: str, operand: Any) -> bool:
    """An operator with an operand of the kind that it compares with."""
    if operator == "exists":
        return isinstance(operand, bool)
    if operator == "numeric":
        return _is_range(operand)
    if operator == "anything-but":
        values = operand if isinstance(operand, list) else [operand]
        return _is_text_operation(operand) or not any(isinstance(v, (dict, list)) for v in values)
    return _is_text_operation({operator: operand})


def _is_range(operand: Any) -> bool:
    """One or two comparisons, such as [">", 0, "<=", 5]."""
    return (
        isinstance(operand, list)
        and len(operand) in (2, 4)
        and all(sign in SIGNS for sign in operand[::2])
        and all(type(bound) in (int, float) for bound in operand[1::2])
    )


def _is_text_operation(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((operator, operand),) = value.items()
    if isinstance(operand, dict) and operator in ("prefix", "suffix"):
        operand = operand.get("equals-ignore-case") if len(operand) == 1 else None
        return isinstance(operand, str)
    texts = operand if isinstance(operand, list) else [operand]
    return operator in TEXT_OPERATORS and all(isinstance(text, str) for text in texts)


def matches(record: Mapping[str, Any], patterns: list[str]) -> bool:
    """Whether a record passes one of the filter patterns (LS-023, LS-024).

    The operators are those of moto's EventBridge. Other than EventBridge it does not look
    into lists of objects. A body that is nested too deeply to be looked into matches nothing.
    """
    try:
        return not patterns or any(_matches_one(record, pattern) for pattern in patterns)
    except RecursionError:
        return False


class Pattern(EventPattern):
    """moto's pattern, with a difference between true and 1 as JSON has it."""

    def _does_item_match_filters(self, item: Any, filters: list[Any]) -> bool:
        items = item if isinstance(item, list) and item else [item]
        matches_one = super()._does_item_match_filters
        return any(
            matches_one(each, [rule for rule in filters if _is_comparable(each, rule)])
            for each in items
        )


def _is_comparable(value: Any, rule: Any) -> bool:
    if isinstance(rule, dict):
        return not (isinstance(value, bool) and "numeric" in rule)
    return isinstance(value, bool) == isinstance(rule, bool)


def _matches_one(record: Mapping[str, Any], pattern: str) -> bool:
    """Body and pattern must have the same format: both JSON objects, or both plain text.

    Source: "Lambda event filtering", Lambda Developer Guide. A pattern that says nothing of
    the body takes it in any format.
    """
    rules, wanted = _read_pattern(pattern)
    seen = _with_body_as_object(record) if wanted else record
    if wanted and type(seen["body"]) not in wanted:
        return False
    return rules.matches_event(seen)


@lru_cache(maxsize=1_000)
def _read_pattern(pattern: str) -> tuple[Pattern, set[type]]:
    """A pattern, and the formats of the body that it is for: dict, str, both or none."""
    node = json.loads(pattern)
    parts = [node, *node.get("$or", [])]
    formats: set[type] = {
        dict if isinstance(part["body"], dict) else str for part in parts if "body" in part
    }
    return Pattern.load(pattern), formats


def _with_body_as_object(record: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = json.loads(record["body"])
    except (ValueError, RecursionError):
        return record
    return {**record, "body": body} if isinstance(body, dict) else record
