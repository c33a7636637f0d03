"""A lesson from the template passes what every lesson has to pass, and mistakes get a sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import new_lesson
from tests.new_lesson import Lesson, Refused, lesson
from tests.notebook_files import EARLY, NAMES, ROOT, stop_local_aws

NAME, TITLE = f"{int(NAMES[-2][:2]) + 1}_what_nobody_teaches", "What nobody teaches, part 2"
NEW = Lesson(NAME, TITLE)
COPIED = ("notebooks", "helpers", "tests", "data", "docs")
MAKE_IT = """\
import sys
from tests import exercises, new_lesson, store_outputs
new_lesson.main(sys.argv[1:])
exercises.main(sys.argv[1:2])
store_outputs.main(sys.argv[1:2])
"""
CHECKED_WHOLE = f"""
notebooks/{NAME}.ipynb tests/test_notebooks.py tests/test_exercises.py tests/test_learning.py
tests/test_footers.py tests/test_progress.py tests/test_notebooks_in_a_row.py
"""
# Beside what is asked of each lesson by its name.
OF_ALL = "knows_its_notebooks or every_notebook_has or has_left or id_of_its_own or instructor_page"


class Checkout:
    """A copy of this one, and its programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "course"
        for part in COPIED:
            compiled = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, self.folder / part, ignore=compiled)
        for file in ROOT.glob("*.*"):
            if file.is_file():
                shutil.copy(file, self.folder)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "LOCALAWS_FOLDER": str(folder / "localaws"),
            "NIGHT": "1",  # the new lesson is a late one: those run in a row at night only
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, f"{arguments}:\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.mark.slow
def test_a_lesson_from_the_template_passes_what_every_lesson_has_to(tmp_path) -> None:
    copy = Checkout(tmp_path)
    try:
        said = copy.run("-c", MAKE_IT, NAME, TITLE)
        assert f"python -m tests.exercises {NAME}`" in said
        with (copy.folder / "data" / "aws_minutes.csv").open("a") as table:  # as if rehearsed
            table.write(f"{NAME},0.4,1,2026-11-30\n")
        copy.run("-m", "ruff", "check", "helpers/checks", "helpers/account")
        copy.run("-m", "ruff", "format", "--check", "helpers/checks", "helpers/account")
        command = ["-m", "pytest", *EARLY, "-n", "0", "-q", *CHECKED_WHOLE.split()]
        said = copy.run(*command, "-k", f"{NAME} or {OF_ALL}")
    finally:
        stop_local_aws(copy.environment)
    assert "notebooks 0 times alone and 2 times after others" in said
    assert int(re.search(r"^(\d+) passed", said, re.M)[1]) > 50


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_topic", "must be a number after 07 and before 99"),
        ("07_my_topic", "must be a number after 07 and before 99"),
        ("99_my_topic", "must be a number after 07 and before 99"),
        ("60_MyTopic", "words in small letters, such as"),
        ("60_my-topic", "words in small letters, such as"),
        ("60_../my_topic", "words in small letters, such as"),
        (f"{NAMES[8][:2]}_my_topic", f"there is a lesson {NAMES[8][:2]}"),
        ("60_create_queue", "'create_queue' is taken"),
        ("60_points", "'points' is taken"),
        ("60_class", "'class' is taken"),
        ("60_retries", "'retries' is taken"),
        ("60_orders", "'orders' is taken"),
    ],
)
def test_a_name_that_cannot_be_gets_a_sentence(name: str, said: str) -> None:
    with pytest.raises(Refused, match=re.escape(f"The name is {name!r}")) as refused:
        lesson(name, TITLE)
    assert said in str(refused.value)


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", "a | b", "[a](b)", 'so "said"'])
def test_a_title_that_cannot_be_gets_a_sentence(title: str) -> None:
    with pytest.raises(Refused, match=f"^The title is {re.escape(repr(title))}; it must be words"):
        lesson(NAME, title)


def test_nothing_is_written_where_not_all_can_be(monkeypatch) -> None:
    monkeypatch.setattr(
        new_lesson, "with_previous", lambda text, new: new_lesson.replaced("~~", "", text, 1)
    )
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: pytest.fail("it has written"))
    with pytest.raises(SystemExit, match="'~~' is found 0 times, not 1"):
        new_lesson.main([NAME, TITLE])


# -- what is written -------------------------------------------------------------------------


def test_the_list_of_modules_has_the_new_one_and_all_others() -> None:
    def modules(text: str) -> list[str]:
        contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
        [layers] = [each["layers"] for each in contracts if "Inside the checks" in each["name"]]
        assert layers[1:] == ["points", "looking"]
        return re.split(r"\s*\|\s*", layers[0])

    text = new_lesson.text_of(ROOT / "pyproject.toml")
    for _ in range(9):  # as many as it takes for a line to be full
        before = modules(text)
        text = new_lesson.with_module(text, NEW)
        assert modules(text) == [*before[:-1], NEW.module, before[-1]]
    assert max(len(line) for line in text.splitlines() if NEW.module in line) <= 100


def test_a_lesson_may_stand_between_two() -> None:
    between = Lesson(f"{NAMES[8]}_again", TITLE)
    assert (between.before, between.after) == (NAMES[8], NAMES[9])


def test_contributing_has_the_steps_that_are_said() -> None:
    said = re.findall(r"^(\d+)\. ", new_lesson.steps(NEW), re.M)
    assert said == [str(number) for number in range(1, 11)]
    assert "NAME" not in new_lesson.steps(NEW)


def test_no_place_of_the_template_is_left_unfilled() -> None:
    made = new_lesson.texts(NEW)
    for part in new_lesson.TEMPLATE.iterdir():
        [text] = [
            text for path, text in made.items() if path.suffix == part.suffix and is_new(path)
        ]
        assert not re.search(r"\bNN|[Mm]y_?[Tt]opic|TITLE|PREVIOUS|NEXT", text), part.name


def is_new(path: Path) -> bool:
    return path.stem in (NEW.name, NEW.module)
