"""The sentences and the JSON with which CloudWatch explains the state of an alarm.

Forms: as users of AWS report them from DescribeAlarms, DescribeAlarmHistory and notifications of
2019 to 2026.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from helpers.localaws.metrics.evaluation import (
    ALARM,
    BREACHING,
    INSUFFICIENT,
    Period,
    Rule,
    Verdict,
)

INITIAL = "Unchecked: Initial alarm creation"
MANY = 5  # from so many data points on, only the last ones are named, after the sentence
WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def counted(count: int, word: str) -> str:
    """
    >>> counted(1, "datapoint"), counted(2, "datapoint")
    ('1 datapoint', '2 datapoints')
    """
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def were(count: int) -> str:
    return "was" if count == 1 else "were"


def iso(at_s: float) -> str:
    """A time as CloudWatch writes it in JSON.

    >>> iso(0.5)
    '1970-01-01T00:00:00.500+0000'
    """
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"


def shown(period: Period) -> str:
    return f"{period.value} ({datetime.fromtimestamp(period.start_s, UTC):%d/%m/%y %H:%M:%S})"


def reason(rule: Rule, verdict: Verdict, says_m: bool) -> str:
    """Why an alarm is in the state of a verdict. `says_m`: it was made with DatapointsToAlarm."""
    if verdict.state == INSUFFICIENT:
        return f"Insufficient Data: {counted(rule.n, 'datapoint')} {were(rule.n)} unknown."
    if not verdict.found:
        return (
            f"Threshold Crossed: no datapoints were received for {counted(rule.n, 'period')} and "
            f"{treated(rule, verdict)}."
        )
    crossing = [each for each in verdict.found if rule.breaks(each) == (verdict.state == ALARM)]
    if not crossing:
        return (
            f"Threshold Crossed: {counted(len(verdict.found), 'datapoint')} "
            f"{were(len(verdict.found))} received for {counted(rule.n, 'period')} and "
            f"{treated(rule, verdict)}."
        )
    return f"Threshold Crossed: {of_crossing(rule, verdict, crossing, says_m)}."


def of_crossing(rule: Rule, verdict: Verdict, crossing: list[Period], says_m: bool) -> str:
    count = len(crossing)
    points = f"[{', '.join(map(shown, crossing[:MANY]))}]"
    who = counted(count, "datapoint")
    if says_m:
        who = f"{count} out of the last {counted(rule.n, 'datapoint')}"
        who = who if who.endswith("s") else who + "s"
    negation = "" if verdict.state == ALARM else "not "
    what = f"{were(count)} {negation}{WORDS[rule.comparison]} the threshold ({rule.threshold})"
    told = f"{who} {points} {what}" if count < MANY else (
        f"{who} {what}. The most recent datapoints which crossed the threshold: {points}"
    )  # fmt: skip
    if verdict.filled:
        told += f" and {treated(rule, verdict)}"
    return told + (f" ({minimum(rule, verdict)})" if says_m else "")


def treated(rule: Rule, verdict: Verdict) -> str:
    how = "Breaching" if rule.treatment == BREACHING else "NonBreaching"
    count = verdict.filled
    return f"{counted(count, 'missing datapoint')} {were(count)} treated as [{how}]"


def minimum(rule: Rule, verdict: Verdict) -> str:
    if verdict.state == ALARM:
        return f"minimum {counted(rule.m, 'datapoint')} for OK -> ALARM transition"
    return f"minimum {counted(rule.n - rule.m + 1, 'datapoint')} for ALARM -> OK transition"


def reason_data(
    rule: Rule,
    verdict: Verdict,
    last: Sequence[Period],
    now_s: float,
    statistic: str | None,
    unit: str | None,
    period_s: int,
) -> str:
    """StateReasonData. `last`: the periods that were looked at, the oldest first."""
    oldest_first = list(reversed(verdict.found))
    evaluated = [described(each) for each in verdict.found]
    unknown = [described(each) for each in reversed(last)][: rule.n]
    about: dict[str, Any] = {
        "version": "1.0",
        "queryDate": iso(now_s),
        "startDate": iso(oldest_first[0].start_s) if oldest_first else None,
        "unit": unit,
        "statistic": statistic,
        "period": period_s,
        "recentDatapoints": [each.value for each in oldest_first],
        "threshold": rule.threshold,
        "evaluatedDatapoints": evaluated or unknown,
    }
    return json.dumps(
        {name: value for name, value in about.items() if value is not None}, separators=(",", ":")
    )


def described(period: Period) -> dict[str, Any]:
    if period.value is None:
        return {"timestamp": iso(period.start_s)}
    return {
        "timestamp": iso(period.start_s),
        "sampleCount": period.samples,
        "value": period.value,
    }


def summary_of_update(old: str, new: str) -> str:
    """
    >>> summary_of_update("OK", "ALARM")
    'Alarm updated from OK to ALARM'
    """
    return f"Alarm updated from {old} to {new}"
