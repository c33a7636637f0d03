"""The course's notebooks as tests see them."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbFile, NbCellError, get_sanitize_patterns

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
EARLY = ("-p", "tests.early", "-p", "no:cacheprovider")
SANITIZE = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def markdown(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_texts(cell: nbformat.NotebookNode) -> list[str]:
    """All texts in a cell's outputs, pictures left out."""
    texts = [output.get("text", "") for output in cell.outputs]
    for output in cell.outputs:
        data = output.get("data", {})
        texts += [data[kind] for kind in data if kind.startswith("text/")]
        texts += output.get("traceback", [])
    return texts


def printed_texts(cell: nbformat.NotebookNode) -> str:
    """What a cell has printed, by its stored outputs."""
    return "".join(each.text for each in cell.outputs if each.get("name") == "stdout")


def sanitized(text: str, rules: str = SANITIZE) -> str:
    """A text without what may differ between two runs, by the rules that nbval reads."""
    for regex, replacement in get_sanitize_patterns(rules):
        text = re.sub(regex, replacement, text)
    return text


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def words(text: str) -> int:
    """Words that every reader reads: no hints, no links' addresses, no rules of tables."""
    text = re.sub(r"<details>.*</details>", "", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return len(re.findall(r"\w[\w'’-]*", text))


# -- to run notebooks ------------------------------------------------------------------------


Write = Callable[[nbformat.NotebookNode], str]


def as_it_is(cell: nbformat.NotebookNode) -> str:
    return cell.source


def python_of(source: str) -> str:
    """A cell as Python: what `%%handler NAME` keeps is the text of the lines below it."""
    first, _, program = source.partition("\n")
    if not first.startswith("%%handler "):
        return source
    return f"{first.removeprefix('%%handler ').strip()} = {program + chr(10)!r}"


def run_cells(name: str, write: Write = as_it_is) -> Iterator[tuple[str, Exception | None]]:
    """Run a notebook's cells in this process, to the end: what each printed, and its error.

    `write` gives the source of a cell as a learner has left it.
    """
    namespace: dict[str, Any] = {"__name__": name}
    for number, cell in enumerate(code_cells(read(name))):
        file = f"<{name} {number}>"  # inspect.getsource finds it by this name
        source = python_of(write(cell))
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        error, printed = None, io.StringIO()
        with contextlib.chdir(FOLDER), contextlib.redirect_stdout(printed):
            try:
                exec(compile(source, file, "exec"), namespace)
            except Exception as raised:  # noqa: BLE001 (whatever a learner may see)
                error = raised
        yield printed.getvalue(), error


def run_whole(name: str, write: Write = as_it_is) -> list[str]:
    """Run a notebook's cells in this process; what each printed. The first error is raised."""
    printed = []
    for text, error in run_cells(name, write):
        if error:
            raise error
        printed.append(text)
    return printed


def check_here(name: str, request: pytest.FixtureRequest) -> None:
    """Let nbval run and compare a notebook's cells in this test, as it does with `notebooks/`."""
    notebook = IPyNbFile.from_parent(request.session, path=FOLDER / f"{name}.ipynb")
    request.config.hook.pytest_collectstart(collector=notebook)
    cells = list(notebook.collect())
    assert len(cells) == len(code_cells(read(name)))
    notebook.setup()
    try:
        for cell in cells:
            cell.runtest()
    except NbCellError as error:
        pytest.fail(f"Cell {error.cell_num}: {error}\n{error.source}\n{error.inner_traceback}")
    finally:
        notebook.teardown()


def check_apart(
    notebook: Path, localaws_folder: Path, *options: str
) -> subprocess.CompletedProcess:
    """Run the project's own check over one notebook, on a local AWS of its own."""
    environment = {**os.environ, "LOCALAWS_FOLDER": str(localaws_folder)}
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *EARLY, *options, str(notebook)],
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


def stop_local_aws(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "helpers.localaws", "stop"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
