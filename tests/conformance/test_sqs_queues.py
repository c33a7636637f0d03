"""Queues: names, attributes, listing, tags, policies, purging."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.conformance.kit import poll, refusal, unique

NO_QUEUE = (
    400,
    "AWS.SimpleQueueService.NonExistentQueue",
    "The specified queue does not exist.",
)


UNKNOWN = {
    "G-15": "that AWS refuses tags which are not the queue's is reported; its sentence is not, nor "
    "whether it also refuses when the queue has more tags than are given, as here."
}


def attributes(aws, url: str, *names: str) -> dict[str, str]:
    answer = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names or ("All",))
    return answer.get("Attributes", {})


def anyone_may_send(aws, queue_arn: str) -> str:
    """A policy as people write it: indented, and its statement without a Sid."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


def test_LS_052_default_attributes(aws) -> None:
    url, arn = aws.queue()
    seen = attributes(aws, url)
    times = {seen.pop("CreatedTimestamp"), seen.pop("LastModifiedTimestamp")}
    assert all(time.isdecimal() and len(time) == 10 for time in times)
    assert seen == {
        "QueueArn": arn,
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "true",
    }


def test_LS_059_queue_does_not_exist(aws) -> None:
    url, _ = aws.queue()
    missing = url.rsplit("/", 1)[0] + "/" + unique("missing")
    assert refusal(aws.sqs.receive_message, QueueUrl=missing) == NO_QUEUE
    assert refusal(aws.sqs.get_queue_url, QueueName=unique("missing")) == NO_QUEUE
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist) as caught:
        aws.sqs.get_queue_url(QueueName=unique("missing"))
    error = caught.value.response["Error"]
    assert (error["QueryErrorCode"], error["Type"]) == ("QueueDoesNotExist", "Sender")


def test_LS_068_purge_removes_visible_hidden_and_delayed_messages(aws) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="in flight")
    poll(lambda: aws.receive(url), bool, "the message")
    aws.sqs.send_message(QueueUrl=url, MessageBody="visible")
    aws.sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=900)
    aws.sqs.purge_queue(QueueUrl=url)
    aws.wait_empty(url)
    aws.sqs.send_message(QueueUrl=url, MessageBody="after")
    assert [m["Body"] for m in poll(lambda: aws.receive(url, 1), bool, "a message")] == ["after"]


def test_LS_068_purging_twice_within_60_s_is_refused(aws) -> None:
    name = unique("queue")
    url, _ = aws.queue(name)
    aws.sqs.purge_queue(QueueUrl=url)
    assert refusal(aws.sqs.purge_queue, QueueUrl=url) == (
        403,
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
    )


def test_LS_069_counters(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=1)
    for number in range(6):
        aws.sqs.send_message(QueueUrl=url, MessageBody=str(number))
    names = [f"ApproximateNumberOfMessages{end}" for end in ("", "NotVisible", "Delayed")]

    def counts() -> list[str]:
        seen = attributes(aws, url, *names)
        return [seen[name] for name in names]

    poll(counts, lambda seen: seen == ["6", "0", "0"], "six messages")
    aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=5)
    poll(counts, lambda seen: seen == ["5", "1", "0"], "one message in flight")
    poll(counts, lambda seen: seen == ["6", "0", "0"], "the message to come back")


@pytest.mark.parametrize(
    "given", [{}, {"DelaySeconds": "5"}, {"DelaySeconds": "5", "VisibilityTimeout": "9"}]
)
def test_LS_102_create_is_idempotent(aws, given) -> None:
    name = unique("queue")
    url, _ = aws.queue(name, DelaySeconds=5, VisibilityTimeout=9)
    assert aws.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"] == url


def test_LS_102_changed_attributes_are_returned_and_others_kept(aws) -> None:
    url, _ = aws.queue(DelaySeconds=5, VisibilityTimeout=9)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "7"})
    seen = poll(lambda: attributes(aws, url), lambda a: a["DelaySeconds"] == "7", "the change")
    assert seen["VisibilityTimeout"] == "9"


def test_LS_102_a_policy_outlives_other_changes(aws) -> None:
    url, arn = aws.queue()
    policy = anyone_may_send(aws, arn)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "9"})
    seen = poll(lambda: attributes(aws, url), lambda a: a["VisibilityTimeout"] == "9", "the change")
    assert seen["Policy"] == policy


