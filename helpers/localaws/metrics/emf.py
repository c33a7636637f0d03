"""Embedded metric format: a line of JSON in a log that becomes custom metrics.

CloudWatch User Guide, "Specification: Embedded metric format". What does not keep to it becomes
no metric, and nobody is told: as on AWS the line is a line of the log and nothing else. A wrong
directive spoils no other one, and a metric without a proper value none of its neighbours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from helpers.localaws.metrics.store import Metric, make_metric
from helpers.localaws.metrics.units import UNITS

MARK = '"_aws"'
MOST_METRICS = 100  # of a directive
MOST_VALUES = 100  # of a metric
MOST_DIMENSIONS = 30
PAST_S, FUTURE_S = 14 * 86_400, 2 * 3_600


class Datum(NamedTuple):
    """Values of a metric at a time, in s since the epoch."""

    metric: Metric
    unit: str
    values: list[float]
    at_s: float
    resolution_s: int | None


def metrics_in(line: str, now_s: float) -> list[Datum]:
    """The metrics in a line of a log; none in a line of another kind."""
    try:
        root = json.loads(line)
        about = root["_aws"]
        at_s = float(about["Timestamp"]) / 1000
        directives = about["CloudWatchMetrics"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    if not isinstance(directives, list) or not now_s - PAST_S <= at_s <= now_s + FUTURE_S:
        return []
    return [datum for each in directives for datum in of_directive(each, root, at_s)]


def of_directive(directive: Any, root: dict[str, Any], at_s: float) -> Iterator[Datum]:
    """What one directive says, of each metric for each set of dimensions."""
    if not isinstance(directive, dict):
        return
    namespace, metrics = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not namespace or namespace.startswith("AWS/"):
        return
    if not isinstance(metrics, list) or len(metrics) > MOST_METRICS:
        return
    sets = list(dimension_sets(directive.get("Dimensions", [[]]), root))
    for definition in metrics:
        yield from of_metric(definition, namespace, sets, root, at_s)


def dimension_sets(given: Any, root: dict[str, Any]) -> Iterator[list[tuple[str, str]]]:
    """The sets of dimensions, with the values that the line has for them."""
    for names in given if isinstance(given, list) else []:
        if not isinstance(names, list) or len(names) > MOST_DIMENSIONS:
            continue
        values = [root.get(name) if isinstance(name, str) else None for name in names]
        if all(isinstance(value, str) and value for value in values):
            yield [(name, str(value)) for name, value in zip(names, values, strict=True)]


def of_metric(
    definition: Any,
    namespace: str,
    sets: list[list[tuple[str, str]]],
    root: dict[str, Any],
    at_s: float,
) -> Iterator[Datum]:
    if not isinstance(definition, dict) or not isinstance(definition.get("Name"), str):
        return
    name, unit = definition["Name"], definition.get("Unit", "None")
    values = numbers(root.get(name))
    if not name or not values or unit not in UNITS:
        return
    resolution_s = 1 if definition.get("StorageResolution") == 1 else None
    for dimensions in sets:
        yield Datum(make_metric(namespace, name, dimensions), unit, values, at_s, resolution_s)


def numbers(value: Any) -> list[float]:
    """The value or values of a metric; none if one of them is no number."""
    values = value if isinstance(value, list) else [value]
    proper = [
        float(each)
        for each in values[: MOST_VALUES + 1]
        if isinstance(each, (int, float)) and not isinstance(each, bool) and math.isfinite(each)
    ]
    return proper if len(proper) == len(values) <= MOST_VALUES else []
