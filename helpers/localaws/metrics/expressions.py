"""Metric math: the part of it that is modelled; all else is refused, never silently empty.

Numbers, ids of other queries, + - * / ^, comparisons, and the functions in `FUNCTIONS`. CloudWatch
User Guide, "Using math expressions with CloudWatch metrics". An expression is read by Python's
own parser, whose grammar it is a part of.

A time series is a dictionary from the begin of a period, in s, to its value. Between two of them
an operator works where both have a value; a division by zero has no result.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import TypeAlias

Line: TypeAlias = dict[int, float]
Value: TypeAlias = "float | Line | list[Line]"

MOST_CHARACTERS = 2_048
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class WrongExpression(ValueError):
    """An expression that AWS would refuse, or that is not modelled here; its text says why."""


class Expression:
    """An expression, and the ids that it needs. Raises WrongExpression."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise WrongExpression(f"An expression has at most {MOST_CHARACTERS} characters.")
        if text.strip().upper().startswith(("SELECT ", "SEARCH(")):
            raise WrongExpression("Metrics Insights and SEARCH are not modelled here.")
        try:
            self._tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise WrongExpression("Syntax error in expression") from None
        self.needs_all = "METRICS" in called_names(self._tree)
        self.ids = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)} - {
            *called_names(self._tree),
            *WORDS,
        }

    def evaluate(self, known: dict[str, Line], metric_ids: Sequence[str], grid: range) -> Value:
        """Its value. `known`: lines by id; `metric_ids`: what METRICS() means.

        `grid` has the begin of each period that is asked for: FILL fills these.
        """
        try:
            return Evaluation(known, metric_ids, grid).of(self._tree)
        except RecursionError:
            raise WrongExpression("The expression is nested too deeply.") from None


WORDS = ("REPEAT", "LINEAR")


def called_names(tree: ast.AST) -> set[str]:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {name.id for name in calls if isinstance(name, ast.Name)}


