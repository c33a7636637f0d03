"""What the ends of notebooks say of a real account. The amounts are compared after a run of each,
in tests/test_notebooks_in_a_row.py."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from helpers import meter, prices
from helpers.localaws.settings import LikeAws
from tests import aws_minutes, footers
from tests.notebook_files import NAMES, ROOT, markdown, read
from tests.rehearse import Row

each_notebook = pytest.mark.parametrize("name", NAMES)


@each_notebook
def test_a_footer_says_how_long_the_cells_take_on_aws(name: str) -> None:
    assert footers.footer(name).time == aws_minutes.in_words(aws_minutes.minutes_on_aws(name))


def test_the_instructor_page_says_it_too() -> None:
    page = (ROOT / "INSTRUCTOR.md").read_text(encoding="utf-8")
    for name in NAMES:
        words = aws_minutes.in_words(aws_minutes.minutes_on_aws(name))
        short = "under 1" if words.startswith("less") else words.split()[1]
        row = next(line for line in page.splitlines() if line.startswith(f"| [{name[:2]} "))
        assert row.split(" | ")[2] == short, name


def test_what_is_free_is_that_of_the_table_of_prices() -> None:
    texts = {name: markdown(read(name))[-1] for name in NAMES}
    assert f"a million costs ${prices.SQS_REQUEST.usd:.2f}." in texts["00_start_here"]
    free = prices.LOG_BYTE.free / prices.GB
    assert f"{free:.0f} GB of log are free each month" in texts["07_check_logs"]
    million = (prices.SQS_REQUEST, prices.LAMBDA_REQUEST)
    assert all(each.free == prices.MILLION for each in million)
    with (ROOT / "data" / "orders.csv").open(encoding="utf-8") as file:
        orders = len({row["order_id"] for row in csv.DictReader(file)})
    assert f"{round(orders, -2):,} writes into the table" in texts["11_use_cases"]


# -- a footer that is wrong would be found -------------------------------------------------------


def bill(requests: float, *more: meter.Line) -> meter.Bill:
    return meter.Bill((meter.Line("SQS: your requests", requests, prices.SQS_REQUEST), *more), 60)


@pytest.fixture
def said(monkeypatch):
    """A notebook with a footer that a test gives, and its minutes on AWS."""

    def say(cost: str, minutes: float = 10) -> None:
        cell = type("Cell", (), {"cell_type": "markdown"})()
        time = "**On AWS the cells take** about 10 minutes"
        cell.source = f"- **On AWS this would have cost** {cost}.\n- {time}"
        notebook = type("Notebook", (), {"cells": [cell]})()
        monkeypatch.setattr(footers, "read", lambda _name: notebook)
        monkeypatch.setattr(footers, "minutes_on_aws", lambda _name: minutes)

    return say


def test_a_limit_holds_and_is_none_of_ten_times_as_much(said) -> None:
    said("nothing: fewer than 1,000 requests")
    assert footers.wrong_in_footer("any", bill(500)) == []
    assert footers.wrong_in_footer("any", bill(1000)) == [
        "1000 requests, and it says fewer than 1000"
    ]
    assert len(footers.wrong_in_footer("any", bill(100))) == 1


def test_a_trigger_polls_for_as_long_as_the_cells_take_on_aws(said) -> None:
    said("nothing: fewer than 200 requests")
    polls = meter.Line("SQS: a trigger's polls", 1, prices.SQS_REQUEST, True)
    assert footers.wrong_in_footer("any", bill(50, polls)) == [
        "201 requests, and it says fewer than 200"
    ]


def test_nothing_is_what_stays_within_what_is_free(said) -> None:
    said("nothing: fewer than 20,000 requests")
    assert footers.wrong_in_footer("any", bill(9999)) == []
    assert len(footers.wrong_in_footer("any", bill(10_001))) == 1
    write = meter.Line("tables: your writes", 1, prices.TABLE_WRITE)
    assert len(footers.wrong_in_footer("any", bill(9999, write))) == 1


def test_less_than_a_cent_is_at_list_price_and_with_what_handlers_ask(said) -> None:
    said("less than a cent: fewer than 100,000 requests")
    assert footers.wrong_in_footer("any", bill(20_000)) == []
    fetched = meter.Line("SQS: its receives and deletes", 3000, prices.SQS_REQUEST, True)
    assert len(footers.wrong_in_footer("any", bill(20_000, fetched))) == 1
    said("less than a cent: fewer than 100,000 requests, and 4,000 writes into the table")
    assert len(footers.wrong_in_footer("any", bill(20_000))) == 1
    assert len(footers.wrong_in_footer("any", bill(30_000))) == 1


@pytest.mark.parametrize("cost", ["nothing: a few requests", "a cent: fewer than 9 requests"])
def test_a_footer_that_says_no_figure_is_refused(said, cost: str) -> None:
    said(cost)
    with pytest.raises(AssertionError, match="does not say what it costs"):
        footers.footer("any")


# -- the table of minutes -------------------------------------------------------------------------


@pytest.fixture
def table(monkeypatch, tmp_path):
    monkeypatch.setattr(aws_minutes, "TABLE", tmp_path / "aws_minutes.csv")
    return aws_minutes.TABLE


def row(name: str, minutes: float, seed: int = 1, why: str = "") -> Row:
    return Row(seed, name, minutes, 0, why)


def test_a_record_keeps_other_rows_and_leaves_out_what_failed(table) -> None:
    today = date(2026, 11, 30)
    aws_minutes.record([row("08_retries", 9.0), row("00_start_here", 3.21)], today)
    rows = [row("08_retries", minutes, seed) for seed, minutes in ((1, 10), (2, 12), (3, 11))]
    aws_minutes.record([*rows, row("10_throughput", 9, why="cell 3 failed")], today)
    assert table.read_text(encoding="utf-8") == (
        "notebook,minutes,seeds,measured_on\n"
        "00_start_here,3.2,1,2026-11-30\n"
        "08_retries,11.0,1 2 3,2026-11-30\n"
    )
    assert aws_minutes.minutes_on_aws("08_retries") == 11


def test_a_night_that_takes_much_longer_or_shorter_is_told(table) -> None:
    aws_minutes.record([row("08_retries", 10.0)], date(2026, 11, 30))
    for minutes in (6.1, 10, 15.9):
        assert aws_minutes.strays([row("08_retries", minutes)]) == []
    for minutes in (5.9, 16.1):
        [said] = aws_minutes.strays([row("08_retries", minutes), row("12_break_it", 1)])
        assert "08_retries took" in said
    assert aws_minutes.strays([row("08_retries", 30, why="failed")]) == []


def test_only_a_rehearsal_as_on_aws_counts() -> None:
    assert aws_minutes.is_as_on_aws(LikeAws("typical", 1, 1.0))
    assert not aws_minutes.is_as_on_aws(LikeAws("slow", 1, 1.0))
    assert not aws_minutes.is_as_on_aws(LikeAws("typical", 1, 0.5))


def test_minutes_in_words() -> None:
    assert [aws_minutes.in_words(each) for each in (0.2, 0.96, 1.4, 1.6, 12.3)] == [
        *("less than a minute", "about 1 minute", "about 1 minute"),
        *("about 2 minutes", "about 12 minutes"),
    ]
