"""What a notebook will make on a real account, and what that may cost there."""

from __future__ import annotations

from dataclasses import fields

from helpers import prices
from helpers.account.names import WRITES, Names, name

MONTH_S = 30 * 86_400
MOST_USD = 0.01  # for one run: no notebook makes more than some thousand requests and calls
CLEAN_UP = "99_clean_up"


def describe(notebook: str) -> str:
    """Two lines: what the notebook will make or change, by name, and the most that it may cost."""
    if notebook == CLEAN_UP:
        return "It deletes what the course made, after it has listed it. That costs nothing."
    wanted = WRITES[notebook]
    return f"It makes or changes: {in_words(wanted)}.\n{cost_of(wanted)}"


def in_words(wanted: Names) -> str:
    """All names, with the learner's prefix, by kind."""
    kinds = {
        field.name: [name(each) for each in getattr(wanted, field.name)] for field in fields(wanted)
    }
    parts = [f"{kind} {', '.join(found)}" for kind, found in kinds.items() if found]
    if wanted.functions:
        parts.append("their triggers and log groups")
    return "; ".join(parts)


def cost_of(wanted: Names) -> str:
    """The most that one run may cost, and what goes on costing. Free requests are not counted."""
    once = f"To run it once costs less than {MOST_USD:.2f} USD"
    if not (wanted.functions and wanted.queues):
        return f"{once}."
    idle_usd = prices.SQS_REQUEST.of(prices.idle_polls(MONTH_S))
    return f"{once}; a trigger that is left on asks its queue for {idle_usd:.2f} USD a month."
