"""Dead-letter queues: the redrive policy, what arrives there, and the way back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.conformance.kit import poll, refusal, unique

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
UNKNOWN = {
    "LS-120": "what AWS says of a SourceArn that is not there, and of cancelling a task that has "
    "ended, is not recorded; here it is worded like the recorded error for DestinationArn",
}


def policy(dlq_arn: str, count: Any = 1) -> str:
    return json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": count})


def pair(aws, **attributes: Any) -> tuple[str, str, str, str]:
    """A queue and its dead-letter queue: URL and ARN of both."""
    dlq_url, dlq_arn = aws.queue()
    settings = {"RedrivePolicy": policy(dlq_arn), "VisibilityTimeout": 0, **attributes}
    return (*aws.queue(**settings), dlq_url, dlq_arn)


def bury(aws, url: str, dlq_url: str, *bodies: str) -> list[str]:
    """Send messages and receive them until they are dead. Returns their ids."""
    sent = [aws.sqs.send_message(QueueUrl=url, MessageBody=body) for body in bodies]

    def look() -> str:
        aws.receive(url)
        name = "ApproximateNumberOfMessages"
        answer = aws.sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=[name])
        return answer["Attributes"][name]

    poll(look, lambda count: count == str(len(bodies)), "the messages to be dead")
    return [each["MessageId"] for each in sent]


def finished(aws, dlq_arn: str) -> dict[str, Any]:
    """The newest move task, when it has ended."""
    return poll(
        lambda: aws.sqs.list_message_move_tasks(SourceArn=dlq_arn)["Results"][0],
        lambda task: task["Status"] != "RUNNING",
        "the move task to end",
    )


def test_LS_065_a_message_that_was_received_too_often_is_moved(aws) -> None:
    url, _, dlq_url, _ = pair(aws)
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(poll(lambda: aws.receive(url), bool, "the message")) == 1
    assert aws.receive(url) == []
    [dead] = poll(lambda: aws.receive(dlq_url), bool, "the dead message")
    assert dead["MessageId"] == sent["MessageId"]


def test_LS_066_what_a_dead_message_keeps(aws) -> None:
    url, arn, dlq_url, _ = pair(aws)
    text = {"DataType": "String", "StringValue": "blue"}
    sent = aws.sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={"Colour": text},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    )
    [alive] = poll(lambda: aws.receive(url), bool, "the message")
    aws.receive(url)
    [dead] = poll(
        lambda: aws.receive(dlq_url, MessageAttributeNames=["All"]), bool, "the dead message"
    )
    assert dead["MessageId"] == alive["MessageId"] == sent["MessageId"]
    assert (dead["Body"], dead["MD5OfBody"]) == ("x", sent["MD5OfMessageBody"])
    assert dead["MessageAttributes"] == {"Colour": text}
    assert dead["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert dead["Attributes"]["AWSTraceHeader"] == TRACE
    assert dead["Attributes"]["ApproximateReceiveCount"] == "2"
    assert dead["Attributes"]["DeadLetterQueueSourceArn"] == arn
    assert dead["Attributes"]["SentTimestamp"] == alive["Attributes"]["SentTimestamp"]
    assert "DeadLetterQueueSourceArn" not in alive["Attributes"]


def test_LS_067_redrive_to_the_source(aws) -> None:
    url, _, dlq_url, dlq_arn = pair(aws)
    bury(aws, url, dlq_url, "one", "two")
    started = aws.sqs.start_message_move_task(SourceArn=dlq_arn)
    handle = json.loads(base64.b64decode(started["TaskHandle"]))
    assert handle["sourceArn"] == dlq_arn and set(handle) == {"taskId", "sourceArn"}
    task = finished(aws, dlq_arn)
    assert task.pop("StartedTimestamp") > 1_700_000_000_000
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": dlq_arn,
        "ApproximateNumberOfMessagesMoved": 2,
        "ApproximateNumberOfMessagesToMove": 2,
    }
    aws.wait_empty(dlq_url)
    back = poll(lambda: aws.receive(url, 1), lambda found: len(found) == 2, "both messages")
    assert sorted(message["Body"] for message in back) == ["one", "two"]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in back} == {"1"}


def test_LS_067_redrive_to_another_queue(aws) -> None:
    url, _, dlq_url, dlq_arn = pair(aws)
    other_url, other_arn = aws.queue()
    bury(aws, url, dlq_url, "one")
    aws.sqs.start_message_move_task(SourceArn=dlq_arn, DestinationArn=other_arn)
    assert finished(aws, dlq_arn)["DestinationArn"] == other_arn
    assert [m["Body"] for m in aws.receive(other_url, 1)] == ["one"]


def test_LS_067_a_message_sent_to_the_dead_letter_queue_has_no_source(aws) -> None:
    _, _, dlq_url, dlq_arn = pair(aws)
    aws.sqs.send_message(QueueUrl=dlq_url, MessageBody="by hand")
    aws.sqs.start_message_move_task(SourceArn=dlq_arn)
    task = finished(aws, dlq_arn)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert [m["Body"] for m in aws.receive(dlq_url, 1)] == ["by hand"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("deadLetterTargetArn", None), ("maxReceiveCount", None), ("maxReceiveCount", "many")],
)
def test_LS_119_refused_policies(aws, key, value) -> None:
    url, _ = aws.queue()
    _, dlq_arn = aws.queue()
    given = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 1, key: value}
    wrong = json.dumps({name: each for name, each in given.items() if each is not None})
    attributes = {"RedrivePolicy": wrong}
    status, code, _ = refusal(aws.sqs.set_queue_attributes, QueueUrl=url, Attributes=attributes)
    assert (status, code) == (400, "InvalidParameterValue")


def test_LS_119_read_back_sources_and_removal(aws) -> None:
    url, _, dlq_url, dlq_arn = pair(aws, RedrivePolicy="")
    change = {"QueueUrl": url, "Attributes": {"RedrivePolicy": policy(dlq_arn, "3")}}
    aws.sqs.set_queue_attributes(**change)
    names = ["RedrivePolicy", "VisibilityTimeout"]
    seen = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert set(seen) == set(names)
    assert json.loads(seen["RedrivePolicy"]) == {
        "deadLetterTargetArn": dlq_arn,
        "maxReceiveCount": 3,
    }
    sources = poll(
        lambda: aws.sqs.list_dead_letter_source_queues(QueueUrl=dlq_url),
        lambda answer: answer.get("queueUrls"),
        "the source queue",
    )
    assert sources["queueUrls"] == [url]
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    answer = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    assert "Attributes" not in answer


def test_LS_120_the_source_must_be_a_dead_letter_queue(aws) -> None:
    _, arn = aws.queue()
    assert refusal(aws.sqs.start_message_move_task, SourceArn=arn) == (
        400,
        "InvalidParameterValue",
        "Source queue must be configured as a Dead Letter Queue.",
    )


def test_LS_120_the_destination_must_be_there(aws) -> None:
    _, _, _, dlq_arn = pair(aws)
    missing = dlq_arn.rsplit(":", 1)[0] + ":" + unique("missing")
    call = {"SourceArn": dlq_arn, "DestinationArn": missing}
    assert refusal(aws.sqs.start_message_move_task, **call) == (
        404,
        "ResourceNotFoundException",
        "The resource that you specified for the DestinationArn parameter doesn't exist.",
    )


def test_LS_120_one_task_at_a_time_and_a_running_one_can_be_cancelled(aws) -> None:
    url, _, dlq_url, dlq_arn = pair(aws)
    bury(aws, url, dlq_url, *map(str, range(5)))
    call = {"SourceArn": dlq_arn, "MaxNumberOfMessagesPerSecond": 1}
    handle = aws.sqs.start_message_move_task(**call)["TaskHandle"]
    assert refusal(aws.sqs.start_message_move_task, **call) == (
        400,
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn "
        "at a given time.",
    )
    running = aws.sqs.list_message_move_tasks(SourceArn=dlq_arn)["Results"][0]
    assert (running["Status"], running["TaskHandle"]) == ("RUNNING", handle)
    moved = aws.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert moved < 5
    poll(
        lambda: aws.sqs.list_message_move_tasks(SourceArn=dlq_arn)["Results"][0]["Status"],
        lambda status: status == "CANCELLED",
        "the task to be cancelled",
    )


def test_LS_120_a_handle_that_is_none(aws) -> None:
    assert refusal(aws.sqs.cancel_message_move_task, TaskHandle="garbage") == (
        400,
        "InvalidParameterValue",
        "Value for parameter TaskHandle is invalid.",
    )
