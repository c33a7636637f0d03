"""Each notebook runs from the state that others leave behind, and costs what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from helpers import course
from helpers.localaws import lifecycle
from tests.footers import wrong_in_footer
from tests.notebook_files import NAMES, code_cells, printed_texts, read, run_whole, sanitized

LATEST_FIRST, CLEAN_UP = NAMES[-2::-1], NAMES[-1]
# One local AWS for each row. The long notebooks would make one row in their order longer than all
# else: they follow each other backwards, in two halves, and in their order at night.
ROWS = {
    "forward": [*NAMES[:8], CLEAN_UP],
    "odd": [*LATEST_FIRST[::2], CLEAN_UP],
    "even": [*LATEST_FIRST[1::2], CLEAN_UP],
}


@pytest.fixture(scope="module")
def row(request, tmp_path_factory, keep_environment) -> Iterator[None]:
    """One local AWS for some of the notebooks: each leaves behind what the next one finds."""
    folder = str(tmp_path_factory.mktemp("row"))
    with mock.patch.dict(os.environ, {"LOCALAWS_FOLDER": folder}):
        yield
        lifecycle.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "name"),
    [(row, name) for row, names in ROWS.items() for name in names],
    indirect=["row"],
)
def test_one_after_another_on_one_local_aws(row: None, name: str, environment) -> None:
    cells = code_cells(read(name))
    for number, (cell, printed) in enumerate(zip(cells, run_whole(name), strict=True)):
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            assert sanitized(printed) == sanitized(printed_texts(cell)), f"cell {number}"
    assert wrong_in_footer(name, course.cost()) == []
