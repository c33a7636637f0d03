"""The seven steps on an AWS that is slow and weak, and what `make rehearse` says of a notebook."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from helpers.localaws import lifecycle
from helpers.localaws.settings import LikeAws
from tests import rehearse
from tests.notebook_files import NAMES, check_here

# Every effect is there, and no delay long: `make rehearse` has them as they are.
LIKE = LikeAws("typical", seed=1, scale=0.05)
SEVEN_STEPS = [*NAMES[:8], NAMES[-1]]


@pytest.fixture(scope="module")
def rehearsal(request, tmp_path_factory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("rehearsal")
    sanitize = folder / "sanitize.cfg"
    sanitize.write_text(rehearse.REHEARSAL_SANITIZE, encoding="utf-8")
    options = request.config.option
    with (
        mock.patch.dict(os.environ, {**rehearse.variables(LIKE), "LOCALAWS_FOLDER": str(folder)}),
        mock.patch.object(options, "nbval_sanitize_with", str(sanitize)),
    ):
        yield
        lifecycle.stop_rehearsals()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVEN_STEPS)
def test_the_seven_steps_pass_a_rehearsal(name: str, rehearsal, request) -> None:
    check_here(name, request)


@pytest.mark.slow
def test_a_rehearsal_says_what_it_did(rehearsal) -> None:
    [said] = lifecycle.reports()
    assert said.startswith("Rehearsal (profile typical, seed 1, scale 0.05): ")
    assert "stale read" in said


# -- what is compared when a cell may give up --------------------------------------------------

WAITS = "raise TimeoutError('Waited 60 s for a line')"


def judge(monkeypatch, *cells: tuple[str, str], tags: tuple[str, ...] = ()) -> tuple[int, str]:
    """What is said of a notebook of these cells, each with what was stored for it."""
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    def notebook(_name: str):
        return new_notebook(
            cells=[
                new_code_cell(
                    code,
                    outputs=[new_output("stream", name="stdout", text=stored)],
                    metadata={"tags": [*tags]},
                )
                for code, stored in cells
            ]
        )

    monkeypatch.setattr(rehearse, "read", notebook)
    return rehearse.check_what_is_there("any", LIKE)


def test_a_cell_may_give_up_and_no_other_may_state_something_else(monkeypatch) -> None:
    assert judge(monkeypatch, ("print(1)", "1\n"), (WAITS, "2\n"), ("print(3)", "3\n")) == (1, "")
    given_up, why = judge(monkeypatch, (WAITS, "2\n"), ("print(4)", "3\n"))
    assert (given_up, "4" in why, "3" in why) == (1, True, True)
    assert judge(monkeypatch, ("line = 1 / 0", ""))[1].startswith("cell 0 ends with ZeroDivision")


def test_what_depends_on_the_notebooks_before_is_not_compared(monkeypatch) -> None:
    other = ("print(4)", "3\n")
    assert judge(monkeypatch, other)[1]
    assert judge(monkeypatch, other, tags=("nbval-ignore-output",)) == (0, "")
