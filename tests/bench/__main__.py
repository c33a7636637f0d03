"""`python -m tests.bench`: the local AWS beside plain moto and MiniStack, in one run.

Every figure is the median of several repeats, with its lowest and highest value. The servers
take turns, so that whatever else the machine does hits all alike. Absolute times are this
machine's; the ratios are what counts. A part of it has its share of six minutes: a repeat that
would not fit is left out. Its table is printed when it is there.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from tests.bench import floor, measures
from tests.bench.servers import MINI, MOTO, OURS, Kind, Running, kinds, running
from tests.bench.table import NOT_POSSIBLE, Results

WHERE, WHERE_S = "where", 25
Measure = Callable[[Running], measures.Figures]


class Part(NamedTuple):
    """Measures that belong together, each on a server of its own.

    `seconds`: how long all repeats may take. `who`: the kinds of servers that can do it.
    """

    repeats: int
    seconds: float
    who: Sequence[Kind]
    measures: list[Measure]


EVERYONE, WITH_HANDLERS = (OURS, MOTO, MINI), (OURS, MINI)


def plan(quick: bool) -> dict[str, Part]:
    backlogs = [100, 1_000] if quick else [100, 1_000, 10_000]
    parts = {
        "start": Part(5, 25, EVERYONE, [measures.start_and_memory]),
        "sqs": Part(3, 80, EVERYONE, [partial(measures.sqs_rates, backlogs=backlogs)]),
        "batches": Part(3, 20, EVERYONE, [measures.batch_rates]),
        "many": Part(1, 40, [OURS], [measures.many]),
        "invoke": Part(3, 40, WITH_HANDLERS, [measures.invoke]),
        "one": Part(3, 30, WITH_HANDLERS, [measures.one_message]),
        "drain-500": Part(3, 40, WITH_HANDLERS, drains(500) + drains(500, prints=True)),
        "drain-5000": Part(1, 45, WITH_HANDLERS, drains(5_000)),
        "ten": Part(3, 15, WITH_HANDLERS, [measures.ten_functions]),
    }
    if quick:
        del parts["drain-5000"], parts["many"]
        return {name: part._replace(repeats=1) for name, part in parts.items()}
    return parts


def drains(count: int, prints: bool = False) -> list[Measure]:
    return [
        partial(measures.drain, count=count, batch_size=size, prints=prints) for size in (1, 10)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; returns the exit code."""
    names = [*plan(False), WHERE]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once, without 5,000 and more")
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
    there = kinds()
    for name, part in plan(quick and only not in ("drain-5000", "many")).items():
        if only in (None, name):
            print(f"{name} ", end="", file=sys.stderr, flush=True)
            results = measure(part, there)
            print(file=sys.stderr)
            print(f"\n{name}\n\n{results}", flush=True)
    if only in (None, WHERE):
        print(f"\n{WHERE}: where the time goes\n\n{where_it_goes()}")


def measure(
    part: Part, there: Sequence[Kind], clock: Callable[[], float] = time.monotonic
) -> Results:
    """The figures of a part, from as many repeats as its time allows, one at least."""
    results, began = Results(), clock()
    for repeat in range(part.repeats):
        took = clock() - began
        if repeat and took + took / repeat > part.seconds:
            results.remarks.append(f"{repeat} of {part.repeats} repeats: more would take too long.")
            break
        for each in part.measures:
            for kind in part.who:
                if kind in there:
                    measure_once(results, kind, each)
    for kind in there:
        if kind not in part.who and part.who is WITH_HANDLERS:
            mark_impossible(results, kind)
    return results


def measure_once(results: Results, kind: Kind, each: Measure) -> None:
    """A measure that fails costs its own figures only; what went wrong is said."""
    try:
        with running(kind) as server:
            results.add(kind.name, each(server))
        print(".", end="", file=sys.stderr, flush=True)
    except Exception as error:  # noqa: BLE001 (whatever it is, the others are measured)
        results.remarks.append(f"FAILED: {kind.name}, {named(each)}: {error!r}")
        print("F", end="", file=sys.stderr, flush=True)


def named(each: Measure) -> str:
    """What was measured, and with which settings."""
    function = each.func if isinstance(each, partial) else each
    settings = each.keywords if isinstance(each, partial) else {}
    return f"{function.__name__} {settings or ''}".strip()


def where_it_goes() -> str:
    try:
        return floor.report()
    except Exception as error:  # noqa: BLE001 (the tables above are still worth something)
        return f"FAILED: {error!r}"


def mark_impossible(results: Results, kind: Kind) -> None:
    """Plain moto has no executor: handlers do not run there without Docker."""
    for row, cells in results.rows.items():
        if kind.name not in cells:
            results.add(kind.name, {row: NOT_POSSIBLE})


if __name__ == "__main__":
    sys.exit(main())
