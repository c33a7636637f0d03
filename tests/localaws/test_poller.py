"""The trigger: what it hands over, what it deletes, and what comes back."""

from __future__ import annotations

import json
import os
import signal
import uuid

import pytest

from helpers import steps
from helpers.localaws.records import failed_ids, is_valid_pattern
from tests.conformance.kit import REGION, Scenario, poll, refusal, unique
from tests.localaws.kit import POSIX

ACCOUNT = "123456789012"
HEAD = "def lambda_handler(event, context):\n    show(event)\n"
FAIL_FIRST = HEAD + (
    "    if event['Records'][0]['attributes']['ApproximateReceiveCount'] == '1':\n"
    "        raise ValueError('not yet')\n"
)
REPORT_LAST = HEAD + (
    "    return {'batchItemFailures': [{'itemIdentifier': r['messageId']}"
    " for r in event['Records'] if r['body'] == 'bad']}\n"
)
SLOW = (
    HEAD
    + "    time.sleep(0.2)\n    print('SEEN ' + json.dumps({'at': time.time(), 'records': []}))\n"
)
SLOW_AT_FIRST = (
    "import os, time\n"
    "def lambda_handler(event, context):\n"
    "    (record,) = event['Records']\n"
    "    print('HANDLES', os.getpid(), record['body'])\n"
    "    if record['attributes']['ApproximateReceiveCount'] == '1':\n"
    "        time.sleep(2)\n"
    "    print('HANDLED', os.getpid(), record['body'])\n"
)

PLAIN = Scenario(HEAD, ["hello"])
WITH_ATTRIBUTES = Scenario(
    HEAD,
    ["{}"],
    message={
        "MessageAttributes": {
            "Title": {"DataType": "String", "StringValue": "The Whistler"},
            "Author": {"DataType": "String", "StringValue": "John Grisham"},
            "WeeksOn": {"DataType": "Number", "StringValue": "6"},
        }
    },
)
WINDOW = Scenario(HEAD, [str(n) for n in range(30)], BatchSize=20, MaximumBatchingWindowInSeconds=1)
RETRY = Scenario(FAIL_FIRST, ["again"], visibility=1)
REDRIVE = Scenario(HEAD + "    raise ValueError\n", ["bad"], visibility=1, max_receives=2)
PARTIAL = Scenario(
    REPORT_LAST,
    ["good", "bad", "fine"],
    visibility=1,
    max_receives=2,
    FunctionResponseTypes=["ReportBatchItemFailures"],
)
FORGOTTEN = Scenario(REPORT_LAST, ["bad"], visibility=1)
FILTERED = Scenario(
    HEAD,
    [json.dumps({"price": 50}), json.dumps({"price": 150}), "no json"],
    FilterCriteria={
        "Filters": [{"Pattern": json.dumps({"body": {"price": [{"numeric": [">", 100]}]}})}]
    },
    MaximumBatchingWindowInSeconds=1,
)
DISABLED = Scenario(HEAD, ["wait"], Enabled=False)
TWO_AT_ONCE = Scenario(
    SLOW, [str(n) for n in range(8)], BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}
)
QUEUE_DELETED = Scenario(HEAD)
REMOVED = Scenario(HEAD)


def bodies(invocations: list[dict]) -> list[str]:
    return [record["body"] for each in invocations for record in each["records"]]


