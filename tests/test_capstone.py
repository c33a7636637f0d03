"""The capstone: its traffic, its judge, and what typical systems get."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import boto3
import pytest

from helpers import capstone, clean_up, course, steps
from helpers.account.things import Thing
from helpers.capstone import settings, verdict
from helpers.capstone.bank import PAYMENTS, PLAN, Payout
from helpers.capstone.report import Report
from helpers.capstone.rows import Row
from helpers.capstone.system import System
from helpers.capstone.traffic import OF_A_KIND, ORDERS, make_traffic
from helpers.learning import record
from tests import exercises
from tests.capstone_world import TIMEOUT_MS, VISIBILITY_S, Message, World, paid_in
from tests.notebook_files import markdown, read

pytestmark = pytest.mark.usefixtures("environment")  # without a prefix, names are the plain ones

RUN = "6a0bd3e1"
SEEDS = (1, 2, 3)


def solution() -> str:
    """The handler of the course's own solution."""
    one, other, *_ = exercises.load("15_capstone").exercises[1].solution_cells
    names: dict[str, str] = {}
    exec(f"{one}\n{other}", names)
    return names["HANDLER"]


def instead(old: str, new: str) -> str:
    """The solution with one thing done otherwise."""
    assert solution().count(old) == 1
    return solution().replace(old, new)


# -- the traffic -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_traffic_is_as_it_is_said_to_be(seed: int) -> None:
    traffic = make_traffic(seed, RUN)
    bodies = [body for burst in traffic.bursts for body in burst]
    assert len(bodies) == traffic.messages == 300
    counts = Counter(bodies)
    sent_twice = {traffic.id_in(body) for body, number in counts.items() if number == 2}
    assert sent_twice == {*traffic.twice} - {*traffic.racing}
    assert set(counts) == {
        *(each.body for each in traffic.refunds.values() if each.id not in traffic.racing),
        *traffic.poison.values(),
    }
    assert (len(traffic.refunds), len(traffic.twice), len(traffic.poison)) == (253, 38, 15)
    assert not {*traffic.crashes, *traffic.late} & {*traffic.twice}
    facts = Counter((each.order_id, each.cents) for each in traffic.refunds.values())
    assert sum(number > 1 for number in facts.values()) >= 10  # refunds that are alike


def test_the_same_seed_sends_the_same_and_another_seed_does_not() -> None:
    assert make_traffic(7, RUN) == make_traffic(7, RUN)
    later = make_traffic(7, "6a0bd3e2")
    renamed = [body.replace(RUN, "6a0bd3e2") for body in make_traffic(7, RUN).bursts[0]]
    assert renamed == list(later.bursts[0])
    assert make_traffic(8, RUN) != make_traffic(7, RUN)


def test_poison_is_no_refund_and_known_by_its_id() -> None:
    traffic = make_traffic(1, RUN)
    kinds = Counter(wrong_with(body) for body in traffic.poison.values())
    assert set(kinds.values()) == {OF_A_KIND}
    assert len(kinds) == 5
    for id, body in traffic.poison.items():
        assert traffic.id_in(body) == id
    assert traffic.id_in(traffic.early) == traffic.early
    assert traffic.id_in("an order for Ada") is None
    assert traffic.id_in(f"{RUN}-999") is None


def wrong_with(body: str) -> str:
    try:
        refund = json.loads(body)
    except ValueError:
        return "no JSON"
    cents = refund.get("cents")
    if not isinstance(cents, int):
        return f"cents is {type(cents).__name__}"
    return "cents" if cents <= 0 else "order" if refund["order_id"] == f"A{ORDERS + 1}" else ""


def test_the_bank_that_is_packed_knows_as_many_orders_as_the_traffic() -> None:
    assert f"\nORDERS = {ORDERS}  #" in PAYMENTS.read_text()


# -- what systems get: the traffic ------------------------------------------------------------

