"""Errors of Lambda that several of its parts answer with, and the form of their bodies."""

from __future__ import annotations

import json
from typing import Any

from moto.awslambda.exceptions import LambdaClientError

ERROR_TYPE = "X-Amzn-ErrorType"
WITHOUT_TYPE = ("ValidationException", "RequestEntityTooLargeException")


class ResourceConflict(LambdaClientError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


class NotFound(LambdaClientError):
    code = 404

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message)


class PreconditionFailed(LambdaClientError):
    code = 412

    def __init__(self, message: str) -> None:
        super().__init__("PreconditionFailedException", message)


class RequestTooLarge(LambdaClientError):
    code = 413

    def __init__(self, message: str) -> None:
        super().__init__("RequestEntityTooLargeException", message)


def violation(value: Any, where: str, constraint: str) -> LambdaClientError:
    """The refusal of a value that breaks a constraint of Lambda's API model."""
    text = violation_text(value, where, constraint)
    return LambdaClientError("ValidationException", text)


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


class CleanRefusals:
    """For moto's responses: what moto has not implemented is refused, not a page with HTTP 500.

    HTTP 501 is what botocore does not repeat.
    """

    def call_action(self) -> Any:
        try:
            return super().call_action()
        except NotImplementedError as error:
            return 501, {"status": "501", ERROR_TYPE: "NotImplemented"}, self.refusal(str(error))

    @staticmethod
    def refusal(message: str) -> str:
        return json.dumps({"__type": "NotImplemented", "message": message})
