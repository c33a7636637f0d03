"""What SQS's calls answer while a change has not reached all of its servers.

Answers are changed in the JSON protocol, which today's SDKs speak; a call of the older query
protocol gets the present values.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

from moto.sqs.exceptions import SQSException
from moto.sqs.models import sqs_backends

from helpers.localaws.front.protocols import Answer, Fault, error_answer, make_answer
from helpers.localaws.queues.backend import COUNTERS
from helpers.localaws.rehearsal.conditions import Conditions, Effect, OldValues, Request

NO_QUEUE = Fault(
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "The specified queue does not exist.",
    400,
)
RETENTION = "MessageRetentionPeriod"
TAGGING = ("TagQueue", "UntagQueue")
# Calls after which a queue's counters are others.
COUNTED = (
    *("SendMessage", "SendMessageBatch", "ReceiveMessage", "PurgeQueue"),
    *("DeleteMessage", "DeleteMessageBatch"),
    *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
)


class QueueEffect(Effect):
    """An effect on calls that name a queue."""

    def before(self, request: Request) -> Answer | None:
        return self.before_queue(request, key_of(request)) if is_of_queue(request) else None

    def after(self, request: Request, body: bytes) -> bytes:
        return self.after_queue(request, key_of(request), body) if is_of_queue(request) else body

    def before_queue(self, _request: Request, _key: str) -> Answer | None:
        return None

    def after_queue(self, _request: Request, _key: str, body: bytes) -> bytes:
        return body


class LateAttributes(QueueEffect):
    """After SetQueueAttributes, reads alternate between old values and new ones.

    Only what is read is late: the queue itself works by its new attributes at once.
    """

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._old = OldValues(conditions)

    def before_queue(self, request: Request, _key: str) -> Answer | None:
        if request.operation == "SetQueueAttributes":
            present = attributes_of(request)
            given = request.parameters.get("Attributes")
            changed = given if isinstance(given, dict) else {}
            request.notes["attributes"] = {name: present.get(name) for name in changed}
        return None

    def after_queue(self, request: Request, key: str, body: bytes) -> bytes:
        if request.operation == "SetQueueAttributes":
            for name, old in request.notes["attributes"].items():
                effect = "retention read" if name == RETENTION else "attribute read"
                seconds = self.conditions.delay_s(effect, f"{key} {name}")
                self._old.keep((key, name), old, seconds)
        elif request.operation == "GetQueueAttributes":
            return change_attributes(body, lambda shown: self._with_old(key, shown))
        return body

    def _with_old(self, key: str, shown: dict[str, str]) -> dict[str, str]:
        old = {}
        for name in shown:
            seen = self._old.alternate((key, name))
            if seen is not None:
                old[name] = seen[0]
        if old:
            self.conditions.report.count("stale read")
        return {name: value for name, value in {**shown, **old}.items() if value is not None}


class LateCounters(QueueEffect):
    """ApproximateNumberOf… are those of a moment that is some seconds ago."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, dict[str, str]]] = {}

    def before_queue(self, request: Request, key: str) -> Answer | None:
        if request.operation in COUNTED:
            self._look(request, key)
        return None

    def after_queue(self, request: Request, key: str, body: bytes) -> bytes:
        if request.operation != "GetQueueAttributes":
            return body
        old = self._look(request, key)
        return change_attributes(body, lambda shown: self._with_old(shown, old))

    def _look(self, request: Request, key: str) -> dict[str, str]:
        """The counters that show now; when they are too old, they are counted anew."""
        with self._lock:
            until, counters = self._seen.get(key, (float("-inf"), {}))
        if self.conditions.now() < until:
            return counters
        present = attributes_of(request)
        counters = {name: present[name] for name in COUNTERS.values() if name in present}
        until = self.conditions.now() + self.conditions.delay_s("counter read", key)
        with self._lock:
            self._seen[key] = until, counters
        return counters

    def _with_old(self, shown: dict[str, str], old: dict[str, str]) -> dict[str, str]:
        late = {name: old[name] for name in shown if old.get(name, shown[name]) != shown[name]}
        if late:
            self.conditions.report.count("stale read")
        return {**shown, **late}


