"""The hidden traffic: what is sent, by a seed alone. Nothing here talks to AWS.

Three hundred messages: refunds, some of which are sent twice, and poison of five kinds. For some
refunds the bank has a plan: it is slow at first, and twice it takes the worker down.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

ORDERS = 500  # as in payments.py, which only a function imports
REFUNDS, TWICE, OF_A_KIND = 250, 35, 3
BURSTS = (100, 150)  # messages in the first and the second burst; the rest is the third
SLOW, SLOW_MS = 16, 250  # so many refunds find the bank waking up
SOON = 6  # of those that are sent twice: while the bank is slow, a few messages later
RACING = 3  # refunds that reach two workers at the same moment, and not by the queue
POISON_UNTIL = 75  # refunds: early, for its tries take longest
LATE = 6  # refunds that are delivered once more when all is over
ALIKE = 10  # refunds that have order and amount of another one, and are to be paid as well


@dataclass(frozen=True)
class Refund:
    """One refund that a customer is owed."""

    id: str
    order_id: str
    cents: int

    @property
    def body(self) -> str:
        return json.dumps({"refund_id": self.id, "order_id": self.order_id, "cents": self.cents})


@dataclass(frozen=True)
class Traffic:
    """What is sent, in bursts of bodies, and what is planned for it.

    `twice`: ids of refunds that come in two messages; those of `racing` come at the same moment,
    to two workers, and are in no burst. `poison`: its bodies, by an id that stands in each.
    `crashes`: "before" or "after" paying, by the refund's id. `slow`: ids of refunds that find a
    slow bank. `late`: ids of refunds that are delivered once more at the end.
    """

    run: str
    bursts: tuple[tuple[str, ...], ...]
    refunds: dict[str, Refund]
    twice: tuple[str, ...]
    racing: tuple[str, ...]
    poison: dict[str, str]
    crashes: dict[str, str]
    slow: tuple[str, ...]
    late: tuple[str, ...]

    @property
    def early(self) -> str:
        """What the judge itself lays into the dead-letter queue, for the alarm to see."""
        return f"{self.run}-dlq"

    @property
    def messages(self) -> int:
        return sum(map(len, self.bursts))

    def id_in(self, body: str) -> str | None:
        """The id of a refund or of poison that stands in a text; None when it is not of ours."""
        start = body.find(self.run)
        found = body[start : start + len(self.run) + 4] if start >= 0 else ""
        known = found in self.refunds or found in self.poison or found == self.early
        return found if known else None


def make_traffic(seed: int, run: str) -> Traffic:
    """The traffic of a seed. `run` begins all ids, so that those of another run are others."""
    chance = random.Random(seed)
    every = list(make_refunds(chance, run))
    refunds, racing = every[:REFUNDS], every[REFUNDS:]
    slow, others = refunds[:SLOW], refunds[SLOW:]
    before, after = others[90], others[170]
    rest = [each for each in others if each not in (before, after)]
    soon, later = chance.sample(slow[:10], SOON), chance.sample(rest, TWICE - SOON)
    late = chance.sample([each for each in rest if each not in later], LATE)
    poison = make_poison(chance, run)
    return Traffic(
        run=run,
        bursts=in_bursts(in_order(chance, refunds, soon, later, list(poison.values()))),
        refunds={each.id: each for each in every},
        twice=tuple(each.id for each in (*soon, *later, *racing)),
        racing=tuple(each.id for each in racing),
        poison=poison,
        crashes={before.id: "before", after.id: "after"},
        slow=tuple(each.id for each in (*slow, *racing)),
        late=(after.id, *(each.id for each in late)),
    )


def make_refunds(chance: random.Random, run: str) -> Iterator[Refund]:
    alike = {*chance.sample(range(SLOW, REFUNDS, 2), ALIKE)}
    orders = chance.sample(range(1, ORDERS + 1), REFUNDS + RACING)
    order_id, cents = "", 0
    for number in range(REFUNDS + RACING):
        if number not in alike:
            order_id, cents = f"A{orders[number]}", chance.randint(100, 20_000)
        yield Refund(f"{run}-{number + 1:03}", order_id, cents)


def make_poison(chance: random.Random, run: str) -> dict[str, str]:
    """Bodies that are no refund, by their ids; three of each kind, mixed."""
    kinds = [kind for kind in KINDS for _ in range(OF_A_KIND)]
    chance.shuffle(kinds)
    ids = [f"{run}-p{number:02}" for number in range(1, len(kinds) + 1)]
    return {id: kind(id) for id, kind in zip(ids, kinds, strict=True)}


def with_fields(**fields: object) -> Callable[[str], str]:
    """Makes a message that would be a refund but for these fields; None leaves one out."""
    whole = {"order_id": "A1", "cents": 1290, **fields}
    kept = {name: value for name, value in whole.items() if value is not None}
    return lambda id: json.dumps({"refund_id": id, **kept})


KINDS: tuple[Callable[[str], str], ...] = (
    lambda id: f"please refund {id}: 12.90",  # no JSON
    with_fields(cents=None),
    with_fields(cents="12.90"),
    with_fields(cents=-1290),
    with_fields(order_id=f"A{ORDERS + 1}"),
)


def in_order(
    chance: random.Random,
    refunds: list[Refund],
    soon: list[Refund],
    later: list[Refund],
    poison: list[str],
) -> list[str]:
    """All bodies in the order in which they are sent; what is sent again comes later than first."""
    places = {each.id: float(number) for number, each in enumerate(refunds)}
    bodies = [(place, refunds[int(place)].body) for place in places.values()]
    bodies += [(places[each.id] + chance.randint(4, 7) + 0.5, each.body) for each in soon]
    bodies += [(places[each.id] + chance.randint(1, 120) + 0.5, each.body) for each in later]
    bodies += [(chance.uniform(SLOW, POISON_UNTIL), body) for body in poison]
    return [body for _, body in sorted(bodies)]


def in_bursts(bodies: list[str]) -> tuple[tuple[str, ...], ...]:
    first, second = BURSTS
    cuts = (0, first, first + second, len(bodies))
    return tuple(tuple(bodies[begin:end]) for begin, end in pairwise(cuts))
