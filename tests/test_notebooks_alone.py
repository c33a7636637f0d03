"""Each notebook runs alone on an empty local AWS, and from any state that others leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from nbclient import NotebookClient

from tests.notebook_files import FOLDER, NAMES, check_apart, read, stop_local_aws

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one_local_aws(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment of a local AWS that the tests of several notebooks share."""
    environment = {"LOCALAWS_FOLDER": str(tmp_path_factory.mktemp("shared"))}
    yield environment
    stop_local_aws({**os.environ, **environment})


def run_all(names: list[str], environment: dict[str, str]) -> None:
    """Run notebooks one after the other; raises at the first cell that does."""
    with mock.patch.dict(os.environ, environment):
        for name in names:
            resources = {"metadata": {"path": str(FOLDER)}}
            NotebookClient(
                read(name), timeout=120, kernel_name="python3", resources=resources
            ).execute()


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, subprocess.CompletedProcess]:
    """All notebooks, two at a time, each with a local AWS of its own."""
    folder = tmp_path_factory.mktemp("alone")
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda name: check_apart(FOLDER / f"{name}.ipynb", folder / name), NAMES)
        return dict(zip(NAMES, results, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_alone_on_an_empty_local_aws(name: str, runs) -> None:
    run = runs[name]
    cells = sum(cell.cell_type == "code" for cell in read(name).cells)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert f" {cells} passed in " in run.stdout


def test_backwards_on_one_local_aws(one_local_aws) -> None:
    """Each notebook after all later ones; in order they run as tests of their own."""
    run_all(NAMES[-2::-1], one_local_aws)
