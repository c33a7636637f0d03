"""What the exercises of notebook 11 are checked by."""

from __future__ import annotations

from helpers.account.belongings import find_triggers
from helpers.checks.looking import patience_s
from helpers.checks.points import say
from helpers.experiments.experiment import Experiment, printed
from helpers.waiting import wait_until


def check_cured(experiment: Experiment, orders: int = 3, limit_s: float = 3) -> None:
    """Notebook 11: all orders that were sent to an experiment have been charged."""

    def charged() -> int:
        lines = printed(experiment.events())
        return int(lines[lines.str.startswith("charged")].nunique())

    try:
        wait_until(charged, lambda number: number >= orders, "the orders", patience_s(limit_s))
    except TimeoutError:
        print(
            f"Not yet: the log calls {charged()} of {orders} orders charged. What should take them "
            "from the queue, and what does it say of itself? On AWS log lines come late: if you "
            "have cured it, run this cell again."
        )
        return
    foreign = [each for each in find_triggers([experiment.name]) if not each.ours]
    say(True, f"all {orders} orders are charged.", "", *foreign)
