"""Each notebook runs from the state that all later ones leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook_files import (
    FOLDER,
    NAMES,
    code_cells,
    output_texts,
    read,
    stop_local_aws,
)


def after_solution(notebook: nbformat.NotebookNode) -> str:
    """What the check behind the solution says."""
    cells = code_cells(notebook)
    place = next(n for n, c in enumerate(cells) if "solution" in c.metadata.get("tags", []))
    return output_texts(cells[place + 1])[0]


@pytest.fixture(scope="module")
def own_local_aws(tmp_path_factory) -> Iterator[None]:
    """One local AWS for all notebooks: each leaves behind what the next one finds."""
    folder = str(tmp_path_factory.mktemp("backwards"))
    with mock.patch.dict(os.environ, {"LOCALAWS_FOLDER": folder}):
        yield
        stop_local_aws(dict(os.environ))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[-2::-1])  # the clean-up would leave nothing
def test_backwards_on_one_local_aws(name: str, own_local_aws) -> None:
    notebook = read(name)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute()  # raises at the first cell that does
    assert after_solution(notebook).startswith("Right: ")
