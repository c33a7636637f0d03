"""The query language of CloudWatch Logs Insights: a query string becomes steps over log events.

Known here are the commands fields, display, filter, parse, stats, sort, limit and dedup, with the
operators and functions below. Everything else is refused, also what AWS would accept: a query
that is answered is answered whole. Source: "CloudWatch Logs Insights language query syntax" in
the CloudWatch Logs User Guide; the texts of refusals are those that users of AWS report.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Sequence
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError
from lark.tree import Meta

from helpers.localaws.logs import query_values as values
from helpers.localaws.logs.query_parts import (
    AGGREGATES,
    COMPARISONS,
    FUNCTIONS,
    MOST_ROWS,
    MOST_STATS,
    UNIT_MS,
    Column,
    Command,
    Expression,
    Grouping,
    Malformed,
    Query,
    Result,
    already_defined,
    combined,
    no_aggregate,
    summary,
    unexpected,
)
from helpers.localaws.logs.query_values import Row, Value

GRAMMAR = r"""
start: _command ("|" _command)*
_command: fields | display | filter | parse | stats | sort | limit | dedup

fields: "fields"i column ("," column)*
display: "display"i name ("," name)*
filter: "filter"i _condition
parse: "parse"i name (STRING "as"i name ("," name)* | REGEX)
stats: "stats"i column ("," column)* ("by"i group ("," group)*)?
sort: "sort"i "by"i? key ("," key)*
limit: "limit"i NUMBER
dedup: "dedup"i name ("," name)*

column: _sum ("as"i name)?
group: _sum ("as"i name)?
key: name ORDER?
name: NAME | QUOTED

_condition: either | _both
either: _both ("or"i _both)+
_both: both | _negated
both: _negated ("and"i _negated)+
_negated: negation | _comparison
negation: "not"i _negated
_comparison: comparison | likeness | membership | _sum
comparison: _sum COMPARED _sum
likeness: _sum NOT? ("like"i | "=~") (STRING | REGEX)
membership: _sum NOT? "in"i "[" _literal ("," _literal)* "]"
_literal: text | number
_sum: added | _product
added: _sum ADD _product
_product: multiplied | _signed
multiplied: _product MULTIPLY _signed
_signed: negative | _atom
negative: "-" _atom
_atom: number | text | period | call | reference | "(" _condition ")"
call: NAME "(" (STAR | _condition ("," _condition)*)? ")"
reference: name
number: NUMBER
text: STRING
period: PERIOD

