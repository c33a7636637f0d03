"""What each operation of SQS does: a function from a request to a result, both dictionaries.

In which protocol a call came, and which one its answer is written in, is for `answers` to know.
Every function raises SQSException for what AWS refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from moto.core.exceptions import InvalidToken
from moto.core.utils import get_pagination_model
from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    EmptyBatchRequest,
    InvalidAttributeName,
    InvalidParameterValue,
)
from moto.utilities.paginator import paginate

from helpers.localaws.queues.backend import Backend, Queue
from helpers.localaws.queues.message import Message
from helpers.localaws.queues.message_store import never
from helpers.localaws.queues.move_tasks import MOST_LISTED
from helpers.localaws.queues.refusals import (
    check_entries,
    check_range,
    check_receive,
    simple_queue_error,
)

MOST_URLS = 1_000  # of an answer of ListQueues without MaxResults

Result = dict[str, Any]


class Caller(NamedTuple):
    """What a request brings along beside its parameters.

    `address`: of this server, as the caller knows it. `trace`: an X-Ray header, "" without one.
    `has_left()` tells whether the caller has closed the connection.
    """

    backend: Backend
    address: str
    trace: str = ""
    has_left: Callable[[], bool] = never


class Request(NamedTuple):
    """A call: its parameters as `requests` has read them, and whose it is."""

    given: dict[str, Any]
    caller: Caller

    @property
    def backend(self) -> Backend:
        return self.caller.backend

    @property
    def queue_name(self) -> str:
        """The name in QueueUrl, which may also be the name alone."""
        url: str = self.given["QueueUrl"]
        return url.rsplit("/", 1)[-1] if url.startswith(("http://", "https://")) else url

    @property
    def queue(self) -> Queue:
        """The queue that QueueUrl names. Raises SQSException when there is none."""
        return self.backend.get_queue(self.queue_name)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.given.get("Entries") or []

    def url_of(self, queue: Queue) -> str:
        return f"{self.caller.address}/{queue.account_id}/{queue.name}"


# -- messages ------------------------------------------------------------------------------


def send_message(request: Request) -> Result:
    given, queue = request.given, request.queue
    system_attributes = given.get("MessageSystemAttributes") or {}
    message = request.backend.send(
        queue,
        given["MessageBody"],
        message_attributes=given.get("MessageAttributes"),
        delay_seconds=given.get("DelaySeconds"),
        deduplication_id=given.get("MessageDeduplicationId"),
        group_id=given.get("MessageGroupId"),
        system_attributes=system_attributes or traced(request),
    )
    return describe_sent(message, queue.fifo_queue, bool(system_attributes))


def send_message_batch(request: Request) -> Result:
    queue, entries = request.queue, request.entries
    if not entries:
        raise EmptyBatchRequest()
    trace = traced(request)
    given = {entry["Id"]: "MessageSystemAttributes" in entry for entry in entries}
    complete = [
        {"MessageAttributes": {}, "DelaySeconds": None, "MessageSystemAttributes": trace, **entry}
        for entry in entries
    ]
    sent, failed = request.backend.send_batch(queue, complete)
    successful = [
        {"Id": each.user_id, **describe_sent(each, queue.fifo_queue, given[each.user_id])}
        for each in sent
    ]
    return without_empty(Successful=successful, Failed=failed)


def traced(request: Request) -> dict[str, Any]:
    """The system attribute that the X-Ray header of a request becomes (LS-138)."""
    trace = request.caller.trace
    return {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}} if trace else {}


def describe_sent(message: Message, fifo: bool, system_attributes_given: bool) -> Result:
    """What the sender of a message is told."""
    described = {"MD5OfMessageBody": message.body_md5, "MessageId": message.id}
    if message.message_attributes:
        described["MD5OfMessageAttributes"] = message.attribute_md5
    if system_attributes_given:
        described["MD5OfMessageSystemAttributes"] = message.system_attribute_md5
    if fifo:
        described["SequenceNumber"] = message.sequence_number
    return described


def receive_message(request: Request) -> Result:
    given, queue = request.given, request.queue
    count = given.get("MaxNumberOfMessages", 1)
    wait_s: Any = given.get("WaitTimeSeconds", queue.receive_message_wait_time_seconds)
    visibility_s: Any = given.get("VisibilityTimeout", queue.visibility_timeout)
    check_receive(count, wait_s, visibility_s)
    names = given.get("MessageAttributeNames") or []
    messages = request.backend.receive(
        queue, count, wait_s, visibility_s, names, request.caller.has_left
    )
    wanted = {
        *(given.get("AttributeNames") or []),
        *(given.get("MessageSystemAttributeNames") or []),
    }
    return without_empty(Messages=[describe_message(message, wanted) for message in messages])


def describe_message(message: Message, wanted: set[str]) -> Result:
    """One message of a ReceiveMessage response, with the system attributes wanted."""
    described = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.body_md5,
        "Body": message.body,
    }
    if wanted:
        system = message.received_attributes()
        keep = system if "All" in wanted else [name for name in system if name in wanted]
        described["Attributes"] = {name: system[name] for name in keep}
    if message.message_attributes:
        described["MD5OfMessageAttributes"] = message.attribute_md5
        described["MessageAttributes"] = message.message_attributes
    return described


def delete_message(request: Request) -> Result:
    request.backend.delete_message(request.queue_name, request.given["ReceiptHandle"])
    return {}


def delete_message_batch(request: Request) -> Result:
    entries = request.entries
    check_entries(entries)  # before the handles are looked at
    if not entries:
        raise EmptyBatchRequest(action="Delete")
    seen = set()
    for entry in entries:
        if entry["ReceiptHandle"] in seen:
            raise BatchEntryIdsNotDistinct(entry["Id"])
        seen.add(entry["ReceiptHandle"])
    return describe_batch(*request.backend.delete_message_batch(request.queue_name, entries))


def change_message_visibility(request: Request) -> Result:
    given = request.given
    request.backend.change_message_visibility(
        request.queue_name, given["ReceiptHandle"], given.get("VisibilityTimeout")
    )
    return {}


def change_message_visibility_batch(request: Request) -> Result:
    if not request.entries:
        raise simple_queue_error(
            "EmptyBatchRequest",
            "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.",
        )
    return describe_batch(
        *request.backend.change_message_visibility_batch(request.queue_name, request.entries)
    )


def describe_batch(done: list[str], failed: list[Result]) -> Result:
    """What is said of the entries of a batch, by their ids."""
    return without_empty(Successful=[{"Id": entry_id} for entry_id in done], Failed=failed)


def without_empty(**results: Any) -> Result:
    """AWS leaves out keys whose list or map is empty (LS-060, LS-137)."""
    return {name: result for name, result in results.items() if result}


# -- queues --------------------------------------------------------------------------------


def create_queue(request: Request) -> Result:
    given = request.given
    queue = request.backend.create_queue(
        given["QueueName"], given.get("tags") or {}, **(given.get("Attributes") or {})
    )
    return {"QueueUrl": request.url_of(queue)}


def delete_queue(request: Request) -> Result:
    request.backend.delete_queue(request.queue_name)
    return {}


def purge_queue(request: Request) -> Result:
    request.backend.purge_queue(request.queue_name)
    return {}


def get_queue_url(request: Request) -> Result:
    return {"QueueUrl": request.url_of(request.backend.get_queue_url(request.given["QueueName"]))}


def list_queues(request: Request) -> Result:
    given = request.given
    check_range("MaxResults", given.get("MaxResults"), 1, MOST_URLS)
    found = request.backend.list_queues(given.get("QueueNamePrefix"))
    urls = [request.url_of(queue) for queue in found]
    if not given.get("MaxResults"):  # without it AWS gives no token
        return without_empty(QueueUrls=urls[:MOST_URLS])
    page, token = page_of(urls, given)
    return {"QueueUrls": page, **({"NextToken": token} if token else {})}


def page_of(urls: list[str], given: dict[str, Any]) -> tuple[list[str], str | None]:
    """A page of a listing, and the token of the next one."""

    def found(**_given: Any) -> list[str]:
        return urls

    found.__name__ = "ListQueues"  # by which moto finds how its pages are asked for
    try:
        page, token = paginate(get_pagination_model("sqs"))(found)(**given)
    except InvalidToken:
        raise InvalidParameterValue(
            f"Value {given['NextToken']} for parameter NextToken is invalid."
        ) from None
    return page, token


def list_dead_letter_source_queues(request: Request) -> Result:
    sources = request.backend.list_dead_letter_source_queues(request.queue_name)
    return {"queueUrls": [request.url_of(queue) for queue in sources]}


def get_queue_attributes(request: Request) -> Result:
    names = request.given.get("AttributeNames") or []
    if "" in names:
        raise InvalidAttributeName("")
    attributes = request.backend.get_queue_attributes(request.queue_name, names)
    return without_empty(Attributes={name: str(value) for name, value in attributes.items()})


def set_queue_attributes(request: Request) -> Result:
    attributes = request.given.get("Attributes") or {}
    request.backend.set_queue_attributes(request.queue_name, attributes)
    return {}


# -- tags and permissions ------------------------------------------------------------------


def tag_queue(request: Request) -> Result:
    request.backend.tag_queue(request.queue_name, request.given.get("Tags") or {})
    return {}


def untag_queue(request: Request) -> Result:
    request.backend.untag_queue(request.queue_name, request.given.get("TagKeys") or [])
    return {}


def list_queue_tags(request: Request) -> Result:
    return without_empty(Tags=request.queue.tags)


def add_permission(request: Request) -> Result:
    given = request.given
    request.backend.add_permission(
        region_name=request.backend.region_name,
        queue_name=request.queue_name,
        actions=given.get("Actions") or [],
        account_ids=given.get("AWSAccountIds") or [],
        label=given.get("Label"),
    )
    return {}


def remove_permission(request: Request) -> Result:
    request.backend.remove_permission(request.queue_name, request.given["Label"])
    return {}


# -- redrive -------------------------------------------------------------------------------


def start_message_move_task(request: Request) -> Result:
    given = request.given
    per_second = given.get("MaxNumberOfMessagesPerSecond")
    check_range("MaxNumberOfMessagesPerSecond", per_second, 1, 500)
    tasks = request.backend.move_tasks
    return {"TaskHandle": tasks.start(given["SourceArn"], given.get("DestinationArn"), per_second)}


def list_message_move_tasks(request: Request) -> Result:
    count = request.given.get("MaxResults", 1)
    check_range("MaxResults", count, 1, MOST_LISTED)
    tasks = request.backend.move_tasks
    return without_empty(Results=tasks.describe(request.given["SourceArn"], count))


def cancel_message_move_task(request: Request) -> Result:
    moved = request.backend.move_tasks.cancel(request.given["TaskHandle"])
    return {"ApproximateNumberOfMessagesMoved": moved}


OPERATIONS: dict[str, Callable[[Request], Result]] = {
    "AddPermission": add_permission,
    "CancelMessageMoveTask": cancel_message_move_task,
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": change_message_visibility_batch,
    "CreateQueue": create_queue,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": delete_message_batch,
    "DeleteQueue": delete_queue,
    "GetQueueAttributes": get_queue_attributes,
    "GetQueueUrl": get_queue_url,
    "ListDeadLetterSourceQueues": list_dead_letter_source_queues,
    "ListMessageMoveTasks": list_message_move_tasks,
    "ListQueueTags": list_queue_tags,
    "ListQueues": list_queues,
    "PurgeQueue": purge_queue,
    "ReceiveMessage": receive_message,
    "RemovePermission": remove_permission,
    "SendMessage": send_message,
    "SendMessageBatch": send_message_batch,
    "SetQueueAttributes": set_queue_attributes,
    "StartMessageMoveTask": start_message_move_task,
    "TagQueue": tag_queue,
    "UntagQueue": untag_queue,
}
