"""SQS: queues and their policies.

Source: Template reference, AWS::SQS::Queue and AWS::SQS::QueuePolicy.
"""

from __future__ import annotations

import json
from typing import Any

from helpers.localaws.stacks.calls import Calls, find, refuse_existing, wait_for
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags, changes

# The values of attributes that are no longer given: SQS API Reference, "CreateQueue".
DEFAULTS = {
    "ContentBasedDeduplication": False,
    "DeduplicationScope": "queue",
    "DelaySeconds": 0,
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": 300,
    "KmsMasterKeyId": "",
    "MaximumMessageSize": 1_048_576,
    "MessageRetentionPeriod": 345_600,
    "ReceiveMessageWaitTimeSeconds": 0,
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": True,
    "VisibilityTimeout": 30,
}
LONGEST_NAME = 80


class Queue(Kind):
    name = "AWS::SQS::Queue"
    properties = frozenset({"QueueName", "FifoQueue", "Tags", *DEFAULTS})
    attributes = frozenset({"Arn", "QueueName", "QueueUrl"})
    name_property = "QueueName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        suffix = ".fifo" if wanted.properties.get("FifoQueue") else ""
        name = wanted.name("QueueName", LONGEST_NAME, suffix)
        refuse_existing(find(aws("sqs").get_queue_url, QueueName=name), self.name, name)
        attributes = as_texts(wanted.some("FifoQueue", *DEFAULTS))
        if attributes.get("FifoQueue") == "false":
            del attributes["FifoQueue"]  # which SQS takes for true only
        url = aws("sqs").create_queue(
            QueueName=name, Attributes=attributes, tags=dict(wanted.tags)
        )["QueueUrl"]
        wanted.begun(url)
        wait_for(lambda: arn_of(aws, url) is not None, f"Queue {name}")
        return Made(url, {"Arn": arn_of(aws, url), "QueueName": name, "QueueUrl": url})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        changed = changes(had, wanted, DEFAULTS)
        changed.pop("Tags", None)
        if changed:
            aws("sqs").set_queue_attributes(QueueUrl=made.physical_id, Attributes=as_texts(changed))
        tags, gone = changed_tags(had, wanted)
        if tags:
            aws("sqs").tag_queue(QueueUrl=made.physical_id, Tags=tags)
        if gone:
            aws("sqs").untag_queue(QueueUrl=made.physical_id, TagKeys=gone)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("sqs").delete_queue(QueueUrl=made.physical_id)


def arn_of(aws: Calls, url: str) -> str | None:
    """The ARN of a queue, None while it is not to be seen: a new one may take a second."""
    look = aws("sqs").get_queue_attributes
    found = find(look, QueueUrl=url, AttributeNames=["QueueArn"])
    return found["Attributes"]["QueueArn"] if found else None


def as_texts(properties: dict[str, Any]) -> dict[str, str]:
    """Attributes as SQS takes them."""
    return {name: as_text(value) for name, value in properties.items()}


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class QueuePolicy(Kind):
    name = "AWS::SQS::QueuePolicy"
    properties = frozenset({"PolicyDocument", "Queues"})
    attributes = frozenset({"Id"})

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        identity = wanted.made_up(255)
        wanted.begun(identity)
        for url in wanted.properties["Queues"]:
            set_policy(aws, url, as_text(wanted.properties["PolicyDocument"]))
        return Made(identity, {"Id": identity})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        for url in set(had.properties["Queues"]) - set(wanted.properties["Queues"]):
            set_policy(aws, url, "")
        for url in wanted.properties["Queues"]:
            set_policy(aws, url, as_text(wanted.properties["PolicyDocument"]))
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        for url in had.properties["Queues"]:
            set_policy(aws, url, "")


def set_policy(aws: Calls, url: str, text: str) -> None:
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})


KINDS: list[Kind] = [Queue(), QueuePolicy()]
