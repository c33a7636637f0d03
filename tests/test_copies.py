"""A learner's own copies: made without outputs, renewed unless touched, begun afresh."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import nbformat
import pytest
from tornado.web import HTTPError

from helpers import copies, course, lab
from helpers.copies import Copies
from helpers.learning import record
from helpers.reading_room import ReadingRoom
from tests.notebook_files import FOLDER, NAMES, ROOT, code_cells, markdown

A, B = "00_start_here", "04_add_trigger"


def lesson(*sources: str) -> nbformat.NotebookNode:
    """A lesson with a heading, and with cells that were run."""
    cells = [nbformat.v4.new_markdown_cell("# A lesson", id="cell-00")]
    for number, source in enumerate(sources, start=1):
        output = nbformat.v4.new_output("stream", text=f"{number} came out\n")
        cells.append(
            nbformat.v4.new_code_cell(
                source, id=f"cell-{number:02d}", execution_count=number, outputs=[output]
            )
        )
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def there(tmp_path, monkeypatch) -> Copies:
    """A course of two lessons, and no copies yet."""
    stored = tmp_path / "Kurs für Anna" / "notebooks"
    stored.mkdir(parents=True)
    own = stored.with_name("my_course")
    monkeypatch.setattr(copies, "NOTEBOOKS", stored)
    monkeypatch.setattr(record, "MY_COURSE", own)
    for name in (A, B):
        nbformat.write(lesson("1 + 1", "2 + 2"), stored / f"{name}.ipynb")
    return Copies(stored, own)


def own(there: Copies, name: str) -> nbformat.NotebookNode:
    return nbformat.read(there.own / f"{name}.ipynb", as_version=4)


def change(path: Path, number: int = -1, **facts: object) -> bytes:
    """Change a cell, as JupyterLab would write it; what the file holds then."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[number].update(facts)
    nbformat.write(notebook, path)
    return path.read_bytes()


def new_version(there: Copies, name: str = B) -> None:
    change(there.stored / f"{name}.ipynb", source="3 + 3")


def files(there: Copies) -> list[str]:
    return sorted(path.name for path in there.own.iterdir() if path.name[0] != ".")


# -- they are made ---------------------------------------------------------------------------


def test_a_copy_holds_the_lesson_and_no_outputs(there) -> None:
    before = (there.stored / f"{A}.ipynb").read_bytes()
    assert there.update().made == [f"{A}.ipynb", f"{B}.ipynb"]
    copy = own(there, A)
    nbformat.validate(copy)
    head, about, *cells = copy.cells
    assert (head.source, [cell.source for cell in cells]) == ("# A lesson", ["1 + 1", "2 + 2"])
    assert [(cell.execution_count, cell.outputs) for cell in cells] == [(None, [])] * 2
    assert f"[What should come out](../notebooks/{A}.ipynb)" in about.source
    assert "`course.afresh()`" in about.source
    assert (there.stored / f"{A}.ipynb").read_bytes() == before


def test_nothing_new_changes_nothing(there) -> None:
    there.update()
    before = {path: path.stat().st_mtime_ns for path in there.own.glob("*.ipynb")}
    assert there.update() == ([], [], [], [])
    assert {path: path.stat().st_mtime_ns for path in there.own.glob("*.ipynb")} == before


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_each_notebook_is_whole_and_its_links_lead_somewhere(tmp_path, name) -> None:
    fresh = Copies(FOLDER, ROOT / "my_course").fresh(name, tmp_path / f"{name}.ipynb")
    copy = nbformat.reads(json.dumps(fresh), as_version=4)
    nbformat.validate(copy)
    assert [cell.outputs for cell in code_cells(copy) if cell.outputs] == []
    stored = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    folds = [cell.metadata for cell in code_cells(stored)]
    assert [cell.metadata for cell in code_cells(copy)] == folds
    for target in re.findall(r"\]\(([^)]+)\)", "\n".join(markdown(copy))):
        file = unquote(target.partition("#")[0])
        if file and not target.startswith("https://"):
            linked = Path(os.path.normpath(ROOT / "my_course" / file))
            another_copy = linked.parent.name == "my_course" and linked.stem in NAMES
            assert another_copy or linked.exists(), target


def test_two_that_make_them_at_once_make_them_once(there) -> None:
    with ThreadPoolExecutor(4) as pool:
        news = list(pool.map(lambda _: there.update(), range(4)))
    assert sorted(len(each.made) for each in news) == [0, 0, 0, 2]
    assert files(there) == [f"{A}.ipynb", f"{B}.ipynb"]


def test_a_copy_that_was_deleted_is_made_again(there) -> None:
    there.update()
    (there.own / f"{B}.ipynb").unlink()
    assert there.update().made == [f"{B}.ipynb"]


# -- a new version of the course -------------------------------------------------------------


