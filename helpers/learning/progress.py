"""How far a learner is: what their record says of each notebook, as a table and a picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from helpers.charts.progress import progress as draw
from helpers.charts.progress import said_of
from helpers.learning import record
from helpers.learning.lessons import Lesson, read_lessons
from helpers.learning.minutes import taken

COLUMNS = (
    "notebook",
    "exercises",
    "guesses",
    "of them right",
    "questions right",
    "minutes",
    "stated",
)
LEFT = 'style="text-align: left"'  # JupyterLab puts what stands in tables to the right
NOT_KEPT = (
    f"No record is kept here: {record.SETTING} is {record.OFF!r}. This is what there is to do."
)
FIELDS = [
    *("title", "begun", "finished", "exercises", "passed", "guesses", "guessed", "guessed_right"),
    *("asked", "answered_right", "taken", "stated"),
]
NOTHING_YET = "Nothing is noted yet: a notebook's first cell begins. This is what there is to do."


@dataclass(frozen=True)
class Progress:
    """How far a learner is.

    `table` has a row for each notebook: title; minutes `taken` and `stated`; numbers of
    `exercises`, and of those `passed`; of `guesses`, `guessed` and `guessed_right`; of questions
    `asked` and `answered_right`; whether it is `begun` and `finished`, all its exercises passed.
    `capstone` is the best score, or None.
    """

    table: pd.DataFrame
    capstone: float | None = None
    remark: str = ""

    @property
    def said(self) -> str:
        """The whole in one line."""
        capstone = "" if self.capstone is None else f" Capstone: {self.capstone:g}."
        return self.remark or f"{said_of(self.table)}.{capstone}"

    def rows(self) -> list[tuple[str, ...]]:
        """The table in words, a row for each notebook, under COLUMNS."""
        return [
            (
                each.title,
                of(each.passed, each.exercises) + (" ✓" if each.finished else ""),
                of(each.guessed, each.guesses),
                f"{each.guessed_right}" if each.guessed else "–",
                of(each.answered_right, each.asked),
                f"{each.taken:.0f}" if each.begun else "–",
                f"{each.stated}",
            )
            for each in self.table.itertuples()
        ]

    def __repr__(self) -> str:
        lines = [COLUMNS, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([self.said, "", *table])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.said)}</p>\n{self.as_html()}"

    def as_html(self) -> str:
        """Table and picture; without a picture when nothing was noted."""
        head = "".join(f"<th {LEFT}>{escape(each)}</th>" for each in COLUMNS)
        body = "".join(
            f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in row)}</tr>\n"
            for row in self.rows()
        )
        table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
        if not self.table["begun"].any():
            return table
        chart = draw(self.table)
        png = b64encode(chart.png).decode()
        alt = escape(chart.text, quote=True)
        return f'{table}\n<img alt="{alt}" src="data:image/png;base64,{png}">'


def of(some: int, whole: int) -> str:
    return f"{some} of {whole}" if whole else "–"


def progress() -> Progress:
    """How far the learner of this checkout is, by their record. Raises nothing."""
    entries = record.entries()
    lessons = read_lessons()
    minutes = taken(entries)
    rows = [row_of(lesson, entries, minutes.get(lesson.name, 0)) for lesson in lessons]
    remark = "" if entries else NOTHING_YET
    return Progress(
        pd.DataFrame(rows, columns=FIELDS),
        best_score(entries),
        remark if record.file() is not None else NOT_KEPT,
    )


def row_of(lesson: Lesson, entries: Iterable[dict[str, Any]], minutes: float) -> dict[str, Any]:
    mine = [entry for entry in entries if entry["notebook"] == lesson.name]
    passed = {e["name"] for e in mine if e["kind"] == "check" and e.get("passed") is True}
    guesses = {e["name"]: e.get("right") for e in mine if e["kind"] == "guess"}
    answers = {e["name"]: e.get("right") for e in mine if e["kind"] == "question"}
    done = [name for name in lesson.exercises if name in passed]
    return {
        "title": lesson.title,
        "begun": bool(mine),
        "finished": bool(mine) and len(done) == len(lesson.exercises),
        "exercises": len(lesson.exercises),
        "passed": len(done),
        "guesses": max(lesson.guesses, len(guesses)),
        "guessed": len(guesses),
        "guessed_right": sum(right is True for right in guesses.values()),
        "asked": len(answers),
        "answered_right": sum(right is True for right in answers.values()),
        "taken": minutes,
        "stated": lesson.minutes,
    }


def best_score(entries: Iterable[dict[str, Any]]) -> float | None:
    scores = [
        float(entry["score"])
        for entry in entries
        if entry["kind"] == "capstone" and isinstance(entry.get("score"), (int, float))
    ]
    return max(scores, default=None)
