"""SQS: moto's API in front of the message store, with moto's answers corrected to AWS's.

moto keeps the queues, their attributes, tags and policies. The messages live in a
`MessageStore`, and moto's own Lambda trigger, which sits inside moto's SendMessage, never
sees a mapping (it is the poller's work). What AWS refuses is in `refusals`, what each call
does in `operations`, and how it is answered in `answers`.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, cast

from moto.sqs import models as moto_sqs
from moto.sqs import urls as moto_urls
from moto.sqs.exceptions import (
    InvalidAttributeName,
    InvalidParameterValue,
    QueueDoesNotExist,
    SQSException,
)

from helpers.localaws.common import arns
from helpers.localaws.common.moto_patches import put_in_place
from helpers.localaws.metrics.services import QueueMetrics
from helpers.localaws.metrics.store import store_of
from helpers.localaws.queues import housekeeping
from helpers.localaws.queues import refusals as rules
from helpers.localaws.queues.message import Message, Untracked
from helpers.localaws.queues.message_store import (
    Closed,
    MessageStore,
    Settings,
    never,
    now_ms,
    read_handle,
)
from helpers.localaws.queues.move_tasks import MoveTasks

RECREATE_AFTER_S = 60  # LS-104
COUNTERS = {
    "ready": "ApproximateNumberOfMessages",
    "hidden": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


class Statement(dict[str, Any]):
    """A statement of a queue policy. It need not have a Sid, which moto always asks for."""

    def __missing__(self, key: str) -> None:
        return None


class Queue(Untracked, moto_sqs.Queue):
    """A queue whose messages are in a `MessageStore`."""

    created_timestamp: int
    last_modified_timestamp: int

    def __init__(self, name: str, region: str, account_id: str, **attributes: Any) -> None:
        super().__init__(name, region, account_id, **attributes)
        self.created_timestamp = int(self.created_timestamp)
        self.store = MessageStore(self.queue_arn, self.fifo_queue)
        self.metrics = QueueMetrics(store_of(account_id, region), name)

    def _set_attributes(self, attributes: dict[str, Any], now: float | None = None) -> None:
        if "Policy" not in attributes and hasattr(self, "_policy_json"):
            attributes = {**attributes, "Policy": self.policy}  # moto would remove it
        super()._set_attributes(attributes, now)
        self.last_modified_timestamp = int(self.last_modified_timestamp)

    @property
    def policy(self) -> str | None:
        """The policy as it was given (LS-136), or as permissions have changed it since."""
        text, document = self._given_policy
        return text if document == self._policy_json else moto_sqs.Queue.policy.fget(self)

    @policy.setter
    def policy(self, policy: str | None) -> None:
        moto_sqs.Queue.policy.fset(self, policy)
        document = self._policy_json
        if not policy:
            document["Version"] = "2008-10-17"  # LS-136: of AddPermission's policies
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        document["Statement"] = [Statement(each) for each in statements]
        self._given_policy = (policy or None, copy.deepcopy(document))

    @property
    def attributes(self) -> dict[str, Any]:
        """moto's attributes, with counters that were read in one look."""
        counts = {COUNTERS[state]: n for state, n in self.counts().items()}
        return {**super().attributes, **counts}

    @property
    def is_deleted(self) -> bool:
        return self.store.closed

    def close(self) -> None:
        """It is deleted, with its messages: whoever waits for one stops waiting."""
        self.store.close()

    def wake(self) -> None:
        """Let everyone who waits for a message look again."""
        self.store.wake()

    def counts(self) -> dict[str, int]:
        """How many messages are ready, hidden and delayed; what is too old is dropped before."""
        return self.store.counts(self.message_retention_period)

    def groups(self) -> int:
        """How many message groups of a FIFO queue have messages, seen or not."""
        return self.store.lanes()

    def sample(self) -> None:
        """Note for its metrics how many messages there are now, and how old the oldest one is."""
        now = now_ms()
        age_s = self.store.age_of_oldest_ms(now) / 1000
        self.metrics.sample(self.counts(), float(round(age_s)), now / 1000)

    def delete(self, message: Message) -> bool:
        """Delete a received message. False when a FIFO queue no longer honours its handle."""
        return self.delete_as(message.id, message.approximate_receive_count)

    def delete_as(self, message_id: str, receive_count: int) -> bool:
        """The same for a message that was received so many times, with that handle."""
        deleted = self.store.delete(message_id, receive_count)
        if deleted:
            self.metrics.deleted()
        return deleted

    def show(self, message: Message) -> bool:
        """Make a received message visible again. False when there is nothing to change."""
        return self.store.change_visibility(message.id, message.approximate_receive_count, 0)

    def receive(
        self,
        count: int,
        wait_s: float,
        visibility_s: int | None = None,
        give_up: Callable[[], bool] = never,
    ) -> list[Message]:
        """Receive up to `count` messages; what was received too often goes to the DLQ.

        `visibility_s` is by default the queue's own visibility timeout. Settings that change
        while this waits for a message count at once. `give_up()` ends a wait.
        """
        found = self.store.receive(count, wait_s, lambda: self._settings(visibility_s), give_up)
        if found:
            self.metrics.received(len(found))
        return cast("list[Message]", found)  # which is what was put in

    def _settings(self, visibility_s: int | None) -> Settings:
        dead_letters, max_receives = self._find_dead_letters()
        return Settings(
            self.visibility_timeout if visibility_s is None else visibility_s,
            self.message_retention_period,
            max_receives,
            dead_letters,
        )

    def _find_dead_letters(self) -> tuple[MessageStore | None, int]:
        """The queue that has the dead-letter queue's ARN now, and how many receives it takes.

        It may have been made anew. While there is none, or it is this queue itself, messages
        stay where they are.
        """
        policy = self.redrive_policy  # read once: it may be changing
        if not policy:
            return None, 0
        backend = moto_sqs.sqs_backends[self.account_id][self.region]
        found = backend.queue_by_arn(policy["deadLetterTargetArn"])
        if found is None or found is self:
            return None, 0
        return found.store, int(policy["maxReceiveCount"])