def test_a_copy_that_nobody_touched_is_renewed(there) -> None:
    there.update()
    folded = {"jupyter": {"source_hidden": False}}  # JupyterLab writes such things by itself
    change(there.own / f"{B}.ipynb", metadata=folded)
    new_version(there)
    assert there.update() == ([], [f"{B}.ipynb"], [], [])
    assert own(there, B).cells[-1].source == "3 + 3"


@pytest.mark.parametrize(
    "touch",
    [
        {"source": "mine"},
        {"outputs": [nbformat.v4.new_output("stream", text="mine")]},
        {"execution_count": 7},
    ],
    ids=str,
)
def test_what_a_learner_did_stays_and_the_new_lesson_lies_beside_it(there, touch) -> None:
    there.update()
    mine = change(there.own / f"{B}.ipynb", **touch)
    new_version(there)
    assert there.update() == ([], [], [f"{B}_new.ipynb"], [])
    assert (there.own / f"{B}.ipynb").read_bytes() == mine
    beside = own(there, f"{B}_new")
    assert beside.cells[-1].source == "3 + 3"
    assert f"[What you have of the old one]({B}.ipynb)" in beside.cells[1].source
    assert there.update() == ([], [], [], [])  # once is enough


def test_one_version_more_renews_what_lies_beside_or_lies_beside_that(there) -> None:
    there.update()
    mine = change(there.own / f"{B}.ipynb", source="mine")
    new_version(there)
    there.update()
    change(there.stored / f"{B}.ipynb", source="4 + 4")
    assert there.update() == ([], [f"{B}_new.ipynb"], [], [])
    too = change(there.own / f"{B}_new.ipynb", source="mine too")
    change(there.stored / f"{B}.ipynb", source="5 + 5")
    assert there.update() == ([], [], [f"{B}_new_2.ipynb"], [])
    assert (there.own / f"{B}.ipynb").read_bytes() == mine
    assert (there.own / f"{B}_new.ipynb").read_bytes() == too


def test_other_outputs_of_a_lesson_are_no_new_version(there) -> None:
    there.update()
    change(there.own / f"{B}.ipynb", source="mine")
    change(there.stored / f"{B}.ipynb", outputs=[], execution_count=9)
    assert there.update() == ([], [], [], [])


def test_a_copy_with_another_name_is_known_by_what_it_says(there) -> None:
    there.update()
    (there.own / f"{B}.ipynb").rename(there.own / "Annas Trigger.ipynb")
    assert there.update().made == [f"{B}.ipynb"]
    change(there.own / "Annas Trigger.ipynb", source="mine")
    new_version(there)
    assert there.update().renewed == [f"{B}.ipynb"]
    assert own(there, "Annas Trigger").cells[-1].source == "mine"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"cells": 3, "metadata": {}}', b"[" * 100_000],
    ids=lambda content: str(content[:12]),
)
def test_a_file_that_is_no_notebook_stays_and_the_lesson_lies_beside_it(there, content) -> None:
    there.own.mkdir()
    (there.own / f"{B}.ipynb").write_bytes(content)
    news = there.update()
    assert (news.made, news.beside) == ([f"{A}.ipynb"], [f"{B}_new.ipynb"])
    assert (there.own / f"{B}.ipynb").read_bytes() == content
    assert there.update() == ([], [], [], [])


def test_a_copy_that_forgot_what_it_is_stays(there) -> None:
    there.update()
    notebook = own(there, B)
    del notebook.metadata[copies.OURS]
    nbformat.write(notebook, there.own / f"{B}.ipynb")
    before = (there.own / f"{B}.ipynb").read_bytes()
    new_version(there)
    there.update()
    assert (there.own / f"{B}.ipynb").read_bytes() == before


def test_a_stored_notebook_with_a_conflict_is_named_and_the_others_are_made(there, capsys) -> None:
    (there.stored / f"{A}.ipynb").write_text("<<<<<<< HEAD\n{}\n")
    assert copies.make() is None
    assert files(there) == [f"{B}.ipynb"]
    assert f"notebooks/{A}.ipynb is no notebook that can be read." in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_copy_that_was_there(there, monkeypatch) -> None:
    there.update()
    before = (there.own / f"{B}.ipynb").read_bytes()
    new_version(there)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        there.update()
    assert (there.own / f"{B}.ipynb").read_bytes() == before
    assert [path for path in there.own.iterdir() if f".{B}" in path.name] == []


# -- the ways to them ------------------------------------------------------------------------


def test_the_command_says_what_it_did_once(there, capsys) -> None:
    assert copies.main([]) == 0
    said = [
        "Your own copies of the notebooks are in my_course/.",
        f"Begin with my_course/{A}.ipynb.",
    ]
    assert capsys.readouterr().out.splitlines() == said
    change(there.own / f"{A}.ipynb", source="mine")
    new_version(there, A)
    new_version(there, B)
    assert copies.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Renewed there, as you had not begun them: {B}.ipynb.",
        f"New lessons, beside what you wrote: {A}_new.ipynb.",
        said[1],
    ]


