"""What was seen, drawn: each chart is a function of a data frame."""

from helpers.charts.drawing import (
    latency,
    message_journey,
    per_hour,
    poison,
    queue_depth,
    retry_schedule,
    scaling,
    throughput,
)
from helpers.charts.lanes import life_lines

__all__ = [
    "latency",
    "life_lines",
    "message_journey",
    "per_hour",
    "poison",
    "queue_depth",
    "retry_schedule",
    "scaling",
    "throughput",
]
