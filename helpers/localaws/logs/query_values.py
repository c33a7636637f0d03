"""The values of fields in CloudWatch Logs Insights: compared, aggregated and shown.

How numbers are shown, how values of different kinds are compared and which percentile is meant
is documented in part only: "Boolean, comparison, numeric, datetime, and other functions" and
"sort" in the CloudWatch Logs User Guide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Value = str | int | float | bool | None
Row = dict[str, Any]


class Time(int):
    """A point in time in ms, shown as a date."""


class Discovered(float):
    """A number in a line of Lambda's, shown as AWS shows it: 100.0, 1.28E8."""


def number(value: Value) -> float | int | None:
    """The number that a value is or can be read as."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    try:
        read = float(value) if value is not None else None
    except ValueError:
        return None
    if read is None or not math.isfinite(read):
        return None
    return int(read) if read.is_integer() else read


def text(value: Value) -> str:
    """A value as it is shown."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Time):
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    if isinstance(value, Discovered):
        return as_java(value)
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def as_java(value: float) -> str:
    """As Java writes a double: with an exponent from ten million on."""
    if abs(value) < 1e7:
        return repr(float(value))
    exponent = math.floor(math.log10(abs(value)))
    return f"{float(repr(value / 10**exponent))}E{exponent}"


def put(row: Row, name: str, value: Value) -> None:
    """Set a field, unless the value is none: then the row has no such field."""
    row.pop(name, None)
    if value is not None:
        row[name] = value


def compare(left: Value, right: Value, how: Callable[[Any, Any], bool]) -> bool:
    """As numbers if both are; otherwise as text. A field that is missing is like nothing."""
    if left is None or right is None:
        return False
    first, second = number(left), number(right)
    if first is not None and second is not None:
        return how(first, second)
    return how(text(left), text(right))


def arithmetic(left: Value, sign: str, right: Value) -> Value:
    first, second = number(left), number(right)
    if first is None or second is None or (second == 0 and sign in "/%"):
        return None
    if sign == "+":
        return first + second
    if sign == "-":
        return first - second
    if sign == "*":
        return first * second
    return first / second if sign == "/" else math.fmod(first, second)


def rank(value: Value) -> tuple[int, float, str]:
    """What to sort by: nothing, then text, then numbers ("sort" in the User Guide)."""
    if value is None:
        return 0, 0.0, ""
    as_number = number(value)
    return (1, 0.0, text(value)) if as_number is None else (2, as_number, "")


# -- what is computed of many --------------------------------------------------------------


def numbers(given: list[Value]) -> list[float]:
    return [each for each in map(number, given) if each is not None]


def count_present(given: list[Value]) -> Value:
    return sum(each is not None for each in given)


def mean(given: list[Value]) -> Value:
    found = numbers(given)
    return sum(found) / len(found) if found else None


def least(given: list[Value]) -> Value:
    return extreme(given, last=False)


def greatest(given: list[Value]) -> Value:
    return extreme(given, last=True)


def extreme(given: list[Value], last: bool) -> Value:
    present = sorted((each for each in given if each is not None), key=rank)
    if not present:
        return None
    found = present[-1 if last else 0]
    as_number = number(found)
    return found if as_number is None else as_number


def percentile(given: list[Value], percent: float) -> Value:
    """The smallest value that at least so many percent do not exceed (nearest rank)."""
    found = sorted(numbers(given))
    return found[max(math.ceil(len(found) * percent / 100), 1) - 1] if found else None


def floor_time(time: int, period_ms: int) -> Time:
    return Time(time - time % period_ms)


# -- patterns -------------------------------------------------------------------------------


def unquoted(literal: str) -> str:
    """What stands between quotes, where a backslash keeps a quote or a backslash."""
    return re.sub(r"\\([\"'\\])", r"\1", literal[1:-1])


def compiled(literal: str) -> re.Pattern[str]:
    """A regular expression between slashes, with groups that are named as in Java.

    Raises re.error.
    """
    return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", literal[1:-1]))


def searcher(literal: str) -> Callable[[str], object]:
    """What looks for a text in quotes or a regular expression between slashes."""
    if literal.startswith("/"):
        return compiled(literal).search
    wanted = unquoted(literal)
    return lambda whole: wanted in whole


def glob(pattern: str) -> re.Pattern[str]:
    """A pattern of `parse`, in which each asterisk is a field."""
    parts = [re.escape(part) for part in pattern.split("*")]
    end = "$" if pattern.endswith("*") else ""
    return re.compile("(.*?)".join(parts) + end, re.DOTALL)
