"""A class on this computer, with learners who try to get at what is another's.

It needs Linux, root and the packages of a class, so `make room-test` runs it and `make test` does
not. What may not be done is tried as the system user that a learner is.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from helpers.room import learners, settings
from tests.notebook_files import ROOT
from tests.room.learner import Kernel, Learner

PORT = 8100
ADDRESS = f"http://127.0.0.1:{PORT}"
FOLDER = Path("/var/lib/sqs-lambda-class-of-tests")
SETTINGS = {"SQS_CLASS_FOLDER": str(FOLDER), "SQS_CLASS_PORT": str(PORT), "SQS_CLASS_SEATS": "4"}
PYTHON = os.environ.get("ROOM_PYTHON", "/usr/bin/python3")

pytestmark = pytest.mark.skipif(
    "ROOM_TEST" not in os.environ, reason="make room-test starts a class server for it"
)


def room(*arguments: str, **named: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "helpers.room", *arguments]
    environment = {**os.environ, **SETTINGS}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, **named
    )


class Class:
    """A class that runs: what it said at its start, and two learners with a kernel each."""

    def __init__(self) -> None:
        self.begin()
        self.anna, self.berta = Learner(ADDRESS, "Anna"), Learner(ADDRESS, "Berta")
        self.kernels: dict[str, Kernel] = {}
        for each in (self.anna, self.berta):
            each.log_in()
            each.start()
            self.kernels[each.chosen] = each.open("01_create_queue")
            self.run(each, "from helpers import course\ncourse.begin('01_create_queue')")

    def begin(self) -> None:
        self.log = (FOLDER.parent / f"{FOLDER.name}.log").open("w+")
        self.hub = subprocess.Popen(
            [sys.executable, "-m", "helpers.room", "start", "--python", PYTHON],
            cwd=ROOT,
            env={**os.environ, **SETTINGS},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        for _ in range(300):
            assert self.hub.poll() is None, self.said()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{ADDRESS}/hub/login", timeout=5).status_code == 200:
                    return
            time.sleep(1)
        raise TimeoutError(self.said())

    def said(self) -> str:
        return Path(self.log.name).read_text()

    def run(self, learner: Learner, code: str) -> str:
        return self.kernels[learner.chosen].run(code)

    def pause(self) -> None:
        self.hub.terminate()
        self.hub.wait(60)
        self.log.close()


@pytest.fixture(scope="module")
def started() -> Iterator[Class]:
    os.environ.update(SETTINGS)
    room("end", "--yes")
    assert room("prepare", "--python", PYTHON).returncode == 0  # packages take as long as they take
    made = Class()
    yield made
    made.pause()
    room("end", "--yes")


def as_learner(learner: Learner, program: str, *arguments: str) -> str:
    """What a program answers that a learner runs outside of the hub, as their system user."""
    done = subprocess.run(
        [FOLDER / "environment" / "bin" / "python", "-c", program, *arguments],
        user=learner.name,
        group=learner.name,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": str(FOLDER / "course")},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


def processes_of(learner: Learner) -> list[psutil.Process]:
    found = psutil.process_iter(["username"])
    return [each for each in found if each.info["username"] == learner.name]


# -- the start -------------------------------------------------------------------------------


def test_it_says_where_to_go_and_what_protects_the_learners(started) -> None:
    said = started.said()
    assert f":{PORT}  and choose a name and a password." in said
    assert "Each learner is a system user" in said
    assert "passwords: tell learners not to use one that they have elsewhere" in said


def test_a_learner_lands_in_the_first_notebook_of_an_own_copy(started) -> None:
    anna = started.anna
    page = anna.web.get(f"/user/{anna.name}/")
    assert page.url.path == f"/user/{anna.name}/lab/tree/my_course/00_start_here.ipynb"
    copy = anna.contents("my_course/00_start_here.ipynb").json()
    assert copy["writable"]
    assert not anna.contents("notebooks/00_start_here.ipynb").json()["writable"]


def test_each_has_a_local_aws_of_their_own(started) -> None:
    ask = "import boto3, os; print(os.environ['AWS_ENDPOINT_URL'], os.environ['AWS_ACCESS_KEY_ID'])"
    seen = [started.run(each, ask) for each in (started.anna, started.berta)]
    addresses, keys = zip(*(each.split() for each in seen), strict=True)
    assert len(set(addresses)) == len(set(keys)) == 2


# -- walls -----------------------------------------------------------------------------------


def test_a_name_that_is_taken_needs_its_password(started) -> None:
    stranger = Learner(ADDRESS, "Anna", "something else")
    assert stranger.log_in() == 403
    assert Learner(ADDRESS, "instructor", "pizza4all").log_in() == 403


@pytest.mark.parametrize("chosen", ["root", "../root", "nobody"])
def test_nobody_becomes_a_user_of_the_system(started, chosen) -> None:
    assert learners.system_name(chosen).startswith("sqs-")
    assert learners.system_name(chosen) not in ("root", "nobody")


def test_another_ones_server_cannot_be_used_through_the_hub(started) -> None:
    berta, anna = started.berta, started.anna
    assert berta.contents("my_course/01_create_queue.ipynb", of=anna.name).status_code in (403, 404)
    stop = berta.web.delete(f"/hub/api/users/{anna.name}/server", headers=berta.headers("/hub/"))
    assert stop.status_code in (403, 404)
    assert anna.contents("my_course/01_create_queue.ipynb").status_code == 200


def test_another_ones_files_cannot_be_read_or_changed(started) -> None:
    home = FOLDER / "homes" / started.anna.name
    look = (
        "import sys, os\ntry: print(os.listdir(sys.argv[1]))\nexcept OSError as e: print(e.errno)"
    )
    write = "import sys\ntry: open(sys.argv[1], 'w')\nexcept OSError as e: print(e.errno)"
    sockets = settings.read().sockets_of(started.anna.name)
    for folder in (home, home / "course" / "my_course", home / "tmp", sockets):
        assert as_learner(started.berta, look, str(folder)) == "13"
    assert as_learner(started.berta, write, str(home / "course" / "README.md")) == "13"
    for folder in (FOLDER / "hub", FOLDER / "homes"):
        assert as_learner(started.berta, look, str(folder)) == "13"
    for file in ("course/README.md", "environment/bin/python"):
        assert as_learner(started.berta, write, str(FOLDER / file)) in ("13", "26")


def test_another_ones_processes_cannot_be_ended_or_looked_into(started) -> None:
    end = "import os, sys\ntry: os.kill(int(sys.argv[1]), 9)\nexcept OSError as e: print(e.errno)"
    look = (
        "import sys\ntry: print(open(f'/proc/{sys.argv[1]}/environ').read())\n"
        "except OSError as e: print(e.errno)"
    )
    theirs = processes_of(started.anna)
    assert len(theirs) >= 3  # the server, a kernel, the local AWS
    for process in theirs:
        assert as_learner(started.berta, end, str(process.pid)) == "1"
        assert as_learner(started.berta, look, str(process.pid)) == "13"


def test_another_ones_local_aws_refuses_whoever_has_not_its_key(started) -> None:
    url = started.run(started.anna, "import os; print(os.environ['AWS_ENDPOINT_URL'])").strip()
    ask = (
        "import boto3, sys\nkey = dict(aws_access_key_id='x', aws_secret_access_key='y')\n"
        "sqs = boto3.client('sqs', region_name='us-east-1', endpoint_url=sys.argv[1], **key)\n"
        "try: print(sqs.list_queues())\nexcept Exception as e: print(type(e).__name__)"
    )
    assert as_learner(started.berta, ask, url) in ("InvalidClientTokenId", "ClientError")


def test_no_port_of_a_learner_gives_anything_away(started) -> None:
    """A kernel over TCP would send what it prints to whoever connects.

    Over sockets it has one port left, by which its own child processes hand it what they print
    (ipykernel, IOPubThread): nobody can read there, and it takes only what has its secret.
    """
    ports = {
        connection.laddr.port: "ipykernel" in " ".join(process.cmdline())
        for process in processes_of(started.anna)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert sorted(ports.values()) == [False, False, True]  # server, local AWS; the kernel
    for port, is_kernel in ports.items():
        with socket.create_connection(("127.0.0.1", port), timeout=3) as client:
            client.sendall(b"GET /user/x/api/kernels HTTP/1.0\r\n\r\n")
            with suppress(TimeoutError):
                said = client.recv(1000)
        if is_kernel:
            assert len(said) <= 64, said  # ZeroMQ's greeting: 37/ZMTP 3.1
        else:
            assert said.split()[1] in (b"302", b"403", b"404", b"405"), said


def test_limits_hold_for_a_learner(started) -> None:
    ask = "import resource as r; print(*map(r.getrlimit, (r.RLIMIT_DATA, r.RLIMIT_NPROC)))"
    data, processes = (2_000 * 1024**2,) * 2, (settings.MOST_PROCESSES,) * 2
    assert started.run(started.anna, ask).strip() == f"{data} {processes}"
    eat = "try: x = bytearray(3 * 1024**3)\nexcept MemoryError: print('enough')"
    assert started.run(started.anna, eat).strip() == "enough"


def test_the_limits_leave_room_for_forty_handlers_at_once(started) -> None:
    """10 lets a trigger scale up to 40, each with a worker process and a thread."""
    kernel = started.anna.open("10_throughput")
    assert kernel.run_notebook(next((ROOT / "notebooks").glob("10_*.ipynb"))) == []
    kernel.close()


# -- the board, restart, end -----------------------------------------------------------------


def test_who_joins_stands_on_the_board(started) -> None:
    said = started.run(started.anna, "course.join()")
    name = said.removeprefix("You are on the board as ").split(".")[0]
    word = (FOLDER / "hub" / "board_word").read_text()
    started.run(
        started.anna, "from helpers.learning import record; record.note('guess', 'x', guess='a')"
    )
    time.sleep(2)
    state = httpx.get(f"{ADDRESS}/services/board/{word}/state").json()
    assert [each["name"] for each in state["people"]] == [name]
    assert state["guesses"][0]["answers"] == [{"guess": "a", "right": None, "people": 1}]


def test_a_restart_loses_nothing(started) -> None:
    anna = started.anna
    started.run(
        anna,
        "import boto3\nsqs = boto3.client('sqs')\n"
        "url = sqs.create_queue(QueueName='Kept')['QueueUrl']\n"
        "_ = sqs.send_message(QueueUrl=url, MessageBody='still here')",
    )
    anna.stop()
    time.sleep(3)
    anna.start()
    started.kernels[anna.chosen] = kernel = anna.open("01_create_queue")
    kernel.run("from helpers import course\ncourse.begin('01_create_queue')")
    said = kernel.run(
        "import boto3\nsqs = boto3.client('sqs')\n"
        "url = sqs.get_queue_url(QueueName='Kept')['QueueUrl']\n"
        "print(sqs.receive_message(QueueUrl=url)['Messages'][0]['Body'])"
    )
    assert said.strip() == "still here"


def test_the_end_lists_what_there_is_and_leaves_nothing(started) -> None:
    asked = room("end", input="n\n")
    assert asked.returncode == 1
    assert "sqs-anna, sqs-berta" in asked.stdout
    assert asked.stdout.strip().endswith("Nothing was removed.")
    started.pause()
    assert room("end", "--yes").stdout.strip().endswith("All of it is gone.")
    assert not FOLDER.exists()
    assert not settings.read().sockets_of(started.anna.name).exists()
    assert learners.users(settings.read()) == []
    assert not any(processes_of(each) for each in (started.anna, started.berta))
    assert room("end", "--yes").stdout.strip() == "There is no class on this computer."
