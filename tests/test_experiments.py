"""An experiment is built in a known state, again and again, and is cleaned up."""

from __future__ import annotations

import re
from unittest import mock

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from helpers import clean_up, course, experiments, steps
from helpers.account import clock
from helpers.experiments import emptying, experiment, faults, settling
from tests.notebook_files import code_cells, read

pytestmark = pytest.mark.usefixtures("environment")

SHOWS = "import json\ndef lambda_handler(event, context):\n    print(json.dumps(event))\n"
FAILS = SHOWS + "    raise ValueError('no')\n"
WORKS = SHOWS + "    print(event['Records'][0]['body'])\n"
LOOKS = ("Describe", "Filter", "Get", "List", "Receive")
ALLOW = (
    '{"Version": "2012-10-17", "Statement":'
    ' {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}'
)


def test_built_again_it_is_as_if_new_and_clean_up_finds_all_of_it(learner) -> None:
    sqs = boto3.client("sqs")
    first = experiments.build("Retries", FAILS, visibility_s=1, max_receives=1)
    experiments.send(first, ["to the dead-letter queue"])
    experiments.settle(first)
    sqs.send_message(QueueUrl=first.queue_url, MessageBody="still in flight")
    assert steps.queue_counts(sqs, first.dlq_url)["visible"] == 1

    second = experiments.build("Retries", WORKS, visibility_s=3, timeout_s=2, BatchSize=5)
    assert second.queue_url == first.queue_url
    assert second.trigger_uuid == first.trigger_uuid
    assert not any(steps.queue_counts(sqs, second.queue_url).values())
    assert not any(steps.queue_counts(sqs, second.dlq_url).values())
    attributes = sqs.get_queue_attributes(QueueUrl=second.queue_url, AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "3"
    assert "RedrivePolicy" not in attributes["Attributes"]
    trigger = boto3.client("lambda").get_event_source_mapping(UUID=second.trigger_uuid)
    assert (trigger["State"], trigger["BatchSize"]) == ("Enabled", 5)
    assert second.events().empty

    sent = sqs.send_message(QueueUrl=second.queue_url, MessageBody="hello")
    experiments.settle(second, [sent["MessageId"]])
    assert "hello" in set(second.events()["message"])
    assert second.again().events().empty

    kinds = sorted(thing.kind for thing in clean_up.find())
    assert kinds == ["function", "log group", "queue", "queue", "role", "trigger"]
    clean_up.clean_up()
    assert clean_up.find() == []


def test_build_makes_the_calls_that_08_shows_by_hand(learner) -> None:
    made: list[str] = []
    events = boto3.DEFAULT_SESSION.events
    events.register("before-call.*", lambda model, **_others: made.append(model.name))
    experiments.build("Retries", WORKS)
    cells = "\n".join(cell.source for cell in code_cells(read("08_retries")))
    by_hand, _, _ = cells.partition("experiments.build(")
    shown = re.findall(r"\b(?:sqs|iam|lambda_)\.((?:create|attach)_\w+)", by_hand)
    names = ["".join(word.capitalize() for word in each.split("_")) for each in shown]
    changing = [each for each in made if not each.startswith(LOOKS)]
    assert len(names) == 6
    assert [each for each in changing if each in names] == names
    assert {*changing} - {*names} == {"SetQueueAttributes", "UpdateFunctionConfiguration"}


def test_what_somebody_else_made_is_not_touched(learner) -> None:
    sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
    url = sqs.create_queue(QueueName=course.name("Orders"))["QueueUrl"]
    jobs = sqs.create_queue(QueueName=course.name(course.JOBS_QUEUE))["QueueUrl"]
    dynamodb.create_table(
        TableName=course.name(course.TABLE),
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for queue in (url, jobs):
        sqs.send_message(QueueUrl=queue, MessageBody="theirs")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    sentence = "that this course did not make .* Set SQS_COURSE_PREFIX"
    with pytest.raises(ValueError, match=f"There is a queue {learner}Orders {sentence}"):
        experiments.build("Orders", WORKS, visibility_s=9)
    with pytest.raises(ValueError, match=f"There is a queue {learner}VideoJobs {sentence}"):
        experiments.empty_queue(course.JOBS_QUEUE, 1)
    with pytest.raises(ValueError, match=f"There is a table {learner}ProcessedOrders {sentence}"):
        experiments.empty_table()
    after = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert after["Attributes"] == before["Attributes"]
    assert steps.queue_counts(sqs, jobs)["visible"] == 1


@pytest.mark.parametrize("kind", ["role", "function"])
def test_what_is_not_ours_stops_the_faults_too(learner, kind: str) -> None:
    iam, lambda_ = boto3.client("iam"), boto3.client("lambda")
    name = course.name(course.BREAK_IT)
    role = steps.create_role(iam, f"{name}Role", {} if kind == "role" else course.tags())
    iam.put_role_policy(RoleName=f"{name}Role", PolicyName="theirs", PolicyDocument=ALLOW)
    if kind == "function":
        steps.create_function(lambda_, name, role, {}, WORKS)
    with pytest.raises(ValueError, match=f"There is a {kind} {name}"):
        faults.build(3)
    assert iam.list_role_policies(RoleName=f"{name}Role")["PolicyNames"] == ["theirs"]


def test_the_queues_of_others_are_left_alone_by_the_faults(learner) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"{learner}BreakIt-2024-orders")["QueueUrl"]
    faults.build(5)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def test_a_fifo_experiment_takes_messages_and_leaves_no_trigger_behind(learner) -> None:
    built = experiments.build("AuditLog", SHOWS, fifo=True)
    for _ in range(2):  # within the five minutes of deduplication
        seen = experiments.send_and_settle(built, ["one", "two"])
        assert list(seen["body"]) == ["one", "two"]
        assert set(seen["group"]) == {"all"}
    experiments.build("AuditLog", SHOWS)
    mappings = boto3.client("lambda").list_event_source_mappings(FunctionName=built.name)
    arns = [mapping["EventSourceArn"] for mapping in mappings["EventSourceMappings"]]
    assert [arn.endswith(":" + built.name) for arn in arns] == [True]


def test_deliveries_are_waited_for(learner, monkeypatch) -> None:
    built = experiments.build("Retries", SHOWS)
    experiments.send(built, ["late", "later"])
    assert len(experiments.wait_for_deliveries(built, 2)) == 2
    monkeypatch.setattr(settling, "SETTLE_LIMIT_S", 0.1)
    with pytest.raises(TimeoutError, match="3 deliveries in the log of "):
        experiments.wait_for_deliveries(built, 3)


FAILS_ONCE = (
    SHOWS
    + """\
    print("seen", event["Records"][0]["body"])
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        raise ValueError("no")
"""
)
REPORTS = (
    SHOWS
    + """\
    answer = {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    print(json.dumps(answer))
    return answer
"""
)


@pytest.fixture
def no_counts(monkeypatch) -> None:
    """On AWS a queue's counts may be a minute old: here they never change."""
    nothing = {"visible": 0, "in flight": 0, "delayed": 0}
    monkeypatch.setattr(steps, "queue_counts", lambda *_: nothing)


def test_the_ends_of_messages_are_seen_without_counts(learner, no_counts) -> None:
    built = experiments.build("Retries", FAILS_ONCE, visibility_s=1)
    seen = experiments.send_and_settle(built, ["hello"])
    assert list(seen["outcome"]) == ["raised", "returned"]
    assert list(experiments.own_lines(built, 2)) == ["seen hello", "seen hello"]


def test_a_message_that_is_given_up_is_waited_for_in_the_dead_letter_queue(
    learner, no_counts
) -> None:
    built = experiments.build("Retries", FAILS, visibility_s=1, max_receives=1)
    [sent] = experiments.send(built, ["hello"])
    experiments.settle(built)
    answer = boto3.client("sqs").receive_message(QueueUrl=built.dlq_url)
    assert [message["MessageId"] for message in answer["Messages"]] == [sent]


def test_the_lines_of_all_deliveries_of_a_dead_message_are_waited_for(learner, monkeypatch) -> None:
    every = experiment.Experiment.events

    def late(run: experiment.Experiment) -> pd.DataFrame:
        events = every(run)
        return events[events["time"] < pd.Timestamp.now("UTC") - pd.Timedelta(seconds=1.5)]

    built = experiments.build("Retries", FAILS, visibility_s=1, max_receives=2)
    monkeypatch.setattr(experiment.Experiment, "events", late)
    monkeypatch.setattr(settling, "aws_pace", lambda: 1.0)
    assert list(experiments.send_and_settle(built, ["hello"])["receive_count"]) == [1, 2]


@pytest.mark.parametrize(
    ("shown", "dead", "number"),
    [([1, 2], "", 0), ([3, 1], "", 1), ([1], "a", 1), ([1, 2, 3], "a", 0)],
)
def test_what_the_log_does_not_tell_is_counted(shown: list[int], dead: str, number: int) -> None:
    seen = pd.DataFrame({"message_id": "a", "receive_count": shown})
    assert settling.untold(seen, {dead}, 2) == number


def test_a_report_that_nobody_reads_is_an_end_too(learner) -> None:
    setting = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    built = experiments.build("Retries", REPORTS, visibility_s=1)
    experiments.send(built, ["hello"])
    experiments.settle(built, limit_s=10)
    built = experiments.build("Retries", REPORTS, visibility_s=1, **setting)
    experiments.send(built, ["hello"])
    with pytest.raises(TimeoutError, match=r"all messages of .* last seen: {'in the queue': 1}"):
        experiments.settle(built, limit_s=1)


def test_without_a_message_there_is_nothing_to_wait_for(learner) -> None:
    built = experiments.build("Retries", SHOWS, enabled=False)
    with pytest.raises(ValueError, match=r"No message of this run of .*Retries is known"):
        experiments.settle(built)
    experiments.send(built, ["hello"])
    with pytest.raises(ValueError, match="No message of this run"):
        experiments.settle(built.again())


@pytest.mark.parametrize("off_s", [-30, 30])
def test_a_run_begins_by_the_clock_of_aws(learner, off_s: float) -> None:
    clock.set_off(off_s)
    try:
        first = experiments.build("Retries", WORKS)
        experiments.send(first, ["one"])
        experiments.settle(first, limit_s=10)
        second = first.again()
        assert second.events().empty
        experiments.send(second, ["two"])
        experiments.settle(second, limit_s=10)
    finally:
        clock.set_off(0)
    assert list(experiments.own_lines(second)) == ["two"]


def test_a_log_that_is_read_too_often_is_read_again(learner, monkeypatch) -> None:
    built = experiments.build("Retries", WORKS, enabled=False)
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "FilterLogEvents")
    read = mock.Mock(side_effect=[throttled, built.events()])
    monkeypatch.setattr(experiment, "read_events", read)
    assert built.events().empty
    assert read.call_count == 2