PLAIN = """
import json, payments

def lambda_handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            refund = json.loads(record["body"])
            if type(refund["cents"]) is not int or refund["cents"] <= 0:
                raise ValueError
            payments.refund(refund["refund_id"], refund["order_id"], refund["cents"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""
CLAIM = """done.put_item(
        Item={**key, "is_done": False, "until_ms": now_ms + left_ms + 1000},
        ConditionExpression=FREE,
        ExpressionAttributeValues={":no": False, ":now": now_ms},
    )"""
BY_ORDER = 'key, now_ms = {"refund_id": refund["order_id"]}'
SYSTEMS: dict[str, tuple[str, set[str]]] = {
    "the solution": (solution(), set()),
    "no idempotency": (PLAIN, {"sent twice, paid once", "delivered twice, paid once"}),
    "done is written before it is done": (
        instead(CLAIM, 'done.put_item(Item={**key, "is_done": True})'),
        {"a killed worker loses nothing", "poison is set aside"},
    ),
    "a claim without an end": (
        instead("AND until_ms < :now)", "AND until_ms < :now)").replace(
            "now_ms + left_ms + 1000", "now_ms + 10**9"
        ),
        {"only poison is set aside"},
    ),
    "the bank is not asked": (
        instead("if not payments.paid(refund[", "if True or (refund["),
        {"delivered twice, paid once"},
    ),
    "nobody claims a refund": (
        PLAIN.replace("payments.refund(", "payments.paid(refund['refund_id']) or payments.refund("),
        {"sent twice, paid once"},
    ),
    "one that fails fails its batch": (
        instead('failed.append({"itemIdentifier": record["messageId"]})', "raise"),
        {"only poison is set aside"},
    ),
    "remembered by the order": (
        instead('key, now_ms = {"refund_id": refund["refund_id"]}', BY_ORDER),
        {"every refund is paid"},
    ),
    "what is wrong is thrown away": (
        instead('failed.append({"itemIdentifier": record["messageId"]})', "pass"),
        {"poison is set aside"},
    ),
    "amounts are not looked at": (
        instead('or refund["cents"] <= 0', ""),
        {"poison is set aside"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_loses_what_it_should(name: str) -> None:
    handler, loses = SYSTEMS[name]
    assert lost(World(make_traffic(1, RUN)).run(handler)) == loses


@pytest.mark.parametrize("seed", SEEDS)
def test_the_solution_loses_nothing_whatever_comes(seed: int) -> None:
    assert lost(World(make_traffic(seed, RUN)).run(solution())) == set()


def times_paid_when_late(handler: str, late_ms: int) -> int:
    """A worker's call reaches the bank so late after its end; another one comes meanwhile."""
    traffic = make_traffic(1, RUN)
    world, refund = World(traffic), traffic.refunds[traffic.racing[0]]
    plan = {"refund_id": refund.id, "payout_id": PLAN, "slow_ms": TIMEOUT_MS + late_ms}
    world.payouts.put_item(Item={**plan, "crash": "after"})
    world.race(handler, world.load(handler), refund.body)
    world.now_s += VISIBILITY_S
    world.invoke(world.load(handler), [Message("one", refund.body), Message("two", refund.body)])
    return sum(paid_in(item) for item in world.payouts.items.values())


def test_a_call_that_is_still_on_its_way_is_waited_for() -> None:
    assert times_paid_when_late(solution(), late_ms=400) == 1
    assert times_paid_when_late(instead("left_ms + 1000", "left_ms"), late_ms=400) == 2


def test_a_trigger_that_does_not_read_the_answer_loses_poison() -> None:
    world = World(make_traffic(1, RUN), reports=False)
    assert "poison is set aside" in lost(world.run(solution()))


def test_who_pays_nothing_gets_nothing_for_what_nobody_can_see() -> None:
    traffic = make_traffic(1, RUN)
    rows = verdict.rows(verdict.Evidence(traffic, (), ()))
    assert not any(row.right for row in rows)