def test_LS_001_a_mapping_is_created(aws) -> None:
    created = PLAIN.created
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (created["State"], created["StateTransitionReason"]) == ("Creating", "USER_INITIATED")
    assert (created["BatchSize"], created["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert created["FunctionResponseTypes"] == []
    assert "LastProcessingResult" not in created and "StartingPosition" not in created
    aws.wait_mapping(PLAIN.uuid, "Enabled")


def test_LS_002_LS_004_LS_005_record_and_deletion(aws) -> None:
    (seen,) = aws.invocations(PLAIN, 1)
    (record,) = seen["records"]
    assert list(record) == [
        *("messageId", "receiptHandle", "body", "attributes", "messageAttributes"),
        *("md5OfBody", "eventSource", "eventSourceARN", "awsRegion"),
    ]
    assert list(record["attributes"]) == [
        *("ApproximateReceiveCount", "SentTimestamp", "SenderId"),
        "ApproximateFirstReceiveTimestamp",
    ]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["body"] == "hello"
    assert record["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", REGION)
    assert record["eventSourceARN"] == PLAIN.arn
    aws.wait_empty(PLAIN.url)
    assert len(aws.invocations(PLAIN)) == 1


def test_LS_003_message_attributes(aws) -> None:
    ((record,),) = (seen["records"] for seen in aws.invocations(WITH_ATTRIBUTES, 1))
    assert record["messageAttributes"]["WeeksOn"] == {
        "stringValue": "6",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Number",
    }
    assert record["md5OfMessageAttributes"] == "d25a6aea97eb8f585bfa92d314504a92"
    keys = list(record)
    assert keys.index("messageAttributes") + 1 == keys.index("md5OfMessageAttributes")


def test_LS_004_LS_015_LS_026_window_fills_batches(aws) -> None:
    aws.wait_empty(WINDOW.url)
    seen = aws.invocations(WINDOW, 2)
    assert sorted(len(each["records"]) for each in seen) == [10, 20]
    assert sorted(bodies(seen), key=int) == [str(n) for n in range(30)]
    assert seen[0]["records"][0]["md5OfMessageAttributes"] is None


def test_LS_006_a_failure_comes_back_after_the_visibility_timeout(aws) -> None:
    first, second = aws.invocations(RETRY, 2)
    before, after = first["records"][0], second["records"][0]
    received_ms = int(before["attributes"]["ApproximateFirstReceiveTimestamp"])
    assert second["at"] * 1000 - received_ms >= 1000
    assert before["messageId"] == after["messageId"]
    assert before["receiptHandle"] != after["receiptHandle"]
    assert after["attributes"]["ApproximateReceiveCount"] == "2"
    aws.wait_empty(RETRY.url)


def test_LS_007_redrive_after_max_receives(aws) -> None:
    found = poll(lambda: aws.receive(REDRIVE.dlq_url), bool, "the message in the DLQ")
    seen = aws.invocations(REDRIVE, 2)
    assert [each["records"][0]["attributes"]["ApproximateReceiveCount"] for each in seen] == [
        "1",
        "2",
    ]
    assert found[0]["MessageId"] == seen[0]["records"][0]["messageId"]
    assert found[0]["Attributes"]["DeadLetterQueueSourceArn"] == REDRIVE.arn


def test_LS_009_only_the_reported_messages_come_back(aws) -> None:
    poll(lambda: aws.receive(PARTIAL.dlq_url), bool, "the message in the DLQ")
    seen = aws.invocations(PARTIAL, 2)
    assert sorted(bodies(seen)) == ["bad", "bad", "fine", "good"]


def test_a_report_without_the_setting_is_ignored_and_the_message_deleted(aws) -> None:
    aws.invocations(FORGOTTEN, 1)
    aws.wait_empty(FORGOTTEN.url)


IDS = {"m1", "m2"}


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ('""', set()),
        ("[]", set()),
        ("null", set()),
        ("{}", set()),
        ('{"batchItemFailures": []}', set()),
        ('{"batchItemFailures": null}', set()),
        ('{"statusCode": 200}', set()),
        ('{"batchItemFailures": [{"itemIdentifier": "m1"}]}', {"m1"}),
        ('{"batchItemFailures": [{"itemIdentifier": 123}]}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', IDS),
        ('{"batchItemFailures": [{"foo": "notvalid"}]}', IDS),
        ('{"batchItemFailures": [{"foo": null}]}', IDS),
        ('{"batchItemFailures": "m1"}', IDS),
        ('{"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "other"}]}', IDS),
        ("no json", IDS),
    ],
)
def test_LS_010_to_LS_013_what_a_batch_answer_means(answer, failed) -> None:
    assert failed_ids(answer.encode(), IDS) == failed


def test_LS_023_LS_024_what_does_not_match_is_deleted(aws) -> None:
    aws.wait_empty(FILTERED.url)
    assert bodies(aws.invocations(FILTERED, 1)) == ['{"price": 150}']


@pytest.mark.parametrize(
    "pattern", ["null", "simple", '{"eventSource": "x"}', '{"eventSource": []}']
)
def test_LS_025_invalid_patterns(pattern) -> None:
    assert not is_valid_pattern(pattern)
    assert is_valid_pattern('{"body": {"a": ["b"]}}')


def test_LS_021_disabled_then_enabled_and_moto_leaves_the_messages_alone(aws) -> None:
    assert DISABLED.created["State"] == "Disabled"
    assert aws.invocations(DISABLED) == []
    enabled = aws.lambda_.update_event_source_mapping(UUID=DISABLED.uuid, Enabled=True)
    assert enabled["State"] == "Enabling"
    (seen,) = aws.invocations(DISABLED, 1)
    assert seen["records"][0]["attributes"]["ApproximateReceiveCount"] == "1"


