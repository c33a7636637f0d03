"""`python -m tests.bench`: the local AWS beside plain moto and MiniStack, in one run.

Every figure is the median of several repeats. The servers take turns, so that whatever else
the machine does hits all alike. Absolute times are this machine's; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial

from tests.bench import floor, measures
from tests.bench.servers import Kind, kinds, running
from tests.bench.table import Results, collect, receive_at_depth, table


def plan(quick: bool) -> dict[str, tuple[int, bool, list]]:
    """By name: repeats, whether handlers must run, and the measures."""
    backlogs = [100, 1_000] if quick else [100, 1_000, 10_000]
    counts = [500] if quick else [500, 5_000]
    return {
        "start": (5, False, [measures.start_and_memory]),
        "sqs": (3, False, [partial(measures.sqs_rates, backlogs=backlogs)]),
        "invoke": (3, True, [measures.invoke]),
        "one": (3, True, [measures.one_message]),
        "drain": (
            3,
            True,
            [
                partial(measures.end_to_end, count=count, batch_size=size)
                for count in counts
                for size in (1, 10)
            ],
        ),
        "ten": (3, True, [measures.ten_functions]),
    }


def measure(results: Results, kind: Kind, runs_handlers: bool, each: list) -> None:
    if runs_handlers and not kind.runs_handlers:
        return
    for function in each:
        with running(kind) as server:
            collect(results, kind.name, partial(function, server))
            print(".", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without 5,000 and 10,000 messages")
    parser.add_argument("--only", choices=plan(True), help="one part of the measures")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    results: Results = {}
    there = kinds()
    for name, (repeats, runs_handlers, each) in plan(options.quick).items():
        if options.only in (None, name):
            for _ in range(1 if options.quick else repeats):
                for kind in there:
                    measure(results, kind, runs_handlers, each)
    print(file=sys.stderr)
    print(table(results), end="\n\n")
    for sentence in receive_at_depth(results):
        print(sentence)
    if options.only is None:
        print("\nWhere the time goes:")
        for sentence in floor.report():
            print(f"- {sentence}")
    print(f"\nThis took {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
