"""A learner's own copies of the notebooks, in `my_course/`: `python -m helpers.copies`.

They are made without outputs, so that a prediction is one. The stored notebooks stay as they are,
for reading and for looking up what should come out; git does not track the copies, so a new
version of the course never meets them. Each copy says in its metadata which lesson it is of, in
which version, and how it was when it was made: one that was neither run nor changed is renewed,
and beside any other the new version of its lesson is laid. What a learner wrote is never touched.

A notebook is plain JSON; nbformat, which checks it against a schema, takes a second to load, and
every first cell would wait for it. Source: nbformat's documentation, "The Jupyter Notebook Format".
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from filelock import FileLock
from IPython import get_ipython
from IPython.display import display

from helpers.learning import record

Notebook = dict[str, Any]
OURS = "sqs_course"  # the key in a copy's metadata
NOTEBOOKS = record.MY_COURSE.with_name("notebooks")
LOCK_S = 20.0
FIRST = "00_start_here"


class Unreadable(ValueError):
    """A file that should be a notebook is none; the message says which."""


class Facts(NamedTuple):
    """What a copy says of itself: its lesson, that lesson's version, and itself as it was made."""

    lesson: str = ""
    source: str = ""
    made: str = ""


class News(NamedTuple):
    """What a new version brought: copies that were made, renewed, and laid beside others."""

    made: list[str]
    renewed: list[str]
    beside: list[str]
    problems: list[str]


@dataclass(frozen=True)
class Copies:
    """The copies in the folder `own` of the lessons in the folder `stored`."""

    stored: Path
    own: Path

    def update(self) -> News:
        """Make the copies that are missing, and bring what is new. Raises OSError when the folder
        cannot be written."""
        news = News([], [], [], [])
        with self.locked():
            for lesson in sorted(path.stem for path in self.stored.glob("*.ipynb")):
                try:
                    self.bring(lesson, news)
                except Unreadable as error:
                    news.problems.append(str(error))
        return news

    def bring(self, lesson: str, news: News, open_now: str = "") -> None:
        """Let the newest version of a lesson be there; the file `open_now` is left alone."""
        newest = fingerprint(read(self.stored / f"{lesson}.ipynb"))
        main = self.own / f"{lesson}.ipynb"
        if main.exists() and any(self.versions(lesson, newest)):
            return
        for path in self.places(lesson):
            if not path.exists():
                self.write(lesson, path)
                (news.made if path == main else news.beside).append(path.name)
                return
            if path.name != open_now and is_as_made(path):
                self.write(lesson, path)
                news.renewed.append(path.name)
                return

    def versions(self, lesson: str, newest: str) -> Iterator[Path]:
        """The copies that are of a lesson's newest version, whatever their names are now."""
        for path in sorted(self.own.glob("*.ipynb")):
            with suppress(Unreadable):
                facts = facts_of(read(path))
                if (facts.lesson, facts.source) == (lesson, newest):
                    yield path

    def places(self, lesson: str) -> Iterator[Path]:
        yield self.own / f"{lesson}.ipynb"
        yield self.own / f"{lesson}_new.ipynb"
        for number in range(2, 1000):
            yield self.own / f"{lesson}_new_{number}.ipynb"

    def fresh(self, lesson: str, path: Path) -> Notebook:
        """A lesson as its copy at `path` begins: no outputs, and a cell about the copy."""
        notebook = read(self.stored / f"{lesson}.ipynb")
        source = fingerprint(notebook)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        about = {"cell_type": "markdown", "id": "own-copy", "metadata": {}}
        notebook["cells"].insert(1, {**about, "source": self.about(lesson, path)})
        notebook["metadata"][OURS] = Facts(lesson, source, fingerprint(notebook))._asdict()
        return notebook

    def about(self, lesson: str, path: Path) -> str:
        """What the second cell of a copy says: where to look up, and how to begin again."""
        stored = quote(Path(os.path.relpath(self.stored, self.own)).as_posix())
        said = (
            "This copy is yours: run it, change it, write in it. "
            f"[What should come out]({stored}/{lesson}.ipynb) opens in a tab of its own. "
            "`course.afresh()` in a cell begins this notebook afresh, and keeps what you wrote."
        )
        if path.stem == lesson:
            return said
        return (
            f"The course has a newer version of this lesson, and this is it. "
            f"[What you have of the old one]({lesson}.ipynb) stays as it is.\n\n{said}"
        )

    def write(self, lesson: str, path: Path) -> None:
        """Write a fresh copy, whole or not at all."""
        text = json.dumps(self.fresh(lesson, path), indent=1, sort_keys=True, ensure_ascii=False)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_text(text + "\n", encoding="utf-8", newline="\n")
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def begin_afresh(self, path: Path, lesson: str) -> Path:
        """Put a fresh copy in the place of one, which is kept beside it; returns where.

        Raises OSError, and has then changed nothing.
        """
        with self.locked():
            now = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
            names = [f"{path.stem}_kept_{now}{again}.ipynb" for again in ("", "_2", "_3", "_4")]
            kept = next(self.own / name for name in names if not (self.own / name).exists())
            shutil.copy2(path, kept)
            self.write(lesson, path)
        return kept

    def locked(self) -> FileLock:
        self.own.mkdir(exist_ok=True)
        return FileLock(self.own / ".lock", timeout=LOCK_S)


