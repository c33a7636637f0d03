"""What nbval would have to notice in a notebook, it notices."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

from tests import test_notebooks
from tests.notebook_files import ROOT, SANITIZE, check_apart, code_cells, read, sanitized

NAME = "01_create_queue"
REPORT = (
    "REPORT RequestId: 8960ba3a-f2d2-425a-9709-835cdb2b4e2f\tDuration: 1.88 ms\t"
    "Billed Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 38 MB\t"
)
slow = pytest.mark.slow


def cell_with(notebook: nbformat.NotebookNode, text: str) -> nbformat.NotebookNode:
    return next(cell for cell in code_cells(notebook) if text in cell.source)


def another_value(notebook: nbformat.NotebookNode) -> None:
    output = cell_with(notebook, '"FifoQueue" in settings').outputs[0]
    assert output.text == "DemoQueueLambda is a standard queue\n"
    output.text = output.text.replace("standard", "FIFO")


def another_line(notebook: nbformat.NotebookNode) -> None:
    output = cell_with(notebook, "for setting in NAMES").outputs[0]
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
    cell = cell_with(notebook, 'AttributeNames=["QueueArn"]')
    lines = "\n".join("    " + line for line in cell.source.splitlines())
    cell.source = f"try:\n    no_such_name\n{lines}\nexcept Exception:\n    pass"


def raising_cell(notebook: nbformat.NotebookNode) -> None:
    """Also a cell without any output to compare."""
    cell = cell_with(notebook, "answer = sqs.create_queue(")
    assert cell.outputs == []
    cell.source += "\nraise RuntimeError"


BITES = (another_value, another_line, swallowed_error, swallowed_everything, raising_cell)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> subprocess.CompletedProcess:
    """nbval on a copy with all changes, with the project's own settings and an empty local AWS."""
    folder, notebook = tmp_path_factory.mktemp("bites"), read(NAME)
    for change in BITES:
        change(notebook)
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
    settings = ["--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "-p", "conftest"]
    return check_apart(folder / f"{NAME}.ipynb", folder, *settings)


def failed_cells(report: str) -> list[int]:
    return [int(number) for number in re.findall(r"^FAILED .*::Cell (\d+)", report, re.M)]


def changed_cells(*changes: Callable) -> list[int]:
    before, after = read(NAME), read(NAME)
    for change in changes:
        change(after)
    pairs = zip(code_cells(before), code_cells(after), strict=True)
    return [number for number, (old, new) in enumerate(pairs) if old != new]


@slow
@pytest.mark.parametrize("change", BITES, ids=lambda change: change.__name__)
def test_a_changed_cell_fails(change: Callable, run) -> None:
    [changed] = changed_cells(change)
    assert run.returncode == 1
    assert changed in failed_cells(run.stdout), run.stdout


@slow
def test_no_other_cell_fails(run) -> None:
    changed = changed_cells(*BITES)
    assert len(changed) == len(BITES)
    assert failed_cells(run.stdout) == changed, run.stdout + run.stderr
    others = len(code_cells(read(NAME))) - len(BITES)
    assert f" {others} passed in " in run.stdout


def without_outputs(notebook: nbformat.NotebookNode) -> None:
    for cell in code_cells(notebook):
        cell.outputs = []


def without_counts(notebook: nbformat.NotebookNode) -> None:
    for cell in code_cells(notebook):
        cell.execution_count = None


def with_one_output_less(notebook: nbformat.NotebookNode) -> None:
    cell_with(notebook, "for setting in NAMES").outputs = []


@pytest.mark.parametrize("change", [without_outputs, without_counts, with_one_output_less])
def test_a_stripped_notebook_is_noticed(change: Callable, monkeypatch) -> None:
    """nbval passes it, so a test of our own has to fail: the one that runs on every notebook."""
    notebook = read(NAME)
    monkeypatch.setattr(test_notebooks, "read", lambda name: notebook)
    test_notebooks.test_outputs_are_stored(NAME)
    change(notebook)
    with pytest.raises(AssertionError):
        test_notebooks.test_outputs_are_stored(NAME)


def test_nbval_reads_every_rule_of_the_sanitize_file() -> None:
    wanted = [line for line in SANITIZE.splitlines() if line.startswith("regex")]
    assert len(get_sanitize_patterns(SANITIZE)) == len(wanted) > 0


def test_sanitizing_hides_what_differs_between_runs() -> None:
    other = REPORT.replace("8960ba3a", "00000000").replace("1.88", "2.01").replace("38 MB", "39 MB")
    assert other != REPORT
    assert sanitized(other) == sanitized(REPORT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Memory Size: 128 MB", "Memory Size: 256 MB"),
        ("Billed Duration: 2 ms\t", ""),
        ("REPORT", "REPRT"),
        ("\tMax", "\tStatus: timeout\tMax"),
    ],
)
def test_sanitizing_hides_nothing_else(old: str, new: str) -> None:
    assert old in REPORT
    assert sanitized(REPORT.replace(old, new)) != sanitized(REPORT)
