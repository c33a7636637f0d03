"""The nightly run says which versions the newest locks have, and from what they came."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests import lock_changes
from tests.lock_changes import Change, changes, table, versions
from tests.notebook_files import ROOT

LOCK = """\
# made by uv
boto3==1.40.1
    # via -r requirements.in
numpy==2.4.6 ; python_full_version < '3.12'
numpy==2.5.5 ; python_full_version >= '3.12'
moto[server]==5.1.0
"""
NPM = {
    "packages": {
        "": {"dependencies": {"@aws-sdk/core": "^3"}},
        "node_modules/@aws-sdk/core": {"version": "3.1.0"},
        "node_modules/tslib": {"version": "2.8.1"},
        "node_modules/@aws-sdk/core/node_modules/tslib": {"version": "1.14.1"},
    }
}


def test_a_lock_of_python_is_read() -> None:
    assert versions("requirements.lock", LOCK) == {
        "boto3": "1.40.1",
        "numpy": "2.4.6, 2.5.5",
        "moto": "5.1.0",
    }


def test_a_lock_of_npm_is_read() -> None:
    assert versions("a/package-lock.json", json.dumps(NPM)) == {
        "@aws-sdk/core": "3.1.0",
        "tslib": "1.14.1, 2.8.1",
    }


@pytest.fixture
def locks() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("This is no git checkout.")
    found = lock_changes.git("ls-files", *lock_changes.LOCKS).splitlines()
    assert {"requirements.lock", "helpers/room/package-lock.json"} < {*found}
    return found


def test_make_lock_renews_every_lock(locks) -> None:
    recipe = re.search(r"^lock:\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    written = {
        *re.findall(r" -o (\S+)", recipe),
        *(f"{folder}/package-lock.json" for folder in re.findall(r"--prefix (\S+)", recipe)),
    }
    assert written == {*locks}


def test_every_pin_of_every_lock_is_read(locks) -> None:
    for path in locks:
        text = (ROOT / path).read_text(encoding="utf-8")
        pinned = r"^\S+==" if path.endswith(".lock") else r'^    "node_modules/'
        assert len(lock_changes.pins(path, text)) == len(re.findall(pinned, text, re.M)) > 2, path


def test_what_is_as_before_is_no_change() -> None:
    before, after = {"a": "1", "b": "1", "gone": "3"}, {"a": "1", "b": "2", "new": "4"}
    assert changes(before, after) == [
        *(Change("b", "1", "2"), Change("gone", "3", None), Change("new", None, "4"))
    ]


def test_what_changed_alike_in_several_locks_is_one_row() -> None:
    boto3, nbval = Change("boto3", "1.40.1", "1.41.0"), Change("nbval", None, "0.11")
    found = {
        "requirements.lock": [nbval, boto3],
        "docs/site/requirements.lock": [],
        "tests/bench/requirements.lock": [boto3, Change("numpy", "1", None)],
    }
    assert table(found).splitlines()[2:] == [
        "| boto3 | 1.40.1 | 1.41.0 | the course, tests/bench |",
        "| nbval | — | 0.11 | the course |",
        "| numpy | 1 | — | tests/bench |",
    ]
    assert table({"requirements.lock": []}) == "Every lock has the newest versions already."


def test_no_package_is_needed_to_say_it(locks) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tests.lock_changes"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.startswith("### What the newest versions are\n\n")