# -- one notebook ----------------------------------------------------------------------------


def read(path: Path) -> Notebook:
    """A notebook of format 4. Raises Unreadable for what is none, OSError without a right to it."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        facts_of(notebook)
        fingerprint(notebook)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        name = f"{path.parent.name}/{path.name}"
        raise Unreadable(f"{name} is no notebook that can be read.") from None
    return notebook


def facts_of(notebook: Notebook) -> Facts:
    """What a copy says of itself; of a notebook that is none, or forgot it, nothing."""
    said = notebook["metadata"].get(OURS) or {}
    return Facts(*(str(said.get(field, "")) for field in Facts._fields))


def fingerprint(notebook: Notebook) -> str:
    """What the cells say, in short: equal for equal cells, whatever was run or folded."""
    cells = [
        (cell["cell_type"], text_of(cell["source"]), cell.get("attachments") or {})
        for cell in notebook["cells"]
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def text_of(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def is_as_made(path: Path) -> bool:
    """Whether a copy was neither changed nor run since it was made. In doubt it was."""
    try:
        notebook = read(path)
    except (Unreadable, OSError):
        return False
    ran = any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    return not ran and facts_of(notebook).made == fingerprint(notebook)


# -- in a notebook ---------------------------------------------------------------------------


def own_copies() -> Copies:
    return Copies(NOTEBOOKS, record.MY_COURSE)


def open_notebook() -> Path | None:
    """The file of the notebook that this kernel runs, or None when nobody tells.

    Jupyter's server tells it in JPY_SESSION_NAME, as it was called when the kernel started; VS Code
    in a variable of the notebook. Source: jupyter_server's changelog, 2.0; vscode-jupyter.
    """
    shell = get_ipython()
    told = shell.user_ns.get("__vsc_ipynb_file__") if shell else None
    told = told or os.environ.get("JPY_SESSION_NAME")
    return Path(told).resolve() if told and str(told).endswith(".ipynb") else None


def look(lesson: str) -> None:
    """Show where the learner's own copy is, or that there is a newer version; often nothing."""
    path, copies = open_notebook(), own_copies()
    if path is None:
        return
    with suppress(OSError, Unreadable):
        if path.parent == copies.stored.resolve() and (copies.own / path.name).exists():
            show(
                "This is the stored notebook, for reading and for looking up. "
                f"[Your own copy](../{copies.own.name}/{path.name}) is for running."
            )
        elif path.parent == copies.own.resolve():
            show_newer(copies, lesson, path)


def show_newer(copies: Copies, lesson: str, path: Path) -> None:
    newest = fingerprint(read(copies.stored / f"{lesson}.ipynb"))
    if facts_of(read(path)).source == newest:
        return
    with copies.locked():
        copies.bring(lesson, News([], [], [], []), open_now=path.name)
    newer = next(iter(copies.versions(lesson, newest)))
    show(
        f"This lesson has a newer version: [{newer.stem}]({quote(newer.name)}). What you have here "
        "stays as it is."
    )


