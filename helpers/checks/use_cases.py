"""What the exercises of notebook 10 are checked by."""

from __future__ import annotations

from typing import Any

import boto3

from helpers import course
from helpers.account.things import (
    ignore_missing,
    look_at_table,
)
from helpers.checks.looking import about_tag, patience_s
from helpers.checks.points import say
from helpers.waiting import wait_until


def check_stored_order(order_id: str, amount_cents: int, limit_s: float = 3) -> None:
    """Notebook 10: the table of processed orders holds this order with this amount."""
    dynamodb, name = boto3.client("dynamodb"), course.name(course.TABLE)
    get = {"TableName": name, "Key": {"order_id": {"S": order_id}}, "ConsistentRead": True}
    table = look_at_table(dynamodb, name)
    if table and not table.ours:
        print("Not yet:", about_tag(table))
        return

    def look() -> dict[str, Any] | None:
        answer = ignore_missing(lambda: dynamodb.get_item(**get))
        return answer.get("Item") if answer else None

    try:
        item = wait_until(look, bool, f"order {order_id} in {name}", patience_s(limit_s))
    except TimeoutError:
        print(f"Not yet: {name} has no order {order_id}. Send it, then run this cell again.")
        return
    assert item is not None  # by `bool`
    found = item.get("amount_cents", {}).get("N")
    say(
        found == str(amount_cents),
        f"Order {order_id} is stored, with {amount_cents:,} cents.",
        f"Order {order_id} is stored with {found} cents, not {amount_cents}.",
    )
