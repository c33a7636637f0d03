"""Which pages there are: whatever notebooks/ has, in order, and the guides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
FIRST = "00_start_here"
BESIDE = ("sheet", "glossary", "troubleshooting")  # what one has beside the lessons


@dataclass(frozen=True)
class Page:
    """A page of the site, made of one file of the course: a notebook or Markdown."""

    source: Path

    @property
    def name(self) -> str:
        return self.source.stem.lower()

    @property
    def file(self) -> str:
        return f"{self.name}.html"

    @property
    def is_lesson(self) -> bool:
        return self.source.suffix == ".ipynb"

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        return nbformat.reads(self.source.read_text(encoding="utf-8"), as_version=4)

    @cached_property
    def head(self) -> str:
        """The Markdown that it begins with; of a guide, all of it."""
        if not self.is_lesson:
            return self.source.read_text(encoding="utf-8")
        return str(self.notebook.cells[0].source)

    @property
    def title(self) -> str:
        """Its first heading. Raises ValueError when it begins with none."""
        if found := re.search(r"^# (.+)", self.head, re.M):
            return found[1]
        raise ValueError(f"{self.source.name} has no title: its text must begin with '# ' and one.")

    @property
    def number(self) -> str:
        return self.source.stem[:2] if self.is_lesson else ""

    def says(self, row: str) -> str:
        """A row of a lesson's head, such as "You will", without the marks of Markdown."""
        found = re.search(rf"^\| \*\*{row}\*\* \| (.+?) \|$", self.head, re.M)
        return re.sub(r"`|\*|\[|\]\([^)]*\)", "", found[1]) if found else ""


def lessons() -> list[Page]:
    return [Page(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def guides() -> list[Page]:
    """First those to have beside the lessons, then the others by name, then the instructors'."""
    others = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
    names = [*BESIDE, *(name for name in others if name not in BESIDE)]
    return [*(Page(ROOT / "docs" / f"{name}.md") for name in names), Page(ROOT / "INSTRUCTOR.md")]


def steps() -> list[str]:
    """The files of the lessons that are a step, by the map in the first."""
    first = next(page for page in lessons() if page.name == FIRST)
    text = "\n".join(cell.source for cell in first.notebook.cells)
    return [
        f"{name}.html" for name in re.findall(r"^\| \d \| \[[^]]+\]\((\w+)\.ipynb\)", text, re.M)
    ]