def show(text: str) -> None:
    """Show a sentence with a link that can be clicked."""
    display({"text/markdown": text, "text/plain": text}, raw=True)


def afresh(notebook: str | None = None) -> None:
    """Begin a notebook afresh, and keep what you wrote in it in a file beside it.

    `notebook` is a lesson such as "04_add_trigger"; default: the one that is open. Prints what to
    do next: no call can load a page that is open. Raises nothing; what cannot be is a sentence.
    """
    copies, here = own_copies(), open_notebook()
    lesson = notebook or record.current() or (here.stem if here else "")
    if not (copies.stored / f"{lesson}.ipynb").exists():
        known = ", ".join(sorted(path.stem for path in copies.stored.glob("*.ipynb")))
        print(f"notebook is {lesson!r}; it must be one of {known}.")
        return
    path = copies.own / f"{lesson}.ipynb"
    if notebook is None and here is not None:
        if here.parent != copies.own.resolve():
            print(
                f"{here.name} here is no copy of yours, and stays as it is. Your own copies are in "
                f"{copies.own.name}/; python -m helpers.copies makes them."
            )
            return
        path = here
    try:
        print(renew(copies, path, lesson, is_open=path == here))
    except OSError as error:
        print(f"{path.name} stays as it is: {error.strerror or error}.")


def renew(copies: Copies, path: Path, lesson: str, is_open: bool) -> str:
    """Begin a copy afresh; what to say of it."""
    if not path.exists():
        with copies.locked():
            copies.write(lesson, path)
        return f"{path.name} was not there; now it is, afresh."
    if is_open and not is_saved(path):
        return (
            "Not yet: the page holds what its file does not. Save it (Ctrl + S, on a Mac ⌘ S), "
            "then run this cell again; so nothing is lost."
        )
    kept = copies.begin_afresh(path, lesson)
    return (
        f"What you wrote is kept in {kept.name}.\n{path.name} begins afresh. To see it: File → "
        "Reload Notebook from Disk, in VS Code the command File: Revert File. Then restart the "
        "kernel."
    )


def is_saved(path: Path) -> bool:
    """Whether the file of the open page has the cell that runs now, and the one that ran before.

    Otherwise the page was not saved since, and would lose something when it is loaded again.
    """
    shell = get_ipython()
    if shell is None:
        return True
    _, *earlier, running = shell.history_manager.input_hist_raw  # the first is of no cell
    before = len(earlier)
    try:
        cells = read(path)["cells"]
    except Unreadable:
        return True
    has_this = any(text_of(cell["source"]).strip() == running.strip() for cell in cells)
    return has_this and (not before or any(each.get("execution_count") == before for each in cells))


# -- python -m helpers.copies ----------------------------------------------------------------


def sentences(news: News, folder: str) -> Iterator[str]:
    if news.made:
        yield f"Your own copies of the notebooks are in {folder}/."
    if news.renewed:
        yield f"Renewed there, as you had not begun them: {', '.join(news.renewed)}."
    if news.beside:
        yield f"New lessons, beside what you wrote: {', '.join(news.beside)}."
    yield from news.problems


def make() -> Path | None:
    """Make the copies and bring what is new, and print what changed.

    Returns the first of them; None, and says why, when there is none.
    """
    copies = own_copies()
    try:
        for said in sentences(copies.update(), copies.own.name):
            print(said, flush=True)
    except OSError as error:
        print(
            f"Your own copies cannot be made in {copies.own}: {error.strerror or error}. The "
            "stored notebooks, in notebooks/, can be run as well.",
            file=sys.stderr,
        )
    first = copies.own / f"{FIRST}.ipynb"
    return first if first.is_file() else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.copies", description=__doc__)
    parser.parse_args(arguments)
    first = make()
    if first is None:
        return 1
    print(f"Begin with {first.relative_to(first.parent.parent).as_posix()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
