"""What AWS charges, as far as the course uses it: the only table of prices that there is here.

US dollars in us-east-1. AWS's price pages are made when they are looked at and cannot be quoted, so
each row names a page that quotes AWS, and the day on which it did. What is valid now stands at
https://aws.amazon.com/sqs/pricing, /lambda/pricing, /cloudwatch/pricing and /dynamodb/pricing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MILLION = 1_000_000
GB = 1_000_000_000  # bytes
TOO_OLD_MONTHS = 24
SQS_PAGE = "https://cloudburn.io/blog/amazon-sqs-pricing"
LAMBDA_PAGE = "https://cloudchipr.com"
LOGS_PAGE = "https://c3x.dev/blog/cloudwatch-logs-cost-optimization"
WATCH_PAGE = "https://signoz.io/guides/cloudwatch-pricing"
TABLE_PAGE = "https://airbyte.com/data-engineering-resources/dynamodb-pricing"


@dataclass(frozen=True)
class Price:
    """A price: `usd` for so many units.

    `free` units cost nothing each month, for the whole account; prices of one `pool` share them.
    """

    usd: float
    units: float
    unit: str
    free: float
    pool: str
    quoted: date
    source: str

    def of(self, amount: float) -> float:
        """What an amount costs in US dollars, without what is free."""
        return amount / self.units * self.usd


SQS_REQUEST = Price(
    0.40, MILLION, "requests of up to 64 KB", MILLION, "SQS", date(2026, 3, 14), SQS_PAGE
)
SQS_FIFO_REQUEST = Price(
    0.50, MILLION, "requests of up to 64 KB", MILLION, "SQS", date(2026, 3, 14), SQS_PAGE
)
LAMBDA_REQUEST = Price(
    0.20, MILLION, "calls", MILLION, "Lambda calls", date(2026, 5, 11), LAMBDA_PAGE
)
# x86; the time is billed by the millisecond, the start of an environment with it.
LAMBDA_TIME = Price(
    0.0000166667, 1, "GB-seconds", 400_000, "Lambda time", date(2026, 5, 11), LAMBDA_PAGE
)
LOG_BYTE = Price(0.50, GB, "bytes taken in", 5 * GB, "logs", date(2026, 6, 1), LOGS_PAGE)
# Of a table that is paid by the request, nothing but its storage is free.
TABLE_WRITE = Price(0.625, MILLION, "writes of 1 KB", 0, "writes", date(2025, 7, 21), TABLE_PAGE)
TABLE_READ = Price(0.125, MILLION, "reads of 4 KB", 0, "reads", date(2025, 7, 21), TABLE_PAGE)
# A metric of one's own and an alarm are paid by the month, in parts of an hour; AWS's own metrics
# are free. GetMetricData is the one of their calls that is always paid.
MONTH_H = 730  # hours, as AWS's calculator counts them
OWN_METRIC = Price(
    0.30, MONTH_H, "hours of a metric", 10 * MONTH_H, "metrics", date(2026, 2, 15), WATCH_PAGE
)
ALARM = Price(
    0.10, MONTH_H, "hours of an alarm", 10 * MONTH_H, "alarms", date(2026, 2, 15), WATCH_PAGE
)
METRIC_READ = Price(0.01, 1000, "metrics read", 0, "metrics read", date(2026, 2, 15), WATCH_PAGE)
# What queries scan shares the free amount of the logs.
SCANNED_BYTE = Price(0.005, GB, "bytes scanned", 5 * GB, "queries", date(2026, 2, 15), WATCH_PAGE)
PRICES = (
    *(SQS_REQUEST, SQS_FIFO_REQUEST, LAMBDA_REQUEST, LAMBDA_TIME),
    *(LOG_BYTE, TABLE_WRITE, TABLE_READ),
    *(OWN_METRIC, ALARM, METRIC_READ, SCANNED_BYTE),
)

# Lambda Developer Guide, "Using Lambda with Amazon SQS" and "Scaling": an idle trigger has five
# pollers, and each asks by long polls, which SQS ends after 20 s.
POLLERS, LONG_POLL_S = 5, 20


def idle_polls(seconds: float) -> float:
    """How many requests an idle trigger makes in so many seconds."""
    return POLLERS * seconds / LONG_POLL_S


def too_old(today: date) -> list[str]:
    """A sentence for each price that was quoted more than TOO_OLD_MONTHS months ago."""
    return [
        f"The price of {each.unit} in helpers/prices.py is of {each.quoted}, from {each.source}: "
        "look whether it still holds."
        for each in PRICES
        if months_between(each.quoted, today) > TOO_OLD_MONTHS
    ]


def months_between(earlier: date, later: date) -> int:
    """Full months from one day to another."""
    months = (later.year - earlier.year) * 12 + later.month - earlier.month
    return months - (later.day < earlier.day)
