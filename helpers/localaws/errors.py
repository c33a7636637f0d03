"""Errors of Lambda that several of its parts answer with."""

from __future__ import annotations

from moto.awslambda.exceptions import LambdaClientError


class ResourceConflict(LambdaClientError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


class NotFound(LambdaClientError):
    code = 404

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message)
