"""`make lab`: JupyterLab and the local AWS start together and stop together."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from helpers.localaws import lifecycle
from helpers.waiting import wait_until
from tests.notebook_files import ROOT

pytestmark = pytest.mark.slow


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


@pytest.mark.skipif(os.name == "nt", reason="ends a process by signal")
def test_lab_starts_the_local_aws_and_stops_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    port = free_port()
    command = [sys.executable, "-m", "helpers.lab", "--no-browser", "--port", str(port)]
    with (tmp_path / "output").open("w") as output:
        lab = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until(lambda: answer(f"http://127.0.0.1:{port}/api"), bool, "JupyterLab", 60)
        server = lifecycle.find()
        assert server is not None
        [token] = re.findall(r"token=(\w+)$", (tmp_path / "output").read_text(), re.M)[:1]
        assert default_of_news(port, token) == "false"
    finally:
        lab.terminate()
        lab.wait(30)
    text = (tmp_path / "output").read_text()
    assert f"The local AWS answers at {server.endpoint_url}." in text
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=" in text
    assert text.endswith("The local AWS has been stopped.\n")
    assert lifecycle.find() is None
    assert answer(f"http://127.0.0.1:{port}/api") == 0
