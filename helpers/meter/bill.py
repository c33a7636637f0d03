"""What something would cost on AWS, line by line, as a table that a notebook shows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pandas as pd

from helpers.prices import Price

CENT = 0.01


@dataclass(frozen=True)
class Line:
    """So much of one kind. `estimated`: calculated from AWS's rules, for nobody can count it."""

    kind: str
    amount: float
    price: Price
    estimated: bool = False

    @property
    def usd(self) -> float:
        return self.price.of(self.amount)


@dataclass(frozen=True)
class Bill:
    """What the cells of a notebook would cost on AWS. Evaluate it in a cell to see its table.

    Not in it: what handlers themselves ask of AWS, for nobody sees that from here; storage, which
    is paid by the month; log lines that are not there to be read yet.
    """

    lines: tuple[Line, ...]
    seconds: float

    @property
    def usd(self) -> float:
        """US dollars at list price, as if nothing was free."""
        return sum(line.usd for line in self.lines)

    @property
    def usd_beyond_free(self) -> float:
        """US dollars in an account that uses nothing else of what AWS gives each month."""
        pools: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            pools[line.price.pool].append(line)
        return sum(map(beyond_free, pools.values()))

    def amount(self, *pools: str) -> float:
        """How much there is of these pools of prices together, such as "SQS"."""
        return sum(line.amount for line in self.lines if line.price.pool in pools)

    @property
    def sentence(self) -> str:
        """The sum in words."""
        return (
            f"At list price {in_words(self.usd)}; "
            f"beyond what is free each month {in_words(self.usd_beyond_free)}."
        )

    def table(self) -> pd.DataFrame:
        """A row for each line, and the sum. Columns: `what`, `amount`, `unit`, `price`, `usd`."""
        rows = [
            {
                "what": f"{line.kind} (estimated)" if line.estimated else line.kind,
                "amount": f"{line.amount:,.3g}" if line.amount < 10 else f"{line.amount:,.0f}",
                "unit": line.price.unit,
                "price": f"${plain(line.price.usd)} for {line.price.units:,.0f}",
                "usd": f"{line.usd:.6f}",
            }
            for line in self.lines
        ]
        total = {"what": "all, at list price", "amount": "", "unit": "", "price": ""}
        free = {**total, "what": "beyond what is free each month"}
        rows += [{**total, "usd": f"{self.usd:.6f}"}]
        rows += [{**free, "usd": f"{self.usd_beyond_free:.6f}"}]
        return pd.DataFrame(rows)

    @property
    def note(self) -> str:
        oldest = min(line.price.quoted for line in self.lines)
        return (
            f"Since the notebook's first cell, {self.seconds / 60:.1f} minutes ago; prices of "
            f"us-east-1, the oldest of {oldest:%B %Y}. Not in it: what handlers themselves ask "
            "of AWS, and log lines that have not arrived yet."
        )

    def __repr__(self) -> str:
        return f"{self.table().to_string(index=False)}\n{self.note}"

    def _repr_html_(self) -> str:
        return f"{self.table().to_html(index=False)}<p>{self.note}</p>"


def beyond_free(lines: list[Line]) -> float:
    """US dollars for what is more than the free amount of one pool."""
    amount = sum(line.amount for line in lines)
    paid = max(0.0, amount - lines[0].price.free)
    return sum(line.usd for line in lines) * paid / amount if amount else 0.0


def plain(usd: float) -> str:
    """A price without an exponent and without zeros at its end."""
    return f"{usd:.10f}".rstrip("0")


def in_words(usd: float) -> str:
    """Dollars as footers say them."""
    if not usd:
        return "nothing"
    return "less than a cent" if usd < CENT else f"${usd:.2f}"
