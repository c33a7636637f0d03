"""A guess beside what came, and why it came so.

A cell says `guess = None` and the reader writes a guess into it; the cells after it show the
evidence; then one of the three functions here holds the two side by side:

- `choice` for a letter of the options that the text lists,
- `number` for a number, right when it is near enough,
- `sentence` for words, which the reader judges.

Each prints three lines and returns nothing. None is a fine guess, and one that makes no sense
gets a sentence: no guess ever raises an exception, so a run of all cells goes on.
"""

from __future__ import annotations

import math
from typing import Any

from helpers.learning import record
from helpers.learning.writing import as_letter, shortened

NO_GUESS = "nothing this time. A guess costs nothing, and a wrong one teaches most."


def choice(name: str, guess: Any, *, right: str, it_was: str, why: str) -> None:
    """Compare a guessed letter with the right one.

    `right` is a small letter, such as "c", and `it_was` what it stands for.
    """
    letter = as_letter(guess)
    if letter is None:
        said = f'{shortened(guess)}, which is no letter of the list; write one, such as "a".'
    else:
        said = f"{letter}, and that is right." if letter == right else f"{letter}."
    tell(name, guess, said, f"{right}, {it_was}", why, right=letter == right if letter else None)


def number(
    name: str, guess: Any, seen: float, *, unit: str, why: str, within: float = 0, factor: float = 1
) -> None:
    """Compare a guessed number with what was seen.

    It is right when it differs by no more than `within`, in `unit`, or is neither more than
    `factor` times as much nor as many times less. A text such as "1,000" is a number too.
    """
    guessed = as_number(guess)
    if guessed is None:
        said, right = f"{shortened(guess)}, which is no number; write one, such as 3.", None
    else:
        right = abs(guessed - seen) <= within or seen / factor <= guessed <= seen * factor
        said = f"{guessed:,g} {unit}, and that is {'right' if right else 'not it'}."
    tell(name, guess, said, f"{seen:,g} {unit}", why, right=right)


def sentence(name: str, guess: Any, *, it_was: str, why: str) -> None:
    """Show a guess in words beside what came. Whether it was right is for the reader to say."""
    tell(name, guess, shortened(guess), it_was, why, right=None)


def tell(name: str, guess: Any, guessed: str, it_was: str, why: str, *, right: bool | None) -> None:
    """Print guess, fact and reason. Only a guess is noted in the record."""
    print("You guessed:", NO_GUESS if guess is None else guessed)
    print("It was:", it_was if it_was.endswith(".") else f"{it_was}.")
    print("Why:", why)
    if guess is not None:
        record.note("guess", name, guess=shortened(guess), right=right)


def as_number(guess: Any) -> float | None:
    """A number, or a text that is one; None for all else."""
    if isinstance(guess, bool) or not isinstance(guess, (int, float, str)):
        return None
    try:
        value = float(guess.replace(",", "") if isinstance(guess, str) else guess)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