def test_the_brief_asks_for_what_is_judged() -> None:
    traffic = make_traffic(1, RUN)
    rows = [*verdict.rows(verdict.Evidence(traffic, (), ())), *all_rows(GOOD)]
    brief = "\n".join(markdown(read("15_capstone")))
    asked = re.findall(r"^\d+\. (.+)$", brief, re.M)
    assert len(asked) == 10
    for line, row in zip(asked, rows, strict=True):
        assert line.startswith(row.asked)


def lost(evidence: verdict.Evidence) -> set[str]:
    return {row.asked for row in verdict.rows(evidence) if not row.right}


def payout(environment: str, began_ms: int, paid_ms: int) -> Payout:
    return Payout("r", "A1", 1, began_ms, paid_ms, environment)


def test_at_once_are_environments_that_pay_at_the_same_time() -> None:
    traffic = make_traffic(1, RUN)
    one_after_the_other = (payout("a", 0, 5), payout("b", 5, 9), payout("a", 9, 12))
    assert verdict.Evidence(traffic, one_after_the_other, ()).most_at_once() == 1
    three = (payout("a", 0, 5), payout("b", 4, 9), payout("c", 4, 6))
    assert verdict.Evidence(traffic, three, ()).most_at_once() == 3
    assert verdict.Evidence(traffic, (), ()).most_at_once() == 0


# -- what systems get: their settings ---------------------------------------------------------

ACCOUNT = "123456789012"
QUEUE, DEAD = (f"arn:aws:sqs:us-east-1:{ACCOUNT}:{each}" for each in ("Refunds", "Refunds-dlq"))
DONE, PAYOUTS = (
    f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{each}" for each in ("RefundsDone", "Payouts")
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/RefundsRole"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/Refunds:*"
ALARM: dict[str, Any] = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": "Refunds-dlq"}],
    "Statistic": "Maximum",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0.0,
}


