"""Each notebook runs alone on an empty local AWS, and from any state that others leave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbclient import NotebookClient

from tests.notebook_files import FOLDER, NAMES, ROOT, read

pytestmark = pytest.mark.slow


def stop_local_aws(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "helpers.localaws", "stop"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def run_alone(name: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "LOCALAWS_FOLDER": str(folder / name)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    try:
        return subprocess.run(
            [*command, str(FOLDER / f"{name}.ipynb")],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=180,
            check=False,
        )
    finally:
        stop_local_aws(environment)


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, subprocess.CompletedProcess]:
    """All notebooks, two at a time, each with a local AWS of its own."""
    folder = tmp_path_factory.mktemp("alone")
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda name: run_alone(name, folder), NAMES)
        return dict(zip(NAMES, results, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_alone_on_an_empty_local_aws(name: str, runs) -> None:
    run = runs[name]
    cells = sum(cell.cell_type == "code" for cell in read(name).cells)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert f" {cells} passed in " in run.stdout


@pytest.fixture
def one_local_aws(tmp_path, monkeypatch) -> Iterator[None]:
    """A local AWS for the kernels of one test: they inherit this process's environment."""
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path / "aws"))
    yield
    stop_local_aws(dict(os.environ))


def test_from_any_state(one_local_aws) -> None:
    """In order, then backwards without the clean-up: no cell raises."""
    for name in [*NAMES[:-1], *reversed(NAMES[:-1]), NAMES[-1], NAMES[-2]]:
        resources = {"metadata": {"path": str(FOLDER)}}
        NotebookClient(read(name), timeout=120, kernel_name="python3", resources=resources).execute()
