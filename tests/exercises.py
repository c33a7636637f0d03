"""The exercises of `data/exercises/`: one source for what notebooks show and what tests try.

A file has, for each exercise, its task, hints, check, solution, and wrong states with the sentence
that each has to get. `python -m tests.exercises NAMES…` puts the exercises, and the three
questions at the start, into the notebooks in place of those that are there; afterwards `python -m
tests.store_outputs NAMES…` runs them. What the solution has after lines that begin with `# stub:`,
up to `# end` or its own end, is not in the stub; what follows `# stub:` stands there instead.
A line `# cell` begins another cell of the solution.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.notebook_files import FOLDER, NAMES, ROOT, read

EXERCISES = ROOT / "data" / "exercises"
KINDS = ("Repeat", "Transfer", "Invent", "Repair")
STUB = re.compile(r"^( *)# stub: ?(.*)$")
END = re.compile(r"^ *# end$")
CELL = re.compile(r"\n*^# cell$\n*", re.M)
YOUR_TURN = re.compile(r"^## Your turn$", re.M)
QUESTIONS = """\
## Three questions first

They are about earlier notebooks, from memory. Open an answer, or write letters into the cell \
below and run it: what was wrong comes up again in a later notebook."""
ANSWERS = """\
answers = [None, None, None]  # your letters, such as ["a", "c", "b"]
questions.answer(answers)"""


@dataclass(frozen=True)
class State:
    """A program that a learner may have run before the check, and what the check has to say."""

    title: str
    code: str
    says: tuple[str, ...]


@dataclass(frozen=True)
class Exercise:
    kind: str
    title: str
    task: str
    hints: tuple[str, ...]
    check: str
    stub: State
    solution: State
    solution_cells: tuple[str, ...]
    wrong: tuple[State, ...]

    @property
    def name(self) -> str:
        """As the learner's record calls it: its check's name without `check_`."""
        return re.search(r"\bcheck_(\w+)\(", self.check)[1]

    @property
    def states(self) -> tuple[State, ...]:
        """All states in the order in which a learner who makes every mistake comes by."""
        return (self.stub, *self.wrong, self.solution)


@dataclass(frozen=True)
class File:
    """`before` makes what the notebook has made when the reader comes to the exercises."""

    before: str
    exercises: tuple[Exercise, ...]


def names() -> list[str]:
    return sorted(path.stem for path in EXERCISES.glob("*.md"))


def load(name: str) -> File:
    parts = dict(sections((EXERCISES / f"{name}.md").read_text(encoding="utf-8"), "## "))
    before = code_in(parts.pop("Before", ""))
    parts.pop("", None)
    return File(before, tuple(exercise(title, text) for title, text in parts.items()))


def exercise(heading: str, text: str) -> Exercise:
    kind, _, title = heading.partition(": ")
    assert kind in KINDS, f"{heading!r} is none of {KINDS}"
    parts = dict(sections(text, "### "))
    whole, check = code_in(parts["Solution"]), parts["Check"]
    solution = CELL.split(solution_of(whole))
    return Exercise(
        kind,
        title,
        task=parts[""].strip(),
        hints=tuple(re.findall(r"^- (.+)$", parts["Hints"], re.M)),
        check=code_in(check),
        stub=State("the stub", CELL.sub("\n\n", stub_of(whole)), quotes_in(check)),
        solution=State("the solution", "\n\n".join(solution), quotes_in(parts["Solution"])),
        solution_cells=tuple(solution),
        wrong=tuple(
            State(title.removeprefix("Wrong: "), code_in(part), quotes_in(part))
            for title, part in parts.items()
            if title.startswith("Wrong: ")
        ),
    )


def sections(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """Headings and what is below them. What begins so inside of code is no heading."""
    heading, lines, in_code = "", [], False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        if line.startswith(mark) and not in_code:
            yield heading, "\n".join(lines)
            heading, lines = line.removeprefix(mark), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def code_in(text: str) -> str:
    found = re.search(r"^```python\n(.*?)^```$", text, re.S | re.M)
    return found[1].rstrip() if found else ""


def quotes_in(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^> (.+)$", text, re.M))


def stub_of(whole: str) -> str:
    """The solution as the learner finds it: only what is not to be done, and what `stub:` says."""
    kept, left_out = [], False
    for line in whole.splitlines():
        if found := STUB.match(line):
            kept.append(found[1] + found[2])
            left_out = True
        elif END.match(line):
            left_out = False
        elif not left_out:
            kept.append(line)
    return "\n".join(kept)


def solution_of(whole: str) -> str:
    """The solution without the marks."""
    lines = whole.splitlines()
    return "\n".join(line for line in lines if not STUB.match(line) and not END.match(line))


# -- as cells --------------------------------------------------------------------------------


def cells_of(exercise: Exercise) -> list[nbformat.NotebookNode]:
    """The task, the stub, the check, the folded solution, and the check again."""
    task = f"### {exercise.kind}: {exercise.title}\n\n{exercise.task}\n\n{folded(exercise.hints)}"
    hidden = {"tags": ["hide-cell", "solution"], "jupyter": {"source_hidden": True}}
    cells = [
        new_markdown_cell(task),
        new_code_cell(exercise.stub.code, metadata={"tags": ["exercise"]}),
        new_code_cell(exercise.check),
        *(new_code_cell(each, metadata=hidden) for each in titled(exercise.solution_cells)),
        new_code_cell(exercise.check),
    ]
    for cell in cells:
        cell.metadata["exercise"] = exercise.name
    return cells


def titled(cells: tuple[str, ...]) -> Iterator[str]:
    """The cells of a solution, each with the line that is seen of it while it is folded."""
    for number, code in enumerate(cells, start=1):
        which = f", {number} of {len(cells)}" if len(cells) > 1 else ""
        yield f"# A solution{which}: click here to unfold it.\n{code}"


def folded(hints: tuple[str, ...]) -> str:
    """Hints of which each is inside the one before: they open one at a time, on any page."""
    text = ""
    for number, hint in reversed(list(enumerate(hints, start=1))):
        inner = f"\n\n{text}" if text else ""
        text = f"<details><summary>Hint {number}</summary>\n\n{hint}{inner}\n\n</details>"
    return text


def question_cells() -> list[nbformat.NotebookNode]:
    cells = [
        new_markdown_cell(QUESTIONS),
        new_code_cell("questions.ask()"),
        new_code_cell(ANSWERS),
    ]
    for cell in cells:
        cell.metadata["tags"] = ["questions"]
    return cells


def weave(notebook: nbformat.NotebookNode, name: str) -> None:
    """Put questions and exercises into a notebook, in place of those that are there."""
    cells = [cell for cell in without_old(notebook.cells) if not is_question(cell)]
    if name != NAMES[0]:
        begin = next(i for i, cell in enumerate(cells) if "course.begin(" in cell.source)
        cells[begin + 1 : begin + 1] = question_cells()
    turn = next(i for i, cell in enumerate(cells) if YOUR_TURN.search(cell.source))
    new = [cell for each in load(name).exercises for cell in cells_of(each)]
    notebook.cells = [*cells[: turn + 1], *new, *cells[turn + 1 :]]


def is_question(cell: nbformat.NotebookNode) -> bool:
    return "questions" in cell.metadata.get("tags", [])


def without_old(cells: list[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """All cells but those of exercises: by their mark, or a check right after a tagged cell."""
    after_tagged = False
    for cell in cells:
        tagged = {"exercise", "solution"} & {*cell.metadata.get("tags", [])}
        old_check = after_tagged and cell.source.startswith("checks.")
        after_tagged = bool(tagged)
        if not tagged and not old_check and "exercise" not in cell.metadata:
            yield cell


def main(wanted: list[str]) -> None:
    for name in wanted or names():
        notebook = read(name)
        weave(notebook, name)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02d}"
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        print(f"{name}: {len(load(name).exercises)} exercises")


if __name__ == "__main__":
    main(sys.argv[1:])