def allow(actions: str | list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def thing(kind: str, name: str, id: str) -> Thing:
    return Thing(kind, name, name, id=id)


GOOD = System(
    region="us-east-1",
    queue=thing("queue", "Refunds", QUEUE),
    dead=thing("queue", "Refunds-dlq", DEAD),
    function=thing("function", "Refunds", "arn"),
    role=thing("role", "RefundsRole", ROLE),
    done=thing("table", "RefundsDone", DONE),
    payouts=thing("table", "Payouts", PAYOUTS),
    queue_settings={"VisibilityTimeout": "12"},
    configuration={"Timeout": 2, "Role": ROLE},
    trigger={"BatchSize": 5, "ScalingConfig": {"MaximumConcurrency": 2}},
    alarm_settings=ALARM,
    attached=(steps.POLICY_ARN,),
    statements=(
        allow(["dynamodb:Query", "dynamodb:PutItem"], PAYOUTS),
        allow("dynamodb:PutItem", DONE),
    ),
)


def all_rows(system: System, most_at_once: int = 2) -> list[Row]:
    return [
        settings.about_at_once(system, most_at_once),
        settings.about_timeouts(system),
        settings.about_alarm(system),
        settings.about_role(system),
    ]


def test_good_settings_lose_nothing() -> None:
    assert [row.right for row in all_rows(GOOD)] == [True] * 4
    assert settings.lacking(GOOD) == []


def test_no_limit_and_a_visibility_timeout_that_is_too_short() -> None:
    trigger = {"BatchSize": 5, "ScalingConfig": {}}
    bad = replace(GOOD, trigger=trigger, queue_settings={"VisibilityTimeout": "1"})
    at_once, timeouts, *rest = all_rows(bad, most_at_once=4)
    assert all(row.right for row in rest)
    assert "MaximumConcurrency is not set, and 4 workers were seen" in at_once.sentence
    assert "hides a message for 1 s, and a call may take 2 s" in timeouts.sentence


@pytest.mark.parametrize(
    ("hidden_s", "timeout_s", "window_s", "batch", "right"),
    [
        (12, 2, 0, 5, True),
        (11, 2, 0, 5, False),
        (12, 2, 1, 5, False),
        (13, 2, 1, 5, True),
        (30, 2, 0, 8, False),  # eight slow payments take as long as a call may
        (30, 3, 0, 8, True),
    ],
)
def test_timeouts(hidden_s: int, timeout_s: int, window_s: int, batch: int, right: bool) -> None:
    system = replace(
        GOOD,
        queue_settings={"VisibilityTimeout": str(hidden_s)},
        configuration={"Timeout": timeout_s},
        trigger={"BatchSize": batch, "MaximumBatchingWindowInSeconds": window_s},
    )
    assert settings.about_timeouts(system).right is right


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Dimensions": [{"Name": "QueueName", "Value": "Refunds"}]}, "watches Refunds, not"),
        ({"Dimensions": []}, "watches no queue, not"),
        ({"Namespace": "AWS/Lambda"}, "not Refunds-dlq"),
        ({"MetricName": "NumberOfMessagesSent"}, "does not count that as sending"),
        ({"Threshold": 1.0}, "does not go off for one dead message"),
        ({"Threshold": -1.0}, "does not go off"),
        ({"Statistic": "Minimum"}, "does not go off"),
        ({"ComparisonOperator": "LessThanThreshold"}, "does not go off"),
        ({"TreatMissingData": "breaching"}, "no data"),
        ({"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, "does not go off"),
    ],
)
def test_alarms_that_do_not_help(change: dict[str, Any], says: str) -> None:
    row = settings.about_alarm(replace(GOOD, alarm_settings={**ALARM, **change}))
    assert row.right is False
    assert says in row.sentence


def test_an_alarm_that_is_right_in_another_way() -> None:
    change = {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 1.0}
    assert settings.about_alarm(replace(GOOD, alarm_settings={**ALARM, **change})).right


def test_without_an_alarm_there_is_no_point() -> None:
    row = settings.about_alarm(replace(GOOD, alarm_settings={}))
    assert row.sentence.startswith("There is no alarm RefundsDead.")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (allow("*", "*"), "A statement allows something on *."),
        (allow("dynamodb:*", PAYOUTS), "dynamodb:* on table/Payouts is not needed."),
        (allow("dynamodb:DeleteTable", DONE), "dynamodb:DeleteTable on table/RefundsDone"),
        (allow("sqs:SendMessage", QUEUE), "sqs:SendMessage on Refunds is not needed."),
        (allow("dynamodb:PutItem", [DONE, f"{DONE}*"]), "something on"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": DONE}, "by NotAction"),
        ({"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": DEAD}, "by NotResource"),
    ],
)
def test_roles_that_may_too_much(statement: dict[str, Any], says: str) -> None:
    row = settings.about_role(replace(GOOD, statements=(*GOOD.statements, statement)))
    assert row.right is False
    assert says in row.sentence


@pytest.mark.parametrize(
    "statement",
    [
        allow("SQS:ChangeMessageVisibility", QUEUE),
        allow("sqs:SendMessage", DEAD),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], LOGS),
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    ],
)
def test_roles_that_may_what_a_design_needs(statement: dict[str, Any]) -> None:
    assert settings.about_role(replace(GOOD, statements=(*GOOD.statements, statement))).right


def test_aws_policies_that_are_for_more_than_this() -> None:
    full = ("arn:aws:iam::aws:policy/AdministratorAccess",)
    row = settings.about_role(replace(GOOD, attached=full))
    assert "AWS's AdministratorAccess" in row.sentence


def test_a_function_with_another_role_does_not_get_the_point() -> None:
    other = {"Timeout": 2, "Role": f"{ROLE}2"}
    assert (
        "another role, RefundsRole2"
        in settings.about_role(replace(GOOD, configuration=other)).sentence
    )


def test_what_the_role_lacks_is_named() -> None:
    assert settings.lacking(replace(GOOD, statements=())) == ["dynamodb:query", "dynamodb:putitem"]
    assert "sqs:receivemessage" in settings.lacking(replace(GOOD, attached=()))