def test_LS_103_create_with_other_attributes(aws) -> None:
    name = unique("queue")
    url, _ = aws.queue(name, DelaySeconds=0)
    other = {"DelaySeconds": "1"}
    with pytest.raises(ClientError) as caught:
        aws.sqs.create_queue(QueueName=name, Attributes=other)
    error = caught.value.response["Error"]
    assert (error["Code"], error["QueryErrorCode"]) == ("QueueAlreadyExists", "QueueNameExists")
    assert error["Message"] == (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes=other)
    assert aws.sqs.create_queue(QueueName=name, Attributes=other)["QueueUrl"] == url


@pytest.mark.parametrize("has", [{}, {"who": "anna"}, {"who": "ben", "and": "more"}])
def test_G_15_create_with_other_tags_is_refused_and_tags_nothing(aws, has) -> None:
    name = unique("queue")
    url, _ = aws.queue(name)
    if has:
        aws.sqs.tag_queue(QueueUrl=url, Tags=has)
    with pytest.raises(aws.sqs.exceptions.QueueNameExists) as caught:
        aws.sqs.create_queue(QueueName=name, tags={"who": "ben"})
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert (error["Error"]["Code"], error["Error"]["QueryErrorCode"]) == (
        "QueueAlreadyExists",
        "QueueNameExists",
    )
    assert aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}) == has


def test_G_15_create_with_the_same_tags_or_none(aws) -> None:
    name, tags = unique("queue"), {"who": "anna"}
    url, _ = aws.queue(name)
    aws.sqs.tag_queue(QueueUrl=url, Tags=tags)
    for given in ({"tags": tags}, {}):
        assert aws.sqs.create_queue(QueueName=name, **given)["QueueUrl"] == url
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == tags


def test_LS_104_create_within_60_s_of_delete(aws) -> None:
    name = unique("queue")
    url, _ = aws.queue(name)
    aws.sqs.delete_queue(QueueUrl=url)
    assert refusal(aws.sqs.create_queue, QueueName=name) == (
        400,
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with "
        "the same name.",
    )


@pytest.mark.parametrize(("suffix", "given"), [("", {"FifoQueue": "true"}), (".fifo", {})])
def test_LS_105_fifo_queue_and_suffix_belong_together(aws, suffix, given) -> None:
    name = unique("queue") + suffix
    status, code, _ = refusal(aws.sqs.create_queue, QueueName=name, Attributes=given)
    assert (status, code) == (400, "InvalidParameterValue")


@pytest.mark.parametrize("name", ["FifoQueue", "ContentBasedDeduplication"])
def test_LS_105_unknown_on_a_standard_queue(aws, name) -> None:
    given = {name: "false"}
    error = (400, "InvalidAttributeName", f"Unknown Attribute {name}.")
    assert refusal(aws.sqs.create_queue, QueueName=unique("queue"), Attributes=given) == error
    url, _ = aws.queue()
    assert refusal(aws.sqs.set_queue_attributes, QueueUrl=url, Attributes=given) == error


@pytest.mark.parametrize(
    ("name", "value"),
    [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")],
)
def test_LS_105_only_with_fifo(aws, name, value) -> None:
    _, _, message = refusal(
        aws.sqs.create_queue, QueueName=unique("queue"), Attributes={name: value}
    )
    assert message == f"You can specify the {name} only when FifoQueue is set to true."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VisibilityTimeout", "43201"),
        ("MessageRetentionPeriod", "59"),
        ("MaximumMessageSize", "1048577"),
        ("DelaySeconds", "soon"),
    ],
)
def test_LS_102_values_out_of_range(aws, name, value) -> None:
    url, _ = aws.queue()
    call = {"QueueUrl": url, "Attributes": {name: value}}
    assert refusal(aws.sqs.set_queue_attributes, **call) == (
        400,
        "InvalidAttributeValue",
        f"Invalid value for the parameter {name}.",
    )


def test_LS_105_a_queue_keeps_its_type(aws) -> None:
    url, _ = aws.fifo_queue()
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": "true"})
    assert refusal(
        aws.sqs.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "false"}
    ) == (
        400,
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )


