"""The local AWS is found again, replaced when it was killed, and leaves nothing behind."""

from __future__ import annotations

import socket

import psutil
import pytest

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


@pytest.mark.parametrize("value", ["soon", "0", "-1"])
def test_a_wrong_setting_gets_a_sentence(tmp_path, value) -> None:
    started = command(tmp_path, "start", LOCALAWS_IDLE_MINUTES=value)
    assert started.returncode == 1
    assert started.stderr == (
        f"LOCALAWS_IDLE_MINUTES is {value!r}; it must be a number of minutes above 0.\n"
    )


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
