"""A local AWS that is as slow and as weak as AWS."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from unittest import mock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers import steps
from helpers.localaws import lifecycle
from helpers.localaws.lifecycle import CHECKOUT
from helpers.localaws.metrics.alarms import Alarm
from helpers.localaws.metrics.backend import Backend
from helpers.localaws.metrics.store import Store, make_metric
from helpers.localaws.rehearsal import draws, metrics, stacks, triggers
from helpers.localaws.rehearsal.conditions import Conditions, OldValues
from helpers.localaws.rehearsal.limits import Throttles, limit_of
from helpers.localaws.rehearsal.metrics import LateStore
from helpers.localaws.rehearsal.profiles import (
    CHANCES,
    DELAYS,
    DOCUMENTED,
    ESTIMATED,
    MEASURED,
    PARTS,
    RATES,
    quantile,
)
from helpers.localaws.rehearsal.report import Report
from helpers.localaws.settings import PROFILES, LikeAws, read_like_aws
from helpers.localaws.stacks.kinds import roles
from tests.conformance.kit import REGION, poll
from tests.localaws.kit import ACCOUNT, command, local_aws_of

SEED = 7
SCALE = 0.05
MANY = 10_000
OPTIONS = LikeAws("typical", SEED)


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


# -- what is drawn --------------------------------------------------------------------------


def draw_many(options: LikeAws, in_threads: bool) -> list[float]:
    conditions = Conditions(options)
    resources = [f"queue-{number}" for number in range(50)]
    with ThreadPoolExecutor(8 if in_threads else 1) as pool:
        ordered = resources if not in_threads else resources[::-1]
        drawn = pool.map(partial(conditions.delay_s, "queue gone"), ordered)
    return sorted(drawn)


def test_a_seed_gives_the_same_delays_whatever_the_threads_do():
    assert draw_many(OPTIONS, in_threads=True) == draw_many(OPTIONS, in_threads=False)
    assert draw_many(OPTIONS, False) != draw_many(OPTIONS._replace(seed=SEED + 1), False)


def test_a_resource_has_draws_of_its_own():
    """What happens to one resource does not change what happens to another."""
    alone, beside = Conditions(OPTIONS), Conditions(OPTIONS)
    for _ in range(5):
        beside.delay_s("tags read", "another")
    assert alone.delay_s("tags read", "mine") == beside.delay_s("tags read", "mine")
    assert alone.delay_s("tags read", "mine") != alone.delay_s("tags read", "mine")


@pytest.mark.parametrize("effect", DELAYS)
def test_typical_delays_hold_the_figures_of_the_table(effect):
    delay = DELAYS[effect]
    drawn = sorted(draws.seconds(delay, draws.uniform(SEED, "r", effect, n)) for n in range(MANY))
    assert drawn[0] >= delay.min_s
    assert drawn[-1] <= delay.most_s
    assert statistics.median(drawn) == pytest.approx(max(delay.median_s, delay.min_s), rel=0.1)
    assert drawn[MANY * 99 // 100] == pytest.approx(min(delay.p99_s, delay.most_s), rel=0.15)


def test_slow_and_hostile_draw_from_the_slower_part():
    delay = DELAYS["role known"]
    medians = [draws.seconds(delay, quantile(profile, 0.5)) for profile in PARTS]
    assert medians == sorted(medians)
    assert draws.seconds(delay, quantile("slow", 1e-9)) == pytest.approx(delay.median_s)
    assert draws.seconds(delay, quantile("hostile", 0.9)) == pytest.approx(delay.p99_s)


def test_the_table_names_the_doubt_and_the_source_of_each_figure():
    assert tuple(PARTS) == PROFILES
    for each in (*DELAYS.values(), *CHANCES.values()):
        assert each.basis in (DOCUMENTED, MEASURED, ESTIMATED)
        assert each.source
    for delay in DELAYS.values():
        assert delay.min_s <= delay.median_s <= delay.p99_s <= delay.most_s
    for chance in CHANCES.values():
        assert 0 < chance.typical <= chance.slow <= chance.hostile <= 1


def test_scale_multiplies_delays():
    once, twice = Conditions(OPTIONS), Conditions(OPTIONS._replace(scale=2.0))
    assert twice.delay_s("queue gone", "q") == pytest.approx(2 * once.delay_s("queue gone", "q"))


def test_the_learner_s_clock_is_off_by_what_the_seed_says():
    clocks = {Conditions(OPTIONS._replace(seed=seed)).clock_off_s() for seed in range(200)}
    assert -5 <= min(clocks) < -4
    assert 4 < max(clocks) <= 5
    assert Conditions(OPTIONS).clock_off_s() == Conditions(OPTIONS._replace(scale=2)).clock_off_s()


# -- the parts, on a virtual clock ----------------------------------------------------------


def test_old_values_show_until_their_time_and_may_alternate():
    clock = Clock()
    old = OldValues(Conditions(OPTIONS, clock))
    old.keep("key", "first", 10)
    old.keep("key", "second", 5)
    assert [old.alternate("key") for _ in range(4)] == [("first",), None, ("first",), None]
    clock.s = 7
    assert old.see("key") == ("first",)  # the change after it shows no earlier
    clock.s = 10
    assert old.see("key") is None
    assert old.see("another") is None


def test_calls_are_throttled_beyond_the_rate_of_their_limit():
    clock = Clock()
    conditions = Conditions(OPTIONS, clock)
    throttles = Throttles(conditions)

    def answer(operation: str):
        call = SimpleNamespace(service="lambda", account="1", region="r", operation=operation)
        environ = {"CONTENT_TYPE": "application/json"}
        return throttles.before(SimpleNamespace(call=call, environ=environ))

    assert [answer("ListFunctions") is None for _ in range(16)] == [True] * 15 + [False]
    refused = answer("CreateFunction")  # it shares the limit
    assert refused.status == "429 Too Many Requests"
    assert ("x-amzn-ErrorType", "TooManyRequestsException") in refused.headers
    assert json.loads(refused.body) == {
        "Reason": "CallerRateLimitExceeded",
        "Type": "User",
        "message": "Rate exceeded",
    }
    assert answer("GetFunction") is None
    clock.s = 1 / 15
    assert answer("ListFunctions") is None
    assert answer("ListFunctions") is not None
    assert "3 throttled calls" in conditions.report.sentence()


def test_a_data_point_can_be_read_when_its_time_has_come(monkeypatch):
    clock, store = Clock(), Store()
    clock.s = 1_800_000_000
    monkeypatch.setattr(metrics.time, "time", clock)
    metric = make_metric("Shop", "sold")
    late = LateStore(store, lambda _metric, start: 90.0 if start % 120 else 150.0)
    for at in (0, 60):
        store.add(metric, "Count", 1.0, at_s=clock.s + at)

    def seen(after: int) -> list[int]:
        clock.s = 1_800_000_000 + after
        readings = late.read(metric, None, 1_800_000_000, clock.s)
        return [each.start_s - 1_800_000_000 for each in readings]

    assert [seen(after) for after in (70, 149, 150)] == [[], [], [0, 60]]


def test_an_alarm_sees_its_data_late(monkeypatch):
    for owner, name in ((Alarm, "periods"), (Backend, "readable")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    conditions = Conditions(OPTIONS)
    metrics.install(conditions)
    settings = {
        "AlarmName": "a", "Namespace": "Shop", "MetricName": "sold", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    alarm = Alarm("arn:aws:cloudwatch:us-east-1:1:alarm:a", settings, 0.0)
    lateness_s = Conditions(OPTIONS).delay_s("alarm sees data", alarm.arn)
    assert lateness_s >= DELAYS["alarm sees data"].min_s
    ends = [alarm.periods(Store(), 6_000 + lateness_s + more)[-1].start_s for more in (-1, 1)]
    assert ends == [5_880, 5_940]
    assert "alarm saw its data after" in conditions.report.sentence()


def test_no_rate_limits_an_invocation_or_a_message():
    assert limit_of("lambda", "Invoke") is None
    assert limit_of("sqs", "SendMessage") is None
    assert limit_of("logs", "FilterLogEvents") in RATES


def test_a_trigger_polls_later_and_longer_than_its_state_says():
    mapping = SimpleNamespace(
        deleted=False, enabled=True, polls_from=10.0, polls_until=0.0, _settles_at=5.0
    )
    with mock.patch.object(triggers, "time") as clock:
        clock.monotonic.return_value = 7.0  # Enabled since 5 s
        assert not triggers.polling(mapping)
        assert triggers.seconds_to_next_state(mapping) == 3.0
        clock.monotonic.return_value = 10.0
        assert triggers.polling(mapping)
        mapping.enabled, mapping.polls_until = False, 30.0
        clock.monotonic.return_value = 29.0
        assert triggers.polling(mapping)
        clock.monotonic.return_value = 30.0
        assert not triggers.polling(mapping)


def test_the_report_counts_and_names_the_longest_delay():
    report = Report()
    assert report.sentence() == "nothing yet"
    report.count("stale read", 14)
    report.count("delivered twice")
    report.lasted("role known", 6.2)
    report.lasted("role known", 1.0)
    assert report.sentence() == (
        "14 stale reads, 1 message delivered twice, role known after 6.2 s"
    )


# -- through boto3 --------------------------------------------------------------------------


class Rehearsal:
    """A rehearsal that runs. Its clients repeat a call that fails, as boto3 does."""

    def __init__(self, folder, options: LikeAws) -> None:
        self.folder = folder / f"rehearsal-{options.profile}-{options.seed}-{options.scale}"
        self.options = options
        with local_aws_of(folder):
            server = lifecycle.rehearse(options).server
        self.connection = {
            "region_name": REGION,
            "endpoint_url": server.endpoint_url,
            "aws_access_key_id": server.access_key_id,
            "aws_secret_access_key": server.secret_access_key,
        }
        self.sqs, self.iam, self.lambda_, self.logs, self.dynamodb = (
            boto3.client(name, **self.connection)
            for name in ("sqs", "iam", "lambda", "logs", "dynamodb")
        )

    def report(self) -> str:
        return lifecycle.report(self.folder)

    def queue(self, name: str, **attributes: str) -> str:
        """A queue that can be used already."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        poll(partial(self.code, self.sqs.get_queue_url, QueueName=name), is_none, "the queue")
        return url

    def code(self, call, **arguments) -> str | None:
        """The code of the error that a call ends with; None when it succeeds."""
        try:
            call(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return None


def is_none(value) -> bool:
    return value is None


@contextmanager
def rehearsal_of(folder, options: LikeAws):
    made = Rehearsal(folder, options)
    try:
        yield made
    finally:
        with local_aws_of(folder):
            lifecycle.stop_rehearsals()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    # A day of ten seconds: what lasts a minute takes three seconds, what lasts one 0.05 s.
    options = LikeAws("hostile", SEED, SCALE)
    with rehearsal_of(tmp_path_factory.mktemp("rehearsal"), options) as made:
        yield made


def test_a_new_queue_is_not_there_at_once_and_a_deleted_one_still_is(hostile):
    urls = [hostile.sqs.create_queue(QueueName="coming")["QueueUrl"]]
    there = partial(hostile.code, hostile.sqs.get_queue_attributes)
    codes = {there(QueueUrl=urls[0])}
    for number in range(5):  # each is missing for 50 ms, which one slow call may last
        urls.append(hostile.sqs.create_queue(QueueName=f"coming-{number}")["QueueUrl"])
        codes.add(there(QueueUrl=urls[-1]))
    assert "AWS.SimpleQueueService.NonExistentQueue" in codes
    url = urls[0]
    poll(partial(there, QueueUrl=url), is_none, "the queue to be there")
    hostile.sqs.delete_queue(QueueUrl=url)
    assert hostile.sqs.get_queue_url(QueueName="coming")["QueueUrl"] == url
    sent = hostile.sqs.send_message(QueueUrl=url, MessageBody="lost")
    assert sent["MD5OfMessageBody"]
    shown = hostile.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    assert shown["Attributes"]["QueueArn"].endswith(":coming")
    poll(partial(there, QueueUrl=url), bool, "the queue to be gone")
    assert "before" in hostile.report()
    assert "answers of queues that were deleted" in hostile.report()


def test_reads_of_an_attribute_alternate_between_old_and_new(hostile):
    url = hostile.queue("attributes")
    hostile.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})

    def read() -> str:
        shown = hostile.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return shown["Attributes"]["VisibilityTimeout"]

    assert [read() for _ in range(4)] == ["30", "60", "30", "60"]
    poll(lambda: [read(), read()], lambda both: both == ["60", "60"], "the change to show")
    assert "stale read" in hostile.report()


