"""What the exercises of notebook 06 are checked by."""

from __future__ import annotations

import boto3

from helpers import course
from helpers.checks.looking import patience_s
from helpers.checks.points import say
from helpers.logs import log_group, wait_for_line


def check_received(text: str, limit_s: float = 5) -> None:
    """Notebook 06: a message with this text went through the function."""
    group = log_group(course.name(course.FUNCTION))
    try:
        line = wait_for_line(boto3.client("logs"), group, text, limit_s=patience_s(limit_s))
    except TimeoutError:
        line = None
    say(
        line is not None,
        f"The function has received your message: {line}",
        f"No line of the log has {text} in it. Send the message, then run this cell again.",
    )