class LateQueueTags(QueueEffect):
    """ListQueueTags shows tags some time after they were changed."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._old = OldValues(conditions)

    def before_queue(self, request: Request, _key: str) -> Answer | None:
        queue = find_queue(request)
        if request.operation in TAGGING and queue is not None:
            request.notes["queue tags"] = dict(queue.tags)
        return None

    def after_queue(self, request: Request, key: str, body: bytes) -> bytes:
        if "queue tags" in request.notes:
            seconds = self.conditions.delay_s("tags read", key)
            self._old.keep(key, request.notes["queue tags"], seconds)
        elif request.operation == "ListQueueTags":
            seen = self._old.see(key)
            if seen is not None:
                self.conditions.report.count("stale read")
                return json.dumps({"Tags": seen[0]}).encode()
        return body


class NewQueues(QueueEffect):
    """A new queue cannot be used for up to a second."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._not_there = OldValues(conditions)

    def before_queue(self, request: Request, key: str) -> Answer | None:
        if request.operation == "CreateQueue":
            request.notes["is new"] = find_queue(request) is None
        elif request.operation != "DeleteQueue" and self._not_there.see(key):
            self.conditions.report.count("new queue")
            return error_answer(request.environ, "sqs", NO_QUEUE)
        return None

    def after_queue(self, request: Request, key: str, body: bytes) -> bytes:
        if request.notes.get("is new"):
            self._not_there.keep(key, None, self.conditions.delay_s("queue usable", key))
        return body


class GhostQueues(QueueEffect):
    """A deleted queue still answers for up to a minute.

    Its URL and attributes are found, what is sent to it is lost, and nothing is received.
    """

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._ghosts = OldValues(conditions)

    def before_queue(self, request: Request, key: str) -> Answer | None:
        if request.operation == "DeleteQueue":
            request.notes["ghost"] = attributes_of(request)
            return None
        answer = GHOST_ANSWERS.get(request.operation)
        if answer is None or find_queue(request) is not None:
            return None
        ghost = self._ghosts.see(key)
        if ghost is None:
            return None
        self.conditions.report.count("ghost queue")
        text = json.dumps(answer(request, ghost[0]))
        return make_answer(200, {"Content-Type": "application/x-amz-json-1.0"}, text)

    def after_queue(self, request: Request, key: str, body: bytes) -> bytes:
        if request.operation == "DeleteQueue" and request.notes["ghost"]:
            seconds = self.conditions.delay_s("queue gone", key)
            self._ghosts.keep(key, request.notes["ghost"], seconds)
        return body


def ghost_url(request: Request, attributes: dict[str, str]) -> dict[str, Any]:
    host = request.environ.get("HTTP_HOST", "")
    _, account, name = attributes["QueueArn"].rsplit(":", 2)
    return {"QueueUrl": f"http://{host}/{account}/{name}"}


def ghost_attributes(request: Request, attributes: dict[str, str]) -> dict[str, Any]:
    wanted = request.parameters.get("AttributeNames") or []
    shown = {name: each for name, each in attributes.items() if {"All", name} & {*wanted}}
    return {"Attributes": shown} if shown else {}


def ghost_send(request: Request, _attributes: dict[str, str]) -> dict[str, Any]:
    body = str(request.parameters.get("MessageBody", ""))
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": digest}


def ghost_receive(_request: Request, _attributes: dict[str, str]) -> dict[str, Any]:
    return {}


GHOST_ANSWERS: dict[str, Callable[[Request, dict[str, str]], dict[str, Any]]] = {
    "GetQueueUrl": ghost_url,
    "GetQueueAttributes": ghost_attributes,
    "SendMessage": ghost_send,
    "ReceiveMessage": ghost_receive,
}


# -- the queue of a call ---------------------------------------------------------------------


def is_of_queue(request: Request) -> bool:
    call = request.call
    return call.service == "sqs" and call.protocol == "json" and bool(name_of(request))


def name_of(request: Request) -> str:
    """The name of the queue that a call is about; "" when it is about none."""
    given = request.parameters.get("QueueUrl") or request.parameters.get("QueueName")
    return given.rpartition("/")[2] if isinstance(given, str) else ""


def key_of(request: Request) -> str:
    return f"{request.call.account}:{request.call.region}:{name_of(request)}"


def find_queue(request: Request) -> Any:
    backend = sqs_backends[request.call.account][request.call.region]
    return backend.queues.get(name_of(request))


def attributes_of(request: Request) -> dict[str, str]:
    """The present attributes of the queue of a call, as they are answered; {} without a queue."""
    backend = sqs_backends[request.call.account][request.call.region]
    try:
        found = backend.get_queue_attributes(name_of(request), ["All"])
    except SQSException:
        return {}
    return {name: as_text(value) for name, value in found.items()}


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def change_attributes(body: bytes, change: Callable[[dict[str, str]], dict[str, str]]) -> bytes:
    """The body of a GetQueueAttributes answer with other attributes."""
    answer = json.loads(body)
    shown = answer.get("Attributes")
    if not shown:
        return body
    changed = change(shown)
    return body if changed == shown else json.dumps({**answer, "Attributes": changed}).encode()
