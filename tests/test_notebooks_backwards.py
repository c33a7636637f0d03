"""Each notebook runs from the state that later ones leave behind, and costs what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from helpers import course
from helpers.localaws import lifecycle
from tests.footers import wrong_in_footer
from tests.notebook_files import NAMES, code_cells, read, run_whole

LATEST_FIRST, CLEAN_UP = NAMES[-2::-1], NAMES[-1]
HALVES = {"odd": [*LATEST_FIRST[::2], CLEAN_UP], "even": [*LATEST_FIRST[1::2], CLEAN_UP]}


def solution_of(name: str) -> int:
    """The place of the cell that holds the solution, among the cells with code."""
    cells = code_cells(read(name))
    return next(n for n, c in enumerate(cells) if "solution" in c.metadata.get("tags", []))


@pytest.fixture(scope="module")
def half(request, tmp_path_factory, keep_environment) -> Iterator[None]:
    """One local AWS for half of the notebooks: each leaves behind what the next one finds."""
    folder = str(tmp_path_factory.mktemp("backwards"))
    with mock.patch.dict(os.environ, {"LOCALAWS_FOLDER": folder}):
        yield
        lifecycle.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("half", "name"),
    [(half, name) for half, names in HALVES.items() for name in names],
    indirect=["half"],
)
def test_backwards_on_one_local_aws(half: None, name: str, environment) -> None:
    printed = run_whole(name)
    assert printed[solution_of(name) + 1].startswith("Right: ")
    assert wrong_in_footer(name, course.cost()) == []
