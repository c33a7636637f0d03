"""A small world for handlers of the capstone: a queue, tables and a clock, and no waiting.

The handler and the real `payments` run in this process, one call after the other. What a worker's
death, a visibility timeout and a redrive policy do to messages is played here; that AWS does it so,
the conformance tests show.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from helpers.capstone.bank import PAYMENTS, PLAN, Payout
from helpers.capstone.traffic import SLOW_MS, Traffic
from helpers.capstone.verdict import Evidence

BATCH, TRIES, VISIBILITY_S, TIMEOUT_MS, WORK_S = 5, 3, 12.0, 2000, 0.02
Item = dict[str, Any]


class Killed(BaseException):
    """What `os._exit` is here."""


class ConditionFailed(Exception):
    """As DynamoDB refuses a write."""


# The conditions that handlers use here, by their text.
CONDITIONS: dict[str, Callable[[Item | None, Item], bool]] = {
    "attribute_not_exists(refund_id)": lambda old, _: old is None,
    "attribute_not_exists(refund_id) OR (is_done = :no AND until_ms < :now)": lambda old, new: (
        old is None or (old["is_done"] == new[":no"] and old["until_ms"] < new[":now"])
    ),
}


class Table:
    """A table with as much of boto3's interface as the handlers and `payments` use."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self.items: dict[tuple[Any, ...], Item] = {}

    def put_item(
        self,
        *,
        Item: Item,
        ConditionExpression: str = "",
        ExpressionAttributeValues: Item | None = None,
    ) -> None:
        key = tuple(Item[name] for name in self._keys)
        condition = CONDITIONS[ConditionExpression] if ConditionExpression else None
        if condition and not condition(self.items.get(key), ExpressionAttributeValues or {}):
            raise ConditionFailed
        self.items[key] = Item

    def get_item(self, *, Key: Item, ConsistentRead: bool) -> Item:
        found = self.items.get(tuple(Key[name] for name in self._keys))
        return {"Item": found} if found else {}

    def query(
        self,
        *,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Item,
        ConsistentRead: bool,
    ) -> Item:
        assert KeyConditionExpression == "refund_id = :id"
        wanted = ExpressionAttributeValues[":id"]
        return {"Items": [item for key, item in self.items.items() if key[0] == wanted]}


@dataclass
class Message:
    id: str
    body: str
    receives: int = 0
    visible_s: float = 0.0


@dataclass
class World:
    """What there is before a handler runs. `reports`: whether its trigger reads the answer."""

    traffic: Traffic
    reports: bool = True
    now_s: float = 1_000_000.0
    dead: list[str] = field(default_factory=list)
    rival: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        self.done, self.payouts = Table("refund_id"), Table("refund_id", "payout_id")
        for id in self.traffic.slow:
            self.payouts.put_item(Item={"refund_id": id, "payout_id": PLAN, "slow_ms": SLOW_MS})
        for id, when in self.traffic.crashes.items():
            self.payouts.put_item(Item={"refund_id": id, "payout_id": PLAN, "crash": when})

    # -- a worker --

    def load(self, handler: str) -> Callable[[Item, Any], Any]:
        """The handler in a new worker, with `payments` beside it."""
        modules: dict[str, Any] = {"boto3": self.boto3(), "os": self.os(), "time": self.time()}
        modules["payments"] = module("payments", PAYMENTS.read_text(encoding="utf-8"), modules)
        return module("lambda_function", handler, modules).lambda_handler

    def boto3(self) -> Any:
        tables = {"Payouts": self.payouts, "RefundsDone": self.done}
        dynamodb = types.SimpleNamespace(Table=tables.__getitem__)
        return types.SimpleNamespace(resource=lambda _: dynamodb)

    def os(self) -> Any:
        def end(_status: int) -> None:
            raise Killed

        variables = {"PAYOUTS": "Payouts", "DONE": "RefundsDone"}
        variables["AWS_LAMBDA_LOG_STREAM_NAME"] = "the one environment"
        return types.SimpleNamespace(environ=variables, _exit=end)

    def time(self) -> Any:
        return types.SimpleNamespace(time=lambda: self.now_s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        """Time passes, and meanwhile another worker has its turn, if one is waiting for it."""
        self.now_s += seconds
        rival, self.rival = self.rival, None
        if rival:
            rival()

    # -- the queue and its trigger --

    def run(self, handler: str) -> Evidence:
        """Send the traffic to the handler, until each message has its end; then some once more."""
        bodies = [body for burst in self.traffic.bursts for body in burst]
        queue = [Message(f"m{number}", body) for number, body in enumerate(bodies)]
        call = self.load(handler)
        while queue:
            self.now_s = max(self.now_s, min(each.visible_s for each in queue))
            batch = self.receive(queue)
            if not batch:
                continue
            deleted, killed = self.invoke(call, batch)
            queue = [each for each in queue if each.id not in deleted]
            call = self.load(handler) if killed else call
        for id in self.traffic.racing:
            self.race(handler, call, self.traffic.refunds[id].body)
        for id in self.traffic.late:
            first = next(n for n, body in enumerate(bodies) if id in body)
            self.invoke(call, [Message(f"m{first}", bodies[first], receives=2)])
        paid = [Payout(**as_payout(each)) for each in self.payouts.items.values() if paid_in(each)]
        return Evidence(self.traffic, tuple(paid), tuple(self.dead))

    def race(self, handler: str, call: Callable[[Item, Any], Any], body: str) -> None:
        """Two workers with the same refund: the second one begins while the bank pays the first."""
        other, messages = self.load(handler), [Message("one", body), Message("two", body)]
        # The first sleep is that of the call, the next one the bank's.
        self.rival = lambda: setattr(self, "rival", lambda: self.invoke(other, messages[1:]))
        self.invoke(call, messages[:1])
        self.rival = None

    def receive(self, queue: list[Message]) -> list[Message]:
        """Up to a batch of what is visible; what was received too often goes where it belongs."""
        batch: list[Message] = []
        for message in [each for each in queue if each.visible_s <= self.now_s][:BATCH]:
            if message.receives >= TRIES:
                queue.remove(message)
                self.dead.append(message.body)
                continue
            message.receives += 1
            message.visible_s = self.now_s + VISIBILITY_S
            batch.append(message)
        return batch

    def invoke(self, call: Callable[[Item, Any], Any], batch: list[Message]) -> tuple[set, bool]:
        """The ids of the messages that Lambda deletes then, and whether the worker died."""
        self.sleep(WORK_S * len(batch))
        records = [{"messageId": each.id, "body": each.body} for each in batch]
        context = types.SimpleNamespace(get_remaining_time_in_millis=lambda: TIMEOUT_MS)
        try:
            answer = call({"Records": records}, context)
        except Killed:
            return set(), True
        except Exception:  # noqa: BLE001 (whatever a handler raises)
            return set(), False
        failed = (answer or {}).get("batchItemFailures", []) if self.reports else []
        return {each.id for each in batch} - {each["itemIdentifier"] for each in failed}, False


def module(name: str, source: str, modules: dict[str, Any]) -> Any:
    made = types.ModuleType(name)
    with mock.patch.dict(sys.modules, modules):
        exec(compile(source, f"<{name}>", "exec"), made.__dict__)
    made.print = lambda *_: None
    return made


def paid_in(item: Item) -> bool:
    return item["payout_id"] != PLAN


def as_payout(item: Item) -> Item:
    return {key: item[key] for key in Payout.__dataclass_fields__}