def test_where_no_copies_can_be_the_stored_notebooks_are_opened(there, capsys) -> None:
    there.own.touch()  # a file where the folder should be
    assert copies.main([]) == 1
    assert lab.first_page(stored=False) == f"notebooks/{A}.ipynb"
    error = capsys.readouterr().err
    assert f"Your own copies cannot be made in {there.own}: File exists." in error
    assert "The stored notebooks, in notebooks/, can be run as well." in error


def test_lab_opens_the_copies_unless_the_stored_ones_are_wanted(there) -> None:
    assert lab.first_page(stored=True) == f"notebooks/{A}.ipynb"
    assert not there.own.exists()
    assert lab.first_page(stored=False) == f"my_course/{A}.ipynb"
    assert there.own.exists()


def test_binder_makes_the_copies_with_the_command_of_the_course() -> None:
    script = ROOT / "postBuild"
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec python -m helpers.copies"
    assert os.name == "nt" or os.access(script, os.X_OK)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"urlpath=lab/tree/my_course/{copies.FIRST}.ipynb" in page


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="This is no git checkout.")
def test_git_does_not_track_the_copies() -> None:
    command = ["git", "check-ignore", "my_course/00_start_here.ipynb", "my_course/record.jsonl"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == command[2:]


@pytest.mark.parametrize("above", [0, 1], ids=["the checkout", "the folder above it"])
def test_stored_notebooks_can_be_read_there_and_not_saved(there, above: int) -> None:
    there.update()
    course_folder = there.own.parent
    room = ReadingRoom(root_dir=str([course_folder, course_folder.parent][above]))
    here = f"{course_folder.name}/" * above

    async def look() -> None:
        stored = await room.get(f"{here}notebooks/{A}.ipynb")
        assert stored["writable"] is False
        with pytest.raises(HTTPError, match=f"notebooks/{A}.ipynb is the stored notebook"):
            await room.save(stored, f"/{here}notebooks/{A}.ipynb")
        mine = await room.get(f"{here}my_course/{A}.ipynb")
        assert mine["writable"] is True
        mine["content"]["cells"][2]["source"] = "mine"
        await room.save(mine, f"{here}my_course/{A}.ipynb")

    before = (there.stored / f"{A}.ipynb").read_bytes()
    asyncio.run(look())
    assert (there.stored / f"{A}.ipynb").read_bytes() == before
    saved = own(there, A)
    assert saved.cells[2].source == "mine"
    assert saved.metadata[copies.OURS].lesson == A  # JupyterLab keeps what a copy says of itself


# -- in a notebook ---------------------------------------------------------------------------


class Shell:
    """A kernel as far as the copies ask it: what ran, each cell with its number, and now."""

    def __init__(self, *ran: str) -> None:
        self.user_ns: dict[str, str] = {}
        self.history_manager = SimpleNamespace(input_hist_raw=["", *ran])


@pytest.fixture
def page(there, monkeypatch):
    """Opens a file in a notebook, whose kernel then has run these cells."""

    def open_page(path: Path, *ran: str) -> None:
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        monkeypatch.setattr(copies, "get_ipython", lambda: Shell(*ran))
        monkeypatch.setattr(record.Kernel, "notebook", B)

    there.update()
    return open_page


def written(there: Copies, *ran: str) -> Path:
    """A copy that has these cells, saved after all but the last of them ran."""
    path = there.own / f"{B}.ipynb"
    notebook = own(there, B)
    for number, source in enumerate(ran, start=1):
        count = number if number < len(ran) else None
        notebook.cells.append(nbformat.v4.new_code_cell(source, execution_count=count))
    nbformat.write(notebook, path)
    return path


def test_afresh_keeps_what_was_written_and_says_how_to_see_the_fresh_one(
    there, page, capsys
) -> None:
    fresh = (there.own / f"{B}.ipynb").read_bytes()
    path = written(there, "mine", "course.afresh()")
    mine = path.read_bytes()
    page(path, "mine", "course.afresh()")
    course.afresh()
    assert path.read_bytes() == fresh
    [kept] = there.own.glob("*_kept_*.ipynb")
    assert kept.read_bytes() == mine
    said = capsys.readouterr().out
    assert said.startswith(f"What you wrote is kept in {kept.name}.\n{B}.ipynb begins afresh.")
    assert "File → Reload Notebook from Disk" in said
    assert there.update() == ([], [], [], [])


def test_afresh_twice_in_a_second_keeps_both(there, page) -> None:
    for _ in range(3):
        page(written(there, "mine", "course.afresh()"), "mine", "course.afresh()")
        course.afresh()
    assert len(list(there.own.glob("*_kept_*.ipynb"))) == 3


@pytest.mark.parametrize(
    "ran",
    [("mine", "course.afresh() "), ("mine", "more", "course.afresh()"), ("mine", "afresh()")],
    ids=["saved", "a cell ran since", "the call itself is not in the file"],
)
def test_afresh_waits_until_the_page_is_saved(there, page, capsys, ran) -> None:
    path = written(there, "mine", "course.afresh()")
    mine = path.read_bytes()
    page(path, *ran)
    course.afresh()
    said = capsys.readouterr().out
    if ran == ("mine", "course.afresh() "):
        assert "begins afresh" in said
        return
    assert said.startswith("Not yet: the page holds what its file does not. Save it")
    assert path.read_bytes() == mine
    assert list(there.own.glob("*_kept_*")) == []


def test_afresh_knows_a_copy_whose_name_was_changed(there, page) -> None:
    path = written(there, "course.afresh()").rename(there.own / "Annas Trigger.ipynb")
    page(path, "course.afresh()")
    course.afresh()
    assert own(there, "Annas Trigger").cells[-1].source == "2 + 2"
    assert len(list(there.own.glob("Annas Trigger_kept_*.ipynb"))) == 1


def test_afresh_by_name_needs_no_page(there, capsys) -> None:
    course.afresh(B)
    assert capsys.readouterr().out == f"{B}.ipynb was not there; now it is, afresh.\n"
    change(there.own / f"{B}.ipynb", source="mine")
    course.afresh(B)
    assert own(there, B).cells[-1].source == "2 + 2"
    course.afresh("05_nothing")
    assert f"notebook is '05_nothing'; it must be one of {A}, {B}." in capsys.readouterr().out


def test_afresh_leaves_a_stored_notebook_alone(there, page, capsys) -> None:
    path = there.stored / f"{B}.ipynb"
    before = path.read_bytes()
    page(path, "course.afresh()")
    course.afresh()
    assert path.read_bytes() == before
    assert capsys.readouterr().out.startswith(f"{B}.ipynb here is no copy of yours, and stays")


def test_afresh_that_cannot_keep_changes_nothing(there, page, monkeypatch, capsys) -> None:
    path = written(there, "course.afresh()")
    mine = path.read_bytes()
    page(path, "course.afresh()")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies.shutil, "copy2", full)
    course.afresh()
    assert path.read_bytes() == mine
    assert capsys.readouterr().out == f"{B}.ipynb stays as it is: No space left on device.\n"


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(copies, "show", texts.append)
    return texts