def test_counters_and_tags_lag(hostile):
    url = hostile.queue("counted")
    hostile.sqs.send_message(QueueUrl=url, MessageBody="x")

    def count() -> str:
        names = ["ApproximateNumberOfMessages"]
        return hostile.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][
            names[0]
        ]

    assert count() == "0"
    poll(count, lambda seen: seen == "1", "the message to be counted")
    hostile.sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    tags = partial(hostile.sqs.list_queue_tags, QueueUrl=url)
    assert not tags().get("Tags")
    poll(tags, lambda seen: seen.get("Tags") == {"a": "b"}, "the tag to show")


def test_short_polls_miss_messages_and_long_ones_do_not(hostile):
    url = hostile.queue("short", VisibilityTimeout="0")
    hostile.sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(8)]
    )

    def found(wait_s: int) -> int:
        answer = hostile.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=8, WaitTimeSeconds=wait_s
        )
        return len(answer.get("Messages", []))

    assert {found(0) for _ in range(30)} == {0, 4, 8}
    assert {found(1) for _ in range(10)} == {8}
    assert "short polls that missed messages" in hostile.report()


def test_a_standard_queue_delivers_some_twice_and_out_of_order(hostile):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:weak-2"
    chance = CHANCES["delivered twice"].hostile
    doubled = [n for n in range(100) if draws.uniform(SEED, arn, "delivered twice", n + 1) < chance]
    twice, in_order = receive_all(hostile, hostile.queue("weak-2"))
    assert sum(twice.values()) >= len(doubled) > 0
    assert not in_order
    assert "delivered twice" in hostile.report()
    assert "out of order" in hostile.report()


