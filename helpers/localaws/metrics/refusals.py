"""What CloudWatch refuses, with its codes and texts.

Sources: constraints of the API's own model, whose violations have a text of one form in all of
AWS; the CloudWatch API Reference; what users of AWS report. Where only the fact is documented,
the text is of the same form.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from moto.cloudwatch.exceptions import (
    CloudWatchException,
    InvalidParameterCombination,
    InvalidParameterValue,
    ResourceNotFound,
    ValidationError,
)
from moto.core.utils import get_service_model

from helpers.localaws.metrics.emf import FUTURE_S, PAST_S
from helpers.localaws.metrics.evaluation import COMPARISONS, TREATMENTS
from helpers.localaws.metrics.statistics import SIMPLE, is_percentile, is_statistic
from helpers.localaws.metrics.units import UNITS

MOST_DATAPOINTS = 1_440
MOST_QUERIES = 500
MOST_DATA = 1_000  # of PutMetricData
MOST_DIMENSIONS = 30
DAY_S, WEEK_S, HOUR_S = 86_400, 604_800, 3_600
SHORT_PERIODS = (1, 5, 10, 20, 30)
ALARM_PERIODS = (10, 20, 30)


class MissingParameter(CloudWatchException):
    code = "MissingParameter"


def invalid(message: str) -> ValidationError:
    return ValidationError(message)


def unsupported(what: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"{what} is not modelled by this local AWS.")


# -- constraints of the API's model ------------------------------------------------------


def check_model(operation: str, parameters: dict[str, Any]) -> None:
    """Lengths, ranges and sets of values, in the words of AWS's own validation."""
    shape = get_service_model("cloudwatch").operation_model(operation).input_shape
    found = violations(shape, parameters, "")
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise invalid(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def violations(shape: Shape, value: Any, where: str) -> list[str]:
    if isinstance(shape, StructureShape):
        return of_structure(shape, value, where)
    if isinstance(shape, ListShape):
        items = [
            each
            for number, item in enumerate(value, 1)
            for each in violations(shape.member, item, f"{where}.{number}.member")
        ]
        return [*of_value(shape, value, len(value), where, "length"), *items]
    if shape.type_name == "string":
        return of_value(shape, value, len(value), where, "length")
    if shape.type_name in ("integer", "long", "double", "float"):
        return of_value(shape, value, value, where, "value")
    return []


def of_structure(shape: StructureShape, value: dict[str, Any], where: str) -> list[str]:
    found = []
    for name, member in shape.members.items():
        inner = f"{where}.{name[0].lower()}{name[1:]}".removeprefix(".")
        if value.get(name) is not None:
            found += violations(member, value[name], inner)
        elif name in shape.required_members:
            found.append(f"Value null at '{inner}' failed to satisfy constraint: "
                         "Member must not be null")  # fmt: skip
    return found


def of_value(shape: Shape, value: Any, size: float, where: str, what: str) -> list[str]:
    rules = []
    if size < shape.metadata.get("min", -math.inf):
        rules.append(f"Member must have {what} greater than or equal to {shape.metadata['min']}")
    if size > shape.metadata.get("max", math.inf):
        rules.append(f"Member must have {what} less than or equal to {shape.metadata['max']}")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        rules.append(f"Member must satisfy enum value set: [{', '.join(enum)}]")
    return [f"Value '{value}' at '{where}' failed to satisfy constraint: {rule}" for rule in rules]


# -- reading -----------------------------------------------------------------------------


def check_period(period_s: int, where: str = "Period") -> None:
    if period_s not in SHORT_PERIODS and (period_s < 60 or period_s % 60):
        raise invalid(
            f"The parameter {where} must be 1, 5, 10, 20, 30 or a multiple of 60; it is {period_s}."
        )


def check_statistics_request(given: dict[str, Any], start_s: float, end_s: float) -> None:
    """The parameters of GetMetricStatistics."""
    for name in ("Namespace", "MetricName", "Period"):
        if not given.get(name):
            raise MissingParameter(f"The parameter {name} is required.")
    if start_s >= end_s:
        raise InvalidParameterValue(
            "The parameter StartTime must be less than the parameter EndTime."
        )
    check_period(given["Period"])
    simple, extended = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
    if not simple and not extended:
        raise InvalidParameterCombination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    check_statistics(simple, extended)
    check_unit(given.get("Unit"), "Unit")
    asked = math.ceil((end_s - start_s) / given["Period"])
    if asked > MOST_DATAPOINTS:
        raise InvalidParameterCombination(
            f"You have requested up to {asked} datapoints, which exceeds the limit of "
            f"{MOST_DATAPOINTS}. You may reduce the datapoints requested by increasing Period, "
            "or decreasing the time range."
        )


def check_statistics(simple: list[str], extended: list[str]) -> None:
    for name in simple:
        if name not in SIMPLE:
            raise InvalidParameterValue(
                "The parameter Statistics.member.1 must be a value in the set "
                f"[ {', '.join(SIMPLE)} ]."
            )
    for name in extended:
        if not is_percentile(name):
            raise unsupported(f"The value {name} for parameter ExtendedStatistics")


def check_unit(unit: str | None, where: str) -> None:
    if unit is not None and unit not in UNITS:
        raise InvalidParameterValue(
            f"The parameter {where} must be a value in the set [ {', '.join(UNITS)} ]."
        )


def check_data_request(queries: list[dict[str, Any]], start_s: float, end_s: float) -> None:
    """The parameters of GetMetricData."""
    if start_s == end_s:
        raise invalid("The parameter StartTime must not equal parameter EndTime.")
    if start_s > end_s:
        raise invalid("The parameter EndTime must be greater than StartTime.")
    if len(queries) > MOST_QUERIES:
        raise invalid(
            f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )
    check_queries(queries, "MetricDataQueries")


def check_queries(queries: list[dict[str, Any]], where: str) -> None:
    """Queries as GetMetricData and alarms take them."""
    counts = Counter(query.get("Id") for query in queries)
    if counts and max(counts.values()) > 1:
        raise invalid(f"The values for parameter id in {where} are not unique.")
    for number, query in enumerate(queries, 1):
        check_query(query, f"{where}.member.{number}")


def check_query(query: dict[str, Any], where: str) -> None:
    name = query.get("Id") or ""
    if not (name[:1].islower() and name.isascii() and name.replace("_", "a").isalnum()):
        raise invalid(
            f'The value "{name}" for the parameter {where}.Id is not matching the expected '
            "pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    stat, expression = query.get("MetricStat"), query.get("Expression")
    if not stat and not expression:
        raise invalid(f"The parameter {where}.MetricStat is required.\n")
    if stat and expression:
        raise invalid(
            f"The parameters {where}.Expression and {where}.MetricStat are mutually exclusive "
            "and you have specified both."
        )
    if stat:
        check_metric_stat(stat, f"{where}.MetricStat")
    elif query.get("Period"):
        check_period(query["Period"], f"{where}.Period")


def check_metric_stat(stat: dict[str, Any], where: str) -> None:
    metric = stat.get("Metric") or {}
    for name in ("Namespace", "MetricName"):
        if not metric.get(name):
            raise invalid(f"The parameter {where}.Metric.{name} is required.\n")
    for name in ("Period", "Stat"):
        if not stat.get(name):
            raise invalid(f"The parameter {where}.{name} is required.\n")
    check_period(stat["Period"], f"{where}.Period")
    check_unit(stat.get("Unit"), f"{where}.Unit")
    if not is_statistic(stat["Stat"]):
        raise unsupported(f"The value {stat['Stat']} for parameter {where}.Stat")


# -- writing -----------------------------------------------------------------------------


def check_data(namespace: str, data: list[dict[str, Any]]) -> None:
    """The parameters of PutMetricData."""
    if namespace.startswith("AWS/"):
        raise InvalidParameterValue(
            f"The value {namespace} for parameter Namespace is invalid. It must not begin with "
            "AWS/."
        )
    if not data:
        raise MissingParameter("The parameter MetricData is required.")
    if len(data) > MOST_DATA:
        raise InvalidParameterValue(
            f"The collection MetricData must not have a size greater than {MOST_DATA}."
        )
    for number, datum in enumerate(data, 1):
        check_datum(datum, f"MetricData.member.{number}")


def check_datum(datum: dict[str, Any], where: str) -> None:
    if not datum.get("MetricName"):
        raise MissingParameter(f"The parameter {where}.MetricName is required.")
    check_unit(datum.get("Unit"), f"{where}.Unit")
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise InvalidParameterValue(
            f"The value {datum['StorageResolution']} for parameter {where}.StorageResolution is "
            "invalid. It must be 1 or 60."
        )
    check_dimensions(datum.get("Dimensions") or [], where)
    check_values(datum, where)
    if datum.get("Timestamp") is not None:
        age_s = time.time() - datum["Timestamp"].timestamp()
        if not -FUTURE_S <= age_s <= PAST_S:
            raise InvalidParameterValue(
                f"The parameter {where}.Timestamp must specify a time no earlier than two weeks "
                "ago and no later than two hours in the future."
            )


def check_dimensions(dimensions: list[dict[str, Any]], where: str) -> None:
    if len(dimensions) > MOST_DIMENSIONS:
        raise InvalidParameterValue(
            f"The collection {where}.Dimensions must not have a size greater than "
            f"{MOST_DIMENSIONS}."
        )
    for number, each in enumerate(dimensions, 1):
        for name in ("Name", "Value"):
            if not each.get(name):
                raise InvalidParameterValue(
                    f"The parameter {where}.Dimensions.member.{number}.{name} is required."
                )


def check_values(datum: dict[str, Any], where: str) -> None:
    """That there is one of Value, Values and StatisticValues, and that it is of numbers."""
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if not given:
        raise MissingParameter(
            f"At least one of the parameters {where}.Value, {where}.Values and "
            f"{where}.StatisticValues must be specified."
        )
    if len(given) > 1:
        raise InvalidParameterCombination(
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive and "
            "you have specified both."
        )
    values, counts = datum.get("Values") or [], datum.get("Counts")
    if counts is not None and len(counts) != len(values):
        raise InvalidParameterValue(
            f"The parameters {where}.Values and {where}.Counts must be of the same size."
        )
    if len(values) > 150:
        raise InvalidParameterValue(
            f"The collection {where}.Values must not have a size greater than 150."
        )
    check_numbers(datum, values, where)


def check_numbers(datum: dict[str, Any], values: list[float], where: str) -> None:
    single = [datum["Value"]] if datum.get("Value") is not None else []
    for value in (*single, *values):
        if not math.isfinite(value):
            name = "Value" if single else "Values"
            raise InvalidParameterValue(
                f"The value {value} for parameter {where}.{name} is invalid."
            )
    statistics = datum.get("StatisticValues")
    if statistics is None:
        return
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        if statistics.get(name) is None:
            raise MissingParameter(f"The parameter {where}.StatisticValues.{name} is required.")
    if statistics["Minimum"] > statistics["Maximum"]:
        raise InvalidParameterValue(
            f"The parameter {where}.StatisticValues.Maximum must be greater than or equal to "
            f"{where}.StatisticValues.Minimum."
        )


# -- alarms ------------------------------------------------------------------------------

NOT_MODELLED = (
    *("ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria"),
    *("EvaluationInterval", "ActionConfiguration"),
)
OF_A_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic")


def check_alarm(given: dict[str, Any]) -> None:
    """The parameters of PutMetricAlarm."""
    check_model("PutMetricAlarm", given)
    for name in NOT_MODELLED:
        if given.get(name) is not None:
            raise unsupported(f"The parameter {name}")
    check_given(given, "ComparisonOperator", "EvaluationPeriods", "Threshold")
    check_rule(given)
    if given.get("Metrics"):
        check_math(given)
    else:
        check_alarm_metric(given)
    check_actions(given)


def check_given(given: dict[str, Any], *names: str) -> None:
    for name in names:
        if given.get(name) is None:
            raise invalid(
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed "
                "to satisfy constraint: Member must not be null"
            )


def check_rule(given: dict[str, Any]) -> None:
    """What of the alarm decides about its state."""
    if given["ComparisonOperator"] not in COMPARISONS:
        raise unsupported(f"The comparison operator {given['ComparisonOperator']}")
    if (given.get("DatapointsToAlarm") or 0) > given["EvaluationPeriods"]:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    treatment = given.get("TreatMissingData")
    if treatment is not None and treatment not in TREATMENTS:
        raise invalid(
            f"Option {treatment} is not supported. Supported options for parameter "
            f"TreatMissingData are {', '.join(TREATMENTS)}."
        )


def check_alarm_metric(given: dict[str, Any]) -> None:
    check_given(given, "MetricName", "Namespace", "Period")
    simple, extended = given.get("Statistic"), given.get("ExtendedStatistic")
    if bool(simple) == bool(extended):
        raise invalid("Must specify either Statistic or ExtendedStatistic")
    if extended and not is_percentile(extended):
        raise unsupported(f"The value {extended} for parameter ExtendedStatistic")
    check_alarm_period(given["Period"], given["EvaluationPeriods"])


def check_alarm_period(period_s: int, periods: int) -> None:
    if period_s not in ALARM_PERIODS and (period_s < 60 or period_s % 60):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    if period_s < HOUR_S and period_s * periods > DAY_S:
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be "
            f"<= {DAY_S}) for alarms using period < {HOUR_S}"
        )
    if period_s * periods > WEEK_S:
        raise invalid(
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must "
            f"be <= {WEEK_S}) for alarms using period >= {HOUR_S}"
        )


def check_math(given: dict[str, Any]) -> None:
    """An alarm on several metrics and an expression."""
    for name in OF_A_METRIC:
        if given.get(name):
            raise invalid(f"The parameters Metrics and {name} are mutually exclusive.")
    queries = given["Metrics"]
    if sum(query.get("ReturnData", True) is not False for query in queries) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    check_queries(queries, "Metrics")
    periods = {query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")}
    if len(periods) > 1:
        raise invalid("All metrics of an alarm must have the same period.")
    for period_s in periods:
        check_alarm_period(period_s, given["EvaluationPeriods"])


def check_actions(given: dict[str, Any]) -> None:
    for name in ("OKActions", "AlarmActions", "InsufficientDataActions"):
        for arn in given.get(name) or []:
            if not arn.startswith("arn:") or arn.count(":") < 5:
                raise invalid(f"Invalid arn syntax: {arn}")


def alarm_not_found() -> ResourceNotFound:
    return ResourceNotFound("Unknown")
