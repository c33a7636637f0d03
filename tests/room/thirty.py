"""A class of thirty at once, measured: `make class-measure`, or `python -m tests.room.thirty`.

Thirty scripted learners come in at the same moment, each with a server, kernels and a local AWS of
their own. When all have run their first cell, as a class waits for the last one, they run the
notebooks one after the other, as fast as the computer lets them: no person is so quick, so this is
the worst case. It prints a table. It needs what `make class` needs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from tests.notebook_files import ROOT
from tests.room.learner import Learner

PORT = 8200
ADDRESS = f"http://127.0.0.1:{PORT}"
FOLDER = Path("/var/lib/sqs-lambda-class-measured")
NOTEBOOKS = ("00", "01", "02", "03", "04", "05", "06", "07")
SAMPLE_S = 5.0
LONGEST_WAIT_S = 900.0  # for the others
KINDS = ("server", "kernel", "local AWS", "workers")


class Memory:
    """The proportional set size of each learner's processes, sampled. In MB, by kind."""

    def __init__(self) -> None:
        self.most: dict[str, dict[str, float]] = defaultdict(dict)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            now: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(KINDS, 0.0))
            for process in psutil.process_iter(["username", "cmdline"]):
                name = process.info["username"] or ""
                if name.startswith("sqs-"):
                    with suppress(psutil.Error):
                        mb = process.memory_full_info().pss / 1024**2
                        now[name][kind_of(process.info["cmdline"] or [])] += mb
            for name, parts in now.items():
                if sum(parts.values()) > sum(self.most[name].values()):
                    self.most[name] = dict(parts)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def kind_of(command: list[str]) -> str:
    line = " ".join(command)
    if "ipykernel" in line:
        return "kernel"
    if "helpers.localaws" in line:
        return "local AWS"
    return "server" if "singleuser" in line or "helpers.room.seat" in line else "workers"


class Times:
    """How long each step took a learner, in s."""

    def __init__(self) -> None:
        self.s: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def note(self, step: str, began: float) -> None:
        with self._lock:
            self.s[step].append(time.monotonic() - began)

    def blame(self, said: list[str]) -> None:
        with self._lock:
            self.wrong += said


def attend(
    learner: Learner, notebooks: list[Path], times: Times, everyone: threading.Barrier
) -> None:
    """What one learner does, from the address to the last notebook."""
    began = time.monotonic()
    try:
        learner.log_in()
        learner.start()
        times.note("own server", began)
        for number, path in enumerate(notebooks):
            opened = time.monotonic()
            kernel = learner.open(path.stem)
            if number == 0:
                kernel.run("from helpers import course\ncourse.begin('00_start_here')")
                times.note("first cell", began)
                with suppress(threading.BrokenBarrierError):
                    everyone.wait(LONGEST_WAIT_S)
                opened = time.monotonic()
            times.blame([f"{learner.name}: {each}" for each in kernel.run_notebook(path)])
            kernel.close()
            times.note(path.stem, opened)
    except Exception as error:  # noqa: BLE001 (one learner's trouble is a line of the table)
        everyone.abort()  # the others need not wait for this one
        times.blame([f"{learner.name}: {type(error).__name__}: {error}"])


def begin(seats: int, python: str) -> subprocess.Popen[bytes]:
    variables = {"SQS_CLASS_FOLDER": str(FOLDER), "SQS_CLASS_PORT": str(PORT)}
    room = [sys.executable, "-m", "helpers.room"]
    os.environ.update(variables, SQS_CLASS_SEATS=str(seats))
    subprocess.run([*room, "prepare", "--python", python], cwd=ROOT, check=True)
    hub = subprocess.Popen([*room, "start", "--python", python], cwd=ROOT)
    for _ in range(120):
        with suppress(httpx.HTTPError):
            if httpx.get(f"{ADDRESS}/hub/login").status_code == 200:
                return hub
        time.sleep(1)
    raise TimeoutError("the hub does not answer")


def table(times: Times, memory: Memory) -> str:
    lines = ["| Step | Learners | Fastest, s | Median, s | Slowest, s |", "|---|---|---|---|---|"]
    for step, took in times.s.items():
        row = (min(took), statistics.median(took), max(took))
        lines.append(f"| {step} | {len(took)} | {' | '.join(f'{each:.0f}' for each in row)} |")
    lines += ["", "| At its most, a learner's | Median, MB | Most, MB |", "|---|---|---|"]
    for kind in KINDS:
        seen = [parts.get(kind, 0.0) for parts in memory.most.values()]
        lines.append(f"| {kind} | {statistics.median(seen):.0f} | {max(seen):.0f} |")
    whole = [sum(parts.values()) for parts in memory.most.values()]
    lines.append(f"| **all of it** | {statistics.median(whole):.0f} | {max(whole):.0f} |")
    return "\n".join([*lines, "", f"{len(times.wrong)} cells or learners failed.", *times.wrong])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.room.thirty", description=__doc__)
    parser.add_argument("notebooks", nargs="*", default=list(NOTEBOOKS), help="such as 00 01 10")
    parser.add_argument("--learners", type=int, default=30)
    parser.add_argument("--python", default="/usr/bin/python3", help="for the class")
    options = parser.parse_args()
    paths = [next((ROOT / "notebooks").glob(f"{number}_*.ipynb")) for number in options.notebooks]
    hub = begin(options.learners, options.python)
    times, memory, everyone = Times(), Memory(), threading.Barrier(options.learners)
    try:
        with ThreadPoolExecutor(options.learners) as pool:
            for number in range(options.learners):
                learner = Learner(ADDRESS, f"learner{number:02}")
                pool.submit(attend, learner, paths, times, everyone)
        memory.stop()
        print(table(times, memory))
    finally:
        hub.terminate()
        hub.wait(60)
        subprocess.run([sys.executable, "-m", "helpers.room", "end", "--yes"], cwd=ROOT, check=True)
    return bool(times.wrong)


if __name__ == "__main__":
    sys.exit(main())