def test_the_stored_notebook_leads_to_the_own_copy(there, page, shown) -> None:
    page(there.stored / f"{B}.ipynb")
    copies.look(B)
    [text] = shown
    assert f"[Your own copy](../my_course/{B}.ipynb)" in text


def test_a_first_cell_offers_the_newer_lesson_and_leaves_the_open_one_alone(
    there, page, shown
) -> None:
    page(there.own / f"{B}.ipynb")
    copies.look(B)
    assert shown == []
    before = (there.own / f"{B}.ipynb").read_bytes()
    new_version(there)  # the open one was never saved, and its page may hold anything
    copies.look(B)
    copies.look(B)
    assert (there.own / f"{B}.ipynb").read_bytes() == before
    assert own(there, f"{B}_new").cells[-1].source == "3 + 3"
    assert [f"[{B}_new]({B}_new.ipynb)" in text for text in shown] == [True, True]


def test_vs_code_tells_the_file_in_its_own_way(there, page, shown, monkeypatch) -> None:
    shell = Shell()
    shell.user_ns["__vsc_ipynb_file__"] = str(there.stored / f"{B}.ipynb")
    monkeypatch.setattr(copies, "get_ipython", lambda: shell)
    assert copies.open_notebook() == (there.stored / f"{B}.ipynb").resolve()


def test_where_nobody_tells_the_file_a_first_cell_shows_nothing(there, shown, monkeypatch) -> None:
    there.update()
    new_version(there)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    copies.look(B)
    assert shown == []
    assert files(there) == [f"{A}.ipynb", f"{B}.ipynb"]


def test_a_first_cell_loads_nothing_that_takes_long() -> None:
    load = "import sys, helpers.course; print(*sys.modules)"
    command = [sys.executable, "-c", load]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"nbformat", "jsonschema", "jupyter_server", "matplotlib"} & set(
        done.stdout.split()
    ) == set()


def test_what_is_shown_is_a_link_and_a_sentence(monkeypatch) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(copies, "display", lambda data, raw: seen.append(data))
    copies.show("a [link](x.ipynb)")
    assert seen == [dict.fromkeys(("text/markdown", "text/plain"), "a [link](x.ipynb)")]
