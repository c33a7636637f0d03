"""What a test run says at its end: what was checked, and whether one chain of it is too long.

Tests that share what they set up, and the notebooks in their order, run one after another in
one process: a chain. However many processes there are, a run lasts as long as its longest
chain; so none may take more than a share of what all tests take together.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

# Modules whose tests share nothing that takes long to set up.
TEST_BY_TEST = (
    "tests/test_notebooks_alone.py",
    "tests/test_faults.py",
    "tests/test_experiments.py",
    "tests/test_belongings.py",
    "tests/test_capstone.py",
    "tests/test_exercises.py",
    "tests/test_sentences.py",
    "tests/test_lab.py",
    "tests/test_live.py",
    "tests/localaws/test_access.py",
    "tests/localaws/test_lifecycle.py",
    "tests/localaws/test_properties.py",
    "tests/localaws/test_robustness.py",
    "tests/localaws/test_storm.py",
)
# Modules whose first parameter says what the tests share.
BY_FIRST_PARAMETER = ("tests/test_notebooks_in_a_row.py", "tests/test_look_alikes.py")
LONGEST_SHARE = 1 / 5  # four processes share the whole; what begins first and is shorter fits in
SCENARIO = re.compile(r"([A-Z]+)_(\d+)")


def chain_of(nodeid: str) -> str:
    """The chain of a test: the notebooks in order, a module, or the test alone."""
    module = nodeid.split("::", maxsplit=1)[0]
    if module.startswith("notebooks/"):
        return "notebooks"
    if module in BY_FIRST_PARAMETER:
        parameters = nodeid.rpartition("[")[2]
        return f"{module}[{parameters.rstrip(']').partition('-')[0]}]"
    return nodeid if module in TEST_BY_TEST else module


class Summary:
    """What the tests of a run have come to, and how long they took, in s."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.passed: dict[str, bool] = {}

    def add(self, nodeid: str, passed: bool, seconds: float) -> None:
        """Take down one phase of a test: its set-up, its call or its end."""
        self.seconds[chain_of(nodeid)] += seconds
        self.passed[nodeid] = self.passed.get(nodeid, True) and passed

    def too_long(self) -> list[str]:
        """A sentence for each chain that takes more than its share."""
        whole = sum(self.seconds.values())
        return [
            f"{chain} takes {seconds:.0f} s of {whole:.0f} s, more than "
            f"{LONGEST_SHARE:.0%}: it keeps all other processes waiting."
            for chain, seconds in self.seconds.items()
            if seconds > LONGEST_SHARE * whole
        ]

    def checked(self) -> str:
        """What has passed, in one line."""
        failed = {nodeid.split("::")[0] for nodeid, passed in self.passed.items() if not passed}
        good = [nodeid for nodeid, passed in self.passed.items() if passed]
        modules = [nodeid.split("::")[0] for nodeid in good]
        in_order = {each for each in modules if each.endswith(".ipynb")} - failed
        alone = modules.count("tests/test_notebooks_alone.py")
        in_a_row = modules.count("tests/test_notebooks_in_a_row.py")
        scenarios = {each for nodeid in good for each in SCENARIO.findall(nodeid)}
        return (
            f"Checked: notebooks {alone} times alone and {in_a_row + len(in_order)} times after "
            f"others; {len(scenarios)} behaviours of AWS; {len(good):,} tests in all."
        )


# -- the run itself --------------------------------------------------------------------------

this_run = Summary()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    this_run.add(report.nodeid, report.passed, report.duration)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if keeps_budget(session.config) and this_run.too_long():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or not this_run.passed:
        return
    if keeps_budget(config):
        print(*this_run.too_long(), sep="\n")
    print(this_run.checked())


def keeps_budget(config: pytest.Config) -> bool:
    """Whether everything is run, in several processes: a chain is the whole of a small run."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return everything and bool(config.getoption("numprocesses", None))
