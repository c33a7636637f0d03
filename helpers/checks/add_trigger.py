"""What the exercises of notebook 04 are checked by."""

from __future__ import annotations

from typing import Any

import boto3

from helpers import course, steps
from helpers.account.things import (
    ignore_missing,
    look_at_mapping,
)
from helpers.checks.points import say


def check_trigger(batch_size: int) -> None:
    """Notebook 04: the trigger of the course's function has this batch size."""
    mapping = current_trigger()
    if mapping is None:
        print("Not yet: the function has no trigger. Run the notebook from the top.")
        return
    say(
        mapping["BatchSize"] == batch_size and mapping["State"] in ("Enabled", "Updating"),
        f"The trigger is on, and hands over up to {batch_size} message(s) at a time.",
        f"The trigger is {mapping['State']} with a batch size of {mapping['BatchSize']}, not "
        f"{batch_size}. update_event_source_mapping takes UUID and BatchSize.",
        look_at_mapping(boto3.client("lambda"), mapping),
    )


def current_trigger() -> dict[str, Any] | None:
    sqs, lambda_ = boto3.client("sqs"), boto3.client("lambda")
    name = course.name(course.QUEUE)
    url = ignore_missing(lambda: sqs.get_queue_url(QueueName=name)["QueueUrl"])
    if url is None:
        return None
    return steps.find_trigger(lambda_, course.name(course.FUNCTION), steps.queue_arn(sqs, url))
