"""How far a learner is: from their record alone, whatever is in it, and for nobody else."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import nbformat
import pytest
from matplotlib import image

from helpers import copies, course
from helpers.learning import lessons, minutes, record
from helpers.learning import progress as far
from tests.notebook_files import NAMES, ROOT, code_cells, markdown, read

ZERO = datetime(2026, 11, 30, 8, tzinfo=UTC)
A, B, C = NAMES[0], NAMES[4], NAMES[8]
Add = Callable[..., None]


@pytest.fixture
def add(tmp_path, monkeypatch) -> Add:
    """Adds lines to a record of this test: minutes after ZERO, notebook, kind, name, facts."""
    file = tmp_path / "record.jsonl"
    monkeypatch.setenv(record.SETTING, str(file))

    def line(at: float, notebook: str | None, kind: str, name: str = "x", **facts: object) -> None:
        moment = (ZERO + timedelta(minutes=at)).isoformat()
        entry = {"at": moment, "notebook": notebook, "kind": kind, "name": name, **facts}
        with file.open("a") as there:
            there.write(json.dumps(entry) + "\n")

    return line


def row(name: str) -> dict[str, object]:
    table = course.progress().table
    [found] = table[table["title"].str.startswith(name[:2])].to_dict("records")
    return found


def exercise_of(name: str) -> str:
    return lessons.read_lesson(ROOT / "notebooks" / f"{name}.ipynb").exercises[0]


# -- what the notebooks say of themselves ------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_what_its_notebook_says(name: str) -> None:
    lesson = lessons.read_lesson(ROOT / "notebooks" / f"{name}.ipynb")
    head = markdown(read(name))[0]
    assert head.startswith(f"# {lesson.title[3:]}\n")
    assert f"| {lesson.minutes} minutes |" in head
    assert len(lesson.exercises) > 0


def test_exercises_have_the_name_of_their_cell_or_a_number(tmp_path) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Do it\n\n| **Time** | 5 minutes |")]
    cells += [
        nbformat.v4.new_code_cell(metadata={"tags": ["exercise"], **facts})
        for facts in ({}, {"exercise": "baker"}, {"exercise": "baker"}, {})
    ]
    cells.append(nbformat.v4.new_code_cell(metadata={"tags": ["guess"]}))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "12_do.ipynb")
    (tmp_path / "13_no.ipynb").write_text("<<<<<<<")
    (tmp_path / "14_no.ipynb").write_text('{"cells": []}')
    assert lessons.read_lessons(tmp_path) == [
        lessons.Lesson("12_do", "12 Do it", 5, ("1", "baker", "4"), 1)
    ]


# -- from the record ---------------------------------------------------------------------------


def test_progress_counts_each_thing_once_by_its_last_word(add) -> None:
    exercise = exercise_of(B)
    add(0, B, "begin")
    for at, passed in ((1, False), (2, True), (3, False)):
        add(at, B, "check", exercise, passed=passed)
    add(4, B, "check", "of another version", passed=True)
    add(4, B, "guess", "hidden", right=False)
    add(5, B, "guess", "hidden", right=True)
    add(5, B, "guess", "in words", right=None)
    add(5, B, "question", "q1", right=True)
    add(5, B, "question", "q1", right=False)
    add(6, A, "check", exercise, passed=False)
    add(6, None, "check", exercise, passed=True)
    add(6, "12_renamed", "check", exercise, passed=True)
    found = row(B)
    assert found["begun"]
    assert (found["passed"], found["guessed"], found["guessed_right"]) == (1, 2, 1)
    assert (found["asked"], found["answered_right"]) == (1, 0)
    assert row(A)["passed"] == 0
    assert not row(C)["begun"]


def test_a_notebook_is_finished_with_the_last_of_its_exercises(add) -> None:
    exercises = lessons.read_lesson(ROOT / "notebooks" / f"{B}.ipynb").exercises
    add(0, B, "begin")
    for number, exercise in enumerate(exercises):
        assert not row(B)["finished"]
        add(number, B, "check", exercise, passed=True)
    assert row(B)["finished"]
    assert f"1 of {len(NAMES)} notebooks finished" in repr(course.progress())


def test_the_time_taken_leaves_out_pauses(add) -> None:
    for at in (0, 4, 9, 200, 207):
        add(at, B, "run")
    assert row(B)["taken"] == pytest.approx(9 + 7)
    assert row(B)["stated"] == int(re.search(r"(\d+) minutes", markdown(read(B))[0])[1])


def test_two_notebooks_at_once_share_the_time(add) -> None:
    add(3, B, "run")  # kernels write when they come to it: the order is that of the times
    add(0, A, "run")
    add(5, A, "run")
    add(9, B, "run")
    assert (row(A)["taken"], row(B)["taken"]) == (pytest.approx(3 + 4), pytest.approx(2))


def test_a_pause_is_longer_than_ten_minutes() -> None:
    entries = [{"at": ZERO.isoformat(), "notebook": B}]
    for more, taken in ((10, 10), (10.1, 0)):
        end = {"at": (ZERO + timedelta(minutes=more)).isoformat(), "notebook": B}
        assert minutes.taken([*entries, end]) == {B: pytest.approx(taken)}


def test_the_best_score_of_the_capstone_is_told(add) -> None:
    for score in (3, 7.5, 5, "many"):
        add(0, A, "capstone", score=score)
    assert course.progress().capstone == 7.5
    assert "Capstone: 7.5." in repr(course.progress())


def test_damaged_lines_and_strange_facts_are_no_progress(add, tmp_path) -> None:
    exercise = exercise_of(B)
    add(0, B, "check", exercise, passed="yes")
    add(0, B, "guess", "x")
    add(0, ["a", "list"], "check", exercise, passed=True)
    with (tmp_path / "record.jsonl").open("ab") as there:
        there.write(b'\xff{"at": "2026-11-30T08:00')
    record.note("check", "1", passed=True)
    assert row(B)["passed"] == 0
    assert row(B)["guessed_right"] == 0


def test_two_kernels_that_note_at_once_make_one_progress(add) -> None:
    code = "from helpers.learning import record; record.begin({!r}); record.note('guess', 'x')"
    kernels = [
        subprocess.Popen([sys.executable, "-c", code.format(name)], cwd=ROOT) for name in (A, B)
    ]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    assert (row(A)["guessed"], row(B)["guessed"]) == (1, 1)


# -- how it is shown ---------------------------------------------------------------------------


def test_table_and_picture_say_the_same(add) -> None:
    add(0, B, "begin")
    add(6, B, "run")
    done = course.progress()
    said = repr(done).splitlines()[0]
    assert said.startswith(f"0 of {len(NAMES)} notebooks finished, 0 of ")
    assert said.endswith(" exercises passed, in 6 minutes.")
    html = done._repr_html_()
    [alt] = re.findall(r'<img alt="([^"]+)"', html)
    assert alt == said
    [png] = re.findall(r"data:image/png;base64,([\w+/=]+)", html)
    assert image.imread(io.BytesIO(base64.b64decode(png))).shape[1] > 600
    for cell in (each for words in done.rows() for each in words):
        assert cell in repr(done)
        assert f">{cell}</td>" in html


def test_without_a_record_it_says_so_and_what_there_is_to_do(add, monkeypatch) -> None:
    nothing = course.progress()
    assert repr(nothing).startswith("Nothing is noted yet")
    assert "<img" not in nothing._repr_html_()
    monkeypatch.setenv(record.SETTING, "off")
    off = course.progress()
    assert repr(off).startswith("No record is kept here: SQS_COURSE_RECORD is 'off'.")
    assert len(off.rows()) == len(NAMES)


def test_a_course_without_notebooks_has_no_progress_and_raises_nothing(monkeypatch) -> None:
    monkeypatch.setattr(far, "read_lessons", list)
    assert "<table>" in course.progress()._repr_html_()


# -- the time of a kernel ----------------------------------------------------------------------


class Events:
    def __init__(self) -> None:
        self.registered: list[Callable[..., None]] = []

    def register(self, _name: str, call: Callable[..., None]) -> None:
        self.registered.append(call)


@pytest.fixture
def events(monkeypatch) -> Events:
    events = Events()
    monkeypatch.setattr(minutes, "get_ipython", lambda: type("Shell", (), {"events": events}))
    monkeypatch.setattr(minutes, "Watch", type("Watch", (minutes.Watch,), {}))
    return events


def test_runs_are_noted_once_a_minute(add, events, monkeypatch) -> None:
    now = iter([100.0, 130.0, 159.9, 160.0])
    monkeypatch.setattr(minutes.time, "monotonic", lambda: next(now))
    minutes.watch()
    minutes.watch()
    [note] = events.registered
    for _ in range(4):
        note()
    assert len(record.entries("run")) == 2


def test_a_kernel_whose_record_is_off_is_not_watched(events) -> None:
    minutes.watch()
    assert events.registered == []


# -- the page to keep --------------------------------------------------------------------------


@pytest.fixture
def shown(add, monkeypatch, tmp_path) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(copies, "show", texts.append)
    monkeypatch.setattr(record, "MY_COURSE", tmp_path / "my_course")
    monkeypatch.setattr(far, "read_lessons", lambda: lessons.read_lessons(ROOT / "notebooks"))
    return texts


def test_the_page_asks_no_other_computer_and_stays_light(add, shown, tmp_path) -> None:
    for number, name in enumerate(NAMES):
        add(number * 5, name, "begin")
    course.page_to_keep("Änne <b> & Co")
    [file] = (tmp_path / "my_course").iterdir()
    text = file.read_text(encoding="utf-8")
    assert re.fullmatch(r"what_I_did_\d{4}-\d\d-\d\d\.html", file.name)
    assert "Änne &lt;b&gt; &amp; Co" in text
    assert file.name[11:15] in text
    without_picture = re.sub(r"base64,[\w+/=]+", "", text)
    assert re.findall(r"//|<script|@import|url\(", without_picture) == []
    assert set(re.findall(r'(?:src|href)="(\w+:)', text)) == {"data:"}
    assert len(text) < 250_000
    [said] = shown
    assert f"[my_course/{file.name}](../my_course/{file.name})" in said


def test_name_and_date_stand_there_only_if_wanted(add, shown, tmp_path) -> None:
    add(0, A, "begin")
    course.page_to_keep(date=False)
    text = (tmp_path / "my_course" / "what_I_did.html").read_text(encoding="utf-8")
    assert "<strong>" not in text
    assert f" {datetime.now().year}" not in text


def test_what_cannot_be_kept_is_a_sentence(add, shown, tmp_path, monkeypatch, capsys) -> None:
    course.page_to_keep("Anna")
    add(0, A, "begin")
    course.page_to_keep(7)
    (tmp_path / "my_course").touch()
    course.page_to_keep("Anna")
    monkeypatch.setenv(record.SETTING, "off")
    course.page_to_keep("Anna")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "There is no page to keep yet. Nothing is noted yet: a notebook's first cell begins.",
        'name is 7; it must be a text, such as "Anna".',
    ]
    assert lines[2].startswith("The page cannot be kept: ")
    assert lines[3] == (
        "There is no page to keep yet. No record is kept here: SQS_COURSE_RECORD is 'off'."
    )
    assert shown == []
    assert (tmp_path / "my_course").is_file()


def test_the_last_notebook_shows_progress_and_offers_the_page() -> None:
    sources = [cell.source for cell in code_cells(read(NAMES[-1]))]
    assert "course.progress()" in sources
    [offer] = [source for source in sources if "page_to_keep" in source]
    assert offer.startswith("#")  # a run of all cells writes no page that nobody wanted
