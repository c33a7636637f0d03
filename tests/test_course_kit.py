"""The course kit: targets, steps, waiting, logs, clean-up, checks and charts."""

from __future__ import annotations

import json
import os
import time
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from unittest import mock

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from tenacity import wait_none

from helpers import charts, clean_up, clients, course, evidence, logs, stacks, steps, waiting
from helpers.account import clock, target, things
from helpers.account.sentences import WrongSetting
from helpers.checks import clean_up as finishing
from helpers.checks import looking
from helpers.localaws import lifecycle
from helpers.localaws.rehearsal.conditions import Conditions
from helpers.localaws.settings import LikeAws
from tests.conftest import fresh_prefix
from tests.notebook_files import run_cells

SERVICES = ("sqs", "iam", "lambda", "logs", "sts", "s3")
OWN_CODE = "def lambda_handler(event, context):\n    return 'my own'\n"
ID = "8960ba3a-f2d2-425a-9709-835cdb2b4e2f"
COLD = (
    f"REPORT RequestId: {ID}\tDuration: 1.95 ms\tBilled Duration: 116 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 38 MB\tInit Duration: 113.58 ms\t\n"
)
WARM = (
    f"REPORT RequestId: {ID}\tDuration: 3.86 ms\tBilled Duration: 4 ms\tMemory Size: 1024 MB\t"
    "Max Memory Used: 532 MB\t\n"
)
TIMEOUT = (
    f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3403 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 73 MB\tInit Duration: 402.04 ms\tStatus: timeout\n"
)
OUT_OF_MEMORY = (
    f"REPORT RequestId: {ID}\tDuration: 10935.70 ms\tBilled Duration: 10936 ms\t"
    "Memory Size: 1024 MB\tMax Memory Used: 1024 MB\tStatus: error\t"
    "Error Type: Runtime.OutOfMemory\n"
)
FIRST_LINE = 'Received message: {"task": "process_order", "order_id": "12345"}'
PLATFORM_LINES = {
    "INIT_START": "INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: arn:aws:x\n",
    "START": f"START RequestId: {ID} Version: $LATEST\n",
    "END": f"END RequestId: {ID}\n",
    "REPORT": WARM,
    "INIT_REPORT": "INIT_REPORT Init Duration: 316.80 ms\tPhase: init\tStatus: error\n",
}


pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(scope="module")
def first_build(keep_environment) -> tuple[str, course.Pipeline]:
    with mock.patch.dict(os.environ):
        return fresh_prefix(), course.catch_up(8)


@pytest.fixture
def built(first_build, environment) -> course.Pipeline:
    """All that the seven steps build, made from nothing once for the tests that only look."""
    os.environ["SQS_COURSE_PREFIX"], pipeline = first_build
    target.connect()
    return pipeline


