"""What the judge says of one thing that was asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`right` is None where nobody could see it: that costs no trust, and brings no point.

    `seen` says what was seen; when it is not right, `advice` says what to do, and `lesson` has the
    number of the notebook that teaches it.
    """

    asked: str
    right: bool | None
    seen: str
    advice: str = ""
    lesson: str = ""

    @property
    def sentence(self) -> str:
        """What was seen, and where it is wrong what to do and where to read."""
        if self.right:
            return self.seen
        where = f" Read {self.lesson} again." if self.lesson else ""
        return f"{self.seen} {self.advice}{where}".strip()


def judged(asked: str, right: bool, praise: str, wrong: str, advice: str, lesson: str) -> Row:
    """A row that says `praise`, or what is wrong and what to do."""
    return Row(asked, True, praise) if right else Row(asked, False, wrong, advice, lesson)


def unseen(asked: str, why: str) -> Row:
    """A row that nobody could see, with AWS's own words."""
    return Row(asked, None, f"AWS did not let the judge look: {why}.")


def some(ids: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first of some ids, in words."""
    return ", ".join(ids[:most]) + (" …" if len(ids) > most else "")
