"""What a query of CloudWatch Logs Insights is made of: expressions, commands, and refusals.

The texts of the refusals are those that users of AWS report.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lark.tree import Meta

from helpers.localaws.logs import query_values as values
from helpers.localaws.logs.query_values import Row, Value

# What AWS knows beside it: the page named above, "Boolean, comparison, numeric, datetime, and
# other functions", and what follows from them.
ONLY_ON_AWS = re.compile(
    "pattern|diff|anomaly|unmask|unnest|expand|lookup|join|source|filterindex|addtotals|"
    "relevantfields|head|tail|search|order|estimate|stddev|earliest|latest|sortsfirst|sortslast|"
    "values|rate|datefloor|dateceil|frommillis|tomillis|now|case|if|jsonparse|jsonstringify|"
    "isempty|isblank|[lr]?trim|substr|replace|strcontains|startswith|endswith|greatest|least|"
    "log|sqrt|histogram|tonumber",
    re.IGNORECASE,
)
MOST_ROWS = 10_000  # GetQueryResults in the CloudWatch Logs API reference
MOST_STATS = 2  # "stats" in the User Guide
UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

Evaluate = Callable[[Row, Sequence[Row]], Value]


class Malformed(Exception):
    """A query that is refused, and which characters of it are to blame."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


@dataclass(frozen=True, slots=True)
class Expression:
    """What is computed for a row; for a group of rows if it `aggregates`."""

    value: Evaluate
    meta: Meta
    name: str = ""  # of the field, if it is nothing but one
    aggregates: bool = False
    period_ms: int | None = None  # if it is nothing but a period


@dataclass(frozen=True, slots=True)
class Column:
    """An expression and the name under which its value is shown, `defined` if `as` gave it."""

    name: str
    expression: Expression
    defined: bool


@dataclass(slots=True)
class Result:
    """The rows that a query has come to, and which of their fields are shown."""

    rows: list[Row]
    shown: list[str] = field(default_factory=list)
    extracted: list[str] = field(default_factory=list)
    matched: int = 0
    aggregated: bool = False


Step = Callable[[Result], None]


@dataclass(frozen=True, slots=True)
class Command:
    """A step of a query, and the fields that it defines."""

    word: str
    meta: Meta
    step: Step
    defines: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query that can be run."""

    commands: list[Command]

    def run(self, rows: list[Row], limit: int) -> Result:
        """What comes of these rows, newest first if nothing else is asked for.

        Raises Malformed if the query defines a field that is discovered in the events.
        """
        for command in self.commands:
            for name in command.defines:
                if any(name in row for row in rows):
                    already_defined(name, command.meta)
        newest_first = sorted(rows, key=lambda row: row["@timestamp"], reverse=True)
        result = Result(newest_first, matched=len(rows))
        for command in self.commands:
            command.step(result)
        del result.rows[limit:]
        return result


def already_defined(name: str, meta: Meta) -> NoReturn:
    message = f"Ephemeral field is already defined: {name}"
    raise Malformed(message, meta.start_pos, meta.end_pos)


# -- functions ---------------------------------------------------------------------------

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def one_number(compute: Callable[[float], float]) -> Callable[[Value], Value]:
    def on_value(value: Value) -> Value:
        number = values.number(value)
        return None if number is None else compute(number)

    return on_value


def one_text(compute: Callable[[str], Value]) -> Callable[[Value], Value]:
    return lambda value: None if value is None else compute(values.text(value))


def ceil_to_int(number: float) -> int:
    return -int(-number // 1)


FUNCTIONS: dict[str, tuple[int | None, Callable[..., Value]]] = {
    "ispresent": (1, lambda value: value is not None),
    "coalesce": (None, lambda *given: next((each for each in given if each is not None), None)),
    "concat": (None, lambda *given: "".join(map(values.text, given))),
    "abs": (1, one_number(abs)),
    "floor": (1, one_number(lambda number: int(number // 1))),
    "ceil": (1, one_number(ceil_to_int)),
    "strlen": (1, one_text(len)),
    "tolower": (1, one_text(str.lower)),
    "toupper": (1, one_text(str.upper)),
}
AGGREGATES: dict[str, Callable[[list[Value]], Value]] = {
    "sum": lambda given: sum(values.numbers(given)),
    "avg": values.mean,
    "min": values.least,
    "max": values.greatest,
    "count_distinct": lambda given: len({values.text(each) for each in given if each is not None}),
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """A column after `by`."""

    column: Column


def combined(meta: Meta, given: Iterable[Expression], compute: Callable[..., Value]) -> Expression:
    parts = list(given)

    def value(row: Row, group: Sequence[Row]) -> Value:
        return compute(*(part.value(row, group) for part in parts))

    return Expression(value, meta, aggregates=any(part.aggregates for part in parts))


def summary(
    by: list[Column], columns: list[Column], key: tuple[Value, ...], group: list[Row]
) -> Row:
    """The row that a group of rows becomes. A column sees those before it, by their names."""
    row: Row = {}
    for column, value in zip(by, key, strict=True):
        values.put(row, column.name, value)
    for column in columns:
        values.put(row, column.name, column.expression.value(row, group))
    return row


def no_aggregate(text: str, expression: Expression) -> None:
    """Refuse what only a `stats` can compute."""
    if expression.aggregates:
        said = text[expression.meta.start_pos : expression.meta.end_pos]
        unexpected(text, said.partition("(")[0].strip(), expression.meta.start_pos)


def unexpected(text: str, symbol: str, start: int) -> NoReturn:
    """Raise AWS's sentence for a symbol that cannot stand where it does."""
    line = text.count("\n", 0, start) + 1
    position = start - (text.rfind("\n", 0, start) + 1)
    message = f"unexpected symbol found {symbol} at line {line} and position {position}"
    if ONLY_ON_AWS.fullmatch(symbol):
        message += f" (AWS has {symbol}, the local AWS has not)"
    raise Malformed(message, start, min(start + len(symbol), len(text)))