def test_a_queue_is_emptied_without_a_change_of_it(learner) -> None:
    sqs = boto3.client("sqs")
    kept = {"VisibilityTimeout": "77"}
    url = steps.create_queue(sqs, course.name("Orders"), course.tags(), kept)
    sqs.send_message(QueueUrl=url, MessageBody="of an earlier run")
    experiments.drain(sqs, url)
    assert not any(steps.queue_counts(sqs, url).values())
    names = list(kept)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == kept


def test_a_change_of_a_queue_is_believed_when_reads_agree() -> None:
    old, new = {"VisibilityTimeout": "1"}, {"VisibilityTimeout": "2"}
    reads = [old, new, new, new, old, *[new] * emptying.EQUAL_READS]
    sqs = mock.Mock()
    sqs.get_queue_attributes.side_effect = [{"Attributes": each} for each in reads]
    emptying.change_queue(sqs, "http://localhost/1/queue", **new)
    assert sqs.get_queue_attributes.call_count == len(reads)


@pytest.mark.parametrize(
    ("read", "written", "answer"),
    [
        ("", "", True),
        ('{"a": 1}', '{"a":1}', True),
        ('{"a": 2}', '{"a":1}', False),
        ("1", "", False),
    ],
)
def test_a_policy_is_the_same_however_it_is_spaced(read: str, written: str, answer: bool) -> None:
    assert emptying.same(read, written) is answer


