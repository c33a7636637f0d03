"""What the exercise of notebook 00 is checked by.

Nobody can look into a queue without receiving, and a receive would hide the messages from the
kitchen and raise their receive counts. So the check looks at what SQS answered to the send, and
at the queue's counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from typing import Any

from helpers import course, steps
from helpers.account.things import look_at_queue
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import client_for

WITH_HERS = 3  # the lesson leaves two orders at the counter


def enough(counts: dict[str, int]) -> bool:
    return counts["visible"] >= WITH_HERS


@exercise
def check_order(customer: str, order: Any, sent: Any) -> Iterator[Point]:
    """`order` names the customer, `sent` is SQS's answer to sending it, and it waits.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html:
    MD5OfMessageBody is a digest of the body as SQS has got it.
    """
    sqs = client_for("sqs")
    queue = look_at_queue(sqs, name := course.name(course.PIZZA_QUEUE))
    if queue is None:
        yield missing("queue", name)
        return
    text = order if isinstance(order, str) else ""
    yield point(
        customer in text,
        f"The order is for {customer}.",
        f"The order is {order!r}; write a text that has {customer} in it.",
    )
    answer = sent if isinstance(sent, dict) and "MessageId" in sent else {}
    yield point(
        bool(answer),
        "SQS has answered with the id of a message.",
        "Nothing was sent yet: keep the answer of sqs.send_message in the variable sent.",
    )
    if answer:
        yield point(
            answer.get("MD5OfMessageBody") == md5(text.encode(), usedforsecurity=False).hexdigest(),
            "SQS has got this order, letter by letter.",
            "SQS has got another text than the one in order: pass MessageBody=order.",
        )
        counts = see(lambda: steps.queue_counts(sqs, queue.key), enough)
        yield point(
            enough(counts),
            "It waits at the counter, with the others.",
            f"{counts['visible']} orders wait in {name}, no more than before: pass "
            "QueueUrl=pizza_url.",
        )
    yield tagged(queue)
