"""`python -m tests.bench`: the local AWS beside plain moto and MiniStack, in one run.

Every figure is the median of several repeats, with its lowest and highest value. The servers
take turns, so that whatever else the machine does hits all alike. Absolute times are this
machine's; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.bench import floor, measures
from tests.bench.servers import Kind, Running, kinds, running
from tests.bench.table import NOT_POSSIBLE, Results, table
from tests.bench.workload import TooSlow

Measure = Callable[[Running], measures.Figures]


class Part(NamedTuple):
    """Measures that belong together, each on a server of its own."""

    repeats: int
    needs_handlers: bool
    measures: list[Measure]


def plan(quick: bool) -> dict[str, Part]:
    backlogs = [100, 1_000] if quick else [100, 1_000, 10_000]
    parts = {
        "start": Part(5, False, [measures.start_and_memory]),
        "sqs": Part(3, False, [partial(measures.sqs_rates, backlogs=backlogs)]),
        "invoke": Part(3, True, [measures.invoke]),
        "one": Part(3, True, [measures.one_message]),
        "drain-500": Part(3, True, drains(500) + drains(500, prints=True)),
        "drain-5000": Part(1, True, drains(5_000)),  # MiniStack needs a minute for it
        "ten": Part(3, True, [measures.ten_functions]),
    }
    if quick:
        del parts["drain-5000"]
        return {name: part._replace(repeats=1) for name, part in parts.items()}
    return parts


def drains(count: int, prints: bool = False) -> list[Measure]:
    return [
        partial(measures.drain, count=count, batch_size=size, prints=prints) for size in (1, 10)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; returns the exit code."""
    names = [*plan(False), "where"]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once, without 5,000 and 10,000")
    parser.add_argument("--only", choices=names, help="one part; where: where the time goes")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        run(options.quick, options.only)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print(f"\nThis took {time.monotonic() - began:.0f} s.")
    return 0


def run(quick: bool, only: str | None) -> None:
    results = Results()
    there = kinds()
    for name, part in plan(quick and only != "drain-5000").items():
        if only in (None, name):
            print(name, end=" ", file=sys.stderr, flush=True)
            measure(results, there, part)
    print(file=sys.stderr)
    if results.rows:
        print(table(results))
    if only in (None, "where"):
        print(f"\nWhere the time goes\n\n{floor.report()}")


def measure(results: Results, there: list[Kind], part: Part) -> None:
    able = [kind for kind in there if kind.runs_handlers or not part.needs_handlers]
    for _ in range(part.repeats):
        for each in part.measures:
            for kind in able:
                measure_once(results, kind, each)
    for kind in there:
        if kind not in able:
            mark_impossible(results, kind)


def measure_once(results: Results, kind: Kind, each: Measure) -> None:
    """A measure that fails costs its own figure only; what went wrong is said at once."""
    try:
        with running(kind) as server:
            results.add(kind.name, each(server))
        print(".", end="", file=sys.stderr, flush=True)
    except (TooSlow, TimeoutError, RuntimeError) as error:
        print(f"\n{kind.name}: {each}: {error!r}", file=sys.stderr)


def mark_impossible(results: Results, kind: Kind) -> None:
    """Plain moto has no executor: handlers do not run there without Docker."""
    for row, cells in results.rows.items():
        if kind.name not in cells:
            results.add(kind.name, {row: NOT_POSSIBLE})


if __name__ == "__main__":
    sys.exit(main())
