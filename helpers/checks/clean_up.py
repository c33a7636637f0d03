"""What the exercises of notebook 99 are checked by."""

from __future__ import annotations

from typing import Any

import boto3

from helpers import course
from helpers.checks.points import say
from helpers.clean_up import find, goes
from helpers.logs import log_group


def check_log_groups(answer: Any, function: str) -> None:
    """Notebook 99: the log groups whose names begin as that of a function of the course."""
    group = log_group(course.name(function))
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    there = [each["logGroupName"] for each in groups]
    say(
        answer == there,
        f"AWS lists {there or 'none'}.",
        f"{answer!r} is not what AWS lists. describe_log_groups takes logGroupNamePrefix.",
    )


def check_nothing_left() -> None:
    """Notebook 99: nothing that the clean-up deletes is listed any more.

    What it leaves alone is named, with the reason, and triggers that go on polling.
    """
    found = find()
    left = [f"{thing.kind} {thing.name}" for thing in found if goes(thing)]
    kept = [
        f"{thing.kind} {thing.name} ({thing.whose}{', still polls' if thing.polls else ''})"
        for thing in found
        if not goes(thing)
    ]
    praise = "Nothing of this course is left."
    if kept:
        praise = "What the course made is deleted."
    say(not left, praise, f"Still there: {', '.join(left)}.", exercise="nothing left")
    if kept:
        print(f"Left alone: {', '.join(kept)}.")