ORDER: "asc"i | "desc"i
NOT: "not"i
COMPARED: /!=|[<>]=?|=(?!~)/
ADD: "+" | "-"
STAR: "*"
MULTIPLY: "*" | "/" | "%"
PERIOD.2: /\d+(ms|[smhd])\b/
NUMBER: /\d+(\.\d+)?/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
REGEX: /\/(\\.|[^\/\\\n])+\//
QUOTED: /`[^`]+`/
NAME: /@*[a-z_]\w*(\.\w+)*/i
%ignore /\s+/
%ignore /#[^\n]*/
"""


# -- from the tree of a query to its steps -----------------------------------------------


@v_args(meta=True)
class Steps(Transformer[Token, Query]):
    """Makes the steps. Its methods are the rules of the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _said(self, meta: Meta) -> str:
        return self._text[meta.start_pos : meta.end_pos].strip()

    def start(self, _meta: Meta, commands: list[Command]) -> Query:
        words: list[str] = []
        defined: set[str] = set()
        extracted: set[str] = set()
        for command in commands:
            too_many = command.word == "stats" and words.count("stats") == MOST_STATS
            if too_many or ("dedup" in words and command.word != "limit"):
                unexpected(self._text, command.word, command.meta.start_pos)
            # What parse has extracted is shown anyway, and AWS refuses to list it again.
            for name in (*command.defines, *extracted.intersection(command.lists)):
                if name in defined:
                    already_defined(name, command.meta)
                defined.add(name)
            if command.word == "parse":
                extracted.update(command.defines)
            if command.word == "stats":  # what comes after it sees nothing of what was before
                defined, extracted = set(command.defines), set()
            words.append(command.word)
        return Query(commands)

    # -- commands --

    def fields(self, meta: Meta, columns: list[Column]) -> Command:
        for column in columns:
            no_aggregate(self._text, column.expression)

        def step(result: Result) -> None:
            for column in columns:
                if column.name != column.expression.name:
                    for row in result.rows:
                        values.put(row, column.name, column.expression.value(row, ()))
                if column.name not in result.shown:
                    result.shown.append(column.name)

        new = tuple(each.name for each in columns if each.defined)
        listed = tuple(each.name for each in columns if not each.defined)
        return Command("fields", meta, step, new, listed)

    def display(self, meta: Meta, names: list[str]) -> Command:
        def step(result: Result) -> None:
            result.shown, result.extracted = list(names), []

        return Command("display", meta, step)

    def filter(self, meta: Meta, given: list[Expression]) -> Command:
        condition = given[0]
        no_aggregate(self._text, condition)

        def step(result: Result) -> None:
            result.rows = [row for row in result.rows if condition.value(row, ()) is True]
            if not result.aggregated:
                result.matched = len(result.rows)

        return Command("filter", meta, step)

    def parse(self, meta: Meta, given: list[Any]) -> Command:
        source, pattern, *names = given
        if pattern.type == "REGEX":
            expression = values.compiled(pattern)
            names = list(expression.groupindex)
        else:
            expression = values.glob(values.unquoted(pattern))
        if not names or expression.groups != len(names):
            raise Malformed(
                f"parse extracts {expression.groups} fields, and {len(names)} are named",
                meta.start_pos,
                meta.end_pos,
            )

        def step(result: Result) -> None:
            for row in result.rows:
                found = expression.search(values.text(row.get(source, "")))
                if found:
                    row.update(zip(names, found.groups(""), strict=True))
            result.extracted += names

        return Command("parse", meta, step, tuple(names))

    def stats(self, meta: Meta, given: list[Column | Grouping]) -> Command:
        columns = [each for each in given if isinstance(each, Column)]
        by = [each.column for each in given if isinstance(each, Grouping)]
        for number, column in enumerate(columns):
            # What aggregates nothing computes with columns before it.
            if not column.expression.aggregates and (number == 0 or column.expression.name):
                place = column.expression.meta
                unexpected(self._text, self._said(place), place.start_pos)

        def step(result: Result) -> None:
            groups: dict[tuple[Value, ...], list[Row]] = {}
            for row in result.rows:
                key = tuple(column.expression.value(row, ()) for column in by)
                groups.setdefault(key, []).append(row)
            result.rows = [summary(by, columns, *group) for group in groups.items()]
            result.shown, result.extracted = [each.name for each in (*by, *columns)], []
            result.aggregated = True

        names = tuple(each.name for each in (*by, *columns) if each.defined)
        return Command("stats", meta, step, names)

    def sort(self, meta: Meta, keys: list[tuple[str, bool]]) -> Command:
        def step(result: Result) -> None:
            for name, descending in reversed(keys):
                result.rows.sort(key=lambda row: values.rank(row.get(name)), reverse=descending)

        return Command("sort", meta, step)

    def limit(self, meta: Meta, given: list[Token]) -> Command:
        count = float(given[0])
        if not count.is_integer() or not 1 <= count <= MOST_ROWS:
            unexpected(self._text, str(given[0]), given[0].start_pos or 0)

        def step(result: Result) -> None:
            del result.rows[int(count) :]

        return Command("limit", meta, step)

    def dedup(self, meta: Meta, names: list[str]) -> Command:
        def step(result: Result) -> None:
            first: dict[tuple[Value, ...], Row] = {}
            for row in result.rows:
                if all(name in row for name in names):  # AWS leaves out what lacks one of them
                    first.setdefault(tuple(row[name] for name in names), row)
            result.rows = list(first.values())

        return Command("dedup", meta, step)

    # -- their parts --

    def column(self, meta: Meta, given: list[Any]) -> Column:
        expression = given[0]
        name = given[1] if len(given) > 1 else expression.name or self._said(meta)
        return Column(name, expression, defined=len(given) > 1)

    def group(self, meta: Meta, given: list[Any]) -> Grouping:
        no_aggregate(self._text, given[0])
        return Grouping(self.column(meta, given))

    def key(self, _meta: Meta, given: list[Any]) -> tuple[str, bool]:
        return given[0], len(given) > 1 and given[1].lower() == "desc"

    def name(self, _meta: Meta, given: list[Token]) -> str:
        return str(given[0]).strip("`")

    def reference(self, meta: Meta, given: list[str]) -> Expression:
        return Expression(lambda row, _: row.get(given[0]), meta, name=given[0])

    def number(self, meta: Meta, given: list[Token]) -> Expression:
        constant = values.number(str(given[0]))
        return Expression(lambda *_: constant, meta)

    def text(self, meta: Meta, given: list[Token]) -> Expression:
        constant = values.unquoted(given[0])
        return Expression(lambda *_: constant, meta)

    def period(self, meta: Meta, given: list[Token]) -> Expression:
        number, unit = re.findall(r"\d+|[a-z]+", given[0].lower())
        period_ms = int(number) * UNIT_MS[unit]
        if period_ms == 0:
            unexpected(self._text, str(given[0]), meta.start_pos)
        return Expression(lambda *_: period_ms, meta, period_ms=period_ms)

    def either(self, meta: Meta, given: list[Expression]) -> Expression:
        return combined(meta, given, lambda *each: any(value is True for value in each))

    def both(self, meta: Meta, given: list[Expression]) -> Expression:
        return combined(meta, given, lambda *each: all(value is True for value in each))

    def negation(self, meta: Meta, given: list[Expression]) -> Expression:
        return combined(meta, given, lambda value: value is not True)

    def comparison(self, meta: Meta, given: list[Any]) -> Expression:
        left, sign, right = given
        compare = COMPARISONS[sign]
        return combined(meta, [left, right], lambda a, b: values.compare(a, b, compare))

    def likeness(self, meta: Meta, given: list[Any]) -> Expression:
        subject, *negated, pattern = given
        search = values.searcher(pattern)

        def like(value: Value) -> Value:
            if value is None:
                return bool(negated)
            return bool(search(values.text(value))) is not bool(negated)

        return combined(meta, [subject], like)

    def membership(self, meta: Meta, given: list[Any]) -> Expression:
        subject, *rest = given
        negated = bool(rest) and isinstance(rest[0], Token)
        options = rest[1:] if negated else rest

        def within(value: Value, *allowed: Value) -> Value:
            found = any(values.compare(value, each, operator.eq) for each in allowed)
            return found is not negated

        return combined(meta, [subject, *options], within)

    def added(self, meta: Meta, given: list[Any]) -> Expression:
        return self._arithmetic(meta, given)

    def multiplied(self, meta: Meta, given: list[Any]) -> Expression:
        return self._arithmetic(meta, given)

    def _arithmetic(self, meta: Meta, given: list[Any]) -> Expression:
        left, sign, right = given
        return combined(meta, [left, right], lambda a, b: values.arithmetic(a, str(sign), b))

    def negative(self, meta: Meta, given: list[Expression]) -> Expression:
        return combined(meta, given, lambda value: values.arithmetic(0, "-", value))

    def call(self, meta: Meta, given: list[Any]) -> Expression:
        word, *arguments = given
        called = word.lower()
        if called == "bin":
            return self._bin(meta, word, arguments)
        if called in ("count", "pct", *AGGREGATES):
            return self._aggregate(meta, word, arguments)
        arity, compute = FUNCTIONS.get(called, (-1, None))
        if compute is None or (arity is not None and len(arguments) != arity) or not arguments:
            unexpected(self._text, str(word), meta.start_pos)
        return combined(meta, arguments, compute)

    def _bin(self, meta: Meta, word: Token, arguments: list[Expression]) -> Expression:
        period_ms = arguments[0].period_ms if len(arguments) == 1 else None
        if period_ms is None:
            unexpected(self._text, str(word), meta.start_pos)
        return Expression(lambda row, _: values.floor_time(row["@timestamp"], period_ms), meta)

    def _aggregate(self, meta: Meta, word: Token, arguments: list[Any]) -> Expression:
        called = word.lower()
        wanted = {"count": (0, 1), "pct": (2,)}.get(called, (1,))
        counts_all = not arguments or isinstance(arguments[0], Token)
        if len(arguments) not in wanted or (counts_all and called != "count"):
            unexpected(self._text, str(word), meta.start_pos)
        if counts_all:
            return Expression(lambda _, group: len(group), meta, aggregates=True)
        subject = arguments[0]
        no_aggregate(self._text, subject)
        compute = AGGREGATES.get(called, values.count_present)
        if called == "pct":
            percent = values.number(arguments[1].value({}, ()))
            if percent is None or not 0 <= percent <= 100:
                unexpected(self._text, self._said(arguments[1].meta), arguments[1].meta.start_pos)
            compute = functools.partial(values.percentile, percent=percent)

        def over_group(_: Row, group: Sequence[Row]) -> Value:
            return compute([subject.value(row, ()) for row in group])

        return Expression(over_group, meta, aggregates=True)


@functools.cache
def parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


@functools.lru_cache(maxsize=100)
def compile_query(text: str) -> Query:
    """The steps of a query string. Raises Malformed."""
    try:
        return Steps(text).transform(parser().parse(text))
    except UnexpectedInput as error:
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            unexpected(text, "<EOF>", len(text))
        start = error.pos_in_stream or 0
        token = str(getattr(error, "token", "")) or text[start : start + 1]
        unexpected(text, token, start)
    except VisitError as error:
        cause = error.orig_exc
        if isinstance(cause, re.error):
            cause = Malformed(f"invalid regular expression: {cause}", 0, len(text))
        raise cause from None
    except RecursionError:
        raise Malformed("the query is nested too deeply", 0, len(text)) from None
