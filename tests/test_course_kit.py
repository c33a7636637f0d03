"""The course kit: target, catching up, waiting, logs, clean-up, checks, chart."""

from __future__ import annotations

import os
import uuid

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError

from helpers import charts, checks, clean_up, course, logs, steps, target, waiting
from helpers.localaws import lifecycle

REPORT = (
    "REPORT RequestId: 3f37eb80-7a0b-4935-be16-306c03d2a779\tDuration: 3000.00 ms\t"
    "Billed Duration: 3403 ms\tMemory Size: 128 MB\tMax Memory Used: 73 MB\t"
    "Init Duration: 402.04 ms\tStatus: timeout\n"
)


@pytest.fixture(autouse=True)
def clean_environment():
    """connect() changes what boto3 reads: put it back after each test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def run(monkeypatch) -> str:
    """A course run of its own, by a prefix nobody else has."""
    prefix = f"t{uuid.uuid4().hex[:8]}-"
    monkeypatch.setenv("SQS_COURSE_PREFIX", prefix)
    target.connect()
    return prefix


# -- which AWS -------------------------------------------------------------------------


def test_local_never_uses_what_is_on_the_machine(tmp_path, monkeypatch) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[work]\naws_access_key_id = AKIDREAL\naws_secret_access_key = real\n"
    )
    (tmp_path / ".aws" / "config").write_text("[profile work]\nregion = eu-central-1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDREAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-central-1.amazonaws.com")
    assert target.connect().name == "local"
    for service in ("sqs", "lambda", "iam", "logs", "sts"):
        client = boto3.client(service)
        assert client.meta.endpoint_url == lifecycle.find().endpoint_url
        credentials = client._get_credentials()
        assert (credentials.access_key, credentials.token) == ("test", None)


@pytest.mark.parametrize("account", ["", "123", "111122223333"])
def test_aws_needs_the_account_that_is_expected(monkeypatch, account) -> None:
    monkeypatch.setenv("SQS_COURSE_TARGET", "aws")
    monkeypatch.setenv("SQS_COURSE_ACCOUNT", account)
    monkeypatch.setattr(target, "account_id", lambda: "999988887777")
    with pytest.raises(target.WrongSetting, match="SQS_COURSE_ACCOUNT"):
        target.connect()


def test_aws_says_where_it_is(monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_TARGET", "aws")
    monkeypatch.setenv("SQS_COURSE_ACCOUNT", "999988887777")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(target, "account_id", lambda: "999988887777")
    connected = target.connect()
    assert "999988887777" in connected.description and "eu-west-1" in connected.description


@pytest.mark.parametrize(
    "wanted", ["moon", "localhost:4566", "ftp://x", "https://sqs.us-east-1.amazonaws.com"]
)
def test_a_wrong_target_gets_a_sentence(monkeypatch, wanted) -> None:
    monkeypatch.setenv("SQS_COURSE_TARGET", wanted)
    with pytest.raises(target.WrongSetting, match=f"SQS_COURSE_TARGET is '{wanted}'"):
        target.connect()


def test_a_wrong_prefix_gets_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_PREFIX", "a b")
    with pytest.raises(target.WrongSetting, match="SQS_COURSE_PREFIX is 'a b'"):
        target.connect()


def test_an_endpoint_url_is_another_server(monkeypatch) -> None:
    url = lifecycle.start()[0].endpoint_url
    monkeypatch.setenv("SQS_COURSE_TARGET", url)
    assert target.connect().name == "server"
    assert boto3.client("sqs").meta.endpoint_url == url


# -- catching up and cleaning up -------------------------------------------------------


def test_an_unknown_notebook_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="'08_nothing' is no notebook of this course"):
        course.begin("08_nothing")


def test_catching_up_is_idempotent_and_the_clean_up_is_complete(run) -> None:
    first = course.catch_up(8)
    assert all(vars(first).values())
    assert course.catch_up(8) == first
    found = {(thing.kind, thing.name) for thing in clean_up.find()}
    assert found == {
        ("trigger", f"{run}DemoQueueLambda to {run}ProcessSQSMessage"),
        ("function", f"{run}ProcessSQSMessage"),
        ("queue", f"{run}DemoQueueLambda"),
        ("role", f"{run}ProcessSQSMessageRole"),
        ("log group", f"/aws/lambda/{run}ProcessSQSMessage"),
    }
    assert len(clean_up.clean_up()) == 5
    assert clean_up.find() == []
    assert clean_up.clean_up() == []


def test_the_clean_up_leaves_what_is_not_ours(run) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"{run}PracticeQueue")["QueueUrl"]
    steps.create_queue(sqs, f"{run}PizzaOrders", course.tags())
    table = clean_up.table(clean_up.find()).set_index("name")["will be"]
    assert table[f"{run}PracticeQueue"] == "left alone: no tag"
    assert clean_up.clean_up() == [f"queue {run}PizzaOrders"]
    assert sqs.get_queue_url(QueueName=f"{run}PracticeQueue")["QueueUrl"] == url


def test_the_clean_up_goes_on_after_an_interruption(run) -> None:
    course.catch_up(6)
    boto3.client("lambda").delete_function(FunctionName=f"{run}ProcessSQSMessage")
    deleted = clean_up.clean_up()
    assert f"trigger {run}DemoQueueLambda to {run}ProcessSQSMessage" in deleted
    assert clean_up.find() == []


def test_catching_up_leaves_a_learners_handler_alone(run) -> None:
    course.catch_up(4)
    lambda_ = boto3.client("lambda")
    mine = steps.deploy_handler(lambda_, f"{run}ProcessSQSMessage", "def lambda_handler(e, c): 1")
    course.replace_stub(lambda_)
    name = f"{run}ProcessSQSMessage"
    assert lambda_.get_function_configuration(FunctionName=name)["CodeSha256"] == mine


def test_the_stub_is_replaced_by_the_handler(run) -> None:
    course.catch_up(6)
    now = boto3.client("lambda").get_function_configuration(FunctionName=f"{run}ProcessSQSMessage")
    assert now["CodeSha256"] == steps.package_hash(steps.SEED_HANDLER)


# -- waiting ---------------------------------------------------------------------------


def test_waiting_gives_up_and_says_for_what() -> None:
    with pytest.raises(TimeoutError, match="Waited 0 s for rain; last seen: 'sun'"):
        waiting.wait_until(lambda: "sun", lambda seen: seen == "rain", "rain", limit_s=0.05)


def test_states_on_the_way() -> None:
    states = iter(["Creating", "Creating", "Enabled"])
    assert waiting.states_until(lambda: next(states), "Enabled", "x") == ["Creating", "Enabled"]


def client_error(message: str) -> ClientError:
    error = {"Error": {"Code": "InvalidParameterValueException", "Message": message}}
    return ClientError(error, "CreateFunction")


def test_a_fresh_role_is_waited_for() -> None:
    answers = iter([client_error("The role defined for the function cannot be assumed by Lambda.")])

    def call(name: str) -> str:
        for error in answers:
            raise error
        return f"created {name}"

    assert waiting.when_role_is_ready(call, name="f") == "created f"


def test_any_other_refusal_is_raised_at_once() -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise client_error("Could not unzip uploaded file.")

    with pytest.raises(ClientError, match="unzip"):
        waiting.when_role_is_ready(call)
    assert len(calls) == 1


# -- logs ------------------------------------------------------------------------------


def test_a_report_line_is_read() -> None:
    assert logs.read_report(REPORT) == {
        "request_id": "3f37eb80-7a0b-4935-be16-306c03d2a779",
        "duration_ms": 3000.0,
        "billed_ms": 3403.0,
        "memory_mb": 128.0,
        "used_mb": 73.0,
        "init_ms": 402.04,
        "status": "timeout",
    }
    warm = logs.read_report(REPORT.replace("Init Duration: 402.04 ms\tStatus: timeout", ""))
    assert (warm["init_ms"], warm["status"]) == (None, None)


def test_any_other_line_is_refused() -> None:
    with pytest.raises(ValueError, match="no REPORT line"):
        logs.read_report("END RequestId: 3f37eb80-7a0b-4935-be16-306c03d2a779")


def test_a_log_group_that_is_not_there_yet_has_no_events(run) -> None:
    frame = logs.read_events(boto3.client("logs"), f"/aws/lambda/{run}nothing")
    assert list(frame.columns) == ["time", "stream", "kind", "message"] and frame.empty


# -- checks and chart ------------------------------------------------------------------


def test_the_package_is_always_the_same() -> None:
    assert steps.make_package("x = 1") == steps.make_package("x = 1")


@pytest.mark.parametrize(
    ("handler", "begins"),
    [
        (lambda event, context: {"orders": len(event["Records"]) - 1}, "Right: "),
        (lambda event, context: {"orders": 0}, "Not yet: For 3 orders among 4 messages"),
        (lambda event, context: event["records"], "Not yet: your handler raised KeyError"),
    ],
    ids=["right", "wrong", "raises"],
)
def test_the_check_of_a_handler(capsys, handler, begins) -> None:
    checks.check_handler(handler, expected=3)
    assert capsys.readouterr().out.startswith(begins)


def test_the_check_of_nothing_left(run, capsys) -> None:
    checks.check_nothing_left()
    steps.create_queue(boto3.client("sqs"), f"{run}PizzaOrders", course.tags())
    checks.check_nothing_left()
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "Right: Nothing of this course is left."
    assert wrong == f"Not yet: Still there: queue {run}PizzaOrders."


def test_the_chart_says_what_it_shows() -> None:
    journey = pd.DataFrame({"step": ["sent", "handler starts", "deleted"], "ms": [0.0, 4.0, 9.0]})
    chart = charts.message_journey(journey)
    text = "One message, from sent to deleted: sent → handler starts → deleted."
    data, metadata = chart._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == metadata["image/png"]["alt"] == repr(chart) == text
