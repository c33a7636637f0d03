"""Rows about the traffic: what became of the refunds and of the poison.

What counts is what the bank has paid, and what lies in the dead-letter queue: neither the log of
the function nor what its handler returns is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from helpers.capstone.bank import Payout
from helpers.capstone.rows import Row, judged, some
from helpers.capstone.traffic import Traffic


@dataclass(frozen=True)
class Evidence:
    """What is known of a run. `dead`: bodies in the dead-letter queue, all of this run."""

    traffic: Traffic
    payouts: tuple[Payout, ...]
    dead: tuple[str, ...]

    @cached_property
    def paid(self) -> Counter[str]:
        """How often each refund was paid, with what was asked for."""
        refunds = self.traffic.refunds
        right = {(each.id, each.order_id, each.cents) for each in refunds.values()}
        facts = ((each.refund_id, each.order_id, each.cents) for each in self.payouts)
        return Counter(fact[0] for fact in facts if fact in right)

    @cached_property
    def wrongly_paid(self) -> list[str]:
        """Ids of payouts that nobody has asked for: of poison, or of another amount."""
        facts = {(each.id, each.order_id, each.cents) for each in self.traffic.refunds.values()}
        return [
            each.refund_id
            for each in self.payouts
            if (each.refund_id, each.order_id, each.cents) not in facts
        ]

    @cached_property
    def dead_ids(self) -> set[str]:
        return {id for body in self.dead if (id := self.traffic.id_in(body))}

    def twice(self, among: Iterable[str]) -> list[str]:
        """Those of some refunds that were paid more than once."""
        return [id for id in among if self.paid[id] > 1]

    @property
    def is_enough(self) -> bool:
        """Whether so much was paid that something can be said of doubles and of poison."""
        return len(self.paid) >= len(self.traffic.refunds) / 2

    def went_wrong(self) -> list[str]:
        """Ids of refunds and poison that had another end than they should."""
        refunds, poison = self.traffic.refunds, self.traffic.poison
        wrong = [id for id in refunds if self.paid[id] != 1 or id in self.dead_ids]
        wrong += [id for id in poison if id not in self.dead_ids or id in self.wrongly_paid]
        return wrong

    def most_at_once(self) -> int:
        """How many environments paid at the same time, at most."""
        moments = [(each.began_ms, 1, each.environment) for each in self.payouts]
        moments += [(each.paid_ms, 0, each.environment) for each in self.payouts]
        busy: Counter[str] = Counter()
        most = 0
        for _, begins, environment in sorted(moments):  # of one moment, an end comes first
            busy[environment] += 1 if begins else -1
            most = max(most, sum(number > 0 for number in busy.values()))
        return most


def rows(evidence: Evidence) -> list[Row]:
    """The six rows about the traffic, in their order."""
    rules = (about_lost, about_sent_twice, about_delivered_twice, about_crash, about_poison)
    return [rule(evidence) for rule in (*rules, about_innocent)]


def about_these(
    evidence: Evidence, asked: str, bad: list[str], praise: str, wrong: str, advice: str, where: str
) -> Row:
    """A row that is right when there are no bad ids, and enough was paid to see that."""
    if not bad and not evidence.is_enough:
        wrong, advice = "Too few refunds were paid to see it.", "See to it that any are paid."
    right = not bad and evidence.is_enough
    return judged(asked, right, praise, wrong, advice, where)


def about_lost(evidence: Evidence) -> Row:
    """Every refund is paid; what is in the dead-letter queue, another row judges."""
    traffic = evidence.traffic
    ordinary = [id for id in traffic.refunds if id not in traffic.crashes]
    gone = [id for id in ordinary if not evidence.paid[id] and id not in evidence.dead_ids]
    return about_these(
        evidence,
        "every refund is paid",
        gone,
        f"{len(ordinary)} refunds are paid, or set aside where they can be found.",
        f"{len(gone)} of {len(ordinary)} refunds are neither paid nor set aside: {some(gone)}.",
        "A call that returns has its messages deleted, whatever it did. And an order may have two "
        "refunds of the same amount.",
        "04",
    )


def about_sent_twice(evidence: Evidence) -> Row:
    """What comes in two messages is paid once."""
    pairs = evidence.traffic.twice
    doubled = evidence.twice(pairs)
    return about_these(
        evidence,
        "sent twice, paid once",
        doubled,
        f"{len(pairs)} refunds came in two messages each, and none was paid twice.",
        f"{len(doubled)} of {len(pairs)} refunds that came in two messages were paid twice: "
        f"{some(doubled)}.",
        "Remember refunds by refund_id, by a write on a condition: two workers may ask at once.",
        "09",
    )


def about_delivered_twice(evidence: Evidence) -> Row:
    """One message that is handed over again, after a crash or much later, pays nothing more."""
    traffic = evidence.traffic
    doubled = evidence.twice(id for id in traffic.refunds if id not in traffic.twice)
    return about_these(
        evidence,
        "delivered twice, paid once",
        doubled,
        "Messages were handed over again, after crashes and at the end, and nothing was paid anew.",
        f"{len(doubled)} refunds were paid again when their message came again: {some(doubled)}.",
        "After a crash nobody has written down what was done: ask payments.paid before you pay.",
        "09",
    )


def about_crash(evidence: Evidence) -> Row:
    """A worker that dies before or after paying loses nothing."""
    crashes = evidence.traffic.crashes
    lost = [id for id in crashes if not evidence.paid[id] and id not in evidence.dead_ids]
    return judged(
        "a killed worker loses nothing",
        not lost,
        "Two workers were killed, before and after paying, and both refunds are paid.",
        f"A worker was killed, and its refund is not paid: {some(lost)}.",
        "Write that it is done when it is done; a claim before it has to end by itself.",
        "09",
    )


def about_poison(evidence: Evidence) -> Row:
    """Each message that is no refund lies in the dead-letter queue, and paid nothing."""
    poison = evidence.traffic.poison
    paid = [id for id in evidence.wrongly_paid if id in poison]
    missing = [id for id in poison if id not in evidence.dead_ids]
    example = poison[(paid or missing or [*poison])[0]]
    wrong = f"{len(missing)} of {len(poison)} are not in the dead-letter queue, such as {example}"
    if paid:
        wrong = f"{len(paid)} of {len(poison)} were paid, such as {example}"
    return judged(
        "poison is set aside",
        not missing and not paid,
        f"All {len(poison)} messages that are no refund are in the dead-letter queue.",
        f"Of the messages that are no refund {wrong}.",
        "Look at a message before you pay, and let one fail that is no refund: a redrive policy "
        "does the rest.",
        "08",
    )


def about_innocent(evidence: Evidence) -> Row:
    """No refund lies in the dead-letter queue."""
    innocent = sorted(evidence.dead_ids & evidence.traffic.refunds.keys())
    return about_these(
        evidence,
        "only poison is set aside",
        innocent,
        "No refund is in the dead-letter queue.",
        f"{len(innocent)} refunds are in the dead-letter queue: {some(innocent)}.",
        "One that fails must not fail its batch, and a crash must not use up all tries.",
        "09",
    )