def error_of(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateFunction")


# Targets


@pytest.fixture
def real_profile(tmp_path: Path, environment) -> None:
    """A machine on which boto3 would find somebody's real account."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    keys = "aws_access_key_id = REALFILE\naws_secret_access_key = real\n"
    (folder / "credentials").write_text(f"[default]\n{keys}\n[real]\n{keys}")
    (folder / "config").write_text(
        "[profile real]\nregion = eu-west-1\nendpoint_url = http://198.51.100.1\n"
    )
    os.environ.pop("AWS_CONFIG_FILE", None)
    os.environ.pop("AWS_SHARED_CREDENTIALS_FILE", None)
    os.environ.update(
        HOME=str(tmp_path),
        USERPROFILE=str(tmp_path),
        AWS_PROFILE="real",
        AWS_ACCESS_KEY_ID="REALVARIABLE",
        AWS_SECRET_ACCESS_KEY="real",
        AWS_SESSION_TOKEN="real",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_ENDPOINT_URL="http://198.51.100.1",
        AWS_ENDPOINT_URL_SQS="http://198.51.100.2",
    )


def test_local_leaves_nothing_of_a_real_account(real_profile) -> None:
    before = boto3.client("sqs")
    assert before.meta.endpoint_url == "http://198.51.100.2"
    found = target.connect()
    assert (found.name, found.region) == ("local", target.REGION)
    for service in SERVICES:
        client = boto3.client(service)
        assert client.meta.endpoint_url.startswith("http://127.0.0.1:"), service
        assert client.meta.region_name == target.REGION
    for session in (boto3.DEFAULT_SESSION, boto3.Session()):
        credentials = session.get_credentials()
        assert credentials.access_key == lifecycle.recorded().access_key_id
        assert credentials.token is None
        assert "real" not in session.available_profiles


def test_helpers_share_a_client_until_they_connect_anew(learner) -> None:
    first = clients.client_for("sqs")
    assert clients.client_for("sqs") is first
    assert clients.client_for("lambda") is not first
    target.connect()
    assert clients.client_for("sqs") is not first


def test_local_needs_no_proxy(learner) -> None:
    os.environ.update(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="example.com")
    os.environ.update(http_proxy="http://127.0.0.1:9", no_proxy="example.com")
    assert target.connect().name == "local"
    assert os.environ["no_proxy"] == "example.com,127.0.0.1"


def test_a_rehearsal_is_a_local_aws_of_its_own(environment, tmp_path) -> None:
    chosen = {"PROFILE": "hostile", "SEED": "42", "SCALE": "10"}
    os.environ.update({f"SQS_COURSE_{name}": value for name, value in chosen.items()})
    os.environ.update(LOCALAWS_FOLDER=str(tmp_path), SQS_COURSE_TARGET="rehearsal")
    try:
        found = target.connect()
        assert found.name == "rehearsal"
        off_s = Conditions(LikeAws("hostile", 42, 10.0)).clock_off_s()
        assert found.description == (
            f"rehearsal of AWS on this computer (profile hostile, seed 42, scale 10, clock off by "
            f"{off_s:g} s; account 123456789012, us-east-1)"
        )
        assert time.time() - datetime.now().timestamp() == pytest.approx(off_s, abs=1)
        assert target.connect() == found  # it is found again
        assert os.environ["LOCALAWS_FOLDER"] == str(tmp_path)
        assert lifecycle.find() is None  # the plain local AWS is another one
        url = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        with pytest.raises(boto3.client("sqs").exceptions.QueueDoesNotExist):
            boto3.client("sqs").send_message(QueueUrl=url, MessageBody="too early")
        [said] = lifecycle.reports()
        assert said.startswith("Rehearsal (profile hostile, seed 42, scale 10): ")
        assert "1 call before its queue was there" in said
    finally:
        clock.set_off(0)
        lifecycle.stop_rehearsals()


def test_a_server_is_reached_by_its_url() -> None:
    server = lifecycle.start().server
    os.environ["SQS_COURSE_TARGET"] = server.endpoint_url
    found = target.connect()
    assert (found.name, found.account) == ("server", "123456789012")
    assert server.endpoint_url in found.description
    assert boto3.client("lambda").meta.endpoint_url == server.endpoint_url


def test_a_server_that_is_not_there_or_takes_another_key_gets_a_sentence() -> None:
    os.environ.update(SQS_COURSE_TARGET="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    with pytest.raises(WrongSetting, match="nothing answers there: start that server first"):
        target.connect()
    url = lifecycle.start().server.endpoint_url.replace("127.0.0.1", "localhost")
    os.environ["SQS_COURSE_TARGET"] = url
    assert target.connect().name == "server"
    with (
        mock.patch.object(target, "key_for", return_value=target.ANY_KEY),
        pytest.raises(WrongSetting, match="refuses the access key"),
    ):
        target.connect()


@pytest.mark.parametrize(
    ("given", "used"), [("LOCALAWS000000000001", "LOCALAWS000000000001"), ("AKIAREAL", "test")]
)
def test_a_key_of_a_real_account_is_sent_to_no_other_server(given, used) -> None:
    os.environ.update(AWS_ACCESS_KEY_ID=given, AWS_SECRET_ACCESS_KEY="secret")
    key = target.key_for("http://localhost:4566")
    assert key.id == used
    assert key.secret == ("secret" if used == given else "test")


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("SQS_COURSE_TARGET", "localhost:4566", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "ftp://localhost", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "http://", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "http://[", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "http://localhost:port", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "http://localhost:99999", "use local, rehearsal, aws, or a URL"),
        ("SQS_COURSE_TARGET", "https://sqs.us-east-1.amazonaws.com", "use aws"),
        ("SQS_COURSE_PREFIX", "anna_", "letters, digits and hyphens"),
        ("SQS_COURSE_PREFIX", "a" * 21, "up to 20"),
        ("SQS_COURSE_PREFIX", "anna\n", "letters, digits and hyphens"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch, setting: str, value: str, allowed: str) -> None:
    monkeypatch.setattr(target, "account_id", lambda: pytest.fail("A call was made."))
    os.environ[setting] = value
    with pytest.raises(WrongSetting) as refusal:
        target.connect()
    for part in (setting, repr(value), allowed):
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("SQS_COURSE_PROFILE", "fast", "one of typical, slow, hostile"),
        ("SQS_COURSE_SEED", "one", "a whole number from 0"),
        ("SQS_COURSE_SCALE", "0", "a number above 0, at most 10"),
    ],
)
def test_a_wrong_setting_of_a_rehearsal_is_named(environment, setting, value, allowed) -> None:
    os.environ.update({"SQS_COURSE_TARGET": "rehearsal", setting: value})
    with pytest.raises(WrongSetting, match=f"{setting} is {value!r}; it must be {allowed}"):
        target.connect()


# Letting AWS catch up


@pytest.mark.parametrize(
    ("where", "scale", "slept_s"),
    [
        ("aws", None, 60),
        ("rehearsal", None, 60),
        ("rehearsal", "0.1", 6),
        ("local", None, 0),
        (None, None, 0),
        ("http://localhost:4566", None, 0),
    ],
)
def test_only_aws_and_a_rehearsal_of_it_are_waited_for(
    environment, capsys, where: str | None, scale: str | None, slept_s: float
) -> None:
    for setting, value in (("TARGET", where), ("SCALE", scale)):
        if value:
            os.environ[f"SQS_COURSE_{setting}"] = value
    with mock.patch.object(waiting.time, "sleep") as sleep:
        course.let_aws_catch_up(60, "the new timeout reaches every server of the queue")
    assert sum(call.args[0] for call in sleep.call_args_list) == pytest.approx(slept_s)
    shown = capsys.readouterr()
    assert ("the new timeout reaches every server" in shown.err) == bool(slept_s)
    assert bool(shown.err) == bool(slept_s)
    assert not shown.out


@pytest.mark.parametrize("seconds", [-1, 301, float("nan")])
def test_a_wait_for_aws_has_bounds(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"seconds is .*; it must be from 0 to 300\."):
        course.let_aws_catch_up(seconds, "nothing")


# Steps and catching up


def test_begin_refuses_an_unknown_notebook(monkeypatch) -> None:
    monkeypatch.setattr(course, "connect", lambda: pytest.fail("It connected."))
    with pytest.raises(ValueError, match=r"'08_more' is no notebook of this course: 00_start"):
        course.begin("08_more")


def test_begin_says_what_it_did(learner, capsys) -> None:
    course.begin("03_create_function")
    connected, in_place = capsys.readouterr().out.splitlines()
    assert connected.startswith("Connected to: local AWS")
    assert in_place == (
        f"In place from earlier steps: queue {learner}DemoQueueLambda, "
        f"role {learner}ProcessSQSMessageRole."
    )


def test_catch_up_builds_all_from_nothing(built) -> None:
    assert None not in astuple(built)
    group = logs.log_group(course.name(course.FUNCTION))
    logs.wait_for_line(boto3.client("logs"), group, "12345", limit_s=0)


def test_catch_up_changes_nothing_that_is_there_and_sends_its_message_again(built) -> None:
    before = len(first_messages())
    assert course.catch_up(8) == built
    assert len(first_messages()) == before + 1


def first_messages() -> list[str]:
    group = logs.log_group(course.name(course.FUNCTION))
    messages = logs.read_events(boto3.client("logs"), group)["message"]
    return [message for message in messages if message == FIRST_LINE]


def test_a_first_message_that_has_no_trigger_is_not_claimed(learner, monkeypatch) -> None:
    """A direct call, right before, has left the line that the message would leave."""
    pipeline = course.catch_up(6)
    boto3.client("lambda").delete_event_source_mapping(UUID=pipeline.trigger_uuid)
    event = {"Records": [{"body": json.dumps(steps.SEED_MESSAGE)}]}
    boto3.client("lambda").invoke(
        FunctionName=course.name(course.FUNCTION), Payload=json.dumps(event)
    )
    assert len(first_messages()) == 1
    monkeypatch.setattr(steps, "add_trigger", lambda *_: pipeline.trigger_uuid)
    monkeypatch.setattr(course, "answered_ms", lambda _: 0)  # as if it were all in one second
    monkeypatch.setattr(logs.wait_for_line, "__defaults__", (0, 0.5))
    with pytest.raises(TimeoutError, match=r"Waited 0 s for a line with '12345' in /aws/lambda/"):
        course.begin("07_check_logs")


def test_a_notebook_does_not_take_a_direct_call_for_a_message_that_got_through(
    learner, monkeypatch
) -> None:
    for _, error in run_cells("05_write_handler"):
        assert error is None
    pipeline = course.catch_up(6)
    monkeypatch.setattr(logs.wait_for_line, "__defaults__", (0, 0.5))
    cells, failed = run_cells("06_send_message"), None
    next(cells)  # course.begin
    boto3.client("lambda").delete_event_source_mapping(UUID=pipeline.trigger_uuid)
    time.sleep(1)  # AWS tells whole seconds, and 05 called the function just now
    while failed is None:
        _, failed = next(cells)
    assert str(failed).startswith("Waited 0 s for a line with '12345' in /aws/lambda/")
    assert FIRST_LINE in first_messages()


def test_each_step_may_be_done_again(built) -> None:
    sqs, iam, lambda_ = (boto3.client(service) for service in ("sqs", "iam", "lambda"))
    function, tags = course.name(course.FUNCTION), course.tags()
    assert steps.create_queue(sqs, course.name(course.QUEUE), tags) == built.queue_url
    assert steps.create_role(iam, course.name(course.ROLE), tags) == built.role_arn
    assert steps.create_function(lambda_, function, built.role_arn, tags) == built.function_arn
    assert steps.add_trigger(lambda_, function, built.queue_arn, tags) == built.trigger_uuid
    hashes = {steps.deploy_handler(lambda_, function) for _ in range(2)}
    assert hashes == {steps.package_hash(steps.SEED_HANDLER)}
    mappings = lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in mappings] == [built.trigger_uuid]


def test_catch_up_completes_what_is_half_built(learner) -> None:
    half = course.catch_up(3)
    assert (half.function_arn, half.trigger_uuid) == (None, None)
    policy = {"RoleName": course.name(course.ROLE), "PolicyArn": steps.POLICY_ARN}
    boto3.client("iam").detach_role_policy(**policy)
    whole = course.catch_up(6)
    assert astuple(whole)[:3] == astuple(half)[:3]
    lambda_ = boto3.client("lambda")
    lambda_.delete_function(FunctionName=course.name(course.FUNCTION))
    again = course.catch_up(6)
    assert again.function_arn == whole.function_arn
    assert deployed() == steps.package_hash(steps.SEED_HANDLER)
    assert lambda_.get_event_source_mapping(UUID=again.trigger_uuid)["State"] == "Enabled"


def deployed() -> str:
    name = course.name(course.FUNCTION)
    return boto3.client("lambda").get_function_configuration(FunctionName=name)["CodeSha256"]


def test_the_stub_is_replaced_and_own_code_is_not(learner) -> None:
    lambda_ = boto3.client("lambda")
    course.catch_up(4)
    assert deployed() == steps.package_hash(steps.HELLO_STUB)
    course.replace_stub(lambda_)
    assert deployed() == steps.package_hash(steps.SEED_HANDLER)
    own = steps.deploy_handler(lambda_, course.name(course.FUNCTION), OWN_CODE)
    course.replace_stub(lambda_)
    assert deployed() == own == steps.package_hash(OWN_CODE)


def test_the_same_source_gives_the_same_package(monkeypatch) -> None:
    first = steps.make_package(OWN_CODE)
    now = time.localtime(time.time() + 86_400)
    monkeypatch.setattr(time, "localtime", lambda *_: now)
    assert steps.make_package(OWN_CODE) == first
    assert steps.make_package(OWN_CODE + "#") != first


def test_tags_tell_learners_apart() -> None:
    assert course.tags() == {course.TAG: "default"}
    os.environ["SQS_COURSE_PREFIX"] = "anna-"
    assert course.tags() == {course.TAG: "anna"}


# Waiting


@pytest.mark.parametrize(
    ("seen", "last"),
    [
        (["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"], "ROLLBACK_COMPLETE"),
        (["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"], "UPDATE_COMPLETE"),
        (["REVIEW_IN_PROGRESS"], "REVIEW_IN_PROGRESS"),
        (["DELETE_IN_PROGRESS", None], stacks.GONE),
    ],
)
def test_a_stack_is_at_rest_when_nothing_is_in_progress(seen, last, monkeypatch) -> None:
    monkeypatch.setattr(waiting.time, "sleep", mock.Mock())
    gone = {"Error": {"Code": "ValidationError", "Message": "Stack with id S does not exist"}}
    answers = [
        {"Stacks": [{"StackStatus": each}]} if each else ClientError(gone, "DescribeStacks")
        for each in seen
    ]
    client = mock.Mock()
    client.describe_stacks.side_effect = answers
    assert stacks.at_rest(client, "S") == last
    client.describe_stacks.side_effect = ClientError(
        {"Error": {"Code": "ValidationError", "Message": "1 validation error"}}, "DescribeStacks"
    )
    with pytest.raises(ClientError, match="1 validation error"):
        stacks.at_rest(client, "a name with blanks")


def test_waiting_is_bounded_and_says_what_it_saw() -> None:
    seen = iter(range(1000))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"Waited 0 s for the moon; last seen: \d+") as error:
        waiting.wait_until(lambda: next(seen), lambda _: False, "the moon", 0.1, 0.01)
    assert str(error.value).endswith(f": {next(seen) - 1}")
    assert 0.1 <= time.monotonic() - started < 5


def test_a_throttled_look_is_made_again(monkeypatch) -> None:
    monkeypatch.setattr(waiting.time, "sleep", mock.Mock())
    throttled = error_of("ThrottlingException", "Rate exceeded")
    look = mock.Mock(side_effect=[throttled, throttled, 0, 3])
    assert waiting.wait_until(look, bool, "three", 5) == 3
    other = error_of("AccessDeniedException", "not authorized")
    with pytest.raises(ClientError) as raised:
        waiting.wait_until(mock.Mock(side_effect=other), bool, "three", 5)
    assert raised.value is other


def test_a_wait_that_is_throttled_to_its_end_says_so() -> None:
    look = mock.Mock(side_effect=error_of("ThrottlingException", "Rate exceeded"))
    with pytest.raises(TimeoutError, match=r"for three; last seen: .*Rate exceeded"):
        waiting.wait_until(look, bool, "three", 0)


def test_a_long_wait_looks_less_and_less_often() -> None:
    now, sleeps = [0.0], []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        now[0] += seconds

    clock = mock.Mock(monotonic=lambda: now[0], sleep=sleep)
    with mock.patch.object(waiting, "time", clock), pytest.raises(TimeoutError):
        waiting.wait_until(lambda: 0, bool, "nothing", 60, 0.2)
    assert sum(sleeps) == pytest.approx(60)
    assert sleeps[0] == 0.2
    assert sleeps[:-1] == sorted(sleeps[:-1])
    assert max(sleeps) == waiting.SLOWEST_S
    assert len(sleeps) < 60


def test_waiting_returns_what_it_saw() -> None:
    seen = iter([0, 0, 3])
    assert waiting.wait_until(lambda: next(seen), bool, "three", 5, 0.001) == 3


def test_states_are_listed_once_each() -> None:
    states = iter(["Creating", "Creating", "Enabling", "Enabled", "never asked"])
    seen = waiting.states_until(lambda: next(states), "Enabled", "the trigger", 5)
    assert seen == ["Creating", "Enabling", "Enabled"]


def test_states_that_never_come_end_the_wait() -> None:
    with pytest.raises(TimeoutError, match=r"the trigger; last seen: 'Creating'"):
        waiting.states_until(lambda: "Creating", "Enabled", "the trigger", 0.1)


def refusing(error: Exception, times: int) -> mock.Mock:
    return mock.Mock(side_effect=[*[error] * times, "made"])


@pytest.fixture
def without_pauses(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "wait_exponential", lambda **_: wait_none())


@pytest.mark.parametrize(
    "message",
    [
        "The role defined for the function cannot be assumed by Lambda.",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ],
)
def test_a_role_that_is_not_ready_is_tried_again(without_pauses, message: str) -> None:
    call = refusing(error_of("InvalidParameterValueException", message), 2)
    assert waiting.when_role_is_ready(call, Role="r") == "made"
    assert call.call_args_list == [mock.call(Role="r")] * 3


@pytest.mark.parametrize(
    "error",
    [
        error_of("InvalidParameterValueException", "Unzipped size must be smaller"),
        error_of("AccessDeniedException", "User is not authorized to perform iam:PassRole"),
        ValueError("cannot be assumed by Lambda"),
    ],
)
def test_another_error_is_raised_at_once(without_pauses, error: Exception) -> None:
    call = refusing(error, 1)
    with pytest.raises(type(error)) as raised:
        waiting.when_role_is_ready(call)
    assert raised.value is error
    assert call.call_count == 1


def test_a_role_that_never_gets_ready_is_given_up(without_pauses, monkeypatch) -> None:
    monkeypatch.setattr(waiting, "KNOWN_LIMIT_S", 0.05)
    error = error_of("InvalidParameterValueException", "cannot be assumed by Lambda.")
    call = mock.Mock(side_effect=error)
    started = time.monotonic()
    with pytest.raises(ClientError) as raised:
        waiting.when_role_is_ready(call)
    assert raised.value is error
    assert call.call_count > 1
    assert time.monotonic() - started < 3


# Logs


def test_report_of_a_cold_start() -> None:
    assert logs.read_report(COLD) == {
        "request_id": ID,
        "duration_ms": 1.95,
        "billed_ms": 116,
        "memory_mb": 128,
        "used_mb": 38,
        "init_ms": 113.58,
        "status": None,
    }


@pytest.mark.parametrize(
    ("line", "duration_ms", "used_mb", "init_ms", "status"),
    [
        (WARM, 3.86, 532, None, None),
        (TIMEOUT, 3000, 73, 402.04, "timeout"),
        (OUT_OF_MEMORY, 10935.7, 1024, None, "error"),
    ],
)
def test_other_reports(line, duration_ms, used_mb, init_ms, status) -> None:
    report = logs.read_report(line)
    found = tuple(report[key] for key in ("duration_ms", "used_mb", "init_ms", "status"))
    assert found == (duration_ms, used_mb, init_ms, status)


@pytest.mark.parametrize(
    "line", ["", "REPORT of today", PLATFORM_LINES["END"], PLATFORM_LINES["INIT_REPORT"]]
)
def test_what_is_no_report_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="This is no REPORT line"):
        logs.read_report(line)


@pytest.mark.parametrize(("kind", "line"), PLATFORM_LINES.items())
def test_lines_of_the_platform_have_a_kind(kind: str, line: str) -> None:
    assert logs.kind_of(line) == kind


@pytest.mark.parametrize("line", ["hello", "", "START the oven", "END\n", "REPORT of today"])
def test_lines_of_the_function_have_none(line: str) -> None:
    assert logs.kind_of(line) == ""


@pytest.fixture
def group(learner) -> str:
    """A log group with known lines in two streams, not written in order of time."""
    client, name = boto3.client("logs"), logs.log_group(course.name("Known"))
    client.create_log_group(logGroupName=name)
    now = int(time.time() * 1000)
    lines = {"a": [(3, COLD), (2, "Received message: 12345")], "b": [(1, "first\n")]}
    for stream, events in lines.items():
        client.create_log_stream(logGroupName=name, logStreamName=stream)
        client.put_log_events(
            logGroupName=name,
            logStreamName=stream,
            logEvents=[{"timestamp": now + ms, "message": text} for ms, text in sorted(events)],
        )
    return name


def test_events_are_read_in_order_of_time(group) -> None:
    frame = logs.read_events(boto3.client("logs"), group)
    assert list(frame["message"]) == ["first", "Received message: 12345", COLD.rstrip("\n")]
    assert list(frame["stream"]) == ["b", "a", "a"]
    assert list(frame["kind"]) == ["", "", "REPORT"]
    assert frame["time"].is_monotonic_increasing


def test_events_can_be_read_from_a_time_on(group) -> None:
    client = boto3.client("logs")
    since = int(logs.read_events(client, group)["time"].iloc[1].timestamp() * 1000)
    assert len(logs.read_events(client, group, since)) == 2


def test_a_group_that_is_not_there_has_no_events(learner) -> None:
    frame = logs.read_events(boto3.client("logs"), f"/aws/lambda/{learner}nothing")
    assert list(frame.columns) == ["time", "stream", "kind", "message"]
    assert frame.empty


def test_a_line_is_waited_for(group) -> None:
    client = boto3.client("logs")
    assert logs.wait_for_line(client, group, "12345") == "Received message: 12345"
    with pytest.raises(TimeoutError, match=f"'67890' in {group}"):
        logs.wait_for_line(client, group, "67890", limit_s=0.1)


def test_the_time_of_an_answer_is_that_of_aws(learner) -> None:
    clock.set_off(30)
    try:
        answer = boto3.client("sqs").list_queues()
        assert 0 <= datetime.now().timestamp() * 1000 - logs.answered_ms(answer) < 5000
    finally:
        clock.set_off(0)


# Clean-up


def of_kind(kind: str) -> list[things.Thing]:
    return [thing for thing in clean_up.find() if thing.kind == kind]


def left_of_us() -> list[things.Thing]:
    return [thing for thing in clean_up.find() if thing.ours]


@pytest.mark.slow
def test_clean_up_deletes_ours_and_leaves_what_has_no_tag(learner) -> None:
    sqs = boto3.client("sqs")
    course.catch_up(8)
    name = course.name(course.PRACTICE_QUEUE)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    planned = clean_up.plan(clean_up.find())
    assert dict(zip(planned["name"], planned["will be"], strict=True)) == {
        f"{learner}DemoQueueLambda to {learner}ProcessSQSMessage": "deleted",
        f"{learner}ProcessSQSMessage": "deleted",
        f"{learner}DemoQueueLambda": "deleted",
        f"{learner}PracticeQueue": "left alone: no tag",
        f"{learner}ProcessSQSMessageRole": "deleted",
        f"/aws/lambda/{learner}ProcessSQSMessage": "deleted",
    }
    kinds = [line.split(f" {learner}")[0].split(" /aws")[0] for line in clean_up.clean_up()]
    never_made = ("stack", "table", "alarm")
    assert kinds == [kind for kind in clean_up.ORDER if kind not in never_made]
    assert clean_up.find() == [things.Thing("queue", name, url, ours=False)]
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert clean_up.clean_up() == []


@pytest.mark.slow
def test_clean_up_ends_a_half_deletion(learner) -> None:
    course.catch_up(8)
    boto3.client("lambda").delete_function(FunctionName=course.name(course.FUNCTION))
    deleted = clean_up.clean_up()
    assert any(line.startswith("trigger ") for line in deleted)
    assert not any(line.startswith("function ") for line in deleted)
    assert clean_up.find() == []


def test_clean_up_spares_the_function_of_somebody_else(learner) -> None:
    sqs, iam, lambda_ = (boto3.client(service) for service in ("sqs", "iam", "lambda"))
    name = course.name(course.PRACTICE_FUNCTION)
    queue_arn = steps.queue_arn(sqs, steps.create_queue(sqs, course.name("Theirs"), {}))
    role_arn = steps.create_role(iam, course.name(course.PRACTICE_ROLE), {})
    steps.create_function(lambda_, name, role_arn, {})
    trigger = steps.add_trigger(lambda_, name, queue_arn, {})
    lambda_.invoke(FunctionName=name)
    group = logs.log_group(name)
    waiting.wait_until(lambda: logs.read_events(boto3.client("logs"), group), len, "a log", 20, 0.1)
    assert clean_up.clean_up() == []
    assert lambda_.get_event_source_mapping(UUID=trigger)["State"] == "Enabled"
    assert len(logs.read_events(boto3.client("logs"), group)) > 0
    kept = {thing.kind for thing in clean_up.find()}
    assert {"function", "role", "log group"} <= kept
    assert left_of_us() == []


@pytest.mark.slow
def test_clean_up_spares_a_log_group_that_somebody_else_left(learner) -> None:
    client, group = boto3.client("logs"), logs.log_group(course.name(course.FUNCTION))
    client.create_log_group(logGroupName=group)
    assert [(thing.kind, thing.ours) for thing in clean_up.find()] == [("log group", False)]
    assert clean_up.clean_up() == []
    client.delete_log_group(logGroupName=group)
    course.catch_up(8)
    clean_up.tag_log_groups(clean_up.find())  # as an interrupted clean-up does
    for function in of_kind("function"):
        clean_up.DELETE["function"](function.key)
    for role in of_kind("role"):
        clean_up.DELETE["role"](role.key)
    assert f"log group {group}" in clean_up.clean_up()
    assert clean_up.find() == []


@pytest.mark.slow
def test_clean_up_deletes_a_log_group_that_comes_late(learner, monkeypatch) -> None:
    course.catch_up(5)
    client, group = boto3.client("logs"), logs.log_group(course.name(course.FUNCTION))
    delete_role = clean_up.DELETE["role"]

    def late(name: str) -> None:
        """As if a call of the function had still been running."""
        delete_role(name)
        client.create_log_group(logGroupName=group)

    monkeypatch.setitem(clean_up.DELETE, "role", late)
    clean_up.clean_up()
    assert client.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_clean_up_of_nothing(learner) -> None:
    assert clean_up.find() == []
    assert clean_up.clean_up() == []


# Checks


def said(capsys, check, *arguments) -> str:
    capsys.readouterr()
    check(*arguments)
    return capsys.readouterr().out


def test_a_check_gives_aws_a_minute_to_show_what_was_done(monkeypatch) -> None:
    monkeypatch.setattr(waiting.time, "sleep", mock.Mock())
    monkeypatch.setattr(looking, "aws_pace", lambda: 1.0)
    days = iter([4, 4, 14])
    assert looking.see(lambda: next(days), lambda seen: seen == 14) == 14
    monkeypatch.setattr(looking, "aws_pace", lambda: 0.0)
    assert looking.see(lambda: 4, lambda seen: seen == 14) == 4


def test_check_nothing_left(learner, capsys) -> None:
    assert said(capsys, finishing.check_nothing_left).startswith("Right: ")
    course.catch_up(2)
    wanted = f"Not yet: Still there: queue {learner}DemoQueueLambda.\n"
    assert said(capsys, finishing.check_nothing_left) == wanted


# Charts


@pytest.mark.parametrize("off_s", [30, -30])
def test_a_journey_has_the_times_of_aws(built, off_s: float) -> None:
    clients = [boto3.client(service) for service in ("sqs", "lambda", "logs")]
    clock.set_off(off_s)
    try:
        way = evidence.follow(
            *clients, built.queue_url, course.name(course.FUNCTION), {"order_id": "777"}
        )
    finally:
        clock.set_off(0)
    assert list(way["step"]) == ["sent", "handler starts", "handled"]
    assert way["ms"].is_monotonic_increasing
    assert way["ms"].iloc[-1] < 20_000  # a clock that is 30 s off does not show


def test_the_chart_of_a_journey_says_what_it_shows() -> None:
    journey = pd.DataFrame({"step": ["sent", "starts", "ends", "deleted"], "ms": [0, 9.5, 12, 40]})
    chart = charts.message_journey(journey)
    text = "One message, from sent to deleted: sent → starts → ends → deleted."
    assert chart.text == repr(chart) == text
    assert chart.png.startswith(b"\x89PNG\r\n\x1a\n")
    data, metadata = chart._repr_mimebundle_()
    assert data == {"image/png": chart.png, "text/plain": text}
    assert metadata == {"image/png": {"alt": text}}
