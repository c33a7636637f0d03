"""`make ledger`: CONFORMANCE.md, made from the conformance tests.

A test says in its name which scenarios it proves, such as `test_LS_030_…`. Its module says
where the local AWS does not answer as AWS does, in up to three dictionaries from scenario
ids to a sentence: `DIFFERS`, `NOT_MODELLED` and `UNKNOWN` (AWS's own answer is not known).
The tests run on plain moto as well, so that a reader sees which of them moto passes alone;
what came of that is kept in `plain_moto.json`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
LEDGER = ROOT / "CONFORMANCE.md"
PLAIN_MOTO = FOLDER / "plain_moto.json"
VERDICTS = {
    "NOT_MODELLED": "not modelled",
    "DIFFERS": "differs",
    "UNKNOWN": "AWS's answer is not known",
}
HEADER = """\
# How close the local AWS is to AWS

This table is made from the conformance tests by `make ledger`; a test fails when it is out of date.

- **Scenario**: LS-… are answers of AWS that were recorded, or asserted by tests that ran on AWS,
  in the public repository `localstack/localstack`; G-… are gaps in those, known from AWS's
  documentation or from what users of AWS reported; CF-…, CW-… and LI-… are those of CloudFormation,
  CloudWatch and Logs Insights, known likewise; DF-… are differences that clients and recordings of
  others have shown here.
- **Here**: *same* means that each test named in the last column passes on the local AWS.
- **rehearsed**: a rehearsal, `run --like-aws`, closes that difference. Its figures are half
  estimates; a test that passes there is not proved on AWS.
- **moto {moto}**: how many of those tests plain moto passes. A test that it fails shows that the
  local AWS had to do something; one that it passes shows that moto was right already.

The same tests run against any server: `python -m pytest tests/conformance --endpoint URL`, and
against a real account with `--endpoint aws --patience 120`.

{summary}

| Scenario | Here | moto {moto} | Tests in `tests/conformance/` |
|---|---|---|---|
"""


def scenarios() -> dict[str, dict]:
    """All scenarios by id, in order."""
    return tomllib.loads((FOLDER / "scenarios.toml").read_text())


def modules() -> list[ModuleType]:
    names = sorted(path.stem for path in FOLDER.glob("test_*.py"))
    return [importlib.import_module(f"tests.conformance.{name}") for name in names]


def ids_in(name: str) -> list[str]:
    """The scenario ids in a test's name."""
    return [f"{word}-{number}" for word, number in re.findall(r"([A-Z]+)_(\d+)", name)]


def tests_by_scenario() -> dict[str, list[str]]:
    """Tests as `test_module.py::test_name`, by scenario id."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in modules():
        for name, _ in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_"):
                for scenario in ids_in(name):
                    found[scenario].append(f"{module.__name__.rsplit('.', 1)[-1]}.py::{name}")
    return found


def remarks() -> dict[str, list[str]]:
    """What the test modules say of scenarios that are not simply the same, by id."""
    said: dict[str, list[str]] = defaultdict(list)
    for name, verdict in VERDICTS.items():
        for module in modules():
            for scenario, text in getattr(module, name, {}).items():
                known = not scenario.startswith("G-") and name == "UNKNOWN"
                said[scenario].append(f"{'same, but in part ' if known else ''}{verdict}: {text}")
    return said


def problems() -> list[str]:
    """What keeps the table from being whole and true, as sentences."""
    known, tests, said = scenarios(), tests_by_scenario(), remarks()
    outcomes = json.loads(PLAIN_MOTO.read_text())["tests"]
    named = {test for each in tests.values() for test in each}
    return [
        *(f"{i} has no test and no remark." for i in known if i not in tests and i not in said),
        *(f"{i} is not in scenarios.toml." for i in {*tests, *said} - {*known}),
        *(f"{test} has not run on plain moto." for test in sorted(named - {*outcomes})),
        *(f"{test} is in plain_moto.json but is no test." for test in sorted({*outcomes} - named)),
    ]


def ledger() -> str:
    """The text of CONFORMANCE.md."""
    tests, said = tests_by_scenario(), remarks()
    moto = json.loads(PLAIN_MOTO.read_text())
    counts: dict[str, int] = defaultdict(int)
    rows = []
    for scenario, about in scenarios().items():
        mine = tests.get(scenario, [])
        here = "; ".join(said.get(scenario, ["same"]))
        counts[here.split(":")[0]] += 1
        if "rehearsed" in about:
            here = here.rstrip(".") + f"; rehearsed: {about['rehearsed']}"
        passed = sum(moto["tests"].get(test) == "passed" for test in mine)
        cells = (
            f"**{scenario}** {about['title']} ({about['known_from']})",
            here,
            f"{passed} of {len(mine)}" if mine else "",
            "<br>".join(f"`{test}`" for test in mine),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    summary = ", ".join(f"{word}: {count}" for word, count in sorted(counts.items(), reverse=True))
    head = HEADER.format(moto=moto["version"], summary=f"Of {len(rows)} scenarios: {summary}.")
    return head + "\n".join(rows) + "\n"


# -- the run on plain moto ---------------------------------------------------------------


@contextmanager
def plain_moto() -> Iterator[str]:
    """moto's own server, with its endpoint URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_for_port(port: int, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def outcomes_on(url: str) -> dict[str, str]:
    """Run the conformance tests against an endpoint: "passed" or "failed" for each."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", str(FOLDER), "--endpoint", url),
                *("--patience", "2", f"--junitxml={report}", "--tb=no", "-p", "no:cacheprovider"),
                *("-n", "4", "--dist", "loadfile"),
            ],
            cwd=ROOT,
            check=False,
        )
        return read_report(report)


def read_report(report: Path) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.attrib["name"].split("[")[0]
        if not ids_in(name):
            continue
        test = f"{case.attrib['classname'].rsplit('.', 1)[-1]}.py::{name}"
        failed = case.find("failure") is not None or case.find("error") is not None
        if failed or test not in outcomes:
            outcomes[test] = "failed" if failed else "passed"
    return dict(sorted(outcomes.items()))


def main() -> int:
    """Run the tests on plain moto and write CONFORMANCE.md; returns the exit code."""
    with plain_moto() as url:
        outcomes = outcomes_on(url)
    kept = {"version": version("moto"), "tests": outcomes}
    PLAIN_MOTO.write_text(json.dumps(kept, indent=1) + "\n")
    for sentence in (found := problems()):
        print(sentence, file=sys.stderr)
    LEDGER.write_text(ledger())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
