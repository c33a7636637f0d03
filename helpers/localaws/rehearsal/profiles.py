"""What a rehearsal simulates: each effect with its figures, how sure they are, and their source.

Half of the figures are estimates. A delay is drawn from a log-normal distribution with this
median and this 99th percentile, clipped to `min_s` and `most_s`; `--scale` multiplies what was
drawn. Visibility timeouts, retention and the handler's own time are never changed.

A profile says which part of the distribution is drawn from: `typical` from all of it, `slow`
from its slower half, `hostile` from its slowest tenth.

Not simulated: the milliseconds from a send to a long poll, and the init of an environment, for
here both take their own time and that is of AWS's size. ListQueues, ListMetrics and DynamoDB's
calls for several tables show the present; so does every call of SQS's older query protocol. A
trigger's concurrency grows as on AWS without a rehearsal (G-09).
"""

from __future__ import annotations

from typing import NamedTuple

DOCUMENTED, MEASURED, ESTIMATED = "documented", "measured", "estimated"


class Delay(NamedTuple):
    """A delay in s. `most_s` is never passed. `basis`: how sure the figures are."""

    min_s: float
    median_s: float
    p99_s: float
    most_s: float
    basis: str
    source: str


class Chance(NamedTuple):
    """How often something happens, from 0 to 1, in each profile."""

    typical: float
    slow: float
    hostile: float
    basis: str
    source: str


# The part of the distribution that each profile draws from, as quantiles.
PARTS = {"typical": (0.0, 1.0), "slow": (0.5, 1.0), "hostile": (0.9, 1.0)}

DELAYS = {
    "role known": Delay(
        0.0, 4.0, 30.0, 60.0, MEASURED,
        "aws-sdk-js #3498 and cdkd #54; the 99th percentile is estimated, and a tail of minutes "
        "has been seen (terraform-provider-aws #44517)",
    ),
    "role of a used name known": Delay(
        0.0, 1.5, 8.0, 30.0, MEASURED, "users of EC2's instance profiles; estimated for Lambda"
    ),
    "policy enforced": Delay(
        1.0, 4.0, 15.0, 60.0, MEASURED,
        "OFFENSAI 2025: 3 to 4 s; reads of a policy are right at once, enforcement lags",
    ),
    "function settled": Delay(
        0.5, 2.0, 20.0, 60.0, ESTIMATED, "estimated; one minute at most was measured"
    ),
    "mapping settled": Delay(
        2.0, 15.0, 60.0, 90.0, DOCUMENTED,
        "Lambda Developer Guide: about a minute; the median is recorded (LS-081)",
    ),
    "mapping polls": Delay(0.0, 3.0, 30.0, 60.0, ESTIMATED, "estimated: after Enabled"),
    "mapping polls on": Delay(
        0.0, 10.0, 60.0, 60.0, DOCUMENTED, "up to a minute after Disabled (LS-075)"
    ),
    "attribute read": Delay(
        0.0, 5.0, 60.0, 60.0, DOCUMENTED,
        "SetQueueAttributes: up to 60 s; that reads alternate was measured "
        "(terraform-provider-aws waits for six equal reads); the median is estimated",
    ),
    "retention read": Delay(
        0.0, 60.0, 900.0, 900.0, DOCUMENTED,
        "SetQueueAttributes: up to 15 minutes; the median is estimated",
    ),
    "queue usable": Delay(
        0.2, 0.6, 1.0, 1.0, DOCUMENTED,
        "CreateQueue: wait at least one second; the median is estimated",
    ),
    "queue gone": Delay(
        1.0, 20.0, 60.0, 60.0, DOCUMENTED, "DeleteQueue: up to 60 s; the median is estimated"
    ),
    "counter read": Delay(
        0.0, 5.0, 60.0, 60.0, DOCUMENTED,
        "GetQueueAttributes: counters settle within a minute; the median is estimated",
    ),
    "tags read": Delay(0.0, 1.0, 15.0, 30.0, ESTIMATED, "estimated: tags of Lambda and SQS"),
    "log line readable": Delay(
        0.5, 3.0, 20.0, 60.0, ESTIMATED, "estimated; AWS says that minutes are possible"
    ),
    "data point readable": Delay(
        60.0, 120.0, 600.0, 600.0, MEASURED,
        "YACE #1796 and cloudwatch_exporter #396, from the beginning of the minute; it may change "
        "for ten minutes",
    ),
    "alarm sees data": Delay(
        30.0, 45.0, 120.0, 180.0, MEASURED,
        "from the end of the period, in notifications that users show; the 99th percentile is "
        "estimated",
    ),
    "table created": Delay(3.0, 8.0, 30.0, 60.0, ESTIMATED, "estimated: DynamoDB's CREATING"),
    "table deleted": Delay(2.0, 6.0, 30.0, 60.0, ESTIMATED, "estimated: DynamoDB's DELETING"),
}  # fmt: skip

CHANCES = {
    "role is late": Chance(0.3, 0.6, 1.0, MEASURED, "about 30 % of first tries fail: cdkd #54"),
    "short poll misses": Chance(
        0.2, 0.3, 0.5, ESTIMATED,
        "SQS Developer Guide: a short poll asks some of the servers; the rate is estimated",
    ),
    "missing all": Chance(
        0.5, 0.5, 0.5, ESTIMATED, "estimated: such a poll is empty; the others bring half"
    ),
    "delivered twice": Chance(
        0.0001, 0.001, 0.02, ESTIMATED, "documented to happen; nobody has published a rate"
    ),
    "neighbours swapped": Chance(
        0.01, 0.03, 0.1, ESTIMATED, "documented to happen; nobody has published a rate"
    ),
    "empty page": Chance(
        0.05, 0.1, 0.3, ESTIMATED,
        "FilterLogEvents: a page may be empty and have a token; the rate is estimated",
    ),
    "stray error": Chance(
        0.0005, 0.002, 0.01, ESTIMATED, "HTTP 500 has been seen (cdkd #2018); the rate is estimated"
    ),
}  # fmt: skip

# How far the learner's clock is off at most, in s, either way; never scaled. Estimated. AWS refuses
# signatures that are five minutes off. AWS's own clock is the true one here: it is the caller who
# asks for this figure and shifts the clock of its own process.
CLOCK_OFF_S = {"typical": 5.0, "slow": 5.0, "hostile": 30.0}

FEW_MESSAGES = 1000  # with so many in a queue or fewer, a short poll may miss some

# Calls per second before they are throttled, for an account and region; calls that share a limit
# have the name of a group. Documented: Lambda and CloudWatch Logs quotas, us-east-1. IAM's are
# not published. Each profile has the same: they are never scaled.
LAMBDA_GROUP = "the other calls"
RATES: dict[tuple[str, str], float] = {
    ("lambda", "GetFunction"): 100,
    ("lambda", "GetPolicy"): 15,
    ("lambda", LAMBDA_GROUP): 15,
    ("logs", "FilterLogEvents"): 25,
    ("logs", "GetLogEvents"): 25,
    ("logs", "DescribeLogGroups"): 10,
    ("logs", "DescribeLogStreams"): 25,
    ("logs", "CreateLogGroup"): 10,
    ("logs", "DeleteLogGroup"): 10,
    ("logs", "CreateLogStream"): 50,
    ("logs", "PutRetentionPolicy"): 5,
    ("logs", "TagResource"): 5,
    ("logs", "StartQuery"): 10,
}


def quantile(profile: str, uniform: float) -> float:
    """The quantile that a profile draws for a number from 0 to 1."""
    lowest, highest = PARTS[profile]
    return lowest + (highest - lowest) * uniform
