"""What the end of a notebook says of a real account: what it costs there, and how long it takes."""

from __future__ import annotations

import re
from typing import NamedTuple

from helpers import meter, prices
from tests.aws_minutes import minutes_on_aws
from tests.notebook_files import markdown, read

COST = re.compile(
    r"\*\*On AWS this would have cost\*\* (nothing|less than a cent): "
    r"fewer than ([\d,]+) requests\b"
)
WRITES = re.compile(r"([\d,]+) writes into the table")
TIME = re.compile(r"\*\*On AWS the cells take\*\* (less than a minute|about \d+ minutes?)\b")
SHARE = 0.01  # of what is free each month: then a learner uses it up neither alone nor in a class
TOO_VAGUE = 10  # a limit says nothing when a run needs less than this part of it


class Footer(NamedTuple):
    cost: str
    requests: int
    writes: int  # of handlers, where it says how many
    time: str


def footer(name: str) -> Footer:
    """What a notebook says. Raises AssertionError when it does not say it in our words."""
    text = markdown(read(name))[-1]
    cost, time = COST.search(text), TIME.search(text)
    assert cost, f"{name} does not say what it costs: {text}"
    assert time, f"{name} does not say how long it takes: {text}"
    writes = WRITES.search(text)
    return Footer(cost[1], number(cost[2]), number(writes[1]) if writes else 0, time[1])


def number(text: str) -> int:
    return int(text.replace(",", ""))


def as_on_aws(name: str, bill: meter.Bill) -> meter.Bill:
    """The bill of a run here, with the polls of a trigger that is on while cells wait on AWS."""
    polls = sum(line.amount for line in bill.lines if "polls" in line.kind)
    more = prices.idle_polls(minutes_on_aws(name) * 60) if polls else 0
    return meter.Bill((*bill.lines, meter.Line("polls", more, prices.SQS_REQUEST)), bill.seconds)


def with_handlers(bill: meter.Bill, said_writes: int) -> meter.Bill:
    """The bill and what handlers of the course ask at most: for each batch that was fetched two
    requests and, unless the footer says how many, a write."""
    fetches = sum(line.amount for line in bill.lines if "receives" in line.kind) / 2
    handlers = (
        meter.Line("handlers' requests", 2 * fetches, prices.SQS_REQUEST),
        meter.Line("handlers' writes", said_writes or fetches, prices.TABLE_WRITE),
    )
    return meter.Bill((*bill.lines, *handlers), bill.seconds)


def wrong_in_footer(name: str, bill: meter.Bill) -> list[str]:
    """What the footer of a notebook says otherwise than the meter, after a run of it."""
    said, counted = footer(name), as_on_aws(name, bill)
    requests, found = counted.amount("SQS"), []
    if not said.requests / TOO_VAGUE < requests < said.requests:
        found.append(f"{requests:.0f} requests, and it says fewer than {said.requests}")
    if said.cost == "nothing":
        pools = {line.price.pool: line.price.free for line in counted.lines}
        over = [pool for pool, free in pools.items() if counted.amount(pool) > SHARE * free]
        found += [f"more of {pool} than a hundredth of what is free" for pool in over]
    elif meter.in_words(usd := with_handlers(counted, said.writes).usd) != said.cost:
        found.append(f"${usd:.4f}, and it says {said.cost}")
    return found
