"""Messages for an experiment."""

from __future__ import annotations

import uuid

from helpers import steps
from helpers.account.refusal import refuse_foreign
from helpers.account.things import look_at_queue
from helpers.clients import client_for
from helpers.experiments.experiment import Experiment


def send(experiment: Experiment, bodies: list[str]) -> list[str]:
    """Send messages, ten in each request, and return their ids; the experiment keeps them too.

    To a FIFO queue all go in one message group, and none counts as a duplicate. Raises
    NotOurs for a queue of somebody else, and RuntimeError for the first that SQS refuses.

    SendMessageBatch answers with 200 even if every message of it was refused. Source: SQS
    API Reference, SendMessageBatch.
    """
    sqs, ids = client_for("sqs"), []
    refuse_foreign([look_at_queue(sqs, steps.queue_name(experiment.queue_url))])
    fifo = experiment.queue_url.endswith(".fifo")
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": body, **(for_fifo() if fifo else {})}
            for number, body in enumerate(bodies[start : start + 10])
        ]
        answer = sqs.send_message_batch(QueueUrl=experiment.queue_url, Entries=entries)
        for failed in answer.get("Failed", []):
            raise RuntimeError(f"SQS refused a message: {failed['Code']}: {failed['Message']}")
        ids += [sent["MessageId"] for sent in answer["Successful"]]
    experiment.sent.extend(ids)
    return ids


def for_fifo() -> dict[str, str]:
    return {"MessageGroupId": "all", "MessageDeduplicationId": str(uuid.uuid4())}
