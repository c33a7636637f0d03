"""Which state an alarm is in, from the data points of its last periods: M of N, missing data.

CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing
data", with its tables of examples. AWS looks at more periods than N, the evaluation range; how
many is documented for one example only: 5 for N = 3. Here they are N + 2.

No clock and no store: `evaluate` says the same for the same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT)
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
TREATMENTS = (BREACHING, NOT_BREACHING, IGNORE, MISSING)
MORE_PERIODS = 2  # of the evaluation range, beside the N that are evaluated
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit),
    "GreaterThanThreshold": (lambda value, limit: value > limit),
    "LessThanThreshold": (lambda value, limit: value < limit),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit),
}


class Period(NamedTuple):
    """A period of an evaluation range. `value` is None without data; `samples`: of how many."""

    start_s: int
    value: float | None
    samples: float = 1.0


class Rule(NamedTuple):
    """What of an alarm decides about its state. `m` of `n` periods must be breaching."""

    comparison: str
    threshold: float
    n: int
    m: int
    treatment: str = MISSING

    def breaks(self, period: Period) -> bool:
        """Whether a period with a value is breaching."""
        return bool(COMPARISONS[self.comparison](period.value, self.threshold))


class Verdict(NamedTuple):
    """What an evaluation found. `state` None: the alarm keeps the one it has.

    `found` has the periods with data that were looked at, the newest first, and `filled` says
    how many missing ones were taken for breaching or not breaching.
    """

    state: str | None
    found: list[Period]
    filled: int = 0


def range_length(n: int) -> int:
    """How many periods an alarm looks at."""
    return n + MORE_PERIODS


def evaluate(rule: Rule, periods: Sequence[Period]) -> Verdict:
    """Look at the periods of an evaluation range, the oldest first."""
    newest_first = list(reversed(periods))
    found = [period for period in newest_first if period.value is not None][: rule.n]
    breaching = sum(rule.breaks(period) for period in found)
    missing = rule.n - len(found)
    if not missing:
        return Verdict(ALARM if breaching >= rule.m else OK, found)
    if rule.treatment == BREACHING:
        return Verdict(ALARM if breaching + missing >= rule.m else OK, found, missing)
    if rule.treatment == NOT_BREACHING:
        return Verdict(ALARM if breaching >= rule.m else OK, found, missing)
    return Verdict(with_data_missing(rule, newest_first, found, breaching), found)


def with_data_missing(
    rule: Rule, newest_first: list[Period], found: list[Period], breaching: int
) -> str | None:
    """The state when there are too few data, and nothing is taken for those that are missing.

    An alarm is not to go off too early: data that are all breaching but too few for M put it
    into ALARM only when the oldest of them is at least M periods old.
    """
    if not found:
        return INSUFFICIENT if rule.treatment == MISSING else None
    if breaching >= rule.m:
        return ALARM
    if breaching < len(found):
        return OK
    oldest = newest_first.index(found[-1]) + 1
    return ALARM if oldest >= rule.m and rule.treatment == MISSING else None
