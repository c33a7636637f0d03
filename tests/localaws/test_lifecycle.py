"""The local AWS is found again, replaced when it was killed, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from helpers.localaws import lifecycle, settings
from helpers.localaws.__main__ import main
from helpers.localaws.front.server import THREADS
from helpers.localaws.lifecycle import has_ended
from tests.conformance.kit import Aws, poll
from tests.localaws.kit import (
    POSIX,
    command,
    endpoint_of,
    kill_hard,
    own_server,
    server_pid,
    wait_gone,
)

SLEEPER = "import time\ndef lambda_handler(event, context):\n    time.sleep(60)\n"
HANDLER = "def lambda_handler(event, context):\n    return 1\n"


def test_it_is_found_again_and_stopped(tmp_path) -> None:
    assert command(tmp_path, "status").returncode == 3
    with own_server(tmp_path) as url:
        assert command(tmp_path, "start").stdout.splitlines()[0] == url
        assert command(tmp_path, "status").stdout.strip() == url
        pid = server_pid(tmp_path)
        assert command(tmp_path, "stop").stdout == "The local AWS has been stopped.\n"
        wait_gone(pid, "the server")
    assert command(tmp_path, "stop").stdout == "The local AWS does not run.\n"
    assert not (tmp_path / "files").exists()
    assert not (tmp_path / "state.json").exists()


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_a_killed_server_is_replaced_and_its_workers_end(tmp_path) -> None:
    with own_server(tmp_path) as url:
        aws = Aws(url)
        assert aws.invoke(aws.function(HANDLER)).value == 1
        workers = psutil.Process(server_pid(tmp_path)).children()
        assert len(workers) == 1
        kill_hard(server_pid(tmp_path))
        wait_gone(workers[0].pid, "the worker")
        again = command(tmp_path, "start")
        assert again.stderr == (
            "The local AWS that ran here before has been killed, so a new one was started. "
            "It is empty.\n"
        )
        assert endpoint_of(tmp_path) != url
        assert "QueueUrls" not in Aws(endpoint_of(tmp_path)).sqs.list_queues()


def test_two_folders_have_two(tmp_path) -> None:
    with own_server(tmp_path / "a") as one, own_server(tmp_path / "b") as other:
        assert one != other
        Aws(one).queue("only-here")
        assert "QueueUrls" not in Aws(other).sqs.list_queues()


def test_it_stops_when_idle(tmp_path) -> None:
    with own_server(tmp_path, LOCALAWS_IDLE_MINUTES="0.01"):
        poll(
            lambda: command(tmp_path, "status").returncode,
            lambda code: code == 3,
            "the idle server to stop",
        )


def test_it_listens_on_loopback_only(aws) -> None:
    port = int(aws.endpoint_url.rsplit(":", 1)[1])
    listening = [
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [("LOCALAWS_IDLE_MINUTES", "minutes"), ("LOCALAWS_RETRY_PAUSE_S", "seconds")],
)
@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_wrong_setting_gets_a_sentence(monkeypatch, capsys, name, unit, value) -> None:
    monkeypatch.setenv(name, value)
    assert main(["start"]) == main(["run"]) == 1
    sentence = f"{name} is {value!r}; it must be a number of {unit} above 0.\n"
    assert capsys.readouterr() == ("", sentence * 2)


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "101", "\u0664"])
def test_a_wrong_concurrency_gets_a_sentence(monkeypatch, capsys, value) -> None:
    monkeypatch.setenv("LOCALAWS_MOST_CONCURRENCY", value)
    assert main(["start"]) == main(["run"]) == 1
    sentence = f"LOCALAWS_MOST_CONCURRENCY is {value!r}; it must be a whole number from 1 to 100.\n"
    assert capsys.readouterr() == ("", sentence * 2)


@pytest.mark.parametrize("value", ["one", "0", "-1", "1.5", "7", "61", "\u0664"])
def test_a_wrong_minute_gets_a_sentence(monkeypatch, capsys, value) -> None:
    monkeypatch.setenv("LOCALAWS_METRIC_MINUTE_S", value)
    assert main(["start"]) == main(["run"]) == 1
    sentence = (
        f"LOCALAWS_METRIC_MINUTE_S is {value!r}; it must be a whole number of seconds that divides "
        "60: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60.\n"
    )
    assert capsys.readouterr() == ("", sentence * 2)


def test_a_minute_has_sixty_seconds_unless_told_otherwise(monkeypatch) -> None:
    monkeypatch.delenv("LOCALAWS_METRIC_MINUTE_S", raising=False)
    assert settings.metric_minute_seconds() == 60
    monkeypatch.setenv("LOCALAWS_METRIC_MINUTE_S", "5")
    assert settings.metric_minute_seconds() == 5


def test_the_concurrency_that_one_computer_bears(monkeypatch) -> None:
    monkeypatch.delenv("LOCALAWS_MOST_CONCURRENCY", raising=False)
    assert settings.most_concurrency() == 40
    for value in (1, settings.MOST_AT_ONCE):
        monkeypatch.setenv("LOCALAWS_MOST_CONCURRENCY", str(value))
        assert settings.most_concurrency() == value


def test_settings_are_those_of_lambda_unless_told_otherwise(monkeypatch) -> None:
    for name in ("LOCALAWS_IDLE_MINUTES", "LOCALAWS_RETRY_PAUSE_S"):
        monkeypatch.delenv(name, raising=False)
    assert (settings.idle_seconds(), settings.retry_pause_seconds()) == (4 * 3600, 60)
    monkeypatch.setenv("LOCALAWS_RETRY_PAUSE_S", "0.5")
    assert settings.retry_pause_seconds() == 0.5


def test_a_wrong_port_gets_a_sentence(tmp_path) -> None:
    started = command(tmp_path, "run", "--port", "80000")
    assert started.returncode == 2
    assert "'80000' is not a port: use a number from 0 to 65535" in started.stderr


def test_a_taken_port_gets_a_sentence(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = command(tmp_path, "run", "--port", str(port))
    assert started.returncode == 1
    assert f"Port {port} cannot be used" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_stopped_server_leaves_no_worker(tmp_path) -> None:
    with own_server(tmp_path) as url:
        aws = Aws(url)
        name = aws.function(
            "import time\ndef lambda_handler(e, c):\n    time.sleep(60)\n", Timeout=60
        )
        aws.invoke(name, InvocationType="Event")
        server = psutil.Process(server_pid(tmp_path))
        (worker,) = poll(server.children, bool, "the worker")
    wait_gone(worker.pid, "the busy worker")
    assert has_ended(server.pid)


# -- a busy server is not a dead one -------------------------------------------------------------


@pytest.mark.skipif(not POSIX, reason="stops a process by signal")
def test_a_silent_server_is_found_and_can_be_stopped(tmp_path) -> None:
    with own_server(tmp_path) as url:
        pid = server_pid(tmp_path)
        os.kill(pid, signal.SIGSTOP)
        again = command(tmp_path, "start")
        assert (again.stdout.splitlines()[0], again.stderr) == (url, "")
        assert server_pid(tmp_path) == pid
        assert command(tmp_path, "stop").stdout == "The local AWS has been stopped.\n"
        wait_gone(pid, "the silent server")


def test_a_server_with_all_threads_busy_is_found_and_can_be_stopped(tmp_path) -> None:
    with own_server(tmp_path) as url:
        aws = Aws(url)
        queue, _ = aws.queue()
        config = Config(max_pool_connections=THREADS + 5, retries={"total_max_attempts": 1})
        client, pid = aws.client("sqs", config=config), server_pid(tmp_path)

        def long_poll() -> None:
            with suppress(BotoCoreError, ClientError):
                client.receive_message(QueueUrl=queue, WaitTimeSeconds=20)

        polls = [threading.Thread(target=long_poll, daemon=True) for _ in range(THREADS + 5)]
        for each in polls:
            each.start()
        process = psutil.Process(pid)
        poll(lambda: len(process.net_connections()), lambda n: n > THREADS, "the long polls")
        assert command(tmp_path, "start").stdout.splitlines()[0] == url
        assert server_pid(tmp_path) == pid
        assert command(tmp_path, "stop").stdout == "The local AWS has been stopped.\n"
        wait_gone(pid, "the busy server")
        for each in polls:
            each.join(20)


@pytest.mark.parametrize(("seconds_off", "answers"), [(0, True), (3600, True), (3600, False)])
def test_a_process_is_known_by_the_time_it_was_made(monkeypatch, seconds_off, answers) -> None:
    """If the clock was set, or the number used again, the server itself is asked."""
    me = psutil.Process()
    server = lifecycle.Server("http://x", me.pid, me.create_time() - seconds_off, "id", "k", "s")
    asked = []
    monkeypatch.setattr(
        lifecycle, "ask", lambda *_: asked.append(1) or {"id": "id" if answers else "other"}
    )
    assert lifecycle.is_alive(server) is answers
    assert bool(asked) is bool(seconds_off)


def test_a_number_that_no_process_has_is_a_dead_server() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not lifecycle.is_alive(lifecycle.Server("http://x", ended.pid, 0.0, "id", "k", "s"))


# -- what the user has set, and where the state is -----------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_PROFILE": "missing"},
        {"AWS_CONFIG_FILE": "damaged", "AWS_SHARED_CREDENTIALS_FILE": "damaged"},
        {"AWS_DEFAULT_REGION": "mars-1", "AWS_CA_BUNDLE": "nowhere", "MOTO_ACCOUNT_ID": "1"},
    ],
    ids=["profile", "files", "others"],
)
def test_the_users_own_settings_do_not_reach_the_server(tmp_path, variables) -> None:
    (tmp_path / "damaged").write_text("[default\nregion")
    placed = {
        name: str(tmp_path / value) if value == "damaged" else value
        for name, value in variables.items()
    }
    with own_server(tmp_path, **placed) as url:
        aws = Aws(url)
        assert aws.account == "123456789012"
        assert aws.queue()
        assert aws.lambda_.list_functions()["Functions"] == []


def test_a_damaged_configuration_at_home_does_not_reach_the_server(tmp_path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default\nregion")
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    with own_server(tmp_path / "aws", **home) as url:
        assert Aws(url).queue()


def refused_folder(path: Path, **variables: str) -> str:
    """What `start` says of a folder for its state; one sentence, and no traceback."""
    started = command(path, "start", **variables)
    assert (started.returncode, started.stdout) == (1, "")
    assert "Traceback" not in started.stderr
    assert started.stderr.startswith(f"LOCALAWS_FOLDER is {str(path)!r}, which cannot hold")
    return started.stderr


def test_a_folder_that_is_a_file_gets_a_sentence(tmp_path) -> None:
    (tmp_path / "file").touch()
    assert "File exists" in refused_folder(tmp_path / "file")
    assert "Not a directory" in refused_folder(tmp_path / "file" / "below")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that takes no files")
def test_a_folder_that_cannot_be_written_to_gets_a_sentence() -> None:
    assert "Set LOCALAWS_FOLDER to a folder of yours" in refused_folder(Path("/proc/localaws"))


@pytest.mark.skipif(not POSIX, reason="file modes")
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o757])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, mode) -> None:
    """They could put packages of theirs there, which would then run as this user."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    assert f"other users may write to {str(tmp_path / 'open')!r}" in refused_folder(
        tmp_path / "open"
    )
    if not mode & 0o1000:
        refused_folder(tmp_path / "open" / "below")
        (tmp_path / "link").symlink_to(tmp_path / "open" / "below")
        refused_folder(tmp_path / "link")


@pytest.mark.skipif(not POSIX, reason="file modes")
def test_folders_are_made_for_their_owner_only(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path / "a" / "b"))
    before = os.umask(0)
    try:
        lifecycle.folder()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o700] * 2


def test_a_relative_folder_is_that_of_who_names_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALAWS_FOLDER", "here")
    try:
        assert lifecycle.start().is_new
        assert (tmp_path / "here" / "state.json").exists()
    finally:
        lifecycle.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_disk_without_room_for_the_log_gets_a_sentence(tmp_path) -> None:
    (tmp_path / "server.log").symlink_to("/dev/full")
    assert "No space left on device" in refused_folder(tmp_path)


def test_a_full_disk_gets_a_sentence(tmp_path, monkeypatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    monkeypatch.setattr(lifecycle, "launch", no_room)
    with pytest.raises(lifecycle.WrongFolder, match=r"No space left on device\. Set LOCALAWS_"):
        lifecycle.start()


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: -1)() != 0, reason="only root can give a file away"
)
def test_another_users_state_is_not_believed(tmp_path) -> None:
    (tmp_path / "state.json").write_text("{}")
    os.chown(tmp_path / "state.json", 65534, 65534)
    assert "another user's local AWS has its state there" in refused_folder(tmp_path)
