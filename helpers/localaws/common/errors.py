"""Errors of Lambda that several of its parts answer with, and the form of their bodies."""

from __future__ import annotations

import functools
import json
from typing import Any

from moto.awslambda.exceptions import LambdaClientError

WITHOUT_TYPE = ("ValidationException", "RequestEntityTooLargeException")


STATUSES = {
    "ResourceNotFoundException": 404,
    "ResourceConflictException": 409,
    "PreconditionFailedException": 412,
    "RequestEntityTooLargeException": 413,
}  # all others: 400


def refusal(error_type: str, message: str) -> LambdaClientError:
    """An error of Lambda with the status that AWS gives to it."""
    error = LambdaClientError(error_type, message)
    error.code = STATUSES.get(error_type, 400)
    return error


not_found = functools.partial(refusal, "ResourceNotFoundException")
conflict = functools.partial(refusal, "ResourceConflictException")
in_use = functools.partial(refusal, "ResourceInUseException")
precondition_failed = functools.partial(refusal, "PreconditionFailedException")
too_large = functools.partial(refusal, "RequestEntityTooLargeException")


def violation(value: Any, where: str, constraint: str) -> LambdaClientError:
    """The refusal of a value that breaks a constraint of Lambda's API model."""
    text = violation_text(value, where, constraint)
    return refusal("ValidationException", text)


def violation_text(value: Any, where: str, constraint: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy "
        f"constraint: {constraint}"
    )


def body_as_recorded(error_type: str, body: str) -> str:
    """The body of an error as AWS writes it, from moto's `{"__type": …, "message": …}`.

    A 404 has `Message` and most others `message`, both with the type "User". A body of
    another form stays as it is.
    """
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        return body
    if '"__type"' not in body:
        return body
    if error_type == "ResourceNotFoundException":
        return json.dumps({"Type": "User", "Message": message})
    kind = {} if error_type in WITHOUT_TYPE else {"Type": "User"}
    return json.dumps({**kind, "message": message})
