"""Three short questions at the start of a notebook, about earlier ones.

`data/questions/` has a file for each notebook, with the questions *about* it. Which three are
asked depends on the learner: first what was wrong when it was last asked, the longest ago first;
then what comes up by itself, each question once, ever further from its lesson: the first question
about a notebook in the next one, the second two notebooks later, the third four later. Without a
record the same three are asked every time.

The questions are shown as HTML that any page can show, with no script: the answers fold out by
mouse or by keyboard. Letters written into a cell are judged and noted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from helpers.learning import record
from helpers.learning.writing import as_letter, shortened

FOLDER = Path(__file__).resolve().parents[2] / "data" / "questions"
DISTANCES = (1, 2, 4)  # notebooks between a lesson and its first, second and third question
LETTERS = "abc"


@dataclass(frozen=True)
class Question:
    """A question about a notebook. `options` and `reasons` belong to the letters a, b and c."""

    notebook: str
    id: str
    ask: str
    options: tuple[str, ...]
    right: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """Questions as a cell shows them: as HTML, and as text where there is no HTML."""

    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        return "\n\n".join(as_text(number, each) for number, each in numbered(self.questions))

    def _repr_html_(self) -> str:
        return "\n".join(as_html(number, each) for number, each in numbered(self.questions))


def ask() -> Asked:
    """The three questions of this notebook, whose first cell has run."""
    return Asked(chosen(here()))


def answer(letters: Sequence[Any] | None = None) -> None:
    """Say for each letter whether it is right, and why; note it in the record.

    None, or what is no letter of a question, is said kindly and not noted.
    """
    questions = chosen(here())
    given = list(letters) if isinstance(letters, (list, tuple, str)) else []
    given += [None] * (len(questions) - len(given))
    for (number, question), letter in zip(numbered(questions), given, strict=False):
        print(f"{number}. {judged(question, letter)}")


def judged(question: Question, given: Any) -> str:
    """What is said of one letter. Only what is an answer is noted."""
    if given is None or given == "":
        return "Not answered. Write a letter, or open the answer above."
    letter = as_letter(given)
    if letter is None or letter not in LETTERS:
        return f"{shortened(given, 40)!r} is no answer to this; write one of a, b and c."
    right = letter == question.right
    record.note("question", question.id, answer=letter, right=right)
    reason = question.reasons[LETTERS.index(letter)]
    if right:
        return f"{letter} is right. {reason}"
    return f"{letter} is not it: {reason} Right is {question.right}: {because(question)}"


def because(question: Question) -> str:
    return question.reasons[LETTERS.index(question.right)]


def here() -> str:
    """The notebook of this kernel; the first one before any has begun."""
    return record.current() or notebooks()[0]


# -- which questions -------------------------------------------------------------------------


def chosen(notebook: str) -> tuple[Question, ...]:
    """The three questions for a notebook, or fewer when there are no more about earlier ones.

    What was answered in this very notebook does not count: its cells may be run again.
    """
    earlier = {each.id: each for each in all_questions() if each.notebook < notebook}
    answered = [each for each in record.entries("question") if each.get("notebook") != notebook]
    ids = [*wrong_when_last_asked(answered), *(each.id for each in in_turn(notebook))]
    return tuple(earlier[id] for id in dict.fromkeys(ids) if id in earlier)[: len(DISTANCES)]


def wrong_when_last_asked(answered: Iterable[dict[str, Any]]) -> list[str]:
    """Ids of the questions whose last answer was wrong, the longest ago first."""
    last: dict[str, bool] = {}
    for each in answered:
        last.pop(each["name"], None)
        last[each["name"]] = bool(each.get("right"))
    return [id for id, right in last.items() if not right]


def in_turn(notebook: str) -> list[Question]:
    """The questions that come up by themselves in a notebook, and after them all others.

    Where there is no notebook so far back, one takes the place that came up in none before.
    """
    came_up: set[str] = set()
    turn: list[Question] = []
    for each in [*(name for name in notebooks() if name < notebook), notebook]:
        before = [load(name) for name in notebooks() if name < each]
        turn = [
            before[-distance][place]
            for place, distance in enumerate(DISTANCES)
            if distance <= len(before)
        ]
        turn += sorted(
            (question for of in reversed(before) for question in of if question not in turn),
            key=lambda question: (question.id in came_up, is_due_later(question)),
        )
        came_up |= {question.id for question in turn[: len(DISTANCES)]}
    return turn


def is_due_later(question: Question) -> bool:
    """Whether a question has a distance of its own at which it comes up."""
    return question in load(question.notebook)[: len(DISTANCES)]


# -- where they come from --------------------------------------------------------------------


@cache
def notebooks() -> tuple[str, ...]:
    """The notebooks about which there are questions, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def all_questions() -> list[Question]:
    return [each for notebook in notebooks() for each in load(notebook)]


@cache
def load(notebook: str) -> tuple[Question, ...]:
    """The questions about a notebook, in the order of their file."""
    found = tomllib.loads((FOLDER / f"{notebook}.toml").read_text(encoding="utf-8"))
    return tuple(
        Question(
            notebook,
            id=f"{notebook[:2]}-{each['id']}",
            ask=each["ask"],
            options=tuple(each[letter] for letter in LETTERS),
            right=each["right"],
            reasons=tuple(each["why"][letter] for letter in LETTERS),
        )
        for each in found["question"]
    )


# -- how they look ---------------------------------------------------------------------------


def numbered(questions: Iterable[Question]) -> list[tuple[int, Question]]:
    return list(enumerate(questions, start=1))


def as_text(number: int, question: Question) -> str:
    options = zip(LETTERS, question.options, strict=True)
    return "\n".join(
        [f"{number}. {question.ask}", *(f"   {letter}) {text}" for letter, text in options)]
    )


def as_html(number: int, question: Question) -> str:
    """The question with its options, and the answers in a part that folds out.

    Letters are written out: JupyterLab takes the kind of a list's numbers away.
    """
    return (
        f"<p><strong>{number}.</strong> {escape(question.ask)}</p>"
        f"<p>{lettered(question.options)}</p>"
        f"<details><summary>Answer to {number}</summary>"
        f"<p>Right is <strong>{question.right}</strong>.</p>"
        f"<p>{lettered(question.reasons)}</p></details>"
    )


def lettered(texts: Iterable[str]) -> str:
    lines = (f"{letter}) {escape(text)}" for letter, text in zip(LETTERS, texts, strict=True))
    return "<br>".join(lines)