def test_what_aws_does_not_show_is_no_mistake() -> None:
    hidden = replace(GOOD, unseen={"alarm": "AccessDenied", "role": "AccessDenied"})
    *_, alarm, role = rows = all_rows(hidden)
    assert alarm.right is None
    assert role.right is None
    report = Report(rows=tuple(rows))
    assert report.said == "2 of 4, and 2 could not be seen."
    assert "? a role with nothing too much\n    AWS did not let the judge look: " in repr(report)


# -- the judge at work ------------------------------------------------------------------------


def test_a_seed_is_a_whole_number(learner) -> None:
    with pytest.raises(TypeError, match="seed is 'one'; it must be a whole number, such as 1"):
        capstone.judge("one")


def test_nothing_is_sent_where_nothing_is_built(learner, capsys) -> None:
    report = capstone.judge()
    assert (report.score, report.rows) == (None, ())
    assert repr(report) == (
        f"Nothing was judged.\nThere is no queue {learner}Refunds and no function "
        f"{learner}Refunds and no trigger that is on between the two yet."
    )
    assert report.life_lines() is None
    assert capsys.readouterr().out == "Nothing was judged.\n"
    assert clean_up.find() == []


def build(handler: str) -> dict[str, Any]:
    """The system of the solution with another handler, and shorter times; the names it uses."""
    names: dict[str, Any] = {"capstone": capstone, "course": course, "steps": steps, "json": json}
    for service in ("sqs", "iam", "dynamodb", "cloudwatch"):
        names[service] = boto3.client(service)
    names |= {"lambda_": boto3.client("lambda"), "name": course.name("Refunds")}
    names["bank"] = capstone.open_bank()
    for each in exercises.load("15_capstone").exercises:
        exec(each.solution.code, names)
    lambda_, name = names["lambda_"], names["name"]
    names["sqs"].set_queue_attributes(
        QueueUrl=names["queue_url"], Attributes={"VisibilityTimeout": "12"}
    )
    lambda_.update_function_code(FunctionName=name, ZipFile=capstone.package(handler))
    steps.wait_for_function(lambda_, name, "function_updated_v2")
    lambda_.update_function_configuration(FunctionName=name, Timeout=2)
    steps.wait_for_function(lambda_, name, "function_updated_v2")
    lambda_.update_event_source_mapping(UUID=names["uuid"], BatchSize=3)
    steps.settled(lambda_, names["uuid"], "Enabled")
    return names


@pytest.mark.slow
def test_a_system_that_forgets_is_found_out_and_nothing_is_left(learner, tmp_path) -> None:
    """With times that are short, for three tries of poison are most of it."""
    os.environ["SQS_COURSE_RECORD"] = str(tmp_path / "record.jsonl")
    names = build(PLAIN.replace("    failed = []", "    print(json.dumps(event))\n    failed = []"))
    sqs, everything_ = names["sqs"], allow("dynamodb:*", "*")
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything_]})
    names["iam"].put_role_policy(
        RoleName=f"{names['name']}Role", PolicyName="refunds", PolicyDocument=document
    )
    names["cloudwatch"].delete_alarms(AlarmNames=[course.name(course.REFUNDS_ALARM)])
    sqs.send_message(QueueUrl=names["dlq_url"], MessageBody="a dead letter of somebody else")

    report = capstone.judge(seed=2)
    assert {row.asked for row in report.rows if not row.right} == {
        "sent twice, paid once",
        "delivered twice, paid once",
        "an alarm on the dead-letter queue",
        "a role with nothing too much",
    }, report
    assert report.said == "6 of 10."
    assert report.life_lines().text.startswith("Life-lines: each message with its deliveries.")
    [noted] = record.entries("capstone")
    assert (noted["score"], noted["seed"]) == (6, 2)
    assert names["bank"].scan()["Items"] == []
    assert not any(steps.queue_counts(sqs, names["queue_url"]).values())
    assert sum(steps.queue_counts(sqs, names["dlq_url"]).values()) == 1
