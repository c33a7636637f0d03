"""What messages cost on AWS, from its prices."""

from __future__ import annotations

# US dollars in us-east-1, without free tiers, as third parties quoted AWS's price pages:
# cloudburn.io (14 March 2026) for SQS, cloudchipr.com (11 May 2026) for Lambda. What is valid
# now: https://aws.amazon.com/sqs/pricing and https://aws.amazon.com/lambda/pricing
SQS_PER_MILLION_REQUESTS = 0.40  # standard queue; one request holds up to 64 KB
LAMBDA_PER_MILLION_REQUESTS = 0.20
LAMBDA_PER_GB_SECOND = 0.0000166667  # x86


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
        "SQS requests": sqs_requests * SQS_PER_MILLION_REQUESTS,
        "Lambda requests": LAMBDA_PER_MILLION_REQUESTS / batch_size,
        "Lambda time": gb_seconds * 1_000_000 * LAMBDA_PER_GB_SECOND,
    }
    return {**costs, "total": sum(costs.values())}
