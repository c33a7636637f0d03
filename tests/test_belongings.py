"""What is ours, what is refused, and what is adopted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import boto3
import pytest

from helpers import clean_up, course, experiments, steps
from helpers.account import belongings, names, things
from helpers.account.refusal import NotOurs
from helpers.checks import (
    add_trigger,
    create_function,
    create_queue,
    create_role,
)
from helpers.checks import clean_up as finishing
from helpers.experiments import faults
from helpers.experiments.experiment import Experiment
from helpers.logs import log_group
from tests.test_look_alikes import (
    Clients,
    everything,
    plant_alarm,
    plant_function,
    plant_log_group,
    plant_queue,
    plant_stack,
    plant_table,
    plant_trigger,
)

pytestmark = pytest.mark.usefixtures("environment")

WORKS = "def lambda_handler(event, context):\n    return 'done'\n"
ANNA = {names.TAG: "anna"}


def role(name: str, tags: dict[str, str]) -> str:
    return steps.create_role(boto3.client("iam"), course.name(name), tags)


def function(name: str, tags: dict[str, str], role_tags: dict[str, str] | None = None) -> None:
    lambda_, role_arn = boto3.client("lambda"), role(f"{name}Role", role_tags or tags)
    plant_function(lambda_, course.name(name), role_arn, tags)
    steps.wait_for_function(lambda_, course.name(name), "function_active_v2")


def pipeline(tags: dict[str, str], trigger_tags: dict[str, str] | None = None) -> str:
    """Queue, role and function of the seven steps, and their trigger, which is off: its UUID."""
    plant_queue(boto3.client("sqs"), course.name(course.QUEUE), tags)
    function(course.FUNCTION, tags)
    tags = tags if trigger_tags is None else trigger_tags
    return plant_trigger(Clients(), course.QUEUE, course.FUNCTION, tags, Enabled=False)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(NotOurs) as refused:
        call()
    return str(refused.value)


# -- the sentence --------------------------------------------------------------------------


def test_the_refusal_names_the_thing_and_both_ways_out(learner) -> None:
    name = f"{learner}PizzaOrders"
    plant_queue(boto3.client("sqs"), name, {})
    arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    assert refusal(lambda: course.begin("00_start_here")) == (
        f"There is a queue {name} that this course did not make ({arn}; it has no tag "
        "sqs-lambda-course). Set SQS_COURSE_PREFIX, such as anna- (with make: PREFIX=anna-), for "
        "names of your own, or adopt what is yours: "
        f'course.adopt("queue", "{name}", "{arn}")'
    )


def test_the_refusal_says_whose_it_is_and_has_a_line_for_each(learner) -> None:
    sqs = boto3.client("sqs")
    for queue in ("DemoQueueLambda", "PracticeQueue"):
        plant_queue(sqs, learner + queue, ANNA)
    lines = refusal(lambda: course.begin("01_create_queue")).splitlines()
    for line, queue in zip(lines, ("DemoQueueLambda", "PracticeQueue"), strict=False):
        assert line.startswith(f"There is a queue {learner}{queue} that")
        assert line.endswith("its tag sqs-lambda-course says 'anna').")
    assert lines[2].startswith("Set SQS_COURSE_PREFIX, ")
    assert [line.split(", ")[0] for line in lines[3:]] == ['course.adopt("queue"'] * 2


# -- before the first change -----------------------------------------------------------------


def test_catch_up_makes_nothing_before_it_refuses(learner) -> None:
    """What is foreign comes last among the steps; the queue, which comes first, is missing."""
    role(course.ROLE, {})
    before = everything(learner)
    assert f"a role {learner}ProcessSQSMessageRole" in refusal(lambda: course.catch_up(3))
    assert everything(learner) == before
    adopt("role", course.ROLE)
    function(course.FUNCTION, {}, course.tags())
    before = everything(learner)
    for step in range(4, 9):
        said = refusal(lambda step=step: course.catch_up(step))
        assert said.startswith(f"There is a function {learner}ProcessSQSMessage that")
    assert everything(learner) == before


def test_a_foreign_trigger_between_our_things_is_refused(learner) -> None:
    uuid = pipeline(course.tags(), {})
    trigger = f"{learner}DemoQueueLambda to {learner}ProcessSQSMessage"
    start = f"There is a trigger {trigger} that this course did not make ({uuid};"
    for notebook in names.NOTEBOOKS[1:8]:
        said = refusal(lambda notebook=notebook: course.begin(notebook))
        assert said.startswith(start)
        assert f'course.adopt("trigger", "{trigger}", "{uuid}")' in said


def test_each_step_refuses_what_is_foreign(learner) -> None:
    aws, tags = Clients(), course.tags()
    uuid = pipeline({})
    queue, function_, role_ = map(course.name, (course.QUEUE, course.FUNCTION, course.ROLE))
    url = aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    arn = steps.queue_arn(aws.sqs, url)
    before = everything(learner)
    for kind, call in {
        "queue": lambda: steps.create_queue(aws.sqs, queue, tags),
        "role": lambda: steps.create_role(aws.iam, role_, tags),
        "function": lambda: steps.create_function(aws.lambda_, function_, "any", tags),
        "trigger": lambda: steps.add_trigger(aws.lambda_, function_, arn, tags),
        f"function {function_}": lambda: steps.deploy_handler(aws.lambda_, function_),
        f"queue {queue}": lambda: steps.send_message(aws.sqs, url),
    }.items():
        assert f"There is a {kind}" in refusal(call)
    assert everything(learner) == before
    aws.lambda_.delete_event_source_mapping(UUID=uuid)
    clean_up.wait_until_trigger_is_gone(uuid)
    said = refusal(lambda: steps.add_trigger(aws.lambda_, function_, arn, tags))
    assert f"a function {function_}" in said
    assert f"a queue {queue}" in said
    assert everything(learner)["triggers"] == {}


def test_each_function_for_experiments_refuses_what_is_foreign(learner) -> None:
    aws, name = Clients(), course.name("Retries")
    for queue in (name, f"{name}-dlq"):
        plant_queue(aws.sqs, queue, ANNA)
    function("Retries", ANNA)
    uuid = plant_trigger(aws, "Retries", "Retries", ANNA, Enabled=False)
    plant_table(aws.dynamodb, course.name(course.TABLE), ANNA)
    plant_queue(aws.sqs, course.name(course.JOBS_QUEUE), ANNA)
    url = aws.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    theirs = Experiment(name, url, "", url, "", f"{name}Role", uuid, False)
    before = everything(learner)
    for call in (
        lambda: experiments.build("Retries", WORKS),
        lambda: experiments.deploy(theirs, WORKS),
        lambda: experiments.send(theirs, ["a message"]),
        lambda: experiments.switch(aws.lambda_, uuid, on=True),
        lambda: experiments.drain(aws.sqs, url),
        lambda: experiments.allow(theirs, "sqs:SendMessage", "*"),
        experiments.empty_table,
        lambda: experiments.empty_queue(course.JOBS_QUEUE, 1),
        lambda: faults.set_dead_letter_queue(aws.lambda_, name, ""),
        lambda: faults.build(1),
    ):
        assert "says 'anna')" in refusal(call)
    assert everything(learner) == before


def test_an_experiment_does_not_delete_a_foreign_trigger_of_its_function(learner) -> None:
    experiments.build("Videos", WORKS, enabled=False)
    plant_queue(boto3.client("sqs"), course.name("Theirs"), {})
    uuid = plant_trigger(Clients(), "Theirs", "Videos", {}, Enabled=False)
    assert f"trigger {learner}Theirs to {learner}Videos" in refusal(
        lambda: experiments.build("Videos", WORKS)
    )
    assert boto3.client("lambda").get_event_source_mapping(UUID=uuid)["State"] == "Disabled"


def test_what_has_no_name_of_the_course_is_the_callers_affair(learner) -> None:
    sqs, name = boto3.client("sqs"), course.name("Own")
    plant_queue(sqs, name, {})
    assert steps.send_message(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"])


# -- log groups ------------------------------------------------------------------------------


def groups(learner: str) -> list[tuple[bool, bool]]:
    found = [thing for thing in belongings.find() if thing.kind == "log group"]
    return [(thing.ours, thing.adopted) for thing in found]


def test_a_log_group_belongs_to_whom_its_function_belongs(learner) -> None:
    name = log_group(course.name(course.FUNCTION))
    plant_log_group(boto3.client("logs"), name, {})
    assert groups(learner) == [(False, False)]
    assert f"There is a log group {name}" in refusal(lambda: course.catch_up(4))
    role(course.ROLE, course.tags())
    assert groups(learner) == [(True, False)]
    adopt("role", course.ROLE)  # whoever wrote there, it was not the course's function
    assert groups(learner) == [(False, False)]
    function(course.FUNCTION, {}, course.tags())
    assert groups(learner) == [(False, False)]
    assert "log group" not in refusal(lambda: course.catch_up(4))
    adopt("function", course.FUNCTION)
    assert groups(learner) == [(True, True)]


def test_one_question_finds_all_log_groups_of_a_learner(learner) -> None:
    planted = [log_group(course.name(each)) for each in (course.FUNCTION, "Retries")]
    for name in planted:
        plant_log_group(boto3.client("logs"), name, ANNA)
    plant_log_group(boto3.client("logs"), f"{planted[0]}-of-another-course", ANNA)
    asked: list[str] = []
    boto3.DEFAULT_SESSION.events.register(
        "before-call.cloudwatch-logs.DescribeLogGroups",
        lambda params, **_others: asked.append(params["body"]),
    )
    found = [each.name for each in clean_up.find() if each.kind == "log group"]
    assert (sorted(found), len(asked)) == (sorted(planted), 1)


def test_a_log_group_with_anothers_tag_stays_theirs(learner) -> None:
    function(course.FUNCTION, course.tags())
    plant_log_group(boto3.client("logs"), log_group(course.name(course.FUNCTION)), ANNA)
    assert groups(learner) == [(False, False)]
    clean_up.clean_up()
    assert [thing.kind for thing in belongings.find()] == ["log group"]


# -- adopting --------------------------------------------------------------------------------


def adopt(kind: str, name: str) -> None:
    [thing] = [
        each
        for each in belongings.find()
        if each.kind == kind and each.name.removeprefix("/aws/lambda/") == course.name(name)
    ]
    course.adopt(kind, thing.name, thing.id)


def plant_one_of_each() -> None:
    aws = Clients()
    pipeline(ANNA)
    plant_log_group(aws.logs, log_group(course.name(course.FUNCTION)), ANNA)
    plant_table(aws.dynamodb, course.name(course.TABLE), ANNA)
    plant_stack(aws.stacks, course.name(course.STACK), ANNA)
    plant_alarm(aws.cloudwatch, course.name(course.REFUNDS_ALARM), ANNA)


def test_what_is_adopted_is_listed_and_left_alone_unless_told_otherwise(learner, capsys) -> None:
    plant_one_of_each()
    for thing in belongings.find():
        course.adopt(thing.kind, thing.name, thing.id)
        said = capsys.readouterr().out
        assert said.startswith(f"Adopted: {thing.kind} {thing.name}. From now on")
    found = clean_up.find()
    assert [thing.kind for thing in found] == list(clean_up.ORDER)
    assert all(thing.ours and thing.adopted for thing in found)
    assert set(clean_up.plan(found)["will be"]) == {"left alone: adopted"}
    assert set(clean_up.plan(found, adopted=True)["will be"]) == {"deleted"}
    course.begin("08_retries")
    before = everything(learner)
    assert clean_up.clean_up() == []
    assert everything(learner) == before
    assert len(clean_up.clean_up(adopted=True)) == len(clean_up.ORDER)
    assert not any(everything(learner).values())


def test_name_and_id_must_belong_together(learner) -> None:
    plant_one_of_each()
    before = everything(learner)
    found = clean_up.find()
    assert [thing.kind for thing in found] == list(clean_up.ORDER)
    for thing in found:
        for name, id in ((thing.name, "another"), ("another", thing.id), ("another", "another")):
            with pytest.raises(ValueError, match="Nothing has been changed"):
                course.adopt(thing.kind, name, id)
    assert everything(learner) == before


def test_there_is_no_other_kind(learner) -> None:
    with pytest.raises(ValueError, match="'bucket' is no kind of thing; there are: queue, "):
        course.adopt("bucket", "mine", "arn:aws:s3:::mine")


def test_adopting_another_learners_thing_says_whose_it_was(learner, capsys) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=course.name(course.PIZZA_QUEUE), tags=ANNA)["QueueUrl"]
    course.adopt("queue", course.name(course.PIZZA_QUEUE), steps.queue_arn(sqs, url))
    assert "Its tag said 'anna' before" in capsys.readouterr().out


def test_an_adopted_table_is_emptied_and_not_deleted(learner) -> None:
    dynamodb, name = boto3.client("dynamodb"), course.name(course.TABLE)
    plant_table(dynamodb, name, {})
    adopt("table", course.TABLE)
    before = dynamodb.describe_table(TableName=name)["Table"]["CreationDateTime"]
    assert experiments.empty_table().name == name
    assert dynamodb.scan(TableName=name)["Items"] == []
    assert dynamodb.describe_table(TableName=name)["Table"]["CreationDateTime"] == before


def test_another_trigger_that_was_adopted_is_switched_off_and_not_deleted(learner) -> None:
    experiments.build("Videos", WORKS, enabled=False)
    plant_queue(boto3.client("sqs"), course.name("Mine"), {})
    uuid = plant_trigger(Clients(), "Mine", "Videos", {})
    course.adopt("trigger", f"{learner}Mine to {learner}Videos", uuid)
    experiments.build("Videos", WORKS, enabled=False)
    assert boto3.client("lambda").get_event_source_mapping(UUID=uuid)["State"] == "Disabled"


# -- stacks ----------------------------------------------------------------------------------


def test_what_a_stack_made_goes_with_it(learner) -> None:
    aws = Clients()
    plant_stack(aws.stacks, course.name(course.STACK), course.tags())
    plant_stack(aws.stacks, course.name(course.PRACTICE_STACK), ANNA)
    assert clean_up.clean_up() == [f"stack {learner}Pipeline"]
    assert list(everything(learner)["stacks"]) == [f"{learner}PracticeStack"]
    [left] = everything(learner)["queues"]
    assert f"{learner}PracticeStack-Theirs-" in left


def test_what_a_stack_made_is_adopted_with_it(learner) -> None:
    aws = Clients()
    plant_stack(aws.stacks, course.name(course.STACK), ANNA)
    adopt("stack", course.STACK)
    [(_, tags)] = everything(learner)["queues"].values()
    assert course.tags().items() <= tags.items()
    assert things.ADOPTED in tags
    assert clean_up.clean_up() == []


# -- triggers --------------------------------------------------------------------------------


def test_a_trigger_of_ours_is_found_whatever_it_connects(learner, capsys) -> None:
    for end in ("Theirs", "Others"):
        plant_queue(boto3.client("sqs"), course.name(end), {})
    function("Theirs", {})
    ours = plant_trigger(Clients(), "Theirs", "Theirs", course.tags())
    theirs = plant_trigger(Clients(), "Others", "Theirs", {}, Enabled=False)
    finishing.check_nothing_left()
    wanted = f"trigger {learner}Theirs to {learner}Theirs"
    assert capsys.readouterr().out == f"Not yet: Still there: {wanted}.\n"
    assert clean_up.clean_up() == [wanted]
    assert set(everything(learner)["triggers"]) == {theirs}
    assert theirs != ours
    finishing.check_nothing_left()
    assert capsys.readouterr().out == "Right: Nothing of this course is left.\n"


def test_a_trigger_that_polls_is_named(learner, capsys) -> None:
    uuid = pipeline({})
    boto3.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    steps.settled(boto3.client("lambda"), uuid, "Enabled")
    finishing.check_nothing_left()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Right: What the course made is deleted."
    trigger = f"trigger {learner}DemoQueueLambda to {learner}ProcessSQSMessage"
    assert second.startswith(f"Left alone: {trigger} (no tag, still polls), function ")
    course.adopt("trigger", trigger.removeprefix("trigger "), uuid)
    capsys.readouterr()
    finishing.check_nothing_left()
    assert f"{trigger} (adopted, still polls)" in capsys.readouterr().out


def test_all_pages_of_triggers_are_read_and_some_have_no_queue(monkeypatch) -> None:
    def mapping(uuid: str, **source: str) -> dict[str, str]:
        function = {"FunctionArn": "arn:aws:lambda:x:1:function:f", "State": "Enabled"}
        return {"UUID": uuid, "EventSourceMappingArn": uuid, **function, **source}

    client = mock.Mock()
    client.get_paginator.return_value.paginate.return_value = [
        {"EventSourceMappings": [mapping("kafka")]},
        {"EventSourceMappings": [mapping("ours", EventSourceArn="arn:aws:sqs:x:1:q")]},
    ]
    tags = {"kafka": {}, "ours": course.tags()}
    client.list_tags.side_effect = lambda Resource: {"Tags": tags[Resource]}
    monkeypatch.setattr(boto3, "client", lambda _: client)
    found = belongings.find_triggers([], all_ours=True)
    assert [(thing.name, thing.id, thing.ours) for thing in found] == [("q to f", "ours", True)]
    assert [thing.id for thing in belongings.find_triggers(["f"])] == ["kafka", "ours"]


# -- the checks after the exercises ------------------------------------------------------------


def said(capsys, check: Callable[..., None], *arguments: Any) -> str:
    capsys.readouterr()
    check(*arguments)
    return capsys.readouterr().out


def test_the_checks_look_at_tags_too(learner, capsys) -> None:
    aws, basic = Clients(), steps.POLICY_ARN.replace("SQSQueue", "Basic")
    plant_queue(aws.sqs, f"{learner}PracticeQueue", {})
    assert said(capsys, create_queue.check_keep_longer).splitlines()[-1] == (
        f"  ✗ The queue {learner}PracticeQueue has no tag sqs-lambda-course: pass "
        "tags=course.tags() when you create it, or tag it with tag_queue. The clean-up would leave "
        "it alone."
    )
    role("PracticeRole", ANNA)
    aws.iam.detach_role_policy(RoleName=f"{learner}PracticeRole", PolicyArn=steps.POLICY_ARN)
    aws.iam.attach_role_policy(RoleName=f"{learner}PracticeRole", PolicyArn=basic)
    answer = said(capsys, create_role.check_log_writer)
    assert f"has the tag sqs-lambda-course with 'anna', not '{learner[:-1]}'" in answer
    assert "tag it with tag_role" in answer
    function("PracticeFunction", {})
    assert "The function" in said(capsys, create_function.check_more_memory).splitlines()[-1]


def test_the_check_of_the_trigger_looks_at_its_tag(learner, capsys) -> None:
    uuid = pipeline(course.tags(), {})
    boto3.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    steps.settled(boto3.client("lambda"), uuid, "Enabled")
    lines = said(capsys, add_trigger.check_five_at_a_time).splitlines()
    assert lines[0].startswith("Not yet: ")
    assert lines[-1].startswith(f"  ✗ The trigger {learner}DemoQueueLambda to ")
    assert "has no tag" in lines[-1]


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ("lambda_function.py.bake", "without its .py"),
        ("lambda_function.lambda_handler", "no function of that name"),
        ("bakery.bake", "no such file"),
    ],
)
def test_the_check_of_a_handler_names_the_mistake(setting: str, mistake: str) -> None:
    assert mistake in create_function.about_handler(setting)


@pytest.mark.parametrize(
    ("policies", "ruling"),
    [
        ([], ""),
        ([{"Statement": {"Effect": "Allow", "Action": "SQS:send*", "Resource": ["*"]}}], "Allow"),
        ([{"Statement": [{"Effect": "Allow", "Action": ["sqs:*"], "Resource": "b"}]}], ""),
        (
            [
                {"Statement": [{"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "a"}]},
                {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
            ],
            "Deny",
        ),
        (["no policy", {"Statement": ["no statement"]}], ""),
    ],
)
def test_a_policy_is_read_as_iam_reads_it(policies: list[Any], ruling: str) -> None:
    assert create_role.ruling(policies, "sqs:SendMessage", "a") == ruling
