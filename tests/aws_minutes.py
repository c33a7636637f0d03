"""How long the cells of each notebook take on AWS: `data/aws_minutes.csv`, from the rehearsal.

Written by `python -m tests.rehearse --record`, of profile typical at scale 1: about as long as on
AWS, as far as anybody has measured AWS.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from statistics import median
from typing import Any

from helpers.localaws.settings import LikeAws
from tests.notebook_files import NAMES, ROOT

TABLE = ROOT / "data" / "aws_minutes.csv"
COLUMNS = ("notebook", "minutes", "seeds", "measured_on")
# A rehearsal's waits are drawn by its seed, and a night's computer may be slow.
FACTOR, SPARE_MINUTES = 1.5, 1.0


def table() -> dict[str, dict[str, str]]:
    """The rows, by notebook."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["notebook"]: row for row in csv.DictReader(file)}


def minutes_on_aws(name: str) -> float:
    return float(table()[name]["minutes"])


def is_as_on_aws(like: LikeAws) -> bool:
    """Whether minutes of such a rehearsal can stand in the table."""
    return like.profile == "typical" and like.scale == 1


def medians(rows: Iterable[Any]) -> dict[str, float]:
    """The median minutes of each notebook that passed with all seeds."""
    rows = list(rows)
    failed = {row.name for row in rows if row.why}
    return {
        name: median(row.minutes for row in rows if row.name == name)
        for name in dict.fromkeys(row.name for row in rows)
        if name not in failed
    }


def record(rows: list[Any], today: date) -> None:
    """Put what was measured into the table; rows of other notebooks stay."""
    seeds = " ".join(map(str, sorted({row.seed for row in rows})))
    found = table() | {
        name: {
            "notebook": name,
            "minutes": f"{minutes:.1f}",
            "seeds": seeds,
            "measured_on": today.isoformat(),
        }
        for name, minutes in medians(rows).items()
    }
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found[name] for name in NAMES if name in found)


def strays(rows: list[Any]) -> list[str]:
    """A sentence for each notebook that took much longer, or less, than the table says."""
    stored = table()
    return [
        f"{name} took {minutes:.1f} minutes, and {TABLE.name} says {stored[name]['minutes']}: "
        "measure again with --record, and mend its footer."
        for name, minutes in medians(rows).items()
        if name in stored and is_far(minutes, float(stored[name]["minutes"]))
    ]


def is_far(one: float, other: float) -> bool:
    return max(one, other) > FACTOR * min(one, other) + SPARE_MINUTES


def in_words(minutes: float) -> str:
    """Minutes as a footer says them."""
    if minutes < 0.95:
        return "less than a minute"
    return f"about {minutes:.0f} minute{'s' if round(minutes) > 1 else ''}"
