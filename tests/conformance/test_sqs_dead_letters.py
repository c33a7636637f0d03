"""Dead-letter queues: the redrive policy, what arrives there, and the way back."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from tests.conformance.kit import poll, refusal, unique

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
UNKNOWN = {
    "LS-119": "AWS's words for a missing key or a wrong maxReceiveCount are not recorded (here: as "
    "users and other servers quote them), nor are those for a policy that is no JSON (here: "
    "moto's)",
    "LS-120": "what AWS says of StartMessageMoveTask with a SourceArn that is not there (here: "
    "what CancelMessageMoveTask says), of cancelling a task that has ended (here: that it does "
    "not exist) and of a destination of the other queue type (here: it is taken) is not recorded",
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


def buried(aws, count: int, **attributes: Any) -> tuple[str, str, str, str]:
    """A queue and its dead-letter queue with so many messages: URL and ARN of both."""
    url, arn, dlq_url, dlq_arn = pair(aws, **attributes)
    bury(aws, url, dlq_url, *map(str, range(count)))
    return url, arn, dlq_url, dlq_arn


def finished(aws, dlq_arn: str) -> dict[str, Any]:
    """The newest move task, when it has ended."""
    return poll(
        lambda: aws.sqs.list_message_move_tasks(SourceArn=dlq_arn)["Results"][0],
        lambda task: task["Status"] not in ("RUNNING", "CANCELLING"),
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
    assert handle["sourceArn"] == dlq_arn
    assert set(handle) == {"taskId", "sourceArn"}
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
    _, _, dlq_url, dlq_arn = buried(aws, 2)
    other_url, other_arn = aws.queue()
    aws.sqs.start_message_move_task(SourceArn=dlq_arn, DestinationArn=other_arn)
    task = finished(aws, dlq_arn)
    del task["StartedTimestamp"]
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": dlq_arn,
        "DestinationArn": other_arn,
        "ApproximateNumberOfMessagesMoved": 2,
        "ApproximateNumberOfMessagesToMove": 2,
    }
    found = poll(lambda: aws.receive(other_url, 1), lambda seen: len(seen) == 2, "both messages")
    assert sorted(message["Body"] for message in found) == ["0", "1"]
    assert aws.receive(dlq_url) == []


def test_LS_067_each_message_returns_to_its_own_source(aws) -> None:
    first_url, _, dlq_url, dlq_arn = pair(aws)
    second_url, _ = aws.queue(RedrivePolicy=policy(dlq_arn), VisibilityTimeout=0)
    sources = {"first": first_url, "second": second_url}
    for body, url in sources.items():
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
        poll(lambda url=url: aws.receive(url), bool, "the message")
        aws.receive(url)
    poll(
        lambda: aws.receive(dlq_url, VisibilityTimeout=0),
        lambda found: len(found) == 2,
        "both messages to be dead",
    )
    aws.sqs.start_message_move_task(SourceArn=dlq_arn)
    assert finished(aws, dlq_arn)["ApproximateNumberOfMessagesMoved"] == 2
    for body, url in sources.items():
        assert [m["Body"] for m in aws.receive(url, 1, VisibilityTimeout=30)] == [body]


def test_LS_067_the_limit_of_messages_per_second(aws) -> None:
    _, _, dlq_url, dlq_arn = buried(aws, 3)
    began = time.monotonic()
    aws.sqs.start_message_move_task(SourceArn=dlq_arn, MaxNumberOfMessagesPerSecond=1)
    aws.wait_empty(dlq_url)
    assert time.monotonic() - began >= 2
    assert finished(aws, dlq_arn)["MaxNumberOfMessagesPerSecond"] == 1


def test_LS_067_a_redriven_message_is_a_new_one(aws) -> None:
    url, _, dlq_url, dlq_arn = pair(aws)
    [old_id] = bury(aws, url, dlq_url, "again")
    aws.sqs.start_message_move_task(SourceArn=dlq_arn)
    [new] = poll(lambda: aws.receive(url, 1), bool, "the message")
    assert new["MessageId"] != old_id
    assert "DeadLetterQueueSourceArn" not in new["Attributes"]


def test_LS_067_redrive_of_a_fifo_queue(aws) -> None:
    fifo = {"ContentBasedDeduplication": "true", "VisibilityTimeout": "0"}
    dlq_url, dlq_arn = aws.fifo_queue(**fifo)
    url, _ = aws.fifo_queue(**fifo, RedrivePolicy=policy(dlq_arn))
    aws.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
    poll(lambda: aws.receive(url), bool, "the message")
    aws.receive(url)
    poll(lambda: aws.receive(dlq_url), bool, "the dead message")
    aws.sqs.start_message_move_task(SourceArn=dlq_arn)
    [back] = poll(lambda: aws.receive(url, 1), bool, "the message")
    assert (back["Body"], back["Attributes"]["MessageGroupId"]) == ("x", "g")


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


@pytest.mark.parametrize("count", [0, 1001, -1, 2.5])
def test_LS_119_counts_out_of_range(aws, count) -> None:
    url, _ = aws.queue()
    _, dlq_arn = aws.queue()
    attributes = {"RedrivePolicy": policy(dlq_arn, count)}
    status, code, _ = refusal(aws.sqs.set_queue_attributes, QueueUrl=url, Attributes=attributes)
    assert (status, code) == (400, "InvalidParameterValue")


def test_LS_119_the_dead_letter_queue_must_be_there_and_of_the_same_type(aws) -> None:
    url, arn = aws.queue()
    _, fifo_arn = aws.fifo_queue()
    for dlq_arn, reason in (
        ("dummy", "Invalid value for deadLetterTargetArn."),
        (arn + "-missing", "Dead letter target does not exist."),
        (fifo_arn, "Dead-letter queue must be same type of queue as the source."),
    ):
        attributes = {"RedrivePolicy": policy(dlq_arn, 42)}
        error = (
            400,
            "InvalidParameterValue",
            f"Value {attributes['RedrivePolicy']} for parameter RedrivePolicy is invalid. Reason: "
            f"{reason}",
        )
        call = {"QueueUrl": url, "Attributes": attributes}
        assert refusal(aws.sqs.set_queue_attributes, **call) == error
    names = ["RedrivePolicy"]
    answer = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    assert "Attributes" not in answer


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
    _, _, dlq_url, dlq_arn = buried(aws, 5)
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
    after = finished(aws, dlq_arn)
    assert after["Status"] == "CANCELLED"
    assert "TaskHandle" not in after
    assert after["ApproximateNumberOfMessagesToMove"] == 5
    assert aws.receive(dlq_url, 1)


def test_LS_120_the_destination_is_deleted_meanwhile(aws) -> None:
    _, _, dlq_url, dlq_arn = buried(aws, 5)
    other_url, other_arn = aws.queue()
    call = {"SourceArn": dlq_arn, "DestinationArn": other_arn}
    aws.sqs.start_message_move_task(**call, MaxNumberOfMessagesPerSecond=1)
    aws.sqs.delete_queue(QueueUrl=other_url)
    task = finished(aws, dlq_arn)
    assert task["Status"] == "FAILED"
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert aws.receive(dlq_url, 1)


def handle(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize("given", ["garbage", handle(["taskId"]), handle(1)])
def test_LS_120_a_handle_that_is_none(aws, given) -> None:
    assert refusal(aws.sqs.cancel_message_move_task, TaskHandle=given) == (
        400,
        "InvalidParameterValue",
        "Value for parameter TaskHandle is invalid.",
    )


def test_LS_120_a_handle_of_no_task(aws) -> None:
    _, arn = aws.queue()
    task = {"taskId": "10f57157-fc38-4da9-a113-4de7e12d05aa", "sourceArn": arn}
    call = aws.sqs.cancel_message_move_task
    missing = (404, "ResourceNotFoundException", "Task does not exist.")
    assert refusal(call, TaskHandle=handle(task)) == missing
    task["sourceArn"] += "-missing"
    assert refusal(call, TaskHandle=handle(task)) == (
        404,
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
    )
