"""Messages on a standard queue: send, receive, hide, delete, attributes, sizes, batches."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.kit import Aws, Early, poll, refusal, unique

LIMIT = 1_048_576
TOO_LONG = "One or more parameters are invalid. Reason: Message must be shorter than {} bytes."
TRACE = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
UNKNOWN = {
    "LS-112": "AWS's words for a VisibilityTimeout out of range are not recorded; here, for "
    "ReceiveMessage, they are like those for WaitTimeSeconds, and for ChangeMessageVisibility "
    "moto's",
    "LS-118": "of AWS's words only those for an empty value are recorded; for a wrong name they "
    "are moto's here, for a wrong type or number as users of AWS quote them",
}
UNTIL_RETENTION_S = 61


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def bodies(messages: list[dict]) -> list[str]:
    return [message["Body"] for message in messages]


def first(aws, url: str, **arguments) -> dict:
    """The one message that comes, waiting for it."""
    [message] = poll(lambda: aws.receive(url, 1, **arguments), bool, "a message")
    return message


too_old: dict[str, Any] = {}


@Early
def send_what_expires(aws: Aws) -> None:
    """LS-107: a queue that keeps messages for 60 s, with one in flight and one visible."""
    url, _ = aws.queue(MessageRetentionPeriod=60, VisibilityTimeout=300)
    aws.sqs.send_message(QueueUrl=url, MessageBody="in flight")
    handle = first(aws, url)["ReceiptHandle"]
    aws.sqs.send_message(QueueUrl=url, MessageBody="visible")
    too_old.update(url=url, handle=handle, since=time.monotonic())


def test_LS_053_send_and_receive(aws) -> None:
    url, _ = aws.queue()
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="message")
    assert set(sent) == {"MessageId", "MD5OfMessageBody", "ResponseMetadata"}
    assert sent["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3"
    message = first(aws, url, MessageSystemAttributeNames=[])
    assert set(message) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]


@pytest.mark.parametrize("wait", [{}, {"WaitTimeSeconds": 0}, {"WaitTimeSeconds": 1}])
def test_LS_054_an_empty_receive_has_no_key(aws, wait) -> None:
    url, _ = aws.queue()
    answer = aws.sqs.receive_message(QueueUrl=url, **wait)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "Messages" not in answer


@pytest.mark.parametrize("of_the_queue", [True, False])
def test_LS_055_a_long_poll_ends_when_a_message_arrives(aws, of_the_queue) -> None:
    url, _ = aws.queue(ReceiveMessageWaitTimeSeconds=10 if of_the_queue else 0)
    aws.sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
    wait = {} if of_the_queue else {"WaitTimeSeconds": 10}
    began = time.monotonic()
    answer = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **wait)
    assert bodies(answer["Messages"]) == ["late"]
    assert 0.5 < time.monotonic() - began < 10


@pytest.mark.parametrize("of_the_queue", [True, False])
def test_LS_055_a_long_poll_does_not_wait_for_more_messages(aws, of_the_queue) -> None:
    url, _ = aws.queue(ReceiveMessageWaitTimeSeconds=20 if of_the_queue else 0)
    aws.sqs.send_message(QueueUrl=url, MessageBody="there")
    wait = {} if of_the_queue else {"WaitTimeSeconds": 20}
    began = time.monotonic()
    answer = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **wait)
    assert bodies(answer["Messages"]) == ["there"]
    assert time.monotonic() - began < 15


def test_LS_056_a_message_comes_back_after_its_visibility_timeout(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=1)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    before = first(aws, url)
    assert aws.receive(url) == []
    after = first(aws, url)
    assert after["MessageId"] == before["MessageId"]
    assert after["ReceiptHandle"] != before["ReceiptHandle"]


def test_DF_10_what_comes_back_is_handed_out_before_what_was_sent_later(aws) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="sent first")
    [received] = aws.receive(url)
    aws.sqs.send_message(QueueUrl=url, MessageBody="sent later")
    aws.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=0
    )
    assert [message["Body"] for message in aws.receive(url)] == ["sent first", "sent later"]


def test_LS_057_changing_visibility(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=1)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = first(aws, url)["ReceiptHandle"]
    change = aws.sqs.change_message_visibility
    began = time.monotonic()
    while time.monotonic() - began < 2:
        change(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=2)
        assert aws.receive(url) == []
    handle = first(aws, url)["ReceiptHandle"]
    assert time.monotonic() - began >= 3.5
    change(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert len(aws.receive(url)) == 1
    assert aws.receive(url) == []


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (43_201, "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."),
        (-1, "Must be >= 0 and <= 43200, if provided."),
    ],
)
def test_no_message_is_hidden_for_more_than_twelve_hours(aws, seconds, reason) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = aws.receive(url)
    handle = {"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
    text = f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: {reason}"
    refused = refusal(aws.sqs.change_message_visibility, QueueUrl=url, **handle)
    assert refused == (400, "InvalidParameterValue", text)
    entries = [{"Id": "a", **handle}]
    answer = aws.sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert [each["Message"] for each in answer["Failed"]] == [text]


def test_LS_058_delete_is_idempotent(aws) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = first(aws, url)["ReceiptHandle"]
    for _ in range(3):
        aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    aws.wait_empty(url)


def test_LS_060_a_batch_that_succeeds_has_no_failed_key(aws) -> None:
    url, _ = aws.queue()
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "one"}])
    assert "Failed" not in answer
    [entry] = answer["Successful"]
    assert set(entry) == {"Id", "MessageId", "MD5OfMessageBody"}


def batch_calls(aws, url: str, ids: list[str]) -> dict:
    """For each batch call a function that makes it with these entry ids."""
    sqs = aws.sqs
    handles = [{"Id": each, "ReceiptHandle": f"handle-{n}"} for n, each in enumerate(ids)]
    timed = [{**entry, "VisibilityTimeout": 1} for entry in handles]
    sends = [{"Id": each, "MessageBody": "x"} for each in ids]
    return {
        "send": lambda: refusal(sqs.send_message_batch, QueueUrl=url, Entries=sends),
        "delete": lambda: refusal(sqs.delete_message_batch, QueueUrl=url, Entries=handles),
        "change": lambda: refusal(sqs.change_message_visibility_batch, QueueUrl=url, Entries=timed),
    }


@pytest.mark.parametrize("call", ["send", "delete", "change"])
def test_LS_061_more_than_ten_entries(aws, call) -> None:
    url, _ = aws.queue()
    assert batch_calls(aws, url, [str(n) for n in range(20)])[call]() == (
        400,
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "Maximum number of entries per request are 10. You have sent 20.",
    )


@pytest.mark.parametrize(
    ("call", "entry_id"),
    [("send", "a:b"), ("delete", "a:b"), ("delete", ""), ("delete", "x" * 100)],
)
def test_LS_061_illegal_entry_ids(aws, call, entry_id) -> None:
    url, _ = aws.queue()
    assert batch_calls(aws, url, [entry_id])[call]() == (
        400,
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It "
        "can be at most 80 letters long.",
    )


@pytest.mark.parametrize("call", ["send", "delete", "change"])
def test_LS_061_an_empty_batch(aws, call) -> None:
    url, _ = aws.queue()
    status, code, _ = batch_calls(aws, url, [])[call]()
    assert status in (400, 404)
    assert "EmptyBatchRequest" in code


@pytest.mark.parametrize("call", ["send", "delete", "change"])
def test_G_07_duplicate_ids_in_a_batch(aws, call) -> None:
    url, _ = aws.queue()
    assert batch_calls(aws, url, ["a", "a"])[call]() == (
        400,
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "Id a repeated.",
    )


def test_LS_062_attributes_count_for_the_size(aws) -> None:
    url, _ = aws.queue()
    overhead = len("name") + len("String") + len("value")
    send = {"QueueUrl": url, "MessageAttributes": {"name": text("value")}}
    aws.sqs.send_message(MessageBody="x" * (LIMIT - overhead), **send)
    error = (400, "InvalidParameterValue", TOO_LONG.format(LIMIT))
    body = "x" * (LIMIT - overhead + 1)
    assert refusal(aws.sqs.send_message, MessageBody=body, **send) == error
    assert refusal(aws.sqs.send_message, QueueUrl=url, MessageBody="x" * (LIMIT + 1)) == error


@pytest.mark.parametrize(
    ("names", "expected", "md5"),
    [
        ([], [], None),
        (["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hello", "General"], ["General", "Hello"], "fca026605781cb4126a1e9044df24232"),
        (["Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["Foo", "AWS.", "..foo"], [], None),
    ],
)
def test_LS_063_message_attribute_selection(aws, names, expected, md5) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={
            "Hello": text("There"),
            "General": text("Kenobi"),
            "Help.Me": text("Me"),
        },
    )
    message = first(aws, url, MessageAttributeNames=names)
    assert sorted(message.get("MessageAttributes", {})) == expected
    assert message.get("MD5OfMessageAttributes") == md5


def test_LS_064_system_attribute_selection(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=0)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"Colour": text("blue")})
    everything = {
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "SentTimestamp",
    }

    def seen(**names) -> set[str]:
        message = first(aws, url, **{"MessageSystemAttributeNames": [], **names})
        assert "MessageAttributes" not in message
        return set(message.get("Attributes", {}))

    assert seen(AttributeNames=["All"]) == everything
    assert seen(MessageSystemAttributeNames=["All"]) == everything
    assert seen(MessageSystemAttributeNames=["SequenceNumber"]) == set()
    both = seen(AttributeNames=["SenderId"], MessageSystemAttributeNames=["SentTimestamp"])
    assert both == {"SenderId", "SentTimestamp"}


def test_LS_109_an_empty_body(aws) -> None:
    url, _ = aws.queue()
    assert refusal(aws.sqs.send_message, QueueUrl=url, MessageBody="") == (
        400,
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    )


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x13", "\uffff"])
def test_LS_109_illegal_characters(aws, character) -> None:
    url, _ = aws.queue()
    code = refusal(aws.sqs.send_message, QueueUrl=url, MessageBody=f"a{character}b")[1]
    assert code == "InvalidMessageContents"


@pytest.mark.parametrize("body", ['"&quot;&quot;\r', '{"a":\r\n"b"}\r\n', "€ 🍕 \t\n"])
def test_LS_109_odd_but_legal_bodies(aws, body) -> None:
    url, _ = aws.queue()
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    message = first(aws, url)
    assert message["Body"] == body
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()


def test_LS_110_the_queues_own_limit(aws) -> None:
    url, _ = aws.queue(MaximumMessageSize=1024)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x" * 1024)
    error = (400, "InvalidParameterValue", TOO_LONG.format(1024))
    assert refusal(aws.sqs.send_message, QueueUrl=url, MessageBody="x" * 1025) == error
    labelled = {"MessageBody": "x" * 1024, "MessageAttributes": {"a": text("b")}}
    assert refusal(aws.sqs.send_message, QueueUrl=url, **labelled) == error


def test_LS_110_the_limit_of_a_batch(aws) -> None:
    url, _ = aws.queue()
    entries = [
        {"Id": "1", "MessageBody": "x" * (LIMIT // 2)},
        {"Id": "2", "MessageBody": "x" * (LIMIT // 2 + 1)},
    ]
    assert refusal(aws.sqs.send_message_batch, QueueUrl=url, Entries=entries) == (
        400,
        "AWS.SimpleQueueService.BatchRequestTooLong",
        f"Batch requests cannot be longer than {LIMIT} bytes. You have sent {LIMIT + 1} bytes.",
    )


def test_LS_110_the_queues_limit_is_per_message(aws) -> None:
    url, _ = aws.queue(MaximumMessageSize=2048)
    entries = [{"Id": "1", "MessageBody": "x" * 2048}, {"Id": "2", "MessageBody": "x"}]
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["1", "2"]


def test_LS_111_a_batch_can_fail_in_part(aws) -> None:
    url, _ = aws.queue(MaximumMessageSize=1024)
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x" * 1025}]
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert answer["Failed"] == [
        {
            "Id": "bad",
            "SenderFault": True,
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters cannot be validated. Reason: Message must be "
            "shorter than 1024 bytes.",
        }
    ]


def test_LS_111_nine_of_ten(aws) -> None:
    url, _ = aws.queue()
    entries = [{"Id": str(n), "MessageBody": "x" if n < 9 else "a\x00b"} for n in range(10)]
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(answer["Successful"]) == 9
    assert [(e["Id"], e["Code"]) for e in answer["Failed"]] == [("9", "InvalidMessageContents")]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
    ],
)
def test_LS_112_ranges_of_receive(aws, name, value, reason) -> None:
    url, _ = aws.queue()
    assert refusal(aws.sqs.receive_message, QueueUrl=url, **{name: value}) == (
        400,
        "InvalidParameterValue",
        f"Value {value} for parameter {name} is invalid. Reason: {reason}",
    )


def test_LS_113_a_delayed_message(aws) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    assert aws.receive(url) == []
    assert bodies(aws.receive(url, 3)) == ["later"]


def test_LS_114_a_receive_that_hides_nothing(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=30)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    before = first(aws, url, VisibilityTimeout=0)
    after = first(aws, url)
    assert after["ReceiptHandle"] != before["ReceiptHandle"]
    assert aws.receive(url) == []


def test_LS_115_late_on_a_standard_queue(aws) -> None:
    url, _ = aws.queue(VisibilityTimeout=1)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    old = first(aws, url)["ReceiptHandle"]
    poll(lambda: aws.receive(url, 1, VisibilityTimeout=0), bool, "the message to come back")
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=old, VisibilityTimeout=0)
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=old)
    aws.wait_empty(url)


def test_LS_116_handles_that_no_longer_or_never_were(aws) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = first(aws, url)["ReceiptHandle"]
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    change = {"QueueUrl": url, "VisibilityTimeout": 1}
    assert refusal(aws.sqs.change_message_visibility, ReceiptHandle=handle, **change) == (
        400,
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist "
        "or is not available for visibility timeout change.",
    )
    code = refusal(aws.sqs.change_message_visibility, ReceiptHandle="garbage", **change)[1]
    assert code == "ReceiptHandleIsInvalid"
    assert refusal(aws.sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage")[1:] == (
        "ReceiptHandleIsInvalid",
        'The input receipt handle "garbage" is not a valid receipt handle.',
    )


def test_LS_117_timestamps_and_binary_attributes(aws) -> None:
    url, _ = aws.queue()
    value = bytes(range(256))
    sent = aws.sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={"Data": {"DataType": "Binary", "BinaryValue": value}},
    )
    message = first(aws, url, MessageAttributeNames=["All"])
    assert message["MessageAttributes"]["Data"]["BinaryValue"] == value
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
        assert len(message["Attributes"][name]) == 13
        assert message["Attributes"][name].isdecimal()


def test_LS_118_an_empty_attribute_value(aws) -> None:
    url, _ = aws.queue()
    given = {"ErrorDetails": text("")}
    assert refusal(
        aws.sqs.send_message, QueueUrl=url, MessageBody="x", MessageAttributes=given
    ) == (
        400,
        "InvalidParameterValue",
        "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.",
    )


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        *((name, text("x")) for name in ("aWs.foo", "AMAZON.foo", ".foo", "foo.", "x" * 257)),
        *((f"a{character}b", text("x")) for character in '!"§(?,'),
        ("control", text("a\x00b")),
        ("type", {"DataType": "Text", "StringValue": "x"}),
        ("long-type", {"DataType": "String." + "x" * 256, "StringValue": "x"}),
    ],
)
def test_LS_118_refused_attributes(aws, name, attribute) -> None:
    url, _ = aws.queue()
    given = {name: attribute}
    call = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": given}
    assert refusal(aws.sqs.send_message, **call)[0] == 400


def test_LS_118_what_is_refused_and_why(aws) -> None:
    url, _ = aws.queue()
    eleven = {f"name-{number}": text("x") for number in range(11)}
    no_number = {"Age": {"DataType": "Number", "StringValue": "old"}}
    wrong_type = {"Name": {"DataType": "string", "StringValue": "x"}}
    for given, message in (
        (eleven, "Number of message attributes [11] exceeds the allowed maximum [10]."),
        (no_number, "Can't cast the value of message (user) attribute 'Age' to a number."),
        (
            wrong_type,
            "The type of message (user) attribute 'Name' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String.",
        ),
    ):
        call = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": given}
        error = (400, "InvalidParameterValue", message)
        assert refusal(aws.sqs.send_message, **call) == error


def test_DF_12_a_forbidden_character_in_an_attribute(aws) -> None:
    url, _ = aws.queue()
    call = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": {"a": text("\x08")}}
    assert refusal(aws.sqs.send_message, **call) == (
        400,
        "InvalidParameterValue",
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF "
        "| #xE000 to #xFFFD | #x10000 to #x10FFFF",
    )


def test_LS_118_letters_beyond_ascii_are_accepted(aws) -> None:
    url, _ = aws.queue()
    given = {"größe-é": text("x")}
    aws.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=given)
    assert list(first(aws, url, MessageAttributeNames=["All"])["MessageAttributes"]) == list(given)


def test_LS_134_a_message_group_on_a_standard_queue(aws) -> None:
    url, _ = aws.queue()
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="tenant-1")
    assert "SequenceNumber" not in sent
    assert first(aws, url)["Attributes"]["MessageGroupId"] == "tenant-1"


def test_LS_134_a_deduplication_id_is_for_fifo_queues_only(aws) -> None:
    url, _ = aws.queue()
    call = {"QueueUrl": url, "MessageBody": "x", "MessageDeduplicationId": "d"}
    assert refusal(aws.sqs.send_message, **call) == (
        400,
        "InvalidParameterValue",
        "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include "
        "parameter that is not valid for this queue type.",
    )


@pytest.mark.parametrize("value", ["", "x" * 129, "a b"])
def test_LS_135_characters_of_a_group_id(aws, value) -> None:
    url, _ = aws.fifo_queue(ContentBasedDeduplication="true")
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    for name in ids:
        given = {"QueueUrl": url, "MessageBody": unique("body"), **ids, name: value}
        assert refusal(aws.sqs.send_message, **given) == (
            400,
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. Reason: {name} can only include "
            "alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def test_LS_138_the_trace_header_becomes_a_system_attribute(aws) -> None:
    url, _ = aws.queue()
    client = aws.client("sqs")

    def trace(request, **_arguments) -> None:
        request.headers["X-Amzn-Trace-Id"] = TRACE

    client.meta.events.register("before-send.sqs.SendMessage", trace)
    sent = client.send_message(QueueUrl=url, MessageBody="x")
    assert "MD5OfMessageSystemAttributes" not in sent
    assert first(aws, url)["Attributes"]["AWSTraceHeader"] == TRACE


def test_LS_138_system_attributes_have_a_checksum_of_their_own(aws) -> None:
    url, _ = aws.queue()
    given = {
        "QueueUrl": url,
        "MessageBody": "test",
        "MessageAttributes": {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}},
    }
    plain = aws.sqs.send_message(**given)
    traced = aws.sqs.send_message(
        **given,
        MessageSystemAttributes={
            "AWSTraceHeader": text(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
            )
        },
    )
    assert plain["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"
    assert traced["MD5OfMessageAttributes"] == plain["MD5OfMessageAttributes"]
    assert "MD5OfMessageSystemAttributes" not in plain
    assert traced["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("send_message", {"MessageBody": "x" * (LIMIT + 1)}, "InvalidParameterValueException"),
        ("send_message", {"MessageBody": ""}, "MissingRequiredParameterException"),
        ("send_message", {"MessageBody": "\x00"}, "InvalidMessageContents"),
        ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValueException"),
        ("remove_permission", {"Label": "none"}, "InvalidParameterValueException"),
        (
            "send_message_batch",
            {"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(11)]},
            "TooManyEntriesInBatchRequest",
        ),
        (
            "delete_message_batch",
            {"Entries": [{"Id": "a:b", "ReceiptHandle": "x"}]},
            "InvalidBatchEntryId",
        ),
        (
            "send_message_batch",
            {"Entries": [{"Id": id_, "MessageBody": "x" * LIMIT} for id_ in "ab"]},
            "BatchRequestTooLong",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_LS_061_LS_062_LS_109_LS_110_LS_112_LS_136_query_error_codes(
    aws, operation, arguments, code
) -> None:
    url, _ = aws.queue()
    with pytest.raises(ClientError) as caught:
        getattr(aws.sqs, operation)(QueueUrl=url, **arguments)
    error = caught.value.response["Error"]
    assert (error["QueryErrorCode"], error["Type"]) == (code, "Sender")


@pytest.mark.slow
def test_LS_107_retention(aws) -> None:
    time.sleep(max(0.0, UNTIL_RETENTION_S - (time.monotonic() - too_old["since"])))
    aws.wait_empty(too_old["url"])
    assert aws.receive(too_old["url"], 1) == []
    aws.sqs.delete_message(QueueUrl=too_old["url"], ReceiptHandle=too_old["handle"])
