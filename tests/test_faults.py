"""Each fault of notebook 12 bites, the notebook's cure heals it, and one call resets it.

The cells are the notebook's own: all that stand before a cure are run, to see that none of
them heals by itself, and then the cure.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from helpers import clean_up, course, experiments, steps
from helpers.experiments import faults
from helpers.experiments.experiment import Experiment
from helpers.logs import log_group
from helpers.waiting import wait_until
from tests.notebook_files import python_of, read

GOOD = json.dumps({"order_id": "A9", "cents": 450})
BROKEN = json.dumps({"order_id": "A9"})
PATIENCE_S = 4


def sections() -> list[list[Any]]:
    """The cells of the notebook up to the first fault, and those of each fault."""
    found: list[list[Any]] = [[]]
    for cell in read("12_break_it").cells:
        if cell.cell_type == "markdown" and re.search(r"^## Fault", cell.source, re.M):
            found.append([])
        found[-1].append(cell)
    return found


def sources(cells: list[Any], *, cure: bool) -> list[str]:
    """The code of a section up to its cure, or the cure itself: for the last, a solution."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in code]
    place = next(n for n, each in enumerate(tags) if each & {"cure", "solution"})
    wanted = [code[place]] if cure else code[:place]
    return [python_of(cell.source) for cell in wanted]


def becomes_true(look: Callable[[], bool]) -> bool:
    try:
        return wait_until(look, bool, "the cure to work", PATIENCE_S)
    except TimeoutError:
        return False


def is_charged(test: Experiment) -> bool:
    test = test.again()
    experiments.send(test, [GOOD])
    return becomes_true(lambda: "charged A9 450" in set(test.events()["message"]))


def is_charged_once(test: Experiment) -> bool:
    seen = experiments.send_and_settle(test.again(), [GOOD])
    return list(seen["outcome"]) == ["returned"]


def a_broken_one_is_kept(test: Experiment) -> bool:
    def dead() -> int:
        return steps.queue_counts(boto3.client("sqs"), test.dlq_url)["visible"]

    before = dead()
    experiments.send(test, [BROKEN])
    return becomes_true(lambda: dead() > before)


def can_be_looked_at(test: Experiment) -> bool:
    sqs = boto3.client("sqs")
    experiments.send(test, [GOOD])
    time.sleep(1)  # the trigger's turn
    return "Messages" in sqs.receive_message(QueueUrl=test.queue_url, WaitTimeSeconds=2)


def takes_orders(test: Experiment) -> bool:
    try:
        return is_charged(test) and has_its_settings(test)
    except boto3.client("sqs").exceptions.QueueDoesNotExist:
        return False


def has_its_settings(test: Experiment) -> bool:
    """The settings that a queue made anew must get again; too slow to be tried out."""
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=test.queue_url, AttributeNames=["All"]
    )["Attributes"]
    return attributes["VisibilityTimeout"] == "10" and "RedrivePolicy" in attributes


IS_WELL = {
    1: is_charged_once,
    2: is_charged_once,
    3: a_broken_one_is_kept,
    4: a_broken_one_is_kept,
    5: can_be_looked_at,
    6: takes_orders,
    7: is_charged,
}


@pytest.mark.slow
@pytest.mark.parametrize("number", IS_WELL)
def test_the_fault_bites_and_the_cure_heals(number: int, learner: str) -> None:
    introduction, *each_fault = sections()
    assert len(each_fault) == len(IS_WELL) == len(faults.FAULTS)
    names: dict[str, Any] = {}
    for cell in introduction:
        if cell.cell_type == "code":
            exec(python_of(cell.source), names)
    for source in sources(each_fault[number - 1], cure=False):
        exec(source, names)
    assert not IS_WELL[number](names["test"])
    for source in sources(each_fault[number - 1], cure=True):
        exec(source, names)
    assert IS_WELL[number](names["test"])
    assert not IS_WELL[number](faults.build(number))


@pytest.mark.slow
def test_all_that_the_faults_leave_behind_is_cleaned_up(learner: str) -> None:
    for number in sorted(faults.FAULTS, key=lambda number: number == 5):
        test = faults.build(number)
    experiments.send_and_settle(test, [GOOD])  # so that there is a log group
    boto3.client("sqs").create_queue(QueueName=f"{learner}BreakIt-1234-2", tags=course.tags())
    others = [f"{learner}BreakIt-", f"{learner}BreakIt-other"]
    for name in others:
        boto3.client("sqs").create_queue(QueueName=name, tags=course.tags())
    clean_up.clean_up()
    urls = boto3.client("sqs").list_queues(QueueNamePrefix=learner)["QueueUrls"]
    assert sorted(url.rsplit("/", 1)[-1] for url in urls) == others
    logs, group = boto3.client("logs"), log_group(learner)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    functions = boto3.client("lambda").list_functions()["Functions"]
    assert not [each for each in functions if each["FunctionName"].startswith(learner)]
    roles = boto3.client("iam").list_roles(MaxItems=1000)["Roles"]
    assert not [each for each in roles if each["RoleName"].startswith(learner)]
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    assert not [each for each in tables if each.startswith(learner)]


def test_there_is_no_other_fault() -> None:
    with pytest.raises(ValueError, match="There is no fault 8; there are 1, 2, 3, 4, 5, 6, 7"):
        faults.build(8)


def test_a_word_draws_the_same_for_everybody() -> None:
    words = [f"word {number}" for number in range(200)]
    drawn = [faults.draw(word) for word in words]
    assert [faults.draw(word) for word in words] == drawn
    assert set(drawn) == set(faults.SECRETS)


@pytest.mark.parametrize("which", [(8,), ("other",), (7, 2), (5, 7), (1, 2), ()])
def test_what_cannot_be_built_is_said(which) -> None:
    with pytest.raises(ValueError, match="'secret', and 1 to 4 together with 7"):
        faults.build(*which)


@pytest.mark.slow
def test_a_secret_can_be_two_faults_and_is_told_at_the_end(learner: str, capsys) -> None:
    word = next(each for each in map(str, range(200)) if faults.draw(each) == (4, 7))
    test = faults.build("secret", word=word)
    assert "Filter" not in capsys.readouterr().out
    assert not is_charged(test)
    boto3.client("lambda").update_event_source_mapping(
        UUID=test.trigger_uuid, FilterCriteria={"Filters": []}
    )
    assert is_charged(test)
    assert not a_broken_one_is_kept(test)
    faults.reveal()
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Fault 4: The handler catches every exception and returns.",
        f"Fault 7: {faults.filtering_trigger.__doc__.splitlines()[0]}",
    ]
