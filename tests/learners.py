"""A learner who goes through a notebook the intended way: what they write into its cells."""

from __future__ import annotations

import ast

import nbformat

from helpers.learning import questions
from tests import exercises
from tests.notebook_files import Write, code_cells, python_of, read, tags


def intended(name: str) -> Write:
    """Guesses, answers and exercises of a notebook as one who knows them would write them."""
    cells = code_cells(read(name))
    solutions = {}
    if name in exercises.names():
        solutions = {each.name: each.solution.code for each in exercises.load(name).exercises}
    guesses = [right_guess(call) for cell in cells for call in comparisons(cell.source)]

    def write(cell: nbformat.NotebookNode) -> str:
        if "exercise" in tags(cell) and "exercise" in cell.metadata:
            return solutions[cell.metadata["exercise"]]
        if "guess" in tags(cell):
            return f"guess = {guesses.pop(0)!r}"
        if "questions" in tags(cell) and "answers = " in cell.source:
            letters = [each.right for each in questions.chosen(name)]
            return cell.source.replace("[None, None, None]", repr(letters))
        return cell.source

    return write


def comparisons_in(cell: nbformat.NotebookNode) -> list[ast.Call]:
    return comparisons(cell.source) if cell.cell_type == "code" else []


def comparisons(source: str) -> list[ast.Call]:
    """The calls of a cell that hold a guess and what came side by side."""
    return [
        node
        for node in ast.walk(ast.parse(python_of(source)))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("guesses.")
    ]


def right_guess(call: ast.Call) -> object:
    """The right letter; for a number, and in words, what anybody may guess."""
    kind = ast.unparse(call.func).removeprefix("guesses.")
    right = [each.value for each in call.keywords if each.arg == "right"]
    if kind == "choice" and isinstance(right[0], ast.Constant):
        return right[0].value
    return {"choice": "a", "number": 3, "sentence": "It comes back."}[kind]
