"""`make rehearse`: all notebooks on a local AWS that is as slow and as weak as AWS.

At the end the minutes are compared with those that notebooks name, in profile typical at scale 1.
In profiles typical and slow nbval compares every output with the stored one. In profile hostile
a cell may give up; what the other cells show is compared all the same.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient

from helpers.localaws import lifecycle
from helpers.localaws.settings import LikeAws, read_like_aws
from tests import aws_minutes
from tests.notebook_files import (
    FOLDER,
    NAMES,
    ROOT,
    SANITIZE,
    code_cells,
    output_texts,
    read,
    sanitized,
    tags,
)

# The first cell names the target, which is not the one of the stored outputs.
TARGET = r"Connected to: .*"
REHEARSAL_SANITIZE = f"{SANITIZE}\n[target]\nregex: {TARGET}\nreplace: Connected to: TARGET\n"
SEEDS = ("1", "2", "3")
LIMIT_S = 3600
# How a cell gives up: its last wait was in vain, or a refusal of AWS's did not pass in time.
GIVES_UP = ("TimeoutError", "ClientError", "WaiterError")


class Row(NamedTuple):
    """How one notebook did. `why`: the first thing that is wrong, "" when all is well."""

    seed: int
    name: str
    minutes: float
    given_up: int
    why: str


# -- one notebook ----------------------------------------------------------------------------


def check_strictly(name: str, like: LikeAws) -> tuple[int, str]:
    """Run a notebook under nbval; what is wrong first."""
    option = f"--rehearse={like.profile}:{like.seed}:{like.scale}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", option]
    done = subprocess.run(
        [*command, str(FOLDER / f"{name}.ipynb")],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", errors="replace",
        timeout=LIMIT_S, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return 0, ""
    failed = re.search(r"^FAILED \S+::(Cell \d+)", done.stdout, re.M)
    return 0, f"{failed[1] if failed else 'no cell'} failed:\n{done.stdout[-6000:]}{done.stderr}"


def check_what_is_there(name: str, like: LikeAws) -> tuple[int, str]:
    """Run a notebook to its end; how many cells gave up, and the first one that states anything
    else than the stored outputs."""
    stored, notebook = read(name), read(name)
    client = NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", allow_errors=True, coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    )  # fmt: skip
    client.execute(env={**os.environ, **variables(like)})
    given_up = 0
    for number, (old, new) in enumerate(zip(code_cells(stored), code_cells(notebook), strict=True)):
        errors = [output.ename for output in new.outputs if output.output_type == "error"]
        if not errors:
            if "nbval-ignore-output" not in tags(old) and plain(old) != plain(new):
                return given_up, f"cell {number} shows {plain(new)}, and stored is {plain(old)}"
        elif errors[0] in GIVES_UP or given_up:  # what follows lacks what was waited for
            given_up += 1
        else:
            return given_up, f"cell {number} ends with {errors[0]}: {new.outputs[-1].evalue}"
    return given_up, ""


def plain(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell shows, without what may differ from run to run."""
    shown = copy.copy(cell)  # stderr holds progress bars: not what a lesson says
    shown.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    texts = [text for text in output_texts(shown) if not text.startswith("<")]
    return sorted(sanitized(text, REHEARSAL_SANITIZE) for text in texts)


# -- all of them -----------------------------------------------------------------------------


def rehearse(like: LikeAws, names: list[str]) -> Iterator[Row]:
    """Run notebooks in their order on one rehearsal."""
    check = check_what_is_there if like.profile == "hostile" else check_strictly
    for name in names:
        started = time.monotonic()
        given_up, why = check(name, like)
        yield Row(like.seed, name, (time.monotonic() - started) / 60, given_up, why)


def variables(like: LikeAws) -> dict[str, str]:
    """The settings with which a notebook connects to a rehearsal."""
    return {
        "SQS_COURSE_TARGET": "rehearsal",
        "SQS_COURSE_PROFILE": like.profile,
        "SQS_COURSE_SEED": str(like.seed),
        "SQS_COURSE_SCALE": str(like.scale),
        "SQS_COURSE_LIVE": "off",
        "SQS_COURSE_RECORD": "off",
        "PYTHONPATH": str(ROOT),
    }


def show(rows: list[Row], said: list[str]) -> None:
    print("| seed | notebook | minutes | cells given up | result |\n|---|---|---|---|---|")
    for row in rows:
        result = row.why.splitlines()[0] if row.why else "passed"
        print(f"| {row.seed} | {row.name} | {row.minutes:.1f} | {row.given_up} | {result} |")
    print(f"\n{sum(row.minutes for row in rows):.0f} minutes in all.", *said, sep="\n")
    for row in rows:
        if row.why:
            print(f"\n-- seed {row.seed}, {row.name}: {row.why}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rehearse", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help="notebooks (default: all)")
    parser.add_argument("--profile", default="typical", help="typical, slow or hostile")
    parser.add_argument("--seed", action="append", help="again for another (default: 1, 2 and 3)")
    parser.add_argument("--scale", default="1")
    parser.add_argument(
        "--record", action="store_true", help="write the minutes into data/aws_minutes.csv"
    )
    options = parser.parse_args(arguments)
    unknown = {*options.names} - {*NAMES}
    try:
        seeds = options.seed or SEEDS
        likes = [read_like_aws(options.profile, seed, options.scale) for seed in seeds]
        if unknown:
            raise ValueError(f"There is no notebook {', '.join(sorted(unknown))}.")
        as_on_aws = all(map(aws_minutes.is_as_on_aws, likes))
        if options.record and not as_on_aws:
            raise ValueError(
                "--record is for profile typical at scale 1: other minutes are not those of AWS."
            )
    except ValueError as error:
        parser.error(str(error))
    rows: list[Row] = []

    def run(like: LikeAws) -> None:
        for row in rehearse(like, options.names):
            print(f"seed {row.seed}, {row.name}: {row.minutes:.1f} min", file=sys.stderr)
            rows.append(row)

    with tempfile.TemporaryDirectory(prefix="course-rehearsal-") as folder:
        os.environ["LOCALAWS_FOLDER"] = folder
        try:
            with ThreadPoolExecutor(len(likes)) as pool:
                list(pool.map(run, likes))
            said = lifecycle.reports()
        finally:
            lifecycle.stop_rehearsals()
    strays = aws_minutes.strays(rows) if as_on_aws else []
    show(sorted(rows), [*said, *strays])
    if options.record:
        aws_minutes.record(rows, date.today())
        return 1 if any(row.why for row in rows) else 0
    return 1 if strays or any(row.why for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