class Evaluation:
    """The evaluation of one expression."""

    def __init__(self, known: dict[str, Line], metric_ids: Sequence[str], grid: range) -> None:
        self.known = known
        self.metric_ids = metric_ids
        self.grid = grid

    def of(self, node: ast.AST) -> Value:
        kind = KINDS.get(type(node))
        if kind is None:
            raise WrongExpression("Syntax error in expression")
        return kind(self, node)

    def number(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise WrongExpression("Only numbers and ids of metrics are modelled here.")
        return float(node.value)

    def name(self, node: ast.Name) -> Value:
        if node.id not in self.known:
            raise WrongExpression(f"Unrecognized identifier: {node.id}")
        return self.known[node.id]

    def array(self, node: ast.List) -> Value:
        made = [self.of(each) for each in node.elts]
        lines = [each for each in made if isinstance(each, dict)]
        if len(lines) < len(made):
            raise WrongExpression("An array takes time series only.")
        return lines

    def negative(self, node: ast.UnaryOp) -> Value:
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            raise WrongExpression("Syntax error in expression")
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return each_value(self.of(node.operand), lambda value: sign * value)

    def operation(self, node: ast.BinOp) -> Value:
        function = OPERATORS.get(type(node.op))
        if function is None:
            raise WrongExpression("Syntax error in expression")
        return combine(function, self.of(node.left), self.of(node.right))

    def comparison(self, node: ast.Compare) -> Value:
        function = OPERATORS.get(type(node.ops[0])) if len(node.ops) == 1 else None
        if function is None:
            raise WrongExpression("Syntax error in expression")
        return combine(function, self.of(node.left), self.of(node.comparators[0]))

    def call(self, node: ast.Call) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords:
            raise WrongExpression(f"Function {name or '?'} is unknown or not modelled here.")
        return FUNCTIONS[name](self, node.args)


KINDS: dict[type, Callable[..., Value]] = {
    ast.Constant: Evaluation.number,
    ast.Name: Evaluation.name,
    ast.List: Evaluation.array,
    ast.UnaryOp: Evaluation.negative,
    ast.BinOp: Evaluation.operation,
    ast.Compare: Evaluation.comparison,
    ast.Call: Evaluation.call,
}


def each_value(value: Value, function: Callable[[float], float]) -> Value:
    if isinstance(value, list):
        return [{at: function(v) for at, v in line.items()} for line in value]
    if isinstance(value, dict):
        return {at: function(v) for at, v in value.items()}
    return function(value)


def combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """An operator between numbers and time series; with an array, for each of its lines."""
    if isinstance(left, list) and isinstance(right, list):
        raise WrongExpression("An operator between two arrays is not modelled here.")
    if isinstance(left, list):
        return [combine_lines(function, line, right) for line in left]
    if isinstance(right, list):
        return [combine_lines(function, left, line) for line in right]
    if isinstance(left, dict) or isinstance(right, dict):
        return combine_lines(function, left, right)
    result = safely(function, left, right)
    if result is None:
        raise WrongExpression("A number of the expression is divided by zero.")
    return result


def combine_lines(
    function: Callable[[float, float], float], left: float | Line, right: float | Line | Value
) -> Line:
    lines = [side for side in (left, right) if isinstance(side, dict)]
    found: Line = {}
    for at in sorted(set.intersection(*map(set, lines))):
        one = left[at] if isinstance(left, dict) else left
        other = right[at] if isinstance(right, dict) else right
        assert not isinstance(other, list)
        result = safely(function, one, other)
        if result is not None:
            found[at] = result
    return found


def safely(function: Callable[[float, float], float], one: float, other: float) -> float | None:
    try:
        result = float(function(one, other))
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return result if math.isfinite(result) else None


# -- functions ---------------------------------------------------------------------------


def one_line(self: Evaluation, arguments: list[ast.expr], name: str) -> Line:
    value = self.of(arguments[0]) if arguments else 0.0
    if not isinstance(value, dict):
        raise WrongExpression(f"{name} takes a time series.")
    return value


def fill(self: Evaluation, arguments: list[ast.expr]) -> Value:
    """FILL(line, number or line or REPEAT or LINEAR): a value for each period without one."""
    if len(arguments) != 2:
        raise WrongExpression("FILL takes two arguments.")
    line, how = one_line(self, arguments, "FILL"), arguments[1]
    if isinstance(how, ast.Name) and how.id in WORDS:
        return repeat(line, self.grid) if how.id == "REPEAT" else interpolate(line, self.grid)
    filler = self.of(how)
    if isinstance(filler, list):
        raise WrongExpression("FILL takes a number, a time series, REPEAT or LINEAR.")
    if isinstance(filler, dict):
        return {at: line.get(at, filler.get(at, 0.0)) for at in self.grid if at in {*line, *filler}}
    return {at: line.get(at, filler) for at in self.grid}


def repeat(line: Line, grid: range) -> Line:
    found: Line = {}
    last = None
    for at in grid:
        last = line.get(at, last)
        if last is not None:
            found[at] = last
    return found


def interpolate(line: Line, grid: range) -> Line:
    known = sorted(line)
    found: Line = {}
    for at in grid:
        before = [each for each in known if each <= at]
        after = [each for each in known if each >= at]
        if before and after:
            low, high = before[-1], after[0]
            part = (at - low) / (high - low) if high > low else 0.0
            found[at] = line[low] + (line[high] - line[low]) * part
    return found


def aggregate(name: str, function: Callable[[list[float]], float]) -> Callable[..., Value]:
    """SUM, AVG, MIN, MAX: of an array a line, of a line a number."""

    def apply(self: Evaluation, arguments: list[ast.expr]) -> Value:
        value = self.of(arguments[0]) if len(arguments) == 1 else 0.0
        if isinstance(value, list):
            times = sorted({at for line in value for at in line})
            return {at: function([line[at] for line in value if at in line]) for at in times}
        if not isinstance(value, dict):
            raise WrongExpression(f"{name} takes a time series or an array of them.")
        return function(list(value.values())) if value else {}

    return apply


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def each(name: str, function: Callable[[float], float]) -> Callable[..., Value]:
    def apply(self: Evaluation, arguments: list[ast.expr]) -> Value:
        if len(arguments) != 1:
            raise WrongExpression(f"{name} takes one argument.")
        return each_value(self.of(arguments[0]), function)

    return apply


def if_then(self: Evaluation, arguments: list[ast.expr]) -> Value:
    """IF(condition, then, else): where the condition is not 0, and where it is."""
    if len(arguments) not in (2, 3):
        raise WrongExpression("IF takes two or three arguments.")
    condition, *branches = [self.of(argument) for argument in arguments]
    if any(isinstance(side, list) for side in (condition, *branches)):
        raise WrongExpression("IF with an array is not modelled here.")
    if not isinstance(condition, dict):
        return branches[0] if condition else (branches[1] if len(branches) == 2 else {})
    found: Line = {}
    for at, truth in condition.items():
        side = branches[0] if truth else (branches[1] if len(branches) == 2 else {})
        value = side.get(at) if isinstance(side, dict) else side
        if value is not None and not isinstance(value, list):
            found[at] = value
    return found


def metrics(self: Evaluation, arguments: list[ast.expr]) -> Value:
    """METRICS() or METRICS("part of an id"): the metrics of the request, not its expressions."""
    part = ""
    if arguments:
        given = arguments[0]
        if not (isinstance(given, ast.Constant) and isinstance(given.value, str)):
            raise WrongExpression("METRICS takes a text.")
        part = given.value
    return [self.known[each] for each in self.metric_ids if part in each]


def running_sum(self: Evaluation, arguments: list[ast.expr]) -> Value:
    total, found = 0.0, {}
    for at, value in sorted(one_line(self, arguments, "RUNNING_SUM").items()):
        total += value
        found[at] = total
    return found


def difference(per_second: bool) -> Callable[..., Value]:
    """DIFF: a value less the one before it; RATE: that per second."""

    def apply(self: Evaluation, arguments: list[ast.expr]) -> Value:
        line = one_line(self, arguments, "RATE" if per_second else "DIFF")
        times = sorted(line)
        return {
            at: (line[at] - line[before]) / ((at - before) if per_second else 1)
            for before, at in itertools.pairwise(times)
        }

    return apply


def period(self: Evaluation, arguments: list[ast.expr]) -> Value:
    one_line(self, arguments, "PERIOD")
    return float(self.grid.step)


FUNCTIONS: dict[str, Callable[[Evaluation, list[ast.expr]], Value]] = {
    "ABS": each("ABS", abs),
    "CEIL": each("CEIL", lambda value: float(math.ceil(value))),
    "FLOOR": each("FLOOR", lambda value: float(math.floor(value))),
    "SUM": aggregate("SUM", math.fsum),
    "AVG": aggregate("AVG", mean),
    "MIN": aggregate("MIN", min),
    "MAX": aggregate("MAX", max),
    "FILL": fill,
    "IF": if_then,
    "METRICS": metrics,
    "PERIOD": period,
    "RATE": difference(True),
    "DIFF": difference(False),
    "RUNNING_SUM": running_sum,
}
