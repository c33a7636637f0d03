"""Queues and tables without what is in them."""

from __future__ import annotations

from json import loads

import boto3

from helpers import course, steps
from helpers.account.names import Names
from helpers.account.refusal import refuse_foreign, refuse_names
from helpers.account.target import aws_pace
from helpers.account.things import as_list, look_at_queue, look_at_table
from helpers.clients import Client, Table, client_for
from helpers.waiting import wait_until

EQUAL_READS = 4  # what is read so often in a row is believed
HIDDEN_S = 30  # time enough to delete what was received


def drain(sqs: Client, queue_url: str, limit_s: float = 120.0) -> None:
    """Delete what is in a queue, waiting for messages that are in flight to come back.

    PurgeQueue is allowed once in 60 s only, too seldom for an experiment that is repeated. The
    counts of AWS may be a minute old, and a short poll may miss a message: so there each look is
    a long poll, and the queue is believed to be empty after some that found nothing. Raises
    NotOurs for a queue of somebody else.
    """
    refuse_foreign([look_at_queue(sqs, steps.queue_name(queue_url))])
    nothing = 0

    def look() -> int:
        nonlocal nothing
        left = sum(steps.queue_counts(sqs, queue_url).values())
        left += delete_some(sqs, queue_url, wait_s=1 if left or aws_pace() else 0)
        nothing = 0 if left else nothing + 1
        return left

    wait_until(look, lambda _: nothing >= EQUAL_READS, f"{queue_url} to be empty", limit_s, 0.0)


def delete_some(sqs: Client, queue_url: str, wait_s: int) -> int:
    """Delete up to ten messages that are visible. Returns how many."""
    received = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=HIDDEN_S,
        WaitTimeSeconds=wait_s,
    ).get("Messages", [])
    entries = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(received)
    ]
    if entries:
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
    return len(entries)


def change_queue(sqs: Client, queue_url: str, **attributes: str) -> None:
    """Change attributes of a queue, and wait until some reads in a row show them.

    For up to 60 s after a change AWS answers now with the old value, now with the new one.
    Source: SQS API Reference, SetQueueAttributes.
    """
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
    names, right = list(attributes), 0

    def look() -> dict[str, str]:
        nonlocal right
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        seen: dict[str, str] = answer.get("Attributes", {})
        is_right = all(same(seen.get(name, ""), attributes[name]) for name in names)
        right = right + 1 if is_right else 0
        return seen

    what = f"the new settings of {steps.queue_name(queue_url)}"
    wait_until(look, lambda _: right >= EQUAL_READS, what, 120.0, aws_pace())


def same(read: str, written: str) -> bool:
    """Whether a value that was read is the one that was written; JSON may be spaced otherwise."""
    return read == written or (read[:1] == "{" == written[:1] and loads(read) == loads(written))


def empty_queue(name: str, visibility_s: int) -> str:
    """A queue of the course without messages. Returns its URL.

    `visibility_s` is its visibility timeout in s. Raises NotOurs if there is a queue of that
    name, or a trigger of it, which is not the course's.
    """
    sqs = client_for("sqs")
    refuse_names(Names(queues=(name,)))
    url = steps.create_queue(sqs, course.name(name), course.tags())
    drain(sqs, url)
    change_queue(sqs, url, VisibilityTimeout=str(visibility_s))
    return url


def empty_table() -> Table:
    """The table `course.TABLE`, new and empty, as a boto3 Table. Its key is `order_id`.

    A table that was adopted stays, without its items.
    Raises NotOurs if there is a table of that name which is not the course's.
    """
    dynamodb, name = boto3.resource("dynamodb"), course.name(course.TABLE)
    client = dynamodb.meta.client
    existing = look_at_table(client, name)
    refuse_foreign([existing])
    if existing and existing.adopted:
        return without_items(dynamodb.Table(name))
    if existing:
        if client.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
            client.get_waiter("table_exists").wait(TableName=name)
            client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=as_list(course.tags()),
    )
    table.wait_until_exists()
    return table


def without_items(table: Table) -> Table:
    """The same table, all of its items deleted."""
    keys = [key["AttributeName"] for key in table.key_schema]
    pages = table.meta.client.get_paginator("scan").paginate(TableName=table.name)
    with table.batch_writer() as batch:
        for item in (item for page in pages for item in page["Items"]):
            batch.delete_item(Key={key: item[key] for key in keys})
    return table