def test_LS_022_deleted(aws) -> None:
    aws.wait_mapping(REMOVED.uuid, "Enabled")
    deleted = aws.lambda_.delete_event_source_mapping(UUID=REMOVED.uuid)
    assert (deleted["State"], deleted["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
    get = aws.lambda_.get_event_source_mapping
    poll(
        lambda: (
            REMOVED.uuid
            in [m["UUID"] for m in aws.lambda_.list_event_source_mappings()["EventSourceMappings"]]
        ),
        lambda there: not there,
        "the mapping to be gone",
    )
    gone = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert refusal(get, UUID=REMOVED.uuid) == gone
    aws.sqs.send_message(QueueUrl=REMOVED.url, MessageBody="nobody")
    (message,) = aws.receive(REMOVED.url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_LS_026_maximum_concurrency_is_kept(aws) -> None:
    aws.wait_empty(TWO_AT_ONCE.url)
    seen = aws.invocations(TWO_AT_ONCE, 16)
    changes = sorted((each["at"], 1 if each["records"] else -1) for each in seen)
    running = [sum(step for _, step in changes[: n + 1]) for n in range(len(changes))]
    assert max(running) == 2


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_a_killed_worker_loses_no_message(aws) -> None:
    url, arn = aws.queue(VisibilityTimeout=3)
    name = aws.function(SLOW_AT_FIRST, Timeout=3)
    for body in "abcde":
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    aws.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=1)

    def lines(word: str) -> list[list[str]]:
        return [line.split()[1:] for line in aws.own_lines(name) if line.startswith(word)]

    pid, body = poll(lambda: lines("HANDLES"), bool, "a worker in the middle of a batch")[0]
    os.kill(int(pid), signal.SIGKILL)
    aws.wait_empty(url)
    assert sorted({each[1] for each in lines("HANDLED")}) == list("abcde")
    assert [each[1] for each in lines("HANDLES")].count(body) == 2
    assert any("Error Type: Runtime.ExitError" in line for line in aws.log(name))


def test_G_13_a_queue_deleted_under_its_trigger(aws) -> None:
    aws.wait_mapping(QUEUE_DELETED.uuid, "Enabled")
    aws.sqs.delete_queue(QueueUrl=QUEUE_DELETED.url)
    refused = refusal(aws.sqs.send_message, QueueUrl=QUEUE_DELETED.url, MessageBody="x")
    assert refused == (
        400,
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )
    assert aws.lambda_.get_event_source_mapping(UUID=QUEUE_DELETED.uuid)["State"] == "Enabled"
    assert aws.invoke(QUEUE_DELETED.function.name, {"Records": []}).error is None


# -- what is refused -------------------------------------------------------------------


def create(aws, **arguments):
    return refusal(
        aws.lambda_.create_event_source_mapping,
        **{"FunctionName": PLAIN.function.name, "EventSourceArn": REMOVED.arn, **arguments},
    )


def test_LS_014_batch_size_needs_a_window(aws) -> None:
    text = (
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
        "greater than 10"
    )
    assert create(aws, BatchSize=11) == (400, "InvalidParameterValueException", text)


def test_LS_016_duplicate(aws) -> None:
    text = (
        f'An event source mapping with SQS arn (" {PLAIN.arn} ") and function '
        f'(" {PLAIN.function.name} ") already exists. Please update or delete the existing '
        f"mapping with UUID {PLAIN.uuid}"
    )
    refused = create(aws, EventSourceArn=PLAIN.arn)
    assert refused == (409, "ResourceConflictException", text)


def test_LS_017_no_such_queue(aws) -> None:
    refused = create(aws, EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:nope")
    assert refused == (
        400,
        "InvalidParameterValueException",
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
        "not exist.",
    )


def test_LS_018_no_such_function(aws) -> None:
    refused = create(aws, FunctionName="nope")
    assert refused == (400, "InvalidParameterValueException", "Function does not exist")


def test_LS_019_no_source(aws) -> None:
    refused = refusal(aws.lambda_.create_event_source_mapping, FunctionName="nope")
    assert refused == (400, "InvalidParameterValueException", "Unrecognized event source.")


def test_LS_020_unknown_uuid(aws) -> None:
    expected = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    calls = aws.lambda_
    for call in (
        calls.get_event_source_mapping,
        calls.update_event_source_mapping,
        calls.delete_event_source_mapping,
    ):
        assert refusal(call, UUID=str(uuid.uuid4())) == expected


def test_G_01_visibility_below_timeout(aws) -> None:
    _, arn = aws.queue(VisibilityTimeout=0)
    text = "Queue visibility timeout: 0 seconds is less than Function timeout: 1 seconds"
    refused = create(aws, EventSourceArn=arn)
    assert refused == (400, "InvalidParameterValueException", text)


def test_G_02_role_without_permission(aws) -> None:
    role = unique("role")
    arn = aws.iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps(steps.TRUST_POLICY)
    )["Role"]["Arn"]
    name = aws.function(HEAD, Role=arn)
    text = "The function execution role does not have permissions to call ReceiveMessage on SQS"
    refused = create(aws, FunctionName=name)
    assert refused == (400, "InvalidParameterValueException", text)


def test_G_04_window_on_fifo(aws) -> None:
    _, arn = aws.queue(unique("q") + ".fifo", FifoQueue="true")
    refused = create(aws, EventSourceArn=arn, MaximumBatchingWindowInSeconds=5)
    text = "Batching window is not supported for FIFO queues"
    assert refused == (400, "InvalidParameterValueException", text)
