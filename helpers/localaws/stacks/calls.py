"""Calls of the local AWS's own APIs, in the name of who called CloudFormation."""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.loaders import create_loader

from helpers.localaws.stacks.refusals import StackError

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60
)
LOOK_EVERY_S = 0.05
# The error codes of a thing that is not there, in the services that stacks use.
NOT_FOUND = {
    *("ResourceNotFoundException", "NoSuchEntity", "NotFound", "NotFoundException", "404"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket"),
    "ResourceNotFound",
}
HANDLER_CODES = {
    "AccessDenied": "AccessDenied",
    "AccessDeniedException": "AccessDenied",
    "EntityAlreadyExists": "AlreadyExists",
    "ResourceConflictException": "AlreadyExists",
    "ResourceAlreadyExistsException": "AlreadyExists",
    "ResourceInUseException": "ResourceConflict",
    "DeleteConflict": "ResourceConflict",
}
# Services as the messages name them, where it is not as types of resources do.
SERVICES = {
    "SQS": "Sqs",
    "IAM": "Iam",
    "Logs": "CloudWatchLogs",
    "DynamoDB": "DynamoDb",
    "SNS": "Sns",
}

_making = threading.Lock()  # botocore: a session makes one client at a time
_models = create_loader()  # to read them takes 0.1 s: all sessions share what it has read


class Failed(Exception):
    """A resource could not be made, changed or deleted, for this reason."""


class Calls:
    """Clients of the local AWS in a region, that sign with one caller's credentials."""

    def __init__(self, endpoint_url: str, region: str, credentials: Mapping[str, str]) -> None:
        self.region = region
        self._endpoint_url = endpoint_url
        core = botocore.session.Session()
        core.register_component("data_loader", _models)
        self._session = boto3.Session(region_name=region, botocore_session=core, **credentials)
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """The client of a service."""
        with _making:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint_url, config=CONFIG
                )
        return self._clients[service]


def is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in NOT_FOUND


def find(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer to a call, None if what it is about is not there."""
    try:
        return call(**arguments)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def refuse_existing(found: Any, kind: str, name: str) -> None:
    """A resource that is there already is none of the stack's."""
    if found:
        text = f"Resource of type '{kind}' with identifier '{name}' already exists."
        raise Failed(handler_message(text, "AlreadyExists"))


def wait_for(look: Callable[[], bool], what: str, limit_s: float = 300) -> None:
    """Wait until `look()`, as CloudFormation waits until a resource has stabilised."""
    end = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > end:
            raise Failed(handler_message(f"{what} did not stabilize.", "NotStabilized"))
        time.sleep(LOOK_EVERY_S)


def reason_of(error: Exception, kind: str = "") -> str:
    """The reason of a failed resource of this type, as a stack's events give it."""
    if isinstance(error, ClientError):
        told, about = error.response["Error"], error.response["ResponseMetadata"]
        service = kind.split("::")[1] if "::" in kind else ""
        text = (
            f"{told.get('Message')} (Service: {SERVICES.get(service, service)}, Status Code: "
            f"{about.get('HTTPStatusCode')}, Request ID: {about.get('RequestId')})"
        )
        return handler_message(text, HANDLER_CODES.get(told.get("Code", ""), "InvalidRequest"))
    if isinstance(error, ParamValidationError):
        return handler_message(str(error), "InvalidRequest")
    if isinstance(error, (Failed, StackError)):
        return str(error)
    traceback.print_exception(error)
    return handler_message("Internal Failure", "InternalFailure")


def handler_message(text: str, code: str) -> str:
    token = uuid.uuid4()
    return (
        f'Resource handler returned message: "{text}" (RequestToken: {token}, HandlerErrorCode: '
        f"{code})"
    )
