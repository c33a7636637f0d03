"""Each notebook runs from the state that others leave behind, and costs what it says.

Forward somebody runs all cells as they are. Backwards a learner goes the intended way: with
guesses, answers and exercises of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from helpers import course
from helpers.learning import record
from helpers.localaws import lifecycle
from tests import learners
from tests.footers import wrong_in_footer
from tests.notebook_files import (
    NAMES,
    code_cells,
    printed_texts,
    read,
    run_whole,
    sanitized,
    tags,
)

CLEAN_UP = NAMES[-1]
SHORT, LONG = NAMES[:10], NAMES[10:-1]
FORWARD = [*NAMES[:8], CLEAN_UP]
# The long notebooks would make one row longer than all else, and each run of them costs as much as
# fifty other tests: by day they run alone, and in a row at night. Backwards goes in two halves.
BACKWARDS = {
    "odd": [*SHORT[::-2], CLEAN_UP],
    "even": [*SHORT[-2::-2], CLEAN_UP],
    "long": [*LONG[::-1], CLEAN_UP],
}
at_night = pytest.mark.skipif("NIGHT" not in os.environ, reason="in a row at night: NIGHT=1")


class Rows:
    """A local AWS for each row of notebooks, on which each leaves behind what the next one finds.

    (A fixture with the row as its parameter would end with each test, whatever its scope.)
    """

    def __init__(self, folders: Path) -> None:
        self.folders = folders
        self.servers: dict[str, str] = {}

    @contextmanager
    def notebook(self, row: str) -> Iterator[None]:
        """What runs one notebook of a row."""
        folder = self.folders / row
        with mock.patch.dict(os.environ, {"LOCALAWS_FOLDER": str(folder)}):
            yield
            server = lifecycle.find()
            assert server is not None
            assert self.servers.setdefault(row, server.id) == server.id, "an empty one came instead"

    def end(self) -> None:
        for folder in self.folders.iterdir():
            with mock.patch.dict(os.environ, {"LOCALAWS_FOLDER": str(folder)}):
                lifecycle.stop()


@pytest.fixture(scope="module")
def rows(tmp_path_factory, keep_environment) -> Iterator[Rows]:
    rows = Rows(tmp_path_factory.mktemp("rows"))
    yield rows
    rows.end()


@pytest.mark.slow
@pytest.mark.parametrize(("row", "name"), [("forward", name) for name in FORWARD])
def test_forward_on_one_local_aws(rows: Rows, row: str, name: str, environment) -> None:
    cells = code_cells(read(name))
    with rows.notebook(row):
        for number, (cell, printed) in enumerate(zip(cells, run_whole(name), strict=True)):
            if "nbval-ignore-output" not in tags(cell):
                assert sanitized(printed) == sanitized(printed_texts(cell)), f"cell {number}"
        assert wrong_in_footer(name, course.cost()) == []


# -- a learner, the intended way ---------------------------------------------------------------


def checks_of(name: str) -> dict[int, bool]:
    """The places of the checks among the cells with code, and whether a solution is above each.

    Above a check is the solution, or what the learner wrote: in exercises that have a source.
    """
    cells = code_cells(read(name))
    return {
        place + 1: "solution" in tags(cell) or "exercise" in cell.metadata
        for place, cell in enumerate(cells)
        if {"exercise", "solution"} & {*tags(cell)} and "solution" not in tags(cells[place + 1])
    }


def guesses_of(name: str) -> list[int]:
    """The places of the cells that compare a guess with what came."""
    return [i for i, cell in enumerate(code_cells(read(name))) if learners.comparisons_in(cell)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(row, name, marks=at_night if row == "long" else ())
        for row, names in BACKWARDS.items()
        for name in names
    ],
)
def test_backwards_on_one_local_aws(rows: Rows, row: str, name: str, environment, tmp_path) -> None:
    os.environ["SQS_COURSE_RECORD"] = str(tmp_path / "record.jsonl")
    with rows.notebook(row):
        printed = run_whole(name, learners.intended(name))
        wrong = wrong_in_footer(name, course.cost())
    for place, right in checks_of(name).items():
        assert not right or printed[place].startswith("Right: "), printed[place]
    for place in guesses_of(name):
        assert "You guessed: nothing" not in printed[place]
    assert len(record.entries("guess")) == len(guesses_of(name))
    assert all(each["right"] for each in record.entries("question"))
    passed = {each["name"] for each in record.entries("check") if each["passed"]}
    assert passed >= {cell.metadata.get("exercise") for cell in code_cells(read(name))} - {None}
    assert wrong == []
