"""The end of a test run says what was checked, and notices a chain that is too long."""

from __future__ import annotations

from conftest import FIRST
from tests.notebook_files import ROOT
from tests.summary import LONGEST_SHARE, TEST_BY_TEST, Summary, chain_of

ALONE = "tests/test_notebooks_alone.py::test_alone_on_an_empty_local_aws"
IN_A_ROW = "tests/test_notebooks_in_a_row.py::test_backwards_on_one_local_aws"


def test_a_chain_is_a_module_or_the_notebooks_or_one_test() -> None:
    assert chain_of("notebooks/00_start_here.ipynb::Cell 0") == "notebooks"
    assert chain_of("notebooks/99_clean_up.ipynb::Cell 3") == "notebooks"
    assert chain_of("tests/test_data.py::test_one[a::b]") == "tests/test_data.py"
    halves = [chain_of(f"{IN_A_ROW}[{each}]") for each in ("odd-11", "even-10", "odd-09")]
    assert halves[0] == halves[2] != halves[1]
    assert chain_of(f"{ALONE}[00]") == f"{ALONE}[00]" != chain_of(f"{ALONE}[01]")


def test_the_modules_that_are_named_are_there() -> None:
    assert [name for name in (*TEST_BY_TEST, *FIRST) if not (ROOT / name).exists()] == []


def test_a_chain_that_is_too_long_is_named() -> None:
    whole = 1000
    for long, sentences in ((LONGEST_SHARE * whole, 0), (LONGEST_SHARE * whole + 1, 1)):
        summary = Summary()
        for part in range(5):
            summary.add(f"tests/a.py::test_{part}", True, long / 5)
        for other in range(20):
            summary.add(f"tests/b{other}.py::test", True, (whole - long) / 20)
        said = summary.too_long()
        assert len(said) == sentences
        assert all(each.startswith("tests/a.py takes 201 s of 1000 s") for each in said)


def test_what_was_checked_is_said_in_one_line() -> None:
    summary = Summary()
    for cell in range(2):
        summary.add(f"notebooks/00_start_here.ipynb::Cell {cell}", True, 1)
        summary.add(f"notebooks/01_create_queue.ipynb::Cell {cell}", cell == 0, 1)
    summary.add(f"{ALONE}[00_start_here]", True, 1)
    for number in (5, 6):
        test = f"tests/conformance/test_iam.py::test_LS_00{number}_G_01_roles"
        for passed in (True, number == 5, True):  # set-up, call and end
            summary.add(test, passed, 1)
    assert summary.checked() == (
        "Checked: notebooks 1 times alone and 1 times after others; 2 behaviours of AWS; "
        "5 tests in all."
    )
