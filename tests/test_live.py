"""The live view shows, ends with its block, and leaves a chart."""

from __future__ import annotations

import threading

import boto3
import pytest

from helpers import experiments
from helpers.account.sentences import WrongSetting
from helpers.charts.style import Chart
from helpers.experiments import live

pytestmark = pytest.mark.usefixtures("environment")
FAILS_ONCE = """\
import json

def lambda_handler(event, context):
    print(json.dumps(event))
    print("seen", event["Records"][0]["body"])
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        raise ValueError("no")
"""


class Shown:
    """Stands in for IPython's display, and for the handle that it returns."""

    def __init__(self) -> None:
        self.all: list = []

    def display(self, what: object, display_id: bool = False) -> Shown:
        self.all.append(what)
        return self

    def update(self, what: object) -> None:
        self.all.append(what)


@pytest.fixture
def shown(monkeypatch) -> Shown:
    stand_in = Shown()
    monkeypatch.setattr(live, "display", stand_in.display)
    monkeypatch.setattr(live, "EVERY_S", 0.1)
    return stand_in


def watch_one_message() -> int:
    """Returns by how many threads there are more than before the watch."""
    test = experiments.build("Retries", FAILS_ONCE, visibility_s=1)
    threads = threading.active_count()  # after the first wait, for tqdm keeps a thread
    with live.watch(test):
        experiments.send(test, ["hello"])
        experiments.settle(test)
    return threading.active_count() - threads


def test_it_moves_and_leaves_a_chart(learner, shown, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "on")
    assert watch_one_message() <= 0
    assert isinstance(shown.all[-1], Chart)
    frames = [each.data for each in shown.all[:-1]]
    assert len(frames) > 2
    assert "<th>in flight</th>" in frames[-1]
    assert any("seen hello" in frame and "[ERROR] ValueError: no" in frame for frame in frames)


def test_switched_off_it_leaves_the_chart_alone(learner, shown, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "off")
    watch_one_message()
    [chart] = shown.all
    assert "0 messages left" in chart.text


def test_it_ends_with_its_block_on_an_error_too(learner, shown, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "on")
    test = experiments.build("Retries", FAILS_ONCE)
    threads = threading.active_count()
    with pytest.raises(KeyError), live.watch(test):
        raise KeyError("mine")
    assert threading.active_count() <= threads


def test_what_the_block_raises_is_not_hidden_by_a_queue_that_is_gone(
    learner, shown, monkeypatch
) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "on")
    test = experiments.build("Retries", FAILS_ONCE)
    boto3.client("sqs").delete_queue(QueueUrl=test.queue_url)
    threads = threading.active_count()
    with pytest.raises(KeyError), live.watch(test):
        raise KeyError("mine")
    assert threading.active_count() <= threads


def test_failures_are_counted_by_what_the_log_shows(learner) -> None:
    test = experiments.build("Retries", FAILS_ONCE, visibility_s=1)
    experiments.send(test, ["one"])
    experiments.settle(test)
    assert live.count_outcomes(test.events()) == {"invocations": 2, "failed": 1}


def test_a_wrong_setting_gets_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "maybe")
    with pytest.raises(WrongSetting, match="SQS_COURSE_LIVE is 'maybe'; use on or off"):
        live.is_on()


def test_what_a_function_says_is_escaped() -> None:
    assert "<script>" not in live.frame({"waiting": 1}, ["<script>alert(1)</script>"])


def test_outside_of_a_notebook_the_chart_is_shown_alone(learner, shown, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_LIVE", "on")
    monkeypatch.setattr(live, "display", lambda what, **_: shown.all.append(what))
    threads = threading.active_count()
    with live.watch(experiments.build("Retries", FAILS_ONCE)):
        assert threading.active_count() <= threads + 1  # that which looks at the queue
    assert isinstance(shown.all[-1], Chart)