def test_LS_106_listing(aws) -> None:
    prefix = unique("list")
    urls = [aws.queue(f"{prefix}-{number}")[0] for number in range(3)]
    listed = poll(
        lambda: aws.sqs.list_queues(QueueNamePrefix=prefix),
        lambda answer: len(answer.get("QueueUrls", [])) == 3,
        "three queues",
    )
    assert sorted(listed["QueueUrls"]) == urls
    assert "NextToken" not in listed
    assert "QueueUrls" not in aws.sqs.list_queues(QueueNamePrefix=unique("none"))
    first = aws.sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    last = aws.sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, NextToken=first["NextToken"])
    assert sorted(first["QueueUrls"] + last["QueueUrls"]) == urls
    assert len(first["QueueUrls"]) == 2
    assert "NextToken" not in last


def test_LS_108_the_bare_name_will_do_as_url(aws) -> None:
    name = unique("queue")
    aws.queue(name)
    answer = aws.sqs.send_message(QueueUrl=name, MessageBody="hello")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_LS_136_a_policy_is_stored_verbatim_and_removed_by_an_empty_one(aws) -> None:
    url, arn = aws.queue()
    text = anyone_may_send(aws, arn)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
    assert attributes(aws, url, "Policy")["Policy"] == text
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert attributes(aws, url, "Policy") == {}


def test_LS_136_permissions_come_and_go(aws) -> None:
    url, arn = aws.queue()
    name = arn.rsplit(":", 1)[-1]
    given = {
        "QueueUrl": url,
        "Label": "crosstest",
        "AWSAccountIds": [aws.account],
        "Actions": ["ReceiveMessage"],
    }
    aws.sqs.add_permission(**given)
    policy = json.loads(attributes(aws, url, "Policy")["Policy"])
    assert policy["Version"] == "2008-10-17"
    assert policy["Id"].startswith(f"{arn}/")
    assert policy["Statement"] == [
        {
            "Sid": "crosstest",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
            "Action": "SQS:ReceiveMessage",
            "Resource": arn,
        }
    ]
    assert name in policy["Id"]
    reason = "Value {} for parameter Label is invalid. Reason: {}"
    assert refusal(aws.sqs.add_permission, **given) == (
        400,
        "InvalidParameterValue",
        reason.format("crosstest", "Already exists."),
    )
    assert refusal(aws.sqs.remove_permission, QueueUrl=url, Label="other")[2] == reason.format(
        "other", "can't find label."
    )
    aws.sqs.add_permission(**{**given, "Label": "second"})
    aws.sqs.remove_permission(QueueUrl=url, Label="crosstest")
    [left] = json.loads(attributes(aws, url, "Policy")["Policy"])["Statement"]
    assert left["Sid"] == "second"
    aws.sqs.remove_permission(QueueUrl=url, Label="second")
    assert "Attributes" not in aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_LS_136_a_permission_joins_a_policy_of_ones_own(aws) -> None:
    url, arn = aws.queue()
    own = anyone_may_send(aws, arn)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": own})
    aws.sqs.add_permission(
        QueueUrl=url,
        Label="receive",
        AWSAccountIds=[aws.account],
        Actions=["ReceiveMessage", "DeleteMessage"],
    )
    statements = json.loads(attributes(aws, url, "Policy")["Policy"])["Statement"]
    assert len(statements) == 2
    assert statements[1]["Action"] == ["SQS:ReceiveMessage", "SQS:DeleteMessage"]
    aws.sqs.remove_permission(QueueUrl=url, Label="receive")
    assert json.loads(attributes(aws, url, "Policy")["Policy"]) == json.loads(own)


def test_LS_137_tags(aws) -> None:
    url, _ = aws.queue()
    assert "Tags" not in aws.sqs.list_queue_tags(QueueUrl=url)
    aws.sqs.tag_queue(QueueUrl=url, Tags={"colour": "blue", "empty": ""})
    aws.sqs.tag_queue(QueueUrl=url, Tags={"colour": "red"})
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"colour": "red", "empty": ""}
    aws.sqs.untag_queue(QueueUrl=url, TagKeys=["colour", "never there"])
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"empty": ""}
    aws.sqs.untag_queue(QueueUrl=url, TagKeys=["empty"])
    assert "Tags" not in aws.sqs.list_queue_tags(QueueUrl=url)
