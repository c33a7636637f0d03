"""What messages cost on AWS, from its prices."""

from __future__ import annotations

from helpers.prices import LAMBDA_REQUEST, LAMBDA_TIME, MILLION, SQS_REQUEST


def cost_per_million(
    batch_size: int, duration_ms: float, memory_mb: int, send_batch: int = 1
) -> dict[str, float]:
    """What a million messages cost on AWS, in US dollars, by kind of request.

    A message is sent, received and deleted; receiving and deleting are shared by the
    messages of a batch of up to 10. `duration_ms` is that of one invocation, which handles
    `batch_size` messages; `send_batch` is how many messages a SendMessageBatch holds. Free
    tiers, data transfer, logs and empty receives are left out.
    """
    shared = min(batch_size, 10)
    sqs_requests = 1 / send_batch + 2 / shared
    gb_seconds = duration_ms / 1000 * memory_mb / 1024 / batch_size
    costs = {
        "SQS requests": SQS_REQUEST.of(sqs_requests * MILLION),
        "Lambda requests": LAMBDA_REQUEST.of(MILLION / batch_size),
        "Lambda time": LAMBDA_TIME.of(gb_seconds * MILLION),
    }
    return {**costs, "total": sum(costs.values())}
