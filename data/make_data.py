"""Make the data sets of notebook 10: `python data/make_data.py`.

The same seed makes the same files, so that they can be made again and compared. Everything
is invented; data/README.md describes the columns.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 12345
FOLDER = Path(__file__).resolve().parent
DAY = datetime(2026, 11, 23, tzinfo=UTC)
ORDERS, VIDEOS, EVENTS = 2400, 6, 3000

# Orders in an hour, relative to each other: a shop's day has two peaks.
RHYTHM = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 12, 16, 20, 16, 11, 10, 11, 14, 19, 24, 22, 14, 8, 4)
COUNTRIES = {"DE": 42, "AT": 9, "CH": 11, "FR": 18, "NL": 12, "PL": 8}
GOODS = {"coffee": 1290, "filter": 450, "grinder": 8900, "kettle": 5900, "mug": 1490, "scale": 3490}
DOUBLE_CLICKS = 0.02  # of the orders are sent twice with the same id
BROKEN = 0.004  # of the orders have an amount that is no number

SERVICES = {
    "checkout": ("payment accepted", "payment refused", "card service did not answer"),
    "search": ("query served", "query slow", "index not reachable"),
    "stock": ("level read", "level low", "level negative"),
    "mail": ("mail sent", "mail delayed", "address unknown"),
    "login": ("signed in", "wrong password", "account locked"),
}
ILL_HOURS = (14, 15)
LEVELS = {"INFO": 90, "WARNING": 8, "ERROR": 2}
TITLES = ("harbour at dawn", "how to grind", "latte art", "the roaster", "tasting", "unboxing")


def orders(dice: random.Random) -> Iterator[dict]:
    """One row for each time that an order was sent, in order of time."""
    times = sorted(time_of_day(dice) for _ in range(ORDERS))
    for number, placed in enumerate(times, start=1):
        good = dice.choice(list(GOODS))
        pieces = dice.choices((1, 2, 3), (75, 18, 7))[0]
        broken = dice.random() < BROKEN
        row = {
            "order_id": f"A{number:05d}",
            "placed_at": placed.isoformat(timespec="seconds"),
            "country": dice.choices(list(COUNTRIES), list(COUNTRIES.values()))[0],
            "good": good,
            "pieces": pieces,
            "amount_cents": "unknown" if broken else pieces * GOODS[good],
        }
        yield row
        if dice.random() < DOUBLE_CLICKS:
            yield row


def time_of_day(dice: random.Random) -> datetime:
    hour = dice.choices(range(24), RHYTHM)[0]
    return DAY + timedelta(hours=hour, seconds=dice.randrange(3600))


def videos(dice: random.Random) -> Iterator[dict]:
    for number in range(VIDEOS):
        yield {
            "video_id": f"V{number + 1:02d}",
            "title": TITLES[number],
            "minutes": dice.randint(4, 15),
        }


def events(dice: random.Random) -> Iterator[dict]:
    """Log events of five services, in order of time; the search was ill from 14 to 16 h."""
    times = sorted(time_of_day(dice) for _ in range(EVENTS))
    for number, at in enumerate(times, start=1):
        service = dice.choice(list(SERVICES))
        ill = service == "search" and at.hour in ILL_HOURS
        weights = (10, 20, 70) if ill else tuple(LEVELS.values())
        level = dice.choices(range(3), weights)[0]
        yield {
            "event_id": f"E{number:05d}",
            "at": at.isoformat(timespec="seconds"),
            "service": service,
            "level": list(LEVELS)[level],
            "message": SERVICES[service][level],
            "duration_ms": round(dice.lognormvariate(4 if ill else 3, 0.6)),
        }


def write(name: str, rows: Iterable[dict]) -> None:
    rows = list(rows)
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write the three files beside this script."""
    write("orders.csv", orders(random.Random(SEED)))
    write("videos.csv", videos(random.Random(SEED + 1)))
    write("log_events.csv", events(random.Random(SEED + 2)))


if __name__ == "__main__":
    main()