def test_a_fifo_queue_delivers_once_and_in_order(hostile):
    url = hostile.queue("strict.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    assert receive_all(hostile, url, MessageGroupId="g") == (Counter(), True)


def test_a_stack_waits_until_its_role_is_known_and_its_policies_are_in_force(monkeypatch) -> None:
    looks = iter([(False, False), (True, False), (False, True), (True, True)])
    seen: list[tuple[bool, bool]] = []
    known, enforced = mock.Mock(), mock.Mock()
    known.is_known.side_effect = lambda *_: seen.append(next(looks)) or seen[-1][0]
    enforced.are_enforced.side_effect = lambda *_: seen[-1][1]
    monkeypatch.setattr(roles, "wait_until_usable", roles.wait_until_usable)
    monkeypatch.setattr(stacks.time, "sleep", lambda _s: None)
    stacks.install(known, enforced)
    roles.wait_until_usable(["role"])
    assert len(seen) == 4


def receive_all(rehearsal: Rehearsal, url: str, **placed: str) -> tuple[Counter, bool]:
    """Send 100 messages and receive them all: which came twice, and whether in order."""
    for first in range(0, 100, 10):
        entries = [
            {"Id": str(n), "MessageBody": str(n), **placed} for n in range(first, first + 10)
        ]
        rehearsal.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    bodies: list[int] = []
    while received := rehearsal.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    ).get("Messages"):
        for message in received:
            bodies.append(int(message["Body"]))
            rehearsal.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert {*bodies} == {*range(100)}
    firsts = list(dict.fromkeys(bodies))
    return Counter(bodies) - Counter({*bodies}), firsts == sorted(firsts)


