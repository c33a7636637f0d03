"""What nbval would have to notice in a notebook, it notices."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

from tests import test_notebooks
from tests.notebook_files import ROOT, code_cells, read

NAME = "01_create_queue"
SANITIZE = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8")
REPORT = (
    "REPORT RequestId: 8960ba3a-f2d2-425a-9709-835cdb2b4e2f\tDuration: 1.88 ms\t"
    "Billed Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 38 MB\t"
)
slow = pytest.mark.slow


def cell_with(notebook: nbformat.NotebookNode, text: str) -> nbformat.NotebookNode:
    return next(cell for cell in code_cells(notebook) if text in cell.source)


def nothing(notebook: nbformat.NotebookNode) -> None:
    pass


def another_value(notebook: nbformat.NotebookNode) -> None:
    stored = cell_with(notebook, '"FifoQueue" in settings').outputs[0].data
    assert stored["text/plain"] == "False"
    stored["text/plain"] = "True"


def another_line(notebook: nbformat.NotebookNode) -> None:
    output = cell_with(notebook, "for name in NAMES").outputs[0]
    assert "345600" in output.text
    output.text = output.text.replace("345600", "345601")


def swallowed_error(notebook: nbformat.NotebookNode) -> None:
    """The cell that shows an error hides it: its output is stored, and comes no more."""
    cell = cell_with(notebook, "QueueNameExists")
    cell.source = cell.source.replace("except sqs.exceptions.QueueNameExists as error:", "except:")
    cell.source = cell.source.replace("print(error)", "pass")
    ast.parse(cell.source)
    assert cell.source.endswith("except:\n    pass")


def swallowed_everything(notebook: nbformat.NotebookNode) -> None:
    cell = cell_with(notebook, '"FifoQueue" in settings')
    lines = "\n".join("    " + line for line in cell.source.splitlines())
    cell.source = f"try:\n    no_such_name\n{lines}\nexcept Exception:\n    pass"


def raising_cell(notebook: nbformat.NotebookNode) -> None:
    """Also a cell without any output to compare."""
    cell = cell_with(notebook, "answer = sqs.create_queue(")
    assert cell.outputs == []
    cell.source += "\nraise RuntimeError"


BITES = (another_value, another_line, swallowed_error, swallowed_everything, raising_cell)


def run(paths: list[Path], folder: Path) -> str:
    """nbval's result of these notebooks as the project's own settings make it."""
    environment = {**os.environ, "LOCALAWS_FOLDER": str(folder / "aws")}
    settings = ["--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "-p", "conftest"]
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *settings, *map(str, paths)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=180,
            check=False,
        ).stdout
    finally:
        command = [sys.executable, "-m", "helpers.localaws", "stop"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> Iterator[Callable[[Callable], str]]:
    """The report on each copy: which cells failed. All copies run in one pytest."""
    folder = tmp_path_factory.mktemp("bites")
    paths = {}
    for number, change in enumerate((nothing, *BITES)):
        notebook = read(NAME)
        for name in ("DemoQueueLambda", "PracticeQueue"):
            rename(notebook, name, f"{name}{number}")
        change(notebook)
        paths[change] = folder / f"copy{number}.ipynb"
        nbformat.write(notebook, paths[change])
    report = run(list(paths.values()), folder)
    yield lambda change: "\n".join(
        line for line in report.splitlines() if paths[change].name in line
    )
