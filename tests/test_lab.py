"""`make lab`: JupyterLab and the local AWS start together and stop together."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from helpers import lab
from helpers.localaws import lifecycle
from helpers.waiting import wait_until
from tests.notebook_files import ROOT


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status
    except OSError:
        return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def default_of_news(port: int, token: str) -> str:
    """Whether JupyterLab fetches news, unless the user wants it: "none" would make it ask."""
    plugin = "@jupyterlab/apputils-extension:notification"
    url = f"http://127.0.0.1:{port}/lab/api/settings/{plugin}?token={token}"
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)["schema"]["properties"]["fetchNews"]["default"]


def may_be_saved(port: int, token: str, path: str) -> bool:
    url = f"http://127.0.0.1:{port}/api/contents/{path}?content=0&token={token}"
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)["writable"]


# `python -m helpers.lab`, with the copies in a folder of this test.
LAB = """
import pathlib, sys
from helpers import lab
from helpers.learning import record

record.MY_COURSE = pathlib.Path(sys.argv[1], "my_course")
sys.exit(lab.main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="ends a process by signal")
def test_lab_starts_the_local_aws_and_stops_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    port = free_port()
    command = [sys.executable, "-c", LAB, str(tmp_path), "--no-browser", "--port", str(port)]
    with (tmp_path / "output").open("w") as output:
        lab = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until(lambda: answer(f"http://127.0.0.1:{port}/api"), bool, "JupyterLab", 60)
        server = lifecycle.find()
        assert server is not None
        [token] = re.findall(r"token=(\w+)$", (tmp_path / "output").read_text(), re.M)[:1]
        assert default_of_news(port, token) == "false"
        assert not may_be_saved(port, token, "notebooks/00_start_here.ipynb")
        assert may_be_saved(port, token, "README.md")
    finally:
        lab.terminate()
        lab.wait(30)
    text = (tmp_path / "output").read_text()
    assert f"The local AWS answers at {server.endpoint_url}." in text
    assert "/lab/tree/my_course/00_start_here.ipynb?token=" in text
    assert (tmp_path / "my_course" / "00_start_here.ipynb").exists()
    assert text.endswith("The local AWS has been stopped.\n")
    assert lifecycle.find() is None
    assert answer(f"http://127.0.0.1:{port}/api") == 0


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    return tmp_path


def test_a_lab_that_started_the_local_aws_leaves_it_to_one_that_still_uses_it(
    state, monkeypatch, capsys
) -> None:
    stops: list[bool] = []
    monkeypatch.setattr(lifecycle, "stop", lambda: stops.append(True) or True)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = str(psutil.Process(other.pid).create_time())
    (state / f"lab-{other.pid}").write_text(created)
    with lab.registered():
        assert (state / f"lab-{os.getpid()}").exists()
    lab.stop_local_aws()
    assert not stops
    other.communicate(b"")
    lab.stop_local_aws()
    assert stops
    assert capsys.readouterr().out.splitlines() == [
        "The local AWS goes on: another JupyterLab uses it.",
        "The local AWS has been stopped.",
    ]
    assert list(state.glob("lab-*")) == []


def test_the_last_lab_tells_what_a_rehearsal_did_and_ends_it(state, monkeypatch, capsys) -> None:
    stops: list[bool] = []
    monkeypatch.setenv("SQS_COURSE_TARGET", "rehearsal")
    monkeypatch.setattr(lifecycle, "reports", lambda: ["Rehearsal (…): 14 stale reads."])
    monkeypatch.setattr(lifecycle, "stop_rehearsals", lambda: stops.append(True))
    monkeypatch.setattr(lab, "run_lab", lambda _command: 0)
    monkeypatch.setattr(lab, "others", lambda: ["another lab"])
    assert lab.main(["--stored"]) == 0
    assert not stops
    monkeypatch.setattr(lab, "others", list)
    assert lab.main(["--stored"]) == 0
    assert stops == [True]
    assert capsys.readouterr().out == "Rehearsal (…): 14 stale reads.\n"


def test_the_last_lab_stops_what_a_lab_has_started(state) -> None:
    server = lifecycle.Server("http://x", 1, 0.0, "this one", "k", "s")
    assert not lab.was_started_by_a_lab(server)
    lab.marker().write_text("another one")
    assert not lab.was_started_by_a_lab(server)
    lab.marker().write_text("this one")
    assert lab.was_started_by_a_lab(server)


def test_two_labs_at_once_start_one_local_aws(state) -> None:
    """Only one of them has started it, so only one of them will stop it."""
    try:
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: lifecycle.start(), range(2)))
        assert sorted(each.is_new for each in both) == [False, True]
        assert len({each.server.id for each in both}) == 1
    finally:
        lifecycle.stop()


def test_another_package_helpers_is_named_and_passed_over(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "helpers").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    lab.warn_of_other_helpers()
    assert capsys.readouterr().err == (
        f"PYTHONPATH names {str(tmp_path)!r}, which holds another package `helpers`. In this "
        "JupyterLab the course's own is used.\n"
    )
    (tmp_path / "helpers" / "__init__.py").touch()
    found = subprocess.run(
        [sys.executable, "-c", "import helpers.course; print(helpers.__file__)"],
        env={**os.environ, **lab.python_path()},
        cwd=tmp_path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(ROOT / "helpers" / "__init__.py")


def test_a_lab_whose_local_aws_cannot_start_says_why(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path / "file"))
    assert lab.main([]) == 1
    assert capsys.readouterr().err.startswith("LOCALAWS_FOLDER is ")


# -- make setup -----------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout with an environment that needs nothing installed."""
    folder = tmp_path / "a checkout"
    (folder / "helpers").mkdir(parents=True)
    (folder / "helpers" / "__init__.py").touch()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    venv.create(folder / ".venv", with_pip=False, symlinks=os.name != "nt")
    (folder / ".venv" / ".ready").touch()
    return folder


def make_setup(folder: Path, *options: str) -> subprocess.CompletedProcess:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "PYTHONPATH")}
    return subprocess.run(
        ["make", "setup", *options],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_a_moved_checkout_mends_itself(checkout) -> None:
    assert make_setup(checkout).returncode == 0
    moved = checkout.rename(checkout.with_name("moved"))
    assert make_setup(moved).returncode == 0
    found = subprocess.run(
        [moved / ".venv" / "bin" / "python", "-I", "-c", "import helpers; print(helpers.__file__)"],
        cwd=moved.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(moved / "helpers" / "__init__.py")


@needs_make
def test_another_python_than_the_environments_is_not_passed_over(checkout) -> None:
    assert make_setup(checkout, f"PYTHON={sys.executable}").returncode == 0
    other = checkout / "other-python"
    other.write_text("#!/bin/sh\necho 3.99.0\n")
    other.chmod(0o755)
    refused = make_setup(checkout, "PYTHON=./other-python")
    assert refused.returncode != 0
    assert (
        f"The environment .venv has Python {platform.python_version()}, and "
        "PYTHON=./other-python is 3.99.0: type make clean, then the same again."
    ) in refused.stderr


@needs_make
def test_an_environment_without_its_python_says_so(checkout) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()
    refused = make_setup(checkout)
    assert refused.returncode != 0
    assert "The Python of .venv is gone: type make clean" in refused.stderr
