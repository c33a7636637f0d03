"""The bank's side: its table, what is planned for refunds, and what was paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from helpers import course, steps
from helpers.account.refusal import refuse_foreign
from helpers.account.things import as_list, look_at_table
from helpers.capstone.traffic import SLOW_MS, Traffic
from helpers.clients import Table

PAYMENTS = Path(__file__).with_name("payments.py")
PLAN = "plan"  # as in payments.py, which only a function imports


@dataclass(frozen=True)
class Payout:
    """Money that the bank has paid. Times in ms since the epoch, by the function's clock."""

    refund_id: str
    order_id: str
    cents: object
    began_ms: int
    paid_ms: int
    environment: str


def open_bank() -> Table:
    """The bank's table, `course.PAYOUTS`, made where it is missing. Returns it as a boto3 Table.

    Raises NotOurs for a table of that name which is somebody else's.
    """
    dynamodb, name = boto3.resource("dynamodb"), course.name(course.PAYOUTS)
    existing = look_at_table(dynamodb.meta.client, name)
    refuse_foreign([existing])
    table = dynamodb.Table(name)
    if existing is None:
        keys = (("refund_id", "HASH"), ("payout_id", "RANGE"))
        table = dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            Tags=as_list(course.tags()),
        )
    table.wait_until_exists()
    return table


def package(handler: str) -> bytes:
    """A deployment package with a handler's program, and `payments` for it to import."""
    return steps.make_package(handler, {PAYMENTS.name: PAYMENTS.read_text(encoding="utf-8")})


def write_plans(table: Table, traffic: Traffic) -> None:
    """Tell the bank for which refunds it is slow, and for which it crashes."""
    planned: dict[str, dict[str, Any]] = {id: {"slow_ms": SLOW_MS} for id in traffic.slow}
    planned |= {id: {"crash": when} for id, when in traffic.crashes.items()}
    with table.batch_writer() as batch:
        for id, plan in planned.items():
            batch.put_item(Item={"refund_id": id, "payout_id": PLAN, **plan})


def items_of(table: Table, run: str) -> Iterator[dict[str, Any]]:
    """What the table holds of a run: payouts and plans, as of now."""
    pages = table.meta.client.get_paginator("scan").paginate(
        TableName=table.name, ConsistentRead=True
    )
    for page in pages:
        yield from (item for item in page["Items"] if item["refund_id"].startswith(run))


def payouts_of(table: Table, run: str) -> list[Payout]:
    """What the bank has paid in a run, in the order of time."""
    found = [
        Payout(
            item["refund_id"],
            item["order_id"],
            item["cents"],
            int(item["began_ms"]),
            int(item["paid_ms"]),
            item["environment"],
        )
        for item in items_of(table, run)
        if item["payout_id"] != PLAN
    ]
    return sorted(found, key=lambda each: each.paid_ms)


def forget(table: Table, run: str) -> None:
    """Delete plans and payouts of a run."""
    with table.batch_writer() as batch:
        for item in items_of(table, run):
            batch.delete_item(Key={key: item[key] for key in ("refund_id", "payout_id")})
