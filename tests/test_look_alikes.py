"""Somebody else's things that have the names of the course: no notebook touches them.

Each name that the course uses is taken, by things without a tag or with another learner's.
The cells of each notebook are run over them, to the end, as by somebody who runs on after an
error; all that the account shows is the same before and after.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest

from helpers import clean_up, course, logs, steps
from helpers.account import names, target
from helpers.account.refusal import NotOurs
from helpers.account.things import as_list
from helpers.logs import log_group, read_events
from helpers.waiting import wait_until
from tests.conftest import fresh_prefix
from tests.notebook_files import NAMES, run_cells, run_whole

TAGS = {"no tag": {}, "another's tag": {names.TAG: "somebody-else"}}
THEIRS = "def lambda_handler(event, context):\n    print('theirs')\n"


class Clients:
    """Clients of what the tests are connected to."""

    def __init__(self) -> None:
        self.sqs, self.lambda_, self.iam, self.logs, self.dynamodb = map(
            boto3.client, ("sqs", "lambda", "iam", "logs", "dynamodb")
        )
        self.stacks, self.cloudwatch = map(boto3.client, ("cloudformation", "cloudwatch"))


# -- to plant things, and to look at all of them -----------------------------------------------


def plant(tags: dict[str, str]) -> None:
    """Take every name of the course, and connect some of the queues and functions."""
    aws = Clients()
    for role in map(course.name, names.EVERYTHING.roles):
        role_arn = steps.create_role(aws.iam, role, tags)
    for function in map(course.name, names.EVERYTHING.functions):
        plant_function(aws.lambda_, function, role_arn, tags)
        plant_log_group(aws.logs, log_group(function), tags)
    for wanted, make, client in (
        (names.EVERYTHING.queues, plant_queue, aws.sqs),
        (names.EVERYTHING.tables, plant_table, aws.dynamodb),
        (names.EVERYTHING.stacks, plant_stack, aws.stacks),
        (names.EVERYTHING.alarms, plant_alarm, aws.cloudwatch),
    ):
        for each in map(course.name, wanted):
            make(client, each, tags)
    for function in map(course.name, names.EVERYTHING.functions):
        steps.wait_for_function(aws.lambda_, function, "function_active_v2")
    plant_trigger(aws, "Retries", "Retries", tags, Enabled=False)
    if not tags:  # one that polls; with a tag catch_up would find no trigger there
        url = aws.sqs.get_queue_url(QueueName=course.name(course.QUEUE))["QueueUrl"]
        aws.sqs.purge_queue(QueueUrl=url)
        plant_trigger(aws, course.QUEUE, course.FUNCTION, tags)


def plant_function(lambda_: Any, name: str, role_arn: str, tags: dict[str, str]) -> None:
    lambda_.create_function(
        FunctionName=name,
        Runtime=steps.RUNTIME,
        Handler=steps.HANDLER,
        Role=role_arn,
        Code={"ZipFile": steps.make_package(THEIRS)},
        Tags=tags,
    )


def plant_queue(sqs: Any, name: str, tags: dict[str, str]) -> None:
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = sqs.create_queue(QueueName=name, Attributes=fifo, tags=tags)["QueueUrl"]
    group = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if fifo else {}
    sqs.send_message(QueueUrl=url, MessageBody="an order for Ada", **group)


def plant_log_group(logs: Any, name: str, tags: dict[str, str]) -> None:
    logs.create_log_group(logGroupName=name, tags=tags)
    logs.create_log_stream(logGroupName=name, logStreamName="theirs")
    event = {"timestamp": int(time.time() * 1000), "message": "theirs 12345"}
    logs.put_log_events(logGroupName=name, logStreamName="theirs", logEvents=[event])


def plant_table(dynamodb: Any, name: str, tags: dict[str, str]) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=as_list(tags),
    )
    dynamodb.put_item(TableName=name, Item={"order_id": {"S": "theirs"}})


def plant_stack(stacks: Any, name: str, tags: dict[str, str]) -> None:
    template = "Resources: {Theirs: {Type: 'AWS::SQS::Queue'}}"
    stacks.create_stack(StackName=name, TemplateBody=template, Tags=as_list(tags))
    waiter = stacks.get_waiter("stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})


def plant_alarm(cloudwatch: Any, name: str, tags: dict[str, str]) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Theirs",
        MetricName="Anything",
        Statistic="Sum",
        Period=3600,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=as_list(tags),
    )


def plant_trigger(aws: Clients, queue: str, function: str, tags: dict, **settings: Any) -> str:
    url = aws.sqs.get_queue_url(QueueName=course.name(queue))["QueueUrl"]
    uuid = aws.lambda_.create_event_source_mapping(
        EventSourceArn=steps.queue_arn(aws.sqs, url),
        FunctionName=course.name(function),
        Tags=tags,
        **settings,
    )["UUID"]
    steps.settled(aws.lambda_, uuid)
    return uuid


def everything(prefix: str) -> dict[str, Any]:
    """All that the account shows of the things with this prefix, by kind and name."""
    aws = Clients()
    functions = aws.lambda_.list_functions()["Functions"]
    roles = aws.iam.list_roles(MaxItems=1000)["Roles"]
    groups = aws.logs.describe_log_groups(logGroupNamePrefix=log_group(prefix))["logGroups"]
    mappings = aws.lambda_.list_event_source_mappings()["EventSourceMappings"]
    looks = {
        "queues": (
            queue_state, aws.sqs, aws.sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []),
        ),
        "functions": (function_state, aws.lambda_, [each["FunctionName"] for each in functions]),
        "roles": (role_state, aws.iam, [each["RoleName"] for each in roles]),
        "log groups": (group_state, aws.logs, [each["logGroupName"] for each in groups]),
        "tables": (table_state, aws.dynamodb, aws.dynamodb.list_tables()["TableNames"]),
        "alarms": (
            alarm_state, aws.cloudwatch,
            [each["AlarmName"] for each in aws.cloudwatch.describe_alarms()["MetricAlarms"]],
        ),
        "triggers": (
            trigger_state, aws.lambda_,
            [each["UUID"] for each in mappings if f":{prefix}" in each["FunctionArn"]],
        ),
        "stacks": (
            stack_state, aws.stacks,
            [each["StackName"] for each in aws.stacks.describe_stacks()["Stacks"]],
        ),
    }  # fmt: skip
    return {
        kind: {each: look(client, each) for each in found if prefix in each or kind == "triggers"}
        for kind, (look, client, found) in looks.items()
    }


def queue_state(sqs: Any, url: str) -> Any:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes, sqs.list_queue_tags(QueueUrl=url).get("Tags")


def function_state(lambda_: Any, name: str) -> Any:
    answer = lambda_.get_function(FunctionName=name)
    return answer["Configuration"], answer.get("Tags")


def role_state(iam: Any, name: str) -> Any:
    about = iam.get_role(RoleName=name)["Role"]
    about.pop("RoleLastUsed", None)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return about, attached, iam.list_role_policies(RoleName=name)["PolicyNames"]


def group_state(logs: Any, name: str) -> Any:
    [about] = logs.describe_log_groups(logGroupNamePrefix=name, limit=1)["logGroups"]
    tags = logs.list_tags_for_resource(resourceArn=about["arn"].removesuffix(":*"))["tags"]
    return about, tags, len(read_events(logs, name))


def table_state(dynamodb: Any, name: str) -> Any:
    about = dynamodb.describe_table(TableName=name)["Table"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=about["TableArn"])["Tags"]
    return about, tags, dynamodb.scan(TableName=name)["Items"]


def stack_state(stacks: Any, name: str) -> Any:
    [about] = stacks.describe_stacks(StackName=name)["Stacks"]
    return about, len(stacks.describe_stack_events(StackName=name)["StackEvents"])


def alarm_state(cloudwatch: Any, name: str) -> Any:
    [about] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=about["AlarmArn"])["Tags"]
    return {key: about[key] for key in about if not key.startswith("State")}, tags


def trigger_state(lambda_: Any, uuid: str) -> Any:
    about = lambda_.get_event_source_mapping(UUID=uuid)
    about.pop("ResponseMetadata")
    return about, lambda_.list_tags(Resource=about["EventSourceMappingArn"])["Tags"]


# -- to run each notebook over them ---------------------------------------------------------


@pytest.fixture(scope="module", params=TAGS)
def planted(request, keep_environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """The prefix of a learner whose names are all taken, and what is there."""
    with mock.patch.dict(os.environ):
        prefix = fresh_prefix()
        plant(TAGS[request.param])
        before = everything(prefix)
        yield prefix, before
        os.environ["SQS_COURSE_PREFIX"] = prefix
        target.connect()
        assert first_receives(before["queues"]) == {"1"}


def first_receives(urls: dict[str, Any]) -> set[str]:
    """How often each message has been received, with this time."""
    sqs = boto3.client("sqs")
    names = ["ApproximateReceiveCount"]
    answers = [sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=names) for url in urls]
    received = [message for answer in answers for message in answer.get("Messages", [])]
    return {message["Attributes"]["ApproximateReceiveCount"] for message in received}


def wait_for_nothing(look: Any, done: Any, what: str, *_: float) -> Any:
    """As wait_until: no line is going to come."""
    return wait_until(look, done, what, limit_s=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_touches_nothing_of_somebody_else(
    name, planted, environment, monkeypatch
) -> None:
    prefix, _ = planted
    os.environ["SQS_COURSE_PREFIX"] = prefix
    monkeypatch.setattr(logs, "wait_until", wait_for_nothing)
    errors = [error for _, error in run_cells(name) if error]
    if name == "99_clean_up":
        assert errors == []
    else:
        assert isinstance(errors[0], NotOurs)
        for taken in map(course.name, names.WRITES[name].queues):
            assert f"There is a queue {taken} that this course did not make" in str(errors[0])


def test_after_all_notebooks_everything_is_as_it_was(planted) -> None:
    """What differs names the notebook: each has names of its own."""
    prefix, before = planted
    assert everything(prefix) == before


def test_every_name_is_taken(planted) -> None:
    prefix, before = planted
    for kind in ("queues", "functions", "roles", "tables", "stacks"):
        there = {each.rsplit("/", 1)[-1] for each in before[kind]}
        there -= {each for each in there if "-Theirs-" in each}  # the stacks' own queues
        assert there == {f"{prefix}{each}" for each in getattr(names.EVERYTHING, kind)}
    assert len(before["triggers"]) >= 1
    assert len(before["log groups"]) == len(names.EVERYTHING.functions)


# -- what is the learner's own, made by hand before --------------------------------------------


def do_the_steps_by_hand() -> None:
    """The seven steps of the text without the course: a message goes through, nothing is tagged."""
    aws = Clients()
    function = course.name(course.FUNCTION)
    plant_queue(aws.sqs, course.name(course.QUEUE), {})
    plant_function(
        aws.lambda_, function, steps.create_role(aws.iam, course.name(course.ROLE), {}), {}
    )
    steps.wait_for_function(aws.lambda_, function, "function_active_v2")
    plant_trigger(aws, course.QUEUE, course.FUNCTION, {}, BatchSize=1)
    logs.wait_for_line(aws.logs, log_group(function), "theirs")


def adopt_what_is_refused(notebook: str) -> list[str]:
    """Make the calls that the refusal of a notebook's first cell shows; returns the kinds."""
    with pytest.raises(NotOurs) as refusal:
        course.begin(notebook)
    calls = re.findall(r"^course\.adopt\(.+\)$", str(refusal.value), re.M)
    for call in calls:
        eval(call, {"course": course})
    return [call.split('"')[1] for call in calls]


@pytest.mark.slow
def test_who_did_the_steps_by_hand_adopts_them_and_keeps_them(learner) -> None:
    do_the_steps_by_hand()
    before = everything(learner)
    assert adopt_what_is_refused("04_add_trigger") == ["trigger", "function", "queue", "role"]
    for name in (*NAMES[:8], "99_clean_up"):
        printed = run_whole(name)
    after = everything(learner)
    assert {kind: set(things) for kind, things in after.items()} == {
        kind: set(things) for kind, things in before.items()
    }
    for url, (attributes, _) in before["queues"].items():
        assert after["queues"][url][0]["CreatedTimestamp"] == attributes["CreatedTimestamp"]
    for role, (about, *_) in before["roles"].items():
        assert after["roles"][role][0]["RoleId"] == about["RoleId"]
    for group, (*_, events) in before["log groups"].items():
        assert after["log groups"][group][-1] > events
    last = "".join(printed).splitlines()[-1]
    trigger = f"{learner}DemoQueueLambda to {learner}ProcessSQSMessage"
    assert last.startswith(f"Left alone: trigger {trigger} (adopted, still polls), function ")
    clean_up.clean_up(adopted=True)
    assert not any(everything(learner).values())
