"""What the board knows of the room, in memory only: people, their checks and their guesses."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from helpers.learning.lessons import Lesson
from helpers.learning.writing import shortened

MOST_PEOPLE = 200
MOST_A_MINUTE = 120  # events of one learner: a person runs a few checks a minute
MOST_THINGS = 500  # different exercises and guesses of one learner
LONGEST_NAME = 40
STUCK_TRIES, STUCK_MIN = 3, 5.0
QUIET_MIN = 10.0
COLOURS = ("amber", "blue", "brown", "coral", "green", "grey", "mint", "plum", "red", "silver")
ANIMALS = (
    *("badger", "crane", "dolphin", "falcon", "gecko", "heron", "ibis", "jackdaw", "koala", "lynx"),
    *("marten", "newt", "otter", "panda", "quail", "raven", "stork", "tapir", "urchin", "vole"),
)


class Refused(ValueError):
    """What the board does not take; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Check:
    """The last look at an exercise; `since` is when the first one that failed was, in s."""

    since: float
    tries: int = 0
    passed: bool = False
    said: str = ""


@dataclass
class Person:
    """A learner who joined. Times are those of the board's clock, in s."""

    name: str
    seen: float
    notebook: str = ""
    score: float | None = None
    checks: dict[tuple[str, str], Check] = field(default_factory=dict)
    guesses: dict[tuple[str, str], tuple[str, bool | None]] = field(default_factory=dict)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_A_MINUTE))


class Room:
    """The people of a class, by the secret that each of them has. `clock` gives s."""

    def __init__(
        self, lessons: Iterable[Lesson], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lessons = list(lessons)
        self._known = [lesson.name for lesson in self.lessons]
        self._people: dict[str, Person] = {}
        self._clock = clock

    def join(self, name: Any = "") -> tuple[str, str]:
        """A seat for one more learner: the secret and the name. Raises Refused when it is full."""
        if len(self._people) >= MOST_PEOPLE:
            raise Refused(429, f"{MOST_PEOPLE} people are here already")
        known_by = self.free_name(shortened(name, LONGEST_NAME) if isinstance(name, str) else "")
        secret = secrets.token_urlsafe(16)
        self._people[secret] = Person(known_by, self._clock())
        return secret, known_by

    def free_name(self, wish: str) -> str:
        """The wish, with a number if it is taken; without a wish a colour and an animal."""
        taken = {person.name for person in self._people.values()}
        animals = [f"{colour} {animal}" for colour in COLOURS for animal in ANIMALS]
        wish = wish or secrets.choice([each for each in animals if each not in taken] or animals)
        numbered = (f"{wish} {number}" for number in itertools.count(2))
        return wish if wish not in taken else next(each for each in numbered if each not in taken)

    def leave(self, secret: str) -> None:
        """Forget a learner. Raises Refused for one who is not here."""
        self.person(secret)
        del self._people[secret]

    def person(self, secret: str) -> Person:
        if secret not in self._people:
            raise Refused(404, "nobody has this seat")
        return self._people[secret]

    def note(self, secret: str, entry: dict[str, Any]) -> None:
        """Take an entry of a learner's record. Raises Refused for what is none, or too much."""
        person, now = self.person(secret), self._clock()
        if len(person.recent) == MOST_A_MINUTE and now - person.recent[0] < 60:
            raise Refused(429, f"more than {MOST_A_MINUTE} events in a minute")
        person.recent.append(now)
        kind, notebook, name = (entry.get(each) for each in ("kind", "notebook", "name"))
        if notebook not in self._known or not isinstance(name, str):
            raise Refused(400, "an entry has a notebook of the course, and a name")
        person.seen, person.notebook = now, str(notebook)
        key = (person.notebook, shortened(name, 60))
        if len(person.checks) + len(person.guesses) >= MOST_THINGS:
            return
        if kind == "check":
            note_check(person, key, entry, now)
        elif kind == "guess":
            right = entry.get("right")
            said = shortened(entry.get("guess"), 60)
            person.guesses[key] = (said, right if isinstance(right, bool) else None)
        elif kind == "capstone" and isinstance(entry.get("score"), (int, float)):
            person.score = max(person.score or 0.0, min(10.0, float(entry["score"])))

    # -- what is shown ------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """All that the page shows, for JSON; no secret is in it."""
        people = sorted(self._people.values(), key=lambda person: person.name)
        return {
            "lessons": [
                {"name": each.name, "title": each.title, "exercises": len(each.exercises)}
                for each in self.lessons
            ],
            "people": [self.row(person) for person in people],
            "guesses": list(self.histograms(people)),
        }

    def row(self, person: Person) -> dict[str, Any]:
        done = Counter(lesson for (lesson, _), check in person.checks.items() if check.passed)
        quiet_min = (self._clock() - person.seen) / 60
        return {
            "name": person.name,
            "notebook": person.notebook,
            "done": done,
            "score": person.score,
            "stuck": self.stuck(person),
            "quiet_min": int(quiet_min) if quiet_min >= QUIET_MIN else 0,
        }

    def stuck(self, person: Person) -> dict[str, Any] | None:
        """Where a learner is stuck: in the notebook that is open, several tries or minutes long."""
        now = self._clock()
        open_ones = [
            (lesson, exercise, check)
            for (lesson, exercise), check in person.checks.items()
            if lesson == person.notebook
            and not check.passed
            and (check.tries >= STUCK_TRIES or now - check.since >= 60 * STUCK_MIN)
        ]
        if not open_ones:
            return None
        lesson, exercise, check = max(open_ones, key=lambda each: each[2].tries)
        minutes = int((now - check.since) / 60)
        about = {"notebook": lesson, "exercise": exercise, "said": check.said}
        return {**about, "tries": check.tries, "minutes": minutes}

    def histograms(self, people: list[Person]) -> Iterable[dict[str, Any]]:
        """For each guess of a lesson: how many wrote what, the most frequent first."""
        keys = sorted({key for person in people for key in person.guesses})
        for lesson, name in keys:
            given = [
                each.guesses[lesson, name] for each in people if (lesson, name) in each.guesses
            ]
            counted = Counter(given)
            yield {
                "notebook": lesson,
                "name": name,
                "answers": [
                    {"guess": guess, "right": right, "people": number}
                    for (guess, right), number in counted.most_common()
                ],
            }


def note_check(person: Person, key: tuple[str, str], entry: dict[str, Any], now: float) -> None:
    check = person.checks.setdefault(key, Check(now))
    check.tries += 1
    if entry.get("passed") is True:
        check.passed = True
    check.said = first_advice(str(entry.get("said", "")))


def first_advice(said: str) -> str:
    """The first point of an answer that is not right yet, or nothing."""
    lines = (line.strip() for line in said.splitlines())
    wrong = next((line for line in lines if line.startswith("✗")), "")
    return shortened(wrong.removeprefix("✗"), 200)
