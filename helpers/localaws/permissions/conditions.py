"""Conditions of a policy's statements, as far as the local AWS knows what they ask for.

Judged are the keys in KEYS, and tags of the caller and of the call, with the operators that compare
text and ARNs. A condition with any other key or operator counts as if it held. Source: "IAM JSON
policy elements: Condition operators" in the IAM User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

IF_EXISTS, NOT = "ifexists", "not"
# What these services tell of a call: "Actions, resources, and condition keys for AWS IAM" and
# "... for AWS Lambda" in the Service Authorization Reference.
PASSED_TO, POLICY = "iam:passedtoservice", "iam:policyarn"
BOUNDARY, FUNCTION = "iam:permissionsboundary", "lambda:functionarn"
KEYS = frozenset({PASSED_TO, POLICY, BOUNDARY, FUNCTION})
CALLERS_TAG, TAG_IN_CALL = "aws:principaltag/", "aws:requesttag/"  # and the tag's key


def hold(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether all conditions of a statement hold for a call.

    `context` has what the call has of the keys that are judged, in lower case, and its values.

    >>> hold({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, {})
    False
    """
    return all(
        holds(operator.lower(), key.lower(), wanted, context)
        for operator, block in condition.items()
        for key, wanted in block.items()
    )


def holds(operator: str, key: str, wanted: object, context: Mapping[str, str]) -> bool:
    name = operator.removesuffix(IF_EXISTS)
    compare = OPERATORS.get(name.replace(NOT, ""))
    if compare is None or not (key in KEYS or key.startswith((CALLERS_TAG, TAG_IN_CALL))):
        return True
    if key not in context:
        return NOT in name or operator != name
    texts = wanted if isinstance(wanted, list) else [wanted]
    return any(compare(str(text), context[key]) for text in texts) != (NOT in name)


def like(pattern: str, value: str) -> bool:
    """Whether a text fits a pattern with `*` and `?`.

    >>> like("anna-*", "anna-orders"), like("ann?", "anna-orders")
    (True, False)
    """
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, value, re.S) is not None


def arn_like(pattern: str, value: str) -> bool:
    """Whether an ARN fits a pattern: each of its six parts by itself.

    >>> arn = "arn:aws:iam::123456789012:policy/a"
    >>> arn_like("arn:aws:iam::*:policy/*", arn), arn_like("arn:*:policy/a", arn)
    (True, False)
    """
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(like, patterns, parts))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": str.__eq__,
    "stringlike": like,
    "arnequals": arn_like,  # the same as ArnLike, says the guide
    "arnlike": arn_like,
}
