"""The units of metrics: `StandardUnit` in the CloudWatch API Reference."""

from __future__ import annotations

SIZES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes")
BITS = ("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits")
UNITS = (
    *("Seconds", "Microseconds", "Milliseconds"),
    *SIZES,
    *BITS,
    *("Percent", "Count"),
    *(f"{each}/Second" for each in (*SIZES, *BITS, "Count")),
    "None",
)
