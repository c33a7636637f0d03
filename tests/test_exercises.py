"""The exercises: every stub, every mistake and every solution gets the sentence that it should.

Each notebook's exercises are gone through by a learner who makes every mistake that the checks
know, one after the other, and then finds the solution.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from helpers import clients, course
from helpers.account import things
from helpers.account.names import WRITES
from helpers.checks import points
from helpers.learning import record
from tests import exercises
from tests.exercises import Exercise, State
from tests.notebook_files import FOLDER, NAMES, code_cells, read

each_file = pytest.mark.parametrize("name", exercises.names())
LOOKS = ("Get", "List", "Describe", "Filter", "Query", "Scan", "BatchGet")
WITH_ONE = (NAMES[0], NAMES[-1])  # the first meeting, and the clean-up
CAPSTONE = "15_capstone"  # its three are the parts of one design


def test_every_notebook_has_exercises() -> None:
    assert exercises.names() == NAMES


def test_no_exercise_finds_what_that_of_another_notebook_has_left() -> None:
    """03 makes PracticeFunction, and 04 goes on with it."""
    made = [name for each in WRITES.values() for name in (*each.queues, *each.functions)]
    twice = {name for name in made if name.startswith("Practice") and made.count(name) > 1}
    assert twice == {"PracticeFunction"}


@each_file
def test_a_lesson_has_three_exercises_of_three_kinds(name: str) -> None:
    kinds = [each.kind for each in exercises.load(name).exercises]
    if name in WITH_ONE:
        assert len(kinds) == 1
    elif name == CAPSTONE:
        assert kinds == ["Invent"] * 3
    else:
        assert kinds in (["Repeat", "Transfer", "Invent"], ["Repeat", "Transfer", "Repair"])


@each_file
def test_an_exercise_is_whole(name: str) -> None:
    for each in exercises.load(name).exercises:
        assert each.task, each.name
        assert len(each.hints) >= 2, each.name
        assert len(each.wrong) >= 3, each.name
        assert each.stub.code != each.solution.code, each.name
        for state in each.states:
            assert state.says, f"{each.name}: {state.title} says nothing"
            compile(state.code, state.title, "exec")
        if "course.tags()" in each.solution.code:
            assert any("no tag" in text for state in each.wrong for text in state.says), each.name


@each_file
def test_a_notebook_holds_what_its_file_says(name: str) -> None:
    notebook = read(name)
    woven = read(name)
    exercises.weave(woven, name)
    for stored, wanted in zip(notebook.cells, woven.cells, strict=True):
        assert (stored.cell_type, stored.source) == (wanted.cell_type, wanted.source), (
            f"run `python -m tests.exercises {name}`, then store its outputs"
        )
        assert stored.metadata == wanted.metadata


@pytest.fixture
def noted(tmp_path: Path, monkeypatch) -> Path:
    """A record of this test alone."""
    monkeypatch.setenv("SQS_COURSE_RECORD", str(tmp_path / "record.jsonl"))
    return tmp_path


@each_file
def test_a_learner_who_makes_every_mistake_is_told_which(name: str, learner, noted) -> None:
    names = begin(name)
    file = exercises.load(name)
    run(file.before, names)
    for exercise in file.exercises:
        for state in exercise.states:
            check_state(exercise, state, names)
    passed = [each["name"] for each in record.entries("check") if each["passed"]]
    assert passed == [each.name for each in file.exercises]
    assert len(record.entries("check")) == sum(len(each.states) for each in file.exercises)


def check_state(exercise: Exercise, state: State, names: dict[str, Any]) -> None:
    run(state.code, names)
    with only_looks():
        said = run(exercise.check, names)
    where = f"{exercise.name}: {state.title}: {said}"
    right = state is exercise.solution
    assert said.startswith("Right: " if right else "Not yet: "), where
    assert ("✗" in said) != right, where
    for sentence in state.says:
        assert sentence in said.replace(names["course"].name(""), ""), where


def begin(name: str) -> dict[str, Any]:
    """The names of a notebook after its first cell."""
    names: dict[str, Any] = {"__name__": name}
    run("from helpers import steps", names)
    run(code_cells(read(name))[0].source, names)
    return names


def run(code: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.chdir(FOLDER), contextlib.redirect_stdout(printed):
        exec(compile(code, "<exercise>", "exec"), names)
    return printed.getvalue()


@contextlib.contextmanager
def only_looks() -> Iterator[None]:
    """Fail when a call goes out that could change anything."""
    calls: list[str] = []

    def remember(model: Any, **_others: Any) -> None:
        calls.append(model.name)

    events = boto3.DEFAULT_SESSION.events
    events.register("before-call.*", remember)
    try:
        with mock.patch.object(clients, "_made", {}):  # a client made before does not hear of it
            yield
    finally:
        events.unregister("before-call.*", remember)
    assert [call for call in calls if not call.startswith(LOOKS)] == []


def test_a_check_that_receives_would_be_found(learner) -> None:
    url = boto3.client("sqs").create_queue(QueueName=f"{learner}PracticeQueue")["QueueUrl"]
    clients.client_for("sqs")
    with pytest.raises(AssertionError, match="ReceiveMessage"), only_looks():
        clients.client_for("sqs").receive_message(QueueUrl=url)


def test_a_tag_that_aws_shows_late_is_looked_for_again(learner) -> None:
    sqs, name = boto3.client("sqs"), f"{learner}PracticeQueue"
    sqs.create_queue(QueueName=name, tags=course.tags())
    queue = things.look_at_queue(sqs, name)
    assert points.tagged(replace(queue, ours=False, tags={})).right


# -- the format ------------------------------------------------------------------------------

WHOLE = """\
def count(event):
    # stub: return 0  # count here
    found = event["Records"]
    return len(found)
    # end

# stub: # And call it.
count({"Records": []})"""


def test_stub_and_solution_have_one_source() -> None:
    assert exercises.stub_of(WHOLE) == (
        "def count(event):\n    return 0  # count here\n\n# And call it."
    )
    assert exercises.solution_of(WHOLE) == (
        'def count(event):\n    found = event["Records"]\n    return len(found)\n\n'
        'count({"Records": []})'
    )


def test_a_heading_inside_of_code_is_none() -> None:
    text = "intro\n## a\n```python\n## no\n```\n## b\nlast"
    assert dict(exercises.sections(text, "## ")) == {
        "": "intro",
        "a": "```python\n## no\n```",
        "b": "last",
    }


def test_hints_open_one_at_a_time() -> None:
    assert exercises.folded(("one", "two")) == (
        "<details><summary>Hint 1</summary>\n\none\n\n"
        "<details><summary>Hint 2</summary>\n\ntwo\n\n</details>\n\n</details>"
    )