class Backend(moto_sqs.SQSBackend):
    """moto's queues of one account and region, with the rules that AWS adds."""

    queues: dict[str, Queue]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._changing = threading.Lock()
        self._deleted_at: dict[str, float] = {}
        self.move_tasks = MoveTasks(self)

    # -- queues ------------------------------------------------------------------------

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> Queue:
        kwargs.pop("region", None)
        existing = self.queues.get(name)
        rules.check_attributes(kwargs, name.endswith(".fifo"), True, self.queue_by_arn)
        if existing is None:
            self._check_not_deleted_recently(name)
        queue = Queue(name, self.region_name, self.account_id, **kwargs)
        if existing is not None:
            rules.check_same_attributes(existing, queue, kwargs)
            rules.check_same_tags(existing.tags, tags or {})
        queue.tags = tags or {}
        return self._keep(queue)

    def _keep(self, queue: Queue) -> Queue:
        """The queue of this name from now on: this one, or one that was there before.

        A dictionary of queues never changes, another one takes its place: moto's methods run
        over it while other threads make and delete queues.
        """
        with self._changing:
            if queue.name not in self.queues:
                self.queues = {**self.queues, queue.name: queue}
            return self.queues[queue.name]

    def _check_not_deleted_recently(self, name: str) -> None:
        if time.monotonic() - self._deleted_at.get(name, float("-inf")) < RECREATE_AFTER_S:
            raise rules.simple_queue_error(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create "
                "another with the same name.",
            )

    def delete_queue(self, queue_name: str) -> None:
        with self._changing:
            queue = self.get_queue(queue_name)
            self._remember_deleted(queue_name)
            self.queues = {name: each for name, each in self.queues.items() if each is not queue}
        queue.close()
        self.move_tasks.forget(queue.queue_arn)

    def _remember_deleted(self, queue_name: str) -> None:
        now = time.monotonic()
        recently = [
            (name, at) for name, at in self._deleted_at.items() if now - at < RECREATE_AFTER_S
        ]
        self._deleted_at = {**dict(recently), queue_name: now}

    def set_queue_attributes(self, queue_name: str, attributes: dict[str, Any]) -> Queue:
        queue = self.get_queue(queue_name)
        rules.check_attributes(attributes, queue.fifo_queue, False, self.queue_by_arn)
        return super().set_queue_attributes(queue_name, attributes)

    def get_queue_attributes(self, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
        """The wanted attributes, all of one moment: a message is in one of the counters."""
        queue = self.get_queue(queue_name)
        readable = {"All", *queue.BASE_ATTRIBUTES, *queue.FIFO_ATTRIBUTES, *queue.KMS_ATTRIBUTES}
        for name in attribute_names:
            if name not in readable:
                raise InvalidAttributeName(name)
        wanted = {*attribute_names}
        return {
            name: value
            for name, value in queue.attributes.items()
            if value is not None and ("All" in wanted or name in wanted)
        }

    def list_queues(self, queue_name_prefix: str | None) -> list[Queue]:
        """The queues whose names begin so; for moto the prefix is a pattern."""
        prefix = queue_name_prefix or ""
        return [queue for name, queue in self.queues.items() if name.startswith(prefix)]

    def queue_by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it is in this account and region."""
        queue = self.queues.get(arns.queue_name(arn))
        return queue if queue is not None and queue.queue_arn == arn else None

    def remove_permission(self, queue_name: str, label: str) -> None:
        try:
            super().remove_permission(queue_name, label)
        except InvalidParameterValue:
            raise InvalidParameterValue(
                f"Value {label} for parameter Label is invalid. Reason: can't find label."
            ) from None

    def purge_queue(self, queue_name: str) -> None:
        super().purge_queue(queue_name)
        self.get_queue(queue_name).store.purge()

    # -- sending -----------------------------------------------------------------------

    def send_message(
        self, queue_name: str, *content: Any, validate_group_id: bool = True, **others: Any
    ) -> Message:
        """As moto's other services send one, who know a queue by its name."""
        return self.send(self.get_queue(queue_name), *content, **others)

    def send(
        self,
        queue: Queue,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        system_attributes: dict[str, Any] | None = None,
    ) -> Message:
        rules.check_message(queue, message_body, message_attributes or {})
        rules.check_system_attributes(system_attributes or {})
        rules.check_placement(queue, delay_seconds, deduplication_id, group_id)
        message = Message(str(moto_sqs.random.uuid4()), message_body, system_attributes)
        message.message_attributes = message_attributes or {}
        message.group_id = group_id
        message.sent_timestamp = now_ms()
        self._enqueue(queue, message, delay_seconds, deduplication_id)
        return message

    def move_message(self, message: Message, queue: Queue) -> None:
        """Send a copy of a dead-lettered message to a queue, as a redrive does."""
        moved = Message(str(moto_sqs.random.uuid4()), message.body, message.system_attributes)
        moved.message_attributes = message.message_attributes
        moved.group_id = message.group_id
        moved.sent_timestamp = now_ms()
        self._enqueue(queue, moved, None, message.deduplication_id and str(uuid.uuid4()))

    def _enqueue(
        self, queue: Queue, message: Any, delay_seconds: int | None, deduplication_id: str | None
    ) -> None:
        delay_s = queue.delay_seconds if delay_seconds is None else int(delay_seconds)
        key = None
        if queue.fifo_queue:
            message.deduplication_id = (
                deduplication_id or hashlib.sha256(message.body.encode()).hexdigest()
            )
            scope = message.group_id if queue.deduplication_scope == "messageGroup" else ""
            key = (scope, message.deduplication_id)
            delay_s = queue.delay_seconds
        try:
            is_new = queue.store.add(message, delay_s, key)
        except Closed:
            raise QueueDoesNotExist() from None
        if is_new:
            queue.metrics.sent(rules.message_size(message.body, message.message_attributes))

    def send_batch(
        self, queue: Queue, entries: list[dict[str, Any]]
    ) -> tuple[list[Message], list[dict[str, Any]]]:
        """The messages that were sent, and what is said of the other entries."""
        rules.check_entries(entries)
        rules.check_batch_size(entries)
        if queue.fifo_queue:
            rules.check_fifo_entries(queue, entries)
        sent, failed = [], []
        for entry in entries:
            try:
                message = self.send(
                    queue,
                    entry["MessageBody"],
                    message_attributes=entry["MessageAttributes"],
                    delay_seconds=entry["DelaySeconds"],
                    deduplication_id=entry.get("MessageDeduplicationId"),
                    group_id=entry.get("MessageGroupId"),
                    system_attributes=entry.get("MessageSystemAttributes"),
                )
            except SQSException as error:
                failed.append(rules.failed_entry(entry["Id"], error))
            else:
                message.user_id = entry["Id"]
                sent.append(message)
        return sent, failed

    # -- receiving ---------------------------------------------------------------------

    def receive(
        self,
        queue: Queue,
        count: int,
        wait_s: float,
        visibility_s: int,
        message_attribute_names: list[str] | None = None,
        give_up: Callable[[], bool] = never,
    ) -> list[Message]:
        """Received messages with those of their attributes that are named."""
        messages = queue.receive(count, wait_s, visibility_s, give_up)
        if not messages:
            queue.metrics.received(0)
        names = ["All"] if "*" in (message_attribute_names or []) else message_attribute_names
        for message in messages:
            moto_sqs._filter_message_attributes(message, names or [])
        return messages

    def delete_message(self, queue_name: str, receipt_handle: str) -> None:
        queue = self.get_queue(queue_name)
        if not queue.delete_as(*self._read_handle(queue, receipt_handle)):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. "
                "Reason: The receipt handle has expired."
            )

    def delete_message_batch(
        self, queue_name: str, receipts: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        return self._each_entry(
            receipts, lambda entry: self.delete_message(queue_name, entry["ReceiptHandle"])
        )

    def change_message_visibility(
        self, queue_name: str, receipt_handle: str, visibility_timeout: int | None
    ) -> None:
        visible_after_s = rules.check_visibility(visibility_timeout)
        queue = self.get_queue(queue_name)
        message_id, receive_count = self._read_handle(queue, receipt_handle)
        if not queue.store.change_visibility(message_id, receive_count, visible_after_s):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: "
                "Message does not exist or is not available for visibility timeout change."
            )

    def change_message_visibility_batch(
        self, queue_name: str, entries: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        return self._each_entry(
            entries,
            lambda entry: self.change_message_visibility(
                queue_name, entry["ReceiptHandle"], entry.get("VisibilityTimeout")
            ),
        )

    @staticmethod
    def _each_entry(entries: list[dict[str, Any]], action: Any) -> tuple[list[str], list[Any]]:
        rules.check_entries(entries)
        successful, failed = [], []
        for entry in entries:
            try:
                action(entry)
                successful.append(entry["Id"])
            except QueueDoesNotExist:
                raise
            except SQSException as error:
                failed.append(rules.failed_entry(entry["Id"], error))
        return successful, failed

    @staticmethod
    def _read_handle(queue: Queue, receipt_handle: str) -> tuple[str, int]:
        try:
            return read_handle(queue.queue_arn, receipt_handle)
        except ValueError:
            raise SQSException(
                "ReceiptHandleIsInvalid",
                f'The input receipt handle "{receipt_handle}" is not a valid receipt handle.',
            ) from None


def install() -> None:
    """Make all of moto use these queues. Its own front is left with what is no call of SQS."""
    put_in_place(moto_sqs.sqs_backends, Backend, moto_urls, moto_urls.dispatch)
    housekeeping.start()
