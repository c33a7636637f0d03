"""What the stored notebooks say of themselves: title, time, exercises and guesses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.learning import record


@dataclass(frozen=True)
class Lesson:
    """A notebook. `minutes` is the time that its head states, `guesses` how many it asks for.

    `exercises` are named as the checks note them: by the cell's metadata, else by number.
    """

    name: str
    title: str
    minutes: int
    exercises: tuple[str, ...]
    guesses: int


def read_lessons(folder: Path | None = None) -> list[Lesson]:
    """All stored notebooks, in their order. One that cannot be read is left out."""
    folder = folder or record.MY_COURSE.with_name("notebooks")
    found = (read_lesson(path) for path in sorted(folder.glob("*.ipynb")))
    return [lesson for lesson in found if lesson]


def read_lesson(path: Path) -> Lesson | None:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        head = "".join(cells[0]["source"])
        title = re.search(r"^# (.+)", head, re.M)
        minutes = re.search(r"\*\*Time\*\*.*?(\d+) minutes", head)
        names = exercises(cells)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return Lesson(
        path.stem,
        f"{path.stem[:2]} {title[1] if title else path.stem}",
        int(minutes[1]) if minutes else 0,
        names,
        sum("guess" in tags_of(cell) for cell in cells),
    )


def exercises(cells: list[dict[str, Any]]) -> tuple[str, ...]:
    stubs = [cell for cell in cells if "exercise" in tags_of(cell)]
    named = (
        cell["metadata"].get("exercise", str(number)) for number, cell in enumerate(stubs, start=1)
    )
    return tuple(dict.fromkeys(named))


def tags_of(cell: dict[str, Any]) -> list[str]:
    tags: list[str] = cell["metadata"].get("tags", [])
    return tags
