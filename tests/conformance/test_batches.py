"""What a function's answer for a batch means: which messages are gone, which come back."""

from __future__ import annotations

import json
from typing import Any

from helpers import steps
from helpers.waiting import when_role_is_ready
from tests.conformance.kit import HEAD, Declared, Scenario, poll

# A visibility timeout starts when a message is received, so it holds a cold start too: on a busy
# computer with five of them at once, some seconds.
COMES_BACK_S = 4
NEVER_COMES_BACK_S = 60  # longer than any test waits

PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
REPORTS_BAD = HEAD + (
    "    show(event)\n"
    "    return {'batchItemFailures': [{'itemIdentifier': r['messageId']}"
    " for r in event['Records'] if r['body'] == 'bad']}\n"
)
ANSWERS = HEAD + (
    "    show(event)\n"
    "    (record,) = event['Records']\n"
    "    if record['body'] == 'raise':\n        raise ValueError('as asked')\n"
    "    return json.loads(record['body'].replace('OWN', record['messageId']))\n"
)
IN_TURN = (
    "import json\n" + HEAD + "    print(json.dumps(event['Records']))\n"
    "    last = event['Records'][0]['attributes']['ApproximateReceiveCount'] == '2'\n"
    "    failed = ['4'] if last else ['2', '3', '4']\n"
    "    return {'batchItemFailures': [{'itemIdentifier': r['messageId']}"
    " for r in event['Records'] if r['body'] in failed]}\n"
)
SUCCESSES = [
    '""',
    "[]",
    "null",
    "{}",
    '{"batchItemFailures": []}',
    '{"batchItemFailures": null}',
]
FAILURES = [
    '{"batchItemFailures": [{"itemIdentifier": 123}]}',
    '{"batchItemFailures": [{"itemIdentifier": ""}]}',
    '{"batchItemFailures": [{"itemIdentifier": null}]}',
    '{"batchItemFailures": [{"foo": 123}]}',
    '{"batchItemFailures": [{"foo": null}]}',
    '{"batchItemFailures": [{"foo": "notvalid"}]}',
    '{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
    "raise",
]

UNKNOWN = {
    "G-10": "AWS's treatment of an unknown, null or empty itemIdentifier is recorded for Kinesis "
    "and documented for SQS, not recorded for SQS; here it fails the whole batch.",
}

WHOLE_BATCH = Scenario(
    HEAD + "    show(event)\n    raise ValueError('poison')\n",
    ["poison", "healthy"],
    visibility=COMES_BACK_S,
    max_receives=2,
    **PARTIAL,
)
ONE_BAD = Scenario(
    REPORTS_BAD, ["good", "bad", "fine"], visibility=COMES_BACK_S, max_receives=2, **PARTIAL,
    MaximumBatchingWindowInSeconds=1,
)  # fmt: skip
WITHOUT_SETTING = Scenario(REPORTS_BAD, ["bad"], visibility=NEVER_COMES_BACK_S, max_receives=1)
SUCCEEDS = Scenario(
    ANSWERS, SUCCESSES, visibility=NEVER_COMES_BACK_S, max_receives=1, BatchSize=1, **PARTIAL
)
FAILS = Scenario(ANSWERS, FAILURES, visibility=COMES_BACK_S, max_receives=2, BatchSize=1, **PARTIAL)
FOUR_OF_A_GROUP = Declared(IN_TURN, Timeout=2)


def bodies(invocations: list[dict]) -> list[str]:
    return [record["body"] for each in invocations for record in each["records"]]


def dead_letters(aws, scenario: Scenario, count: int) -> list[dict[str, Any]]:
    """The messages in the scenario's DLQ when there are `count`."""
    aws.invocations(scenario)
    found: dict[str, dict[str, Any]] = {}

    def look() -> dict[str, dict[str, Any]]:
        found.update({each["MessageId"]: each for each in aws.receive(scenario.dlq_url)})
        return found

    poll(look, lambda seen: len(seen) >= count, f"{count} messages in the DLQ")
    return list(found.values())


def test_LS_008_an_exception_fails_the_whole_batch(aws) -> None:
    dead = dead_letters(aws, WHOLE_BATCH, 2)
    assert sorted(message["Body"] for message in dead) == ["healthy", "poison"]
    counts = [
        record["attributes"]["ApproximateReceiveCount"]
        for each in aws.invocations(WHOLE_BATCH, 2)
        for record in each["records"]
    ]
    assert sorted(counts) == ["1", "1", "2", "2"]


def test_LS_009_only_the_reported_message_comes_back(aws) -> None:
    (dead,) = dead_letters(aws, ONE_BAD, 1)
    assert dead["Body"] == "bad"
    aws.wait_empty(ONE_BAD.url)
    assert sorted(bodies(aws.invocations(ONE_BAD, 2))) == ["bad", "bad", "fine", "good"]


def test_LS_009_LS_028_a_fifo_group_fails_in_part(aws) -> None:
    dlq_url, dlq_arn = aws.fifo_queue()
    policy = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 2})
    url, arn = aws.fifo_queue(
        ContentBasedDeduplication="true", VisibilityTimeout=2, RedrivePolicy=policy
    )
    entries = [{"Id": n, "MessageBody": n, "MessageGroupId": "g"} for n in "1234"]
    sent = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    when_role_is_ready(
        aws.create_mapping, EventSourceArn=arn, FunctionName=FOUR_OF_A_GROUP.name, **PARTIAL
    )
    (dead,) = poll(lambda: aws.receive(dlq_url), bool, "the last message in the DLQ")
    assert (dead["Body"], dead["MessageId"]) == ("4", sent[3]["MessageId"])
    seen = [json.loads(line) for line in aws.own_lines(FOUR_OF_A_GROUP.name)]
    assert [[record["body"] for record in batch] for batch in seen] == [
        ["1", "2", "3", "4"],
        ["2", "3", "4"],
    ]
    for count, batch in zip("12", seen, strict=True):
        assert {r["attributes"]["ApproximateReceiveCount"] for r in batch} == {count}
    numbers = [record["attributes"]["SequenceNumber"] for record in seen[0]]
    assert numbers == [entry["SequenceNumber"] for entry in sent]
    aws.wait_empty(url)


def test_LS_011_LS_012_answers_that_mean_success(aws) -> None:
    aws.wait_empty(SUCCEEDS.url)
    seen = bodies(aws.invocations(SUCCEEDS, len(SUCCESSES)))
    assert sorted(seen) == sorted(SUCCESSES)
    assert not any(steps.queue_counts(aws.sqs, SUCCEEDS.dlq_url).values())


def test_LS_010_LS_013_G_10_answers_that_mean_failure(aws) -> None:
    dead = dead_letters(aws, FAILS, len(FAILURES))
    assert sorted(message["Body"] for message in dead) == sorted(FAILURES)
    seen = bodies(aws.invocations(FAILS, 2 * len(FAILURES)))
    assert sorted(seen) == sorted(FAILURES * 2)
    answer = aws.invoke(FAILS.function.name, {"Records": [{"body": FAILURES[3], "messageId": "m"}]})
    assert (answer.error, answer.value) == (None, json.loads(FAILURES[3]))


def test_LS_009_a_report_without_the_setting_is_ignored(aws) -> None:
    aws.invocations(WITHOUT_SETTING, 1)
    aws.wait_empty(WITHOUT_SETTING.url)
    assert bodies(aws.invocations(WITHOUT_SETTING)) == ["bad"]
    assert not any(steps.queue_counts(aws.sqs, WITHOUT_SETTING.dlq_url).values())