def test_what_aws_refuses_is_raised(learner) -> None:
    with pytest.raises(Exception, match="Queue visibility timeout: 1 seconds is less than"):
        experiments.build("BreakIt", WORKS, visibility_s=1, timeout_s=2)


def test_a_fifo_experiment(learner) -> None:
    built = experiments.build("Orders", WORKS, fifo=True, max_receives=2)
    assert built.queue_url.endswith(".fifo")
    assert built.dlq_url.endswith(".fifo")


def test_an_unknown_name_gets_a_sentence(learner) -> None:
    with pytest.raises(ValueError, match="'Other' is no experiment: Retries, "):
        experiments.build("Other", WORKS)


def test_the_table_of_the_course_is_cleaned_up_too(learner) -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=course.name(course.TABLE),
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in course.tags().items()],
    )
    assert [(thing.kind, thing.ours) for thing in clean_up.find()] == [("table", True)]
    assert clean_up.clean_up() == [f"table {course.name(course.TABLE)}"]


def test_what_sqs_refuses_to_take_is_not_passed_over(learner) -> None:
    built = experiments.build("Orders", WORKS)
    with pytest.raises(RuntimeError, match="SQS refused a message: InvalidMessageContents: "):
        experiments.send(built, ["good", "bad \x00"])


def test_a_role_gets_one_action_more(learner) -> None:
    built = experiments.build("Videos", WORKS)
    experiments.allow(built, "sqs:SendMessage", built.dlq_arn)
    policy = boto3.client("iam").get_role_policy(
        RoleName=built.role_name, PolicyName="sqs-SendMessage"
    )
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": built.dlq_arn}


def test_an_empty_queue_with_its_timeout(learner) -> None:
    sqs = boto3.client("sqs")
    url = experiments.empty_queue(course.JOBS_QUEUE, 1)
    sqs.send_message(QueueUrl=url, MessageBody="of an earlier run")
    assert experiments.empty_queue(course.JOBS_QUEUE, 2) == url
    assert not any(steps.queue_counts(sqs, url).values())
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "2"}
    assert [thing.kind for thing in clean_up.find()] == ["queue"]
