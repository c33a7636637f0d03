"""`python -m tests.thirty_learners`: a class in one account, each learner with a prefix.

One rehearsal of AWS stands for the account. Each learner is a process that runs the notebooks from
the first to the last, at the speed of *Run All Cells*: nobody reads, so this is the worst case.
It prints how often each kind of call was made and throttled, how many functions ran at once, and
what failed. It takes many minutes and is no part of `make test`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import boto3
import pandas as pd

from helpers import charts, checks, evidence, experiments, logs, waiting
from helpers.account import names
from helpers.account.target import aws_pace
from helpers.localaws import lifecycle
from helpers.localaws.rehearsal.limits import limit_of
from helpers.localaws.rehearsal.profiles import RATES
from helpers.localaws.settings import LikeAws, read_like_aws
from helpers.meter.calls import CALLS
from tests.notebook_files import NAMES, run_whole
from tests.rehearse import variables

SEVEN_STEPS = [*NAMES[:8], NAMES[-1]]
FORKED = (charts, checks, evidence, experiments)  # imported once, before the learners part
LIMIT_S = 3600
LATE_LINES_S = 30  # what a function has written can be read by then, nearly always

# -- one learner, in a process of its own -----------------------------------------------------


class Diary:
    """What a learner's clients were answered: when, by what, and whether it was a throttle."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str, str, bool]] = []
        self._listen = CALLS.listen

    def listen(self) -> None:
        """In the place of the meter's own: each notebook's first cell makes a session anew."""
        self._listen()
        boto3.DEFAULT_SESSION.events.register("response-received", self.note, unique_id="diary")

    def note(self, event_name: str, parsed_response: Any = None, **_others: Any) -> None:
        _, service, operation = event_name.split(".")
        code = (parsed_response or {}).get("Error", {}).get("Code", "")
        throttled = code in waiting.THROTTLED
        service = {"cloudwatch-logs": "logs"}.get(service, service)
        self.calls.append((time.time(), service, operation, throttled))


def learn(number: int, notebooks: list[str], folder: Path, pause_s: float) -> None:
    """Run the notebooks as one learner; what was seen goes into a file of the folder."""
    os.environ["SQS_COURSE_PREFIX"] = f"learner{number:02}-"
    os.nice(10)
    time.sleep(number * pause_s)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # progress bars
    diary, results, ran = Diary(), [], []
    last = next((each for each in reversed(notebooks) if each != NAMES[-1]), "")  # then all goes
    CALLS.listen = diary.listen  # type: ignore[method-assign]
    for name in notebooks:
        started, error = time.monotonic(), ""
        try:
            run_whole(name)
        except Exception as raised:  # noqa: BLE001 (whatever a learner may see)
            error = f"{type(raised).__name__}: {raised}"[:300]
        results.append((name, time.monotonic() - started, error))
        if name == last:
            time.sleep(LATE_LINES_S * aws_pace())
            ran = list(invocations())
    seen = {"calls": diary.calls, "results": results, "ran": ran}
    (folder / f"{number}.json").write_text(json.dumps(seen), encoding="utf-8")


def invocations() -> Iterator[tuple[float, float]]:
    """When each call of the learner's functions began and ended, s since the epoch."""
    client = boto3.client("logs")
    for function in map(names.name, names.EVERYTHING.functions):
        events = logs.read_events(client, logs.log_group(function))
        for each in evidence.invocations(events).itertuples():
            begin = each.started.timestamp() if pd.notna(each.started) else None
            if begin is not None:
                yield begin, begin + each.duration_ms / 1000


# -- all of them ------------------------------------------------------------------------------


def teach(learners: int, notebooks: list[str], like: LikeAws, pause_s: float) -> list[Any]:
    """Let all learn at once, on one rehearsal; what each has seen."""
    folder = Path(os.environ["LOCALAWS_FOLDER"])
    lifecycle.rehearse(like)
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(target=learn, args=(number, notebooks, folder, pause_s))
        for number in range(learners)
    ]
    for each in processes:
        each.start()
    ends = time.monotonic() + LIMIT_S
    for each in processes:
        each.join(max(0, ends - time.monotonic()))
        if each.is_alive():
            each.terminate()
    files = sorted(folder.glob("[0-9]*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def call_table(seen: list[Any]) -> pd.DataFrame:
    """A row for each limit of AWS's, and for each other service: how often it was called."""
    by_second: dict[str, Counter[int]] = defaultdict(Counter)
    throttled: Counter[str] = Counter()
    rates: dict[str, float] = {}
    for at, service, operation, refused in (call for each in seen for call in each["calls"]):
        limit = limit_of(service, operation)
        key = f"{service} {limit[1]}" if limit else f"{service} (no published limit)"
        rates[key] = RATES[limit] if limit else float("inf")
        by_second[key][int(at)] += 1
        throttled[key] += refused
    rows = [
        {
            "calls": key,
            "in all": counts.total(),
            "at most in a second": max(counts.values()),
            "at most in a minute": max(minutes_of(counts).values()),
            "limit per second": rates[key],
            "throttled": throttled[key],
        }
        for key, counts in sorted(by_second.items())
    ]
    return pd.DataFrame(rows)


def minutes_of(counts: Counter[int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for second, count in counts.items():
        found[second // 60] += count
    return found


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """How many of these spans of time overlap at most."""
    changes = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def show(seen: list[Any], notebooks: list[str]) -> None:
    print(call_table(seen).to_string(index=False))
    spans = [(begin, end) for each in seen for begin, end in each["ran"]]
    print(f"\n{len(spans)} invocations, at most {most_at_once(spans)} at once.\n")
    for name in notebooks:
        results = [result for each in seen for result in each["results"] if result[0] == name]
        minutes = [seconds / 60 for _, seconds, _ in results]
        failed = Counter(error for *_, error in results if error)
        print(
            f"{name}: {len(results)} learners, {median(minutes):.1f} minutes as a rule, "
            f"{max(minutes):.1f} at most, {failed.total()} failed"
        )
        for error, times in failed.most_common(3):
            print(f"    {times} times {error}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.thirty_learners", description=__doc__)
    parser.add_argument("names", nargs="*", default=SEVEN_STEPS, help="notebooks, in their order")
    parser.add_argument("--learners", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0, help="s between one and the next")
    parser.add_argument("--profile", default="typical")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--scale", default="1")
    options = parser.parse_args(arguments)
    try:
        like = read_like_aws(options.profile, options.seed, options.scale)
    except ValueError as error:
        parser.error(str(error))
    os.environ.update(variables(like))
    with tempfile.TemporaryDirectory(prefix="thirty-learners-") as folder:
        os.environ["LOCALAWS_FOLDER"] = folder
        try:
            seen = teach(options.learners, options.names, like, options.pause)
            show(seen, options.names)
            print("", *lifecycle.reports(), sep="\n")
        finally:
            lifecycle.stop_rehearsals()
    return len(seen) < options.learners


if __name__ == "__main__":
    sys.exit(main())
