"""What the exercises of notebook 08 are checked by."""

from __future__ import annotations

import json

import boto3

from helpers import course, steps
from helpers.checks.looking import find_queue
from helpers.checks.points import say


def check_max_receives(experiment: str, wanted: int) -> None:
    """Notebook 08: the queue of an experiment gives up after so many deliveries."""
    sqs = boto3.client("sqs")
    name = course.name(experiment)
    queue = find_queue(sqs, name, "Run the notebook from the top.")
    if queue is None:
        return
    answer = sqs.get_queue_attributes(QueueUrl=queue.key, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
    found, dead = policy.get("maxReceiveCount"), f"{name}-dlq"
    has = "has no redrive policy, so never gives up"
    if found:
        into = steps.queue_name(policy["deadLetterTargetArn"])
        has = f"gives up after {found} receives, into {into}"
    say(
        has == f"gives up after {wanted} receives, into {dead}",
        f"{name} gives up after {wanted} receives.",
        f"{name} {has}. It should give up after {wanted}, into {dead}. The attribute RedrivePolicy "
        "is JSON with deadLetterTargetArn and maxReceiveCount.",
        queue,
    )
