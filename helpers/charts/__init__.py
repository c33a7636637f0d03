"""What was seen, drawn: each chart is a function of a data frame of `helpers.evidence`.

JupyterLab shows the picture, with a text for those who cannot see it; a test reads the text.
The texts hold what stays the same from run to run: counts and outcomes, not the milliseconds of
one computer.
"""

from helpers.charts.backlog import queue_depth
from helpers.charts.concurrency import at_once, scaling
from helpers.charts.hours import per_hour
from helpers.charts.journey import message_journey
from helpers.charts.lives import life_lines
from helpers.charts.progress import progress
from helpers.charts.retries import poison, retry_schedule
from helpers.charts.speed import latency, throughput
from helpers.charts.stacks import stack_events
from helpers.charts.watching import alarm_states, spread

__all__ = [
    "alarm_states",
    "at_once",
    "latency",
    "life_lines",
    "message_journey",
    "per_hour",
    "poison",
    "progress",
    "queue_depth",
    "retry_schedule",
    "scaling",
    "spread",
    "stack_events",
    "throughput",
]
