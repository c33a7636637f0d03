"""The board shows what learners who joined have reached, and nothing of those who did not."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer

from helpers import course
from helpers.learning import board, record
from helpers.learning.lessons import Lesson
from helpers.room.board import state
from helpers.room.board.server import application, new_word
from helpers.room.board.state import Refused, Room

LESSONS = [
    Lesson("00_start_here", "00 Start here", 15, ("pizza",), 2),
    Lesson("01_create_queue", "01 Create the queue", 20, ("practice", "bank", "baker"), 3),
]
SAID = "Not yet: what is marked ✗ is left to do.\n  ✓ It is there.\n  ✗ It has no tag.\n  ✗ More."


def check(name: str, passed: bool, notebook: str = "01_create_queue") -> dict[str, Any]:
    return {"kind": "check", "notebook": notebook, "name": name, "passed": passed, "said": SAID}


def guess(text: str, right: bool | None) -> dict[str, Any]:
    return {
        "kind": "guess",
        "notebook": "00_start_here",
        "name": "slip",
        "guess": text,
        "right": right,
    }


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock) -> Room:
    return Room(LESSONS, clock)


# -- what the board knows --------------------------------------------------------------------


def test_a_learner_without_a_name_gets_one_that_nobody_has(room) -> None:
    names = [room.join()[1] for _ in range(150)]
    assert len(set(names)) == 150
    assert all(len(name.split()) == 2 for name in names)


def test_a_name_that_is_taken_gets_a_number(room) -> None:
    assert [room.join("Anna")[1] for _ in range(3)] == ["Anna", "Anna 2", "Anna 3"]


def test_passed_exercises_are_counted_once(room) -> None:
    secret, _ = room.join("Anna")
    for passed in (False, True, True, False):
        room.note(secret, check("practice", passed))
    room.note(secret, check("bank", False))
    [row] = room.view()["people"]
    assert row["done"] == {"01_create_queue": 1}
    assert row["notebook"] == "01_create_queue"


@pytest.mark.parametrize(
    ("tries", "after_s", "is_stuck"), [(1, 0, 0), (2, 299, 0), (1, 300, 1), (3, 0, 1)]
)
def test_who_is_stuck_tried_often_or_for_long(room, clock, tries, after_s, is_stuck) -> None:
    secret, _ = room.join("Anna")
    for _ in range(tries):
        room.note(secret, check("bank", False))
    clock.s += after_s
    [row] = room.view()["people"]
    where = {"notebook": "01_create_queue", "exercise": "bank", "said": "It has no tag."}
    expected = {**where, "tries": tries, "minutes": after_s // 60} if is_stuck else None
    assert row["stuck"] == expected


def test_who_passed_or_went_on_is_not_stuck(room) -> None:
    anna, _ = room.join("Anna")
    berta, _ = room.join("Berta")
    for secret in (anna, berta):
        for _ in range(3):
            room.note(secret, check("bank", False))
    room.note(anna, check("bank", True))
    room.note(berta, {"kind": "begin", "notebook": "00_start_here", "name": "00_start_here"})
    assert [row["stuck"] for row in room.view()["people"]] == [None, None]


def test_guesses_are_counted_and_the_last_one_of_a_learner_counts(room) -> None:
    for texts in (["a", "b"], ["b"], ["c"]):
        secret, _ = room.join()
        for text in texts:
            room.note(secret, guess(text, text == "c"))
    [histogram] = room.view()["guesses"]
    assert histogram["answers"] == [
        {"guess": "b", "right": False, "people": 2},
        {"guess": "c", "right": True, "people": 1},
    ]


def test_who_leaves_is_forgotten(room) -> None:
    secret, _ = room.join("Anna")
    room.note(secret, guess("a", None))
    room.leave(secret)
    assert (room.view()["people"], room.view()["guesses"]) == ([], [])
    with pytest.raises(Refused, match="nobody has this seat"):
        room.note(secret, guess("a", None))


def test_no_secret_is_shown(room) -> None:
    secret, _ = room.join("Anna")
    room.note(secret, guess("a", None))
    assert secret not in json.dumps(room.view())


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"kind": "check", "name": "x"},
        {"kind": "check", "notebook": "77_unknown", "name": "x"},
        {"kind": "check", "notebook": "00_start_here", "name": ["x"]},
        {"kind": "check", "notebook": ["00_start_here"], "name": "x"},
    ],
)
def test_what_is_no_entry_is_refused(room, entry) -> None:
    secret, _ = room.join()
    with pytest.raises(Refused, match="a notebook of the course"):
        room.note(secret, entry)


def test_one_learner_cannot_flood_the_board(room, clock) -> None:
    secret, _ = room.join()
    for number in range(state.MOST_A_MINUTE):
        room.note(secret, check(str(number), False))
    with pytest.raises(Refused, match="120 events in a minute"):
        room.note(secret, check("x", True))
    clock.s += 60
    room.note(secret, check("x", True))
    for minute in range(10):
        clock.s += 60
        for number in range(100):
            room.note(secret, guess_named(f"{minute} {number}"))
    [histograms] = [room.view()["guesses"]]
    assert len(histograms) == state.MOST_THINGS - state.MOST_A_MINUTE - 1


def guess_named(name: str) -> dict[str, Any]:
    return {**guess("a" * 10_000, None), "name": name}


def test_a_board_has_an_end(room) -> None:
    for _ in range(state.MOST_PEOPLE):
        room.join()
    with pytest.raises(Refused, match="200 people are here already"):
        room.join()


# -- its server ------------------------------------------------------------------------------


@pytest.fixture
def address(room) -> Iterator[str]:
    """A board that answers, on a free port of this computer."""
    started: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        server = HTTPServer(application("/heron-1", room), max_body_size=16_384)
        server.listen(0, "127.0.0.1")
        [port] = {socket.getsockname()[1] for socket in server._sockets.values()}
        ending = asyncio.Event()
        started.extend([port, asyncio.get_running_loop(), ending])
        ready.set()
        await ending.wait()
        server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    port, loop, ending = started
    yield f"http://127.0.0.1:{port}/heron-1"
    loop.call_soon_threadsafe(ending.set)
    thread.join(10)


@pytest.fixture
def learner(tmp_path, monkeypatch) -> Iterator[Path]:
    """A learner with a record of their own, who has joined nothing yet."""
    monkeypatch.setenv(record.SETTING, str(tmp_path / "record.jsonl"))
    monkeypatch.setattr(record.Kernel, "watchers", [])
    monkeypatch.setattr(board.Sending, "seat", None)
    yield tmp_path
    board.Sending.waiting.join()


def seen(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/state", timeout=10) as answer:
        return json.load(answer)


def status_of(url: str, body: bytes | None, kind: str = "application/json") -> tuple[int, str]:
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=10)
    return error.value.code, json.loads(error.value.read())["message"]


def test_nothing_is_sent_before_a_learner_joins(address, learner, capsys) -> None:
    record.begin("01_create_queue")
    record.note("check", "bank", passed=False, said=SAID)
    course.join(address, "Anna")
    assert capsys.readouterr().out == (
        "You are on the board as Anna. It sees your checks and your guesses, nothing else.\n"
    )
    record.note("check", "practice", passed=True, said="Right: …", code="secret code")
    record.note("hint", "practice")
    board.Sending.waiting.join()
    [row] = seen(address)["people"]
    assert (row["name"], row["done"], row["stuck"]) == ("Anna", {"01_create_queue": 1}, None)


def test_another_notebook_and_a_new_kernel_keep_the_seat(address, learner, monkeypatch) -> None:
    course.join(address)
    monkeypatch.setattr(board.Sending, "seat", None)
    monkeypatch.setattr(record.Kernel, "watchers", [])
    assert board.rejoin().address == address
    record.begin("00_start_here")
    board.Sending.waiting.join()
    assert seen(address)["people"][0]["notebook"] == "00_start_here"


def test_who_has_left_sends_nothing_more(address, learner, capsys) -> None:
    course.join(address)
    course.leave()
    record.begin("00_start_here")
    board.Sending.waiting.join()
    assert seen(address)["people"] == []
    assert board.rejoin() is None
    course.leave()
    assert capsys.readouterr().out.endswith("The board has forgotten you.\nYou are on no board.\n")


@pytest.mark.parametrize("wrong", ["", "heron-1", "ftp://x/y", "http://127.0.0.1:1/heron-1"])
def test_a_board_that_is_not_there_is_a_sentence(learner, capsys, wrong, monkeypatch) -> None:
    monkeypatch.delenv(board.SETTING, raising=False)
    course.join(wrong)
    said = capsys.readouterr().out
    assert said.startswith("You have not joined. The board")
    assert board.rejoin() is None


def test_a_board_that_closes_stops_no_lesson(address, learner) -> None:
    board.send_from(board.Seat("http://127.0.0.1:1/heron-1", "x", "Anna"))
    for _ in range(board.MOST_WAITING + 10):
        record.note("guess", "slip", guess="a", right=None)
    assert len(record.entries("guess")) == board.MOST_WAITING + 10


def test_the_word_is_needed(address) -> None:
    other = address.replace("heron-1", "heron-2")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{other}/state", timeout=10)


def test_the_page_asks_no_other_host_and_takes_no_foreign_script(address) -> None:
    with urllib.request.urlopen(f"{address}/", timeout=10) as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert "http" not in page
    for name in ("board.js", "board.css"):
        with urllib.request.urlopen(f"{address}/{name}", timeout=10) as answer:
            assert "innerHTML" not in answer.read().decode()


def test_bad_requests_get_a_sentence(address) -> None:
    people = f"{address}/people"
    assert status_of(people, b"{", "application/json") == (400, "That is no JSON")
    assert status_of(people, b"[]") == (400, "An entry is a JSON object")
    assert status_of(people, b"name=x", "text/plain")[0] == 415
    assert status_of(f"{people}/nobody", b"{}") == (404, "nobody has this seat")


def test_a_word_can_be_read_aloud() -> None:
    animal, number = new_word().split("-")
    assert animal in state.ANIMALS
    assert len(number) == 5
