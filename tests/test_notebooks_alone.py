"""Each notebook runs alone on an empty local AWS."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.notebook_files import FOLDER, NAMES, check_apart, read

pytestmark = pytest.mark.slow


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
