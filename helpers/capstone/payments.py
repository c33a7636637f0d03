"""The shop's bank, as a function sees it. During the judging it is slow at times, and it crashes.

`capstone.package` puts this file beside the handler. It needs the environment variable PAYOUTS, the
name of the bank's table, and a role that may dynamodb:Query and dynamodb:PutItem there.
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

import boto3

ORDERS = 500  # the shop has the orders A1 to A500
PLAN = "plan"
table = boto3.resource("dynamodb").Table(os.environ["PAYOUTS"])


class UnknownOrder(Exception):
    """The shop has no such order."""


def refund(refund_id: str, order_id: str, cents: int) -> None:
    """Pay money back to the customer of an order. It takes up to a quarter of a second.

    The bank asks no questions: called twice it pays twice, and it pays whatever amount it is
    told. Raises UnknownOrder for an order that is none of A1 to A500.
    """
    if order_id not in {f"A{number}" for number in range(1, ORDERS + 1)}:
        raise UnknownOrder(f"The shop has no order {order_id!r}.")
    began_ms = int(time.time() * 1000)
    plan = next((item for item in known(refund_id) if item["payout_id"] == PLAN), {})
    time.sleep(int(plan.get("slow_ms", 0)) / 1000)
    if plan.get("crash") == "before":
        crash(plan)
    table.put_item(
        Item={
            "refund_id": refund_id,
            "payout_id": f"paid-{uuid.uuid4()}",
            "order_id": order_id,
            "cents": cents,
            "began_ms": began_ms,
            "paid_ms": int(time.time() * 1000),
            "environment": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        }
    )
    if plan.get("crash") == "after":
        crash(plan)


def paid(refund_id: str) -> bool:
    """Whether the bank has paid this refund. What was paid a moment ago it knows, too."""
    return any(item["payout_id"] != PLAN for item in known(refund_id))


def known(refund_id: str) -> list[dict[str, Any]]:
    answer = table.query(
        KeyConditionExpression="refund_id = :id",
        ExpressionAttributeValues={":id": refund_id},
        ConsistentRead=True,
    )
    items: list[dict[str, Any]] = answer["Items"]
    return items


def crash(plan: dict[str, Any]) -> None:
    """End the process at once, as a lack of memory does; and only once for this refund."""
    table.put_item(Item={**plan, "crash": "done"})
    os._exit(1)
