"""FIFO queues: groups, order, deduplication."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.conformance.kit import poll, refusal, unique

NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
    "provided explicitly"
)
DIFFERS = {
    "DF-17": "A changed DeduplicationScope counts at once; on AWS the old one counts for a while",
    "DF-21": "With a topic that deduplicates by content and a queue that does not, Publish is "
    "refused; AWS takes the topic's own deduplication id",
}
UNKNOWN = {
    "LS-122": "whether a swallowed message is answered with the id of the first one is not "
    "recorded; here, as with moto, with an id of its own",
}


class Fifo:
    """A FIFO queue with content-based deduplication, and short words for what tests do."""

    def __init__(self, aws, **attributes: Any) -> None:
        self.sqs = aws.sqs
        self.receive_all = aws.receive
        settings = {"ContentBasedDeduplication": "true", "VisibilityTimeout": "30", **attributes}
        self.url, self.arn = aws.fifo_queue(**settings)

    def send(self, *bodies: str, **arguments: Any) -> dict[str, Any]:
        """Send bodies such as "g1-m1", whose group is the part before the hyphen."""
        for body in bodies:
            group = body.split("-")[0]
            sent = self.sqs.send_message(
                **{"QueueUrl": self.url, "MessageBody": body, "MessageGroupId": group, **arguments}
            )
        return sent

    def receive(self, count: int = 10, wait_s: int = 0, **arguments: Any) -> list[dict]:
        return self.receive_all(self.url, wait_s, MaxNumberOfMessages=count, **arguments)

    def bodies(self, count: int = 10, wait_s: int = 0, **arguments: Any) -> list[str]:
        return [message["Body"] for message in self.receive(count, wait_s, **arguments)]

    def delete(self, message: dict) -> None:
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, message: dict, seconds: int) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


def test_LS_060_a_fifo_batch_returns_sequence_numbers(aws) -> None:
    fifo = Fifo(aws)
    entries = [{"Id": str(n), "MessageBody": str(n), "MessageGroupId": "g"} for n in range(3)]
    answer = aws.sqs.send_message_batch(QueueUrl=fifo.url, Entries=entries)
    assert "Failed" not in answer
    numbers = [int(entry["SequenceNumber"]) for entry in answer["Successful"]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3


def test_LS_121_required_parameters(aws) -> None:
    url, _ = aws.fifo_queue()
    send = {"QueueUrl": url, "MessageBody": "x"}
    assert refusal(aws.sqs.send_message, **send, MessageGroupId="g") == (
        400,
        "InvalidParameterValue",
        NO_DEDUPLICATION,
    )
    assert refusal(aws.sqs.send_message, **send, MessageDeduplicationId="d") == (
        400,
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MessageGroupId": "g"}, NO_DEDUPLICATION),
        (
            {"MessageDeduplicationId": "d"},
            "The request must contain the parameter MessageGroupId.",
        ),
    ],
)
def test_LS_121_one_bad_entry_fails_the_whole_batch(aws, given, message) -> None:
    url, _ = aws.fifo_queue()
    good = {"MessageGroupId": "g", "MessageDeduplicationId": "good"}
    entries = [
        {"Id": "good", "MessageBody": "x", **good},
        {"Id": "bad", "MessageBody": "x", **given},
    ]
    assert refusal(aws.sqs.send_message_batch, QueueUrl=url, Entries=entries) == (
        400,
        "InvalidParameterValue",
        message,
    )


def test_LS_122_a_duplicate_is_swallowed_even_after_deletion_and_in_another_group(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", MessageDeduplicationId="same")
    fifo.send("g1-m2", MessageDeduplicationId="same")
    [message] = poll(fifo.receive, bool, "the message")
    fifo.delete(message)
    fifo.send("g1-m3", MessageDeduplicationId="same")
    fifo.send("g2-m4", MessageDeduplicationId="same")
    assert fifo.bodies(wait_s=1) == []


def test_LS_122_content_based(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", "g1-m1")
    assert fifo.bodies(wait_s=1) == ["g1-m1"]


def test_LS_122_a_purge_forgets_the_ids(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1")
    aws.sqs.purge_queue(QueueUrl=fifo.url)
    poll(lambda: fifo.send("g1-m1") and fifo.bodies(), bool, "the message after the purge")


def test_LS_123_sequence_numbers_attributes_and_defaults(aws) -> None:
    fifo = Fifo(aws, VisibilityTimeout="1")
    numbers = [int(fifo.send(f"g1-m{n}")["SequenceNumber"]) for n in range(3)]
    assert numbers == sorted(set(numbers))
    [message] = poll(lambda: fifo.receive(1), bool, "a message")
    assert set(message["Attributes"]) == {
        *("ApproximateReceiveCount", "SentTimestamp", "SenderId"),
        *("ApproximateFirstReceiveTimestamp", "MessageDeduplicationId"),
        *("MessageGroupId", "SequenceNumber"),
    }
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["SequenceNumber"]) == numbers[0]
    [again] = poll(lambda: fifo.receive(1), bool, "the message again")
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    url, _ = aws.fifo_queue()

    def attributes() -> dict[str, str]:
        return aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    seen = attributes()
    assert (seen["FifoQueue"], seen["ContentBasedDeduplication"]) == ("true", "false")
    assert (seen["DeduplicationScope"], seen["FifoThroughputLimit"]) == ("queue", "perQueue")
    on = {"ContentBasedDeduplication": "true"}
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes=on)
    poll(attributes, lambda a: a["ContentBasedDeduplication"] == "true", "the change")


def test_LS_124_group_lock_and_order_after_a_timeout(aws) -> None:
    fifo = Fifo(aws, VisibilityTimeout="2")
    fifo.send("g1-m1", "g1-m2", "g1-m3", "g2-m1", "g1-m4")
    assert fifo.bodies(2) == ["g1-m1", "g1-m2"]
    assert fifo.bodies(1) == ["g2-m1"]
    seen = poll(lambda: fifo.bodies(4), bool, "the group to come back")
    assert seen == ["g1-m1", "g1-m2", "g1-m3", "g1-m4"]


def test_LS_125_drain_order_with_interleaved_groups(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", "g2-m1", "g1-m2", "g1-m3")
    assert fifo.bodies() == ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]


def test_LS_126_delete_frees_the_group(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", "g1-m2")
    [message] = fifo.receive(1)
    assert fifo.bodies() == []
    fifo.delete(message)
    assert fifo.bodies() == ["g1-m2"]


def test_LS_127_partial_delete_keeps_the_group_locked(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", "g1-m2", "g1-m3", "g2-m1", "g2-m2", "g3-m1")
    first, _ = fifo.receive(2)
    assert first["Body"] == "g1-m1"
    fifo.delete(first)
    assert fifo.bodies() == ["g2-m1", "g2-m2", "g3-m1"]


def test_LS_128_visibility_0_for_one_message_of_a_group(aws) -> None:
    fifo = Fifo(aws)
    fifo.send("g1-m1", "g1-m2", "g2-m1")
    first, _ = fifo.receive(2)
    fifo.hide(first, 0)
    assert sorted(fifo.bodies()) == ["g1-m1", "g2-m1"]


@pytest.mark.parametrize(("extended", "seen"), [(0, []), (1, ["g-foo"]), (2, ["g-foo", "g-bar"])])
def test_LS_129_extending_one_message_blocks_only_the_later_ones(aws, extended, seen) -> None:
    fifo = Fifo(aws, VisibilityTimeout="1")
    fifo.send("g-foo", "g-bar", "g-baz")
    fifo.hide(fifo.receive(3)[extended], 300)
    time.sleep(2)  # longer than the others stay hidden
    assert fifo.bodies(VisibilityTimeout=10) == seen


def test_LS_130_deleting_after_the_timeout(aws) -> None:
    fifo = Fifo(aws, VisibilityTimeout="1")
    fifo.send("g1-m1")
    [message] = fifo.receive()
    handle = message["ReceiptHandle"]
    expired = (
        400,
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has "
        "expired.",
    )
    time.sleep(1.2)
    assert refusal(aws.sqs.delete_message, QueueUrl=fifo.url, ReceiptHandle=handle) == expired
    [message] = fifo.receive()
    fifo.hide(message, 10)
    time.sleep(1.2)
    fifo.delete(message)
    aws.wait_empty(fifo.url)


def test_LS_131_delay_is_the_queues_affair(aws) -> None:
    fifo = Fifo(aws, DelaySeconds="1")
    reason = "The request include parameter that is not valid for this queue type."
    given = {"QueueUrl": fifo.url, "MessageBody": "x", "MessageGroupId": "g"}
    assert refusal(aws.sqs.send_message, **given, DelaySeconds=2) == (
        400,
        "InvalidParameterValue",
        f"Value 2 for parameter DelaySeconds is invalid. Reason: {reason}",
    )
    fifo.send("g1-m1", DelaySeconds=0)
    assert fifo.bodies() == []
    assert fifo.bodies(wait_s=3) == ["g1-m1"]


def test_LS_132_a_fifo_dead_letter_queue(aws) -> None:
    dead = Fifo(aws)
    policy = f'{{"deadLetterTargetArn": "{dead.arn}", "maxReceiveCount": 2}}'
    fifo = Fifo(aws, RedrivePolicy=policy)
    sent = fifo.send("g1-m1")
    for _ in range(2):
        assert len(fifo.receive(VisibilityTimeout=0)) == 1
    assert fifo.bodies() == []
    [moved] = poll(dead.receive, bool, "the message in the dead-letter queue")
    assert moved["MessageId"] == sent["MessageId"]
    assert moved["Attributes"]["MessageDeduplicationId"] == sent["MessageId"]
    fifo.send("g1-m2")
    assert fifo.bodies() == ["g1-m2"]


def test_LS_141_deduplication_within_a_group_only(aws) -> None:
    fifo = Fifo(aws, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    same = unique("id")
    fifo.send("g1-m1", MessageDeduplicationId=same)
    fifo.send("g2-m1", MessageDeduplicationId=same)
    fifo.send("g1-m2", MessageDeduplicationId=same)
    assert sorted(fifo.bodies()) == ["g1-m1", "g2-m1"]
