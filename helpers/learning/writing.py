"""What a learner has written into a cell, as a letter or as one line of text."""

from __future__ import annotations

from typing import Any


def as_letter(given: Any) -> str | None:
    """A small letter for "b", "B", " b) " or "b."; None for all else."""
    if not isinstance(given, str):
        return None
    letter = given.strip().rstrip(").").lower()
    return letter if len(letter) == 1 and letter.isalpha() else None


def shortened(given: Any, most: int = 200) -> str:
    """In one line of at most so many characters, however long it is and whatever it is."""
    try:
        text = " ".join(str(given).split())
    except Exception:  # noqa: BLE001 (what a learner writes may not even have a text)
        text = f"something of type {type(given).__name__}"
    return text if len(text) <= most else f"{text[: most - 1]}…"
