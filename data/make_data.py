"""Make the data sets of notebooks 11 to 13: `python data/make_data.py`.

The same seed makes the same files, so that they can be made again and compared. Everything
is invented; data/README.md describes the columns.
"""

from __future__ import annotations

import csv
import json
import random
import uuid
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
# A function's log for notebook 12: of each delivery when it began and when it ended, in s, the
# environment, which parcel it was for, for which time, and what the function wrote.
PARCELS_BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
NO_STOCK = "[ERROR] ConnectionError: the stock system did not answer"
NOT_ALLOWED = (
    "[ERROR] ClientError: An error occurred (AccessDenied) when calling the PutObject operation: "
    "User: arn:aws:sts::123456789012:assumed-role/ShipParcelRole/ShipParcel is not authorized to "
    'perform: s3:PutObject on resource: "arn:aws:s3:::parcel-labels/P5.pdf" because no '
    "identity-based policy allows the s3:PutObject action"
)
TIMED_OUT = "Task timed out after 10.00 seconds"
PARCELS = (
    (0.0, 1.3, 0, "P1", 1, "shipped P1"),
    (1.5, 9.1, 0, "P2", 1, "shipped P2"),
    (2.0, 3.1, 1, "P3", 1, NO_STOCK),
    (4.0, 4.4, 1, "P4", 1, "left out P4: no house number"),
    (5.0, 5.6, 1, "P5", 1, NOT_ALLOWED),
    (7.5, 14.9, 1, "P2", 2, "shipped P2"),
    (10.0, 11.2, 0, "P3", 2, "shipped P3"),
    (11.5, 12.1, 0, "P5", 2, NOT_ALLOWED),
    (12.5, 22.5, 0, "P6", 1, TIMED_OUT),
    (18.0, 18.6, 1, "P5", 3, NOT_ALLOWED),
    (23.0, 24.2, 1, "P6", 2, "shipped P6"),
)
# A shop's five services for notebook 13: how long each takes as a rule, in ms. One of three banks
# is ill, and makes a payment wait now and then: seldom enough for the average to hide it.
TOOK_MS = {"menu": 40, "cart": 90, "payment": 120, "kitchen": 600, "courier": 300}
CALLS = 40  # of each service
BANKS, ILL_BANK, ILL_MS = ("north", "south", "west"), "south", 4000
SLOW_PAYMENTS = (9, 21, 34)
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


def calls(dice: random.Random) -> list[dict]:
    """What five services of a shop took for each of their calls, mixed."""
    rows = []
    for service, usual_ms in TOOK_MS.items():
        for number in range(CALLS):
            slow = service == "payment" and number in SLOW_PAYMENTS
            bank = ILL_BANK if slow else dice.choice(BANKS)
            took = (ILL_MS if slow else usual_ms) * dice.uniform(0.85, 1.15)
            row = {"service": service, "took_ms": round(took)}
            rows.append({**row, "bank": bank if service == "payment" else ""})
    dice.shuffle(rows)
    return rows


def parcels(dice: random.Random) -> list[dict]:
    """The log of a function that ships parcels, with the columns of `helpers.logs.read_events`."""
    lines = [line for delivery in PARCELS for line in lines_of(dice, *delivery)]
    return sorted(lines, key=lambda line: line["time"])


def lines_of(
    dice: random.Random,
    began_s: float,
    ended_s: float,
    environment: int,
    parcel: str,
    count: int,
    said: str,
) -> Iterator[dict]:
    """What Lambda and the handler write for one delivery."""
    request = f"{uuid.UUID(int=dice.getrandbits(128), version=4)}"
    begun, ended = (PARCELS_BEGIN + timedelta(seconds=each) for each in (began_s, ended_s))
    took_ms = (ended_s - began_s) * 1000
    own = f"{ended.isoformat(timespec='milliseconds')[:23]}Z {request} {said}"
    texts = [
        (begun, "START", f"START RequestId: {request} Version: $LATEST"),
        (begun, "", json.dumps({"Records": [record(parcel, count)]})),
        (ended, "", own if said == TIMED_OUT else said),
        (ended, "END", f"END RequestId: {request}"),
        (ended, "REPORT", report(request, took_ms, said)),
    ]
    stream = f"2026/11/23/[$LATEST]{environment:032x}"
    for at, kind, message in texts:
        time = at.isoformat(timespec="milliseconds")
        yield {"time": time, "stream": stream, "kind": kind, "message": message}


def record(parcel: str, count: int) -> dict:
    """A record of an event, as the trigger hands it over."""
    sent = int(PARCELS_BEGIN.timestamp() * 1000) - 500
    attributes = {
        "ApproximateReceiveCount": f"{count}",
        "SentTimestamp": f"{sent}",
        "ApproximateFirstReceiveTimestamp": f"{sent + 400}",
    }
    return {
        "messageId": f"{uuid.uuid5(uuid.NAMESPACE_OID, parcel)}",
        "body": json.dumps({"parcel": parcel}),
        "attributes": attributes,
        "eventSource": "aws:sqs",
    }


def report(request: str, took_ms: float, said: str) -> str:
    status = "\tStatus: timeout" if said == TIMED_OUT else ""
    return (
        f"REPORT RequestId: {request}\tDuration: {took_ms:.2f} ms\t"
        f"Billed Duration: {took_ms:.0f} ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB{status}"
    )


def write(name: str, rows: Iterable[dict]) -> None:
    rows = list(rows)
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write the files beside this script."""
    write("orders.csv", orders(random.Random(SEED)))
    write("videos.csv", videos(random.Random(SEED + 1)))
    write("log_events.csv", events(random.Random(SEED + 2)))
    write("parcels_log.csv", parcels(random.Random(SEED + 3)))
    write("service_calls.csv", calls(random.Random(SEED + 4)))


if __name__ == "__main__":
    main()