def test_a_role_is_known_late_its_policy_enforced_late_and_states_last(hostile):
    queue_url = hostile.queue("source")
    trust = json.dumps(steps.TRUST_POLICY)
    role = hostile.iam.create_role(RoleName="fresh", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    settings = {
        "FunctionName": "f",
        "Role": role,
        "Handler": "lambda_function.lambda_handler",
        "Runtime": "python3.13",
        "Code": {"ZipFile": steps.make_package("def lambda_handler(e, c):\n    print('ran')\n")},
    }
    create = partial(hostile.lambda_.create_function, **settings)
    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed"):
        create()
    poll(partial(hostile.code, create), is_none, "Lambda to know the role")
    state = hostile.lambda_.get_function_configuration(FunctionName="f")["State"]
    assert state == "Pending"
    hostile.lambda_.get_waiter("function_active_v2").wait(
        FunctionName="f", WaiterConfig={"Delay": 1}
    )

    rights = {"Effect": "Allow", "Action": ["sqs:*", "logs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    hostile.iam.put_role_policy(RoleName="fresh", PolicyName="p", PolicyDocument=policy)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:source"
    create = partial(
        hostile.lambda_.create_event_source_mapping, EventSourceArn=arn, FunctionName="f"
    )
    with pytest.raises(ClientError, match="does not have permissions to call ReceiveMessage"):
        create()
    assert hostile.iam.get_role_policy(RoleName="fresh", PolicyName="p")["PolicyDocument"]
    poll(partial(hostile.code, create), is_none, "the policy to be enforced")
    (mapping,) = hostile.lambda_.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]
    assert mapping["State"] == "Creating"
    hostile.sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    poll(partial(lines_of, hostile), lambda lines: "ran\n" in lines, "the handler's line")
    function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    hostile.lambda_.tag_resource(Resource=function_arn, Tags={"a": "b"})
    tags = partial(hostile.lambda_.list_tags, Resource=function_arn)
    assert tags()["Tags"] == {}
    poll(tags, lambda seen: seen["Tags"] == {"a": "b"}, "the tag to show")
    for part in ("call before its role was known", "late log lines", "role known after",
                 "policy enforced after", "function settled after", "trigger settled after",
                 "trigger polled"):  # fmt: skip
        assert part in hostile.report().replace("calls before their", "call before its")


def lines_of(rehearsal: Rehearsal) -> list[str]:
    try:
        pages = rehearsal.logs.get_paginator("filter_log_events").paginate(
            logGroupName="/aws/lambda/f"
        )
        return [event["message"] for page in pages for event in page["events"]]
    except ClientError:  # the group is not there yet
        return []


def test_log_events_come_with_empty_pages_that_have_a_token(hostile):
    hostile.logs.create_log_group(logGroupName="paged")
    hostile.logs.create_log_stream(logGroupName="paged", logStreamName="s")
    at = int(time.time() * 1000)
    events = [{"timestamp": at + n, "message": str(n)} for n in range(3)]
    hostile.logs.put_log_events(logGroupName="paged", logStreamName="s", logEvents=events)
    found = set()
    for _ in range(20):
        pages = list(
            hostile.logs.get_paginator("filter_log_events").paginate(
                logGroupName="paged", PaginationConfig={"PageSize": 2}
            )
        )
        assert [each["message"] for page in pages for each in page["events"]] == ["0", "1", "2"]
        found.add(tuple(len(page["events"]) for page in pages))
    assert any(0 in sizes[:-1] for sizes in found)
    assert "empty page" in hostile.report()


def test_a_table_is_creating_and_deleting_for_a_while(hostile):
    settings = {
        "TableName": "t",
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    put = partial(hostile.code, hostile.dynamodb.put_item, TableName="t", Item={"k": {"S": "1"}})
    made = hostile.dynamodb.create_table(**settings)["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    assert put() == "ResourceNotFoundException"
    describe = partial(hostile.dynamodb.describe_table, TableName="t")
    assert describe()["Table"]["TableStatus"] == "CREATING"
    poll(put, is_none, "the table to be active")
    hostile.dynamodb.delete_table(TableName="t")
    assert describe()["Table"]["TableStatus"] == "DELETING"
    with pytest.raises(ClientError, match="Table is being deleted: t"):
        hostile.dynamodb.create_table(**settings)
    poll(partial(hostile.code, describe), bool, "the table to be gone")


def test_a_call_fails_now_and_then_where_the_seed_says_so(hostile):
    chance = CHANCES["stray error"].hostile
    first = next(
        number
        for number in range(1, 1000)
        if draws.uniform(SEED, "sqs UntagQueue", "stray error", number) < chance
    )
    url = hostile.queue("stray")
    once = boto3.client(
        "sqs", config=Config(retries={"total_max_attempts": 1}), **hostile.connection
    )
    untag = partial(once.untag_queue, QueueUrl=url, TagKeys=["a"])
    for _ in range(first - 1):
        untag()
    with pytest.raises(ClientError) as caught:
        untag()
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "stray HTTP 500" in hostile.report()


# -- a run as a whole -----------------------------------------------------------------------


def same_calls(folder, seed: int) -> str:
    """The report of a rehearsal in which no delay ends, after always the same calls."""
    with rehearsal_of(folder, LikeAws("hostile", seed, 10.0)) as made:
        urls = [made.sqs.create_queue(QueueName=f"q{n}")["QueueUrl"] for n in range(2)]
        for url in urls * 20:
            made.code(made.sqs.send_message, QueueUrl=url, MessageBody="x")
        made.logs.create_log_group(logGroupName="g")
        for _ in range(20):  # fewer than what is throttled
            made.code(made.logs.filter_log_events, logGroupName="g")
        made.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(steps.TRUST_POLICY))
        return made.report().partition(": ")[2]


@pytest.mark.slow
def test_the_same_seed_and_calls_give_the_same_report(tmp_path):
    first, second = (same_calls(tmp_path / str(number), SEED) for number in range(2))
    assert first == second
    assert "40 calls before their queue was there" in first
    assert "role known after" in first


LOADED = """
import sys
from helpers.localaws import __main__, lifecycle
from helpers.localaws.front import server, services
server.serve = lambda *given: print(*sys.modules, sep="\\n")
__main__.main(sys.argv[1:])
"""


def loaded_by(*arguments: str) -> set[str]:
    """The modules of a server that was started with these arguments."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, "run", *arguments],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return {*ran.stdout.split()}


def test_nothing_of_a_rehearsal_is_loaded_unless_it_is_asked_for():
    assert not [name for name in loaded_by() if "rehearsal" in name]
    assert "helpers.localaws.rehearsal.application" in loaded_by("--like-aws", "slow")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--like-aws", "fast"), "--like-aws is 'fast'; it must be one of typical, slow, hostile."),
        (
            ("--like-aws", "slow", "--seed", "-1"),
            "--seed is '-1'; it must be a whole number from 0 to 2147483647.",
        ),
        (
            ("--like-aws", "slow", "--scale", "nan"),
            "--scale is 'nan'; it must be a number above 0, at most 10.",
        ),
    ],
)
def test_a_wrong_option_is_named(tmp_path, arguments, sentence):
    ran = command(tmp_path, "run", *arguments)
    assert (ran.returncode, ran.stderr.strip()) == (1, sentence)


@pytest.mark.parametrize("seed", ["1.5", "", "٣", "9" * 5000])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="it must be a whole number"):
        read_like_aws("slow", seed, "1")


def test_a_report_is_told_while_it_runs_and_at_the_end(tmp_path):
    assert command(tmp_path, "report").stdout == "No rehearsal runs.\n"
    with rehearsal_of(tmp_path, LikeAws("slow", 5, 0.1)) as made:
        made.sqs.list_queues()
        said = command(tmp_path, "report").stdout
        assert said == "Rehearsal (profile slow, seed 5, scale 0.1): nothing yet.\n"
        assert command(tmp_path, "stop").stdout == "The local AWS has been stopped.\n"
    assert said in (made.folder / "server.log").read_text()
