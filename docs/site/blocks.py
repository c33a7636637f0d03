"""A notebook's cells in the order of reading, with what a reader opens after thinking: folds.

In JupyterLab a learner runs the cell and sees what comes. On a page it stands there already, so
what came out after a guess is folded, as is a solution with what the check says of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from nbformat import NotebookNode


@dataclass
class Block:
    """Cells one after the other: plainly below each other, or folded below a guess or a stub."""

    kind: str  # "cells", "guess" or "solution"
    cells: list[NotebookNode] = field(default_factory=list)


def blocks(notebook: NotebookNode) -> Iterator[Block]:
    cells = list(notebook.cells)
    while cells:
        length = folded(cells)
        kind = kind_of(cells[0]) if length else "cells"
        yield Block(kind, cells[: length or 1])
        del cells[: length or 1]


def folded(cells: list[NotebookNode]) -> int:
    """How many cells are folded with the first of these; 0 if it begins no fold."""
    if kind_of(cells[0]) == "solution":
        name = cells[0].metadata.exercise
        return len([*takewhile(lambda cell: cell.metadata.get("exercise") == name, cells)])
    if kind_of(cells[0]) == "guess":
        for number, cell in enumerate(cells[1:], start=1):
            if cell.cell_type == "code" and cell.source.startswith("guesses."):
                return number + 1
            if kind_of(cell) != "cells" or cell.source.startswith("## "):
                return 0
    return 0


def kind_of(cell: NotebookNode) -> str:
    tags = cell.metadata.get("tags", [])
    return next((kind for kind in ("guess", "solution") if kind in tags), "cells")


def asked_for(guess: NotebookNode) -> str:
    """What a guess has to be, by its comment: such as "a number of days, such as 30"."""
    return guess.source.partition("# ")[2]
