"""What `make bench` does with parts that fail, that take long, and with half written lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench import __main__ as bench
from tests.bench.measures import Figures
from tests.bench.servers import MINI, OURS, Kind
from tests.bench.workload import Tally


@pytest.fixture(autouse=True)
def no_servers(monkeypatch) -> None:
    @contextmanager
    def running(kind: Kind) -> Iterator[Kind]:
        yield kind

    monkeypatch.setattr(bench, "running", running)


def good(_server: object) -> Figures:
    return {"good (ms)": 1.0}


def bad(server: Kind) -> Figures:
    if server is MINI:
        raise ValueError("half a line")
    return {"bad (ms)": 2.0}


def test_a_measure_that_fails_says_so_and_keeps_the_others(capsys) -> None:
    part = bench.Part(1, 60, [OURS, MINI], [bad, good])
    results = bench.measure(part, [OURS, MINI])
    assert results.median("bad (ms)", OURS.name) == 2.0
    assert results.median("good (ms)", MINI.name) == 1.0
    assert str(results).endswith("FAILED: MiniStack, bad: ValueError('half a line')")
    assert capsys.readouterr().err == ".F.."


def test_each_part_is_printed_when_it_is_there(capsys, monkeypatch) -> None:
    def stop(_server: object) -> Figures:
        raise KeyboardInterrupt

    parts = {"first": bench.Part(1, 60, [OURS], [good]), "then": bench.Part(1, 60, [OURS], [stop])}
    monkeypatch.setattr(bench, "plan", lambda _quick: parts)
    with pytest.raises(KeyboardInterrupt):
        bench.run(False, None)
    assert "| good (ms)" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "repeats"), [(29, 2), (30, 3), (1, 1)])
def test_a_repeat_that_would_not_fit_is_left_out(seconds, repeats) -> None:
    times = iter([0, 0, 10, 20])
    part = bench.Part(3, seconds, [OURS], [good])
    results = bench.measure(part, [OURS], lambda: next(times))
    assert len(results.rows["good (ms)"][OURS.name].values) == repeats
    assert len(results.remarks) == (repeats < 3)


def test_all_parts_together_take_six_minutes_at_most() -> None:
    assert sum(part.seconds for part in bench.plan(False).values()) + bench.WHERE_S <= 360


def test_a_tally_waits_for_the_rest_of_a_line(tmp_path) -> None:
    path = tmp_path / "handled"
    path.write_text("1.5 1\n2.")
    tally = Tally(path)
    tally.wait_for(1)
    assert tally.batches == [(1.5, 1)]
    with path.open("a") as file:
        file.write("5 3\n")
    tally.wait_for(4)
    assert tally.batches == [(1.5, 1), (2.5, 3)]
