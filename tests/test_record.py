"""What a learner did is noted, whatever happens to the file, and never stops a cell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy
import pytest

from helpers.checks.points import Point, exercise, point
from helpers.learning import record
from tests.notebook_files import ROOT


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "mein Kurs" / "Übung.jsonl"
    monkeypatch.setenv(record.SETTING, str(path))
    monkeypatch.setattr(record, "Kernel", type("Kernel", (record.Kernel,), {}))
    return path


def test_what_is_noted_can_be_read(file) -> None:
    record.note("check", "1", passed=False, said="Not yet: …")
    record.begin("04_add_trigger")
    record.note("guess", "hidden", guess=numpy.int64(2), right=None, by=Path("x"))
    first, second, third = record.entries()
    assert (first["notebook"], first["kind"], first["passed"]) == (None, "check", False)
    assert second["kind"] == "begin"
    assert second["notebook"] == second["name"] == record.current() == "04_add_trigger"
    assert (third["guess"], third["right"], third["by"]) == (2, None, "x")
    assert datetime.fromisoformat(third["at"]).utcoffset().total_seconds() == 0
    assert record.entries("guess") == [third]
    assert record.entries(notebook="04_add_trigger") == [second, third]


def test_facts_cannot_pass_for_what_is_noted_of_every_thing(file) -> None:
    record.note("check", "1", at="never", notebook="another")
    [entry] = record.entries()
    assert entry["notebook"] is None
    assert entry["at"] != "never"


@pytest.mark.parametrize(
    "damage",
    [
        b'{"at": "2026-11-30T12:00:00+00:00", "kin',
        b"\xff\xfe\x00\n",
        b"[1, 2]\n",
        b'{"at": "yesterday", "notebook": null, "kind": "check", "name": "1"}\n',
        b'{"at": "2026-11-30T12:00:00", "notebook": null, "kind": "check", "name": "1"}\n',
        b'{"at": "2026-11-30T12:00:00+00:00", "kind": "check", "name": "1"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_line_takes_no_other_with_it(file, damage: bytes) -> None:
    record.note("check", "before")
    with file.open("ab") as there:
        there.write(damage)
    record.note("check", "after")
    assert [entry["name"] for entry in record.entries()] == ["before", "after"]


WRITER = """
from helpers.learning import record
record.begin("KERNEL")
for number in range(100):
    record.note("check", str(number), said="x" * 5000)
"""


def test_several_kernels_write_at_once(file) -> None:
    kernels = [
        subprocess.Popen([sys.executable, "-c", WRITER.replace("KERNEL", name)], cwd=ROOT)
        for name in ("a", "b", "c")
    ]
    assert [kernel.wait() for kernel in kernels] == [0, 0, 0]
    for name in ("a", "b", "c"):
        found = [entry["name"] for entry in record.entries("check", name)]
        assert found == [str(number) for number in range(100)]
    assert len(file.read_bytes().splitlines()) == 303


def test_a_line_is_written_although_another_kernel_keeps_the_lock(file, monkeypatch) -> None:
    monkeypatch.setattr(record, "LOCK_S", 0.01)
    file.parent.mkdir()
    with record.FileLock(file.with_name(f".{file.name}.lock")):
        record.note("check", "1")
    assert len(record.entries()) == 1


def test_what_cannot_be_kept_is_said_once_and_stops_nothing(tmp_path, file, capsys) -> None:
    (tmp_path / "mein Kurs").touch()  # a file where the folder should be
    record.begin("04_add_trigger")
    record.note("check", "1")
    assert record.current() == "04_add_trigger"
    assert record.entries() == []
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("Your progress is not kept: ") == 1
    assert str(file) in said.err
    assert record.SETTING in said.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="This system has no full disk to lend.")
def test_a_full_disk_stops_nothing(file, capsys) -> None:
    file.parent.mkdir()
    file.symlink_to("/dev/full")
    record.note("check", "1")
    assert "No space left" in capsys.readouterr().err


def test_a_fact_that_is_its_own_part_stops_nothing(file) -> None:
    knot: list = []
    knot.append(knot)
    record.note("guess", "1", guess=knot)
    record.note("guess", "2", guess={("a", "b"): 1})
    assert [entry["name"] for entry in record.entries()] == ["2"]


def test_only_its_owner_reads_the_record(file) -> None:
    record.note("check", "1")
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("setting", ["off", " OFF "])
def test_a_record_that_is_off_keeps_nothing(tmp_path, monkeypatch, setting: str) -> None:
    monkeypatch.setenv(record.SETTING, setting)
    monkeypatch.chdir(tmp_path)
    record.note("check", "1")
    assert record.file() is None
    assert record.entries() == []
    assert list(tmp_path.iterdir()) == []


def test_the_record_lies_beside_the_copies_or_else_at_home(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(record.SETTING)
    monkeypatch.setattr(record, "MY_COURSE", tmp_path / "my_course")
    monkeypatch.setattr(record, "user_data_path", lambda *_, **__: tmp_path / "home")
    assert record.file() == tmp_path / "my_course" / "record.jsonl"
    monkeypatch.setattr(record.os, "access", lambda *_: False)
    assert record.file() == tmp_path / "home" / "record.jsonl"


def test_a_test_run_writes_into_nobody_s_record() -> None:
    assert record.file() is None


@exercise
def check_answer(answer: int) -> Iterator[Point]:
    yield point(answer == 2, "It is two.", "It is not that.")


def test_a_check_notes_what_it_said(file, capsys) -> None:
    record.begin("07_check_logs")
    check_answer(1)
    check_answer(2)
    wrong, right = record.entries("check")
    assert {wrong["name"], right["name"]} == {"answer"}
    assert (wrong["passed"], right["passed"]) == (False, True)
    assert wrong["said"].splitlines()[-1] == "  ✗ It is not that."
    assert capsys.readouterr().out == f"{wrong['said']}\n{right['said']}\n"
    assert json.dumps(right).count("07_check_logs") == 1
