"""The data sets are what their script makes, and hold what notebooks 11 to 13 count on."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from helpers import evidence, steps
from helpers.checks import watch_it
from helpers.evidence.missing_lines import gaps

DATA = Path(__file__).resolve().parent.parent / "data"
spec = importlib.util.spec_from_file_location("make_data", DATA / "make_data.py")
make_data = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_data)


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


FILES = ("orders.csv", "videos.csv", "log_events.csv", "parcels_log.csv", "service_calls.csv")


@pytest.mark.parametrize("name", FILES)
def test_the_script_makes_the_file_again(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(make_data, "FOLDER", tmp_path)
    make_data.main()
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_orders_have_duplicates_and_broken_ones() -> None:
    orders = rows("orders.csv")
    ids = {row["order_id"] for row in orders}
    assert len(ids) == 2400 < len(orders)
    broken = {row["order_id"] for row in orders if row["amount_cents"] == "unknown"}
    assert 5 <= len(broken) <= 20
    assert [row["placed_at"] for row in orders] == sorted(row["placed_at"] for row in orders)


def test_the_search_was_ill_for_two_hours() -> None:
    errors = [row for row in rows("log_events.csv") if row["level"] == "ERROR"]
    search = [row["at"][11:13] for row in errors if row["service"] == "search"]
    assert search.count("14") + search.count("15") > len(search) / 2


def test_what_can_be_read_from_the_log_of_parcels() -> None:
    """One is shipped twice at a time, one returned unshipped, and one fails every time."""
    events = pd.read_csv(DATA / "parcels_log.csv", parse_dates=["time"], keep_default_na=False)
    seen = evidence.deliveries(events)
    outcomes = seen.groupby(seen["body"].str[-4:-2])["outcome"].agg(list).to_dict()
    assert outcomes == {
        "P1": ["returned"],
        "P2": ["returned", "returned"],
        "P3": ["raised", "returned"],
        "P4": ["returned"],
        "P5": ["raised"] * 3,
        "P6": ["timed out", "returned"],
    }
    shipped = events.loc[events["message"].str.startswith("shipped"), "message"]
    assert sorted(shipped.str[-2:]) == ["P1", "P2", "P2", "P3", "P6"]
    assert gaps(events) == []
    first, second = seen[seen["body"].str.contains("P2")].itertuples()
    assert second.started < first.ended


@pytest.mark.parametrize("path", sorted((DATA / "templates").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_template_has_the_runtime_of_the_course(path: Path) -> None:
    assert f"      Runtime: {steps.RUNTIME}\n" in path.read_text(encoding="utf-8")


def test_the_average_hides_the_ill_service_and_its_bank() -> None:
    calls = pd.read_csv(DATA / "service_calls.csv", keep_default_na=False)
    times = calls.groupby("service")["took_ms"]
    assert (times.size() == 40).all()
    assert times.mean().idxmax() == "kitchen"
    spread = times.max() / times.median()
    assert spread["payment"] > 25
    assert spread.drop("payment").max() < 2
    assert set(calls["bank"][calls["took_ms"] > 1000]) == {"south"}
    courier = calls["took_ms"][calls["service"] == "courier"]
    assert (courier > watch_it.OVER_MS).sum() == watch_it.COURIER_OVER
    banks = calls["bank"][calls["service"] == "payment"].value_counts()
    assert banks.idxmin() == watch_it.FEWEST_PAYMENTS
    assert banks.iloc[-1] < banks.iloc[-2]
    assert times.max()["kitchen"] == watch_it.KITCHEN_MS
