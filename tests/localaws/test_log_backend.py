"""The log groups while many write, and others come, go and are read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends

from helpers.localaws.logs import backend as logs_api
from helpers.localaws.logs.stream import LogStream
from tests.conformance.kit import REGION, unique
from tests.localaws.kit import ACCOUNT, threads_take_turns_often

WRITERS = 8


@pytest.fixture(scope="module")
def backend() -> logs_api.Backend:
    return logs_backends[ACCOUNT][REGION]


def stream(group: str) -> LogStream:
    about = SimpleNamespace(log_group=group, name="g", version="1", account=ACCOUNT, region=REGION)
    made = LogStream(about, lambda: True)
    made.begin()
    return made


def all_at_once(actions: list[Callable[[], None]]) -> None:
    """Run each action in a thread, all from the same moment on; raises what one of them raised."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], None]) -> None:
        start.wait()
        action()

    with threads_take_turns_often(), ThreadPoolExecutor(len(actions)) as pool:
        running = [pool.submit(run, action) for action in actions]
    for each in running:
        each.result()


def test_no_first_line_is_lost(backend) -> None:
    groups = [unique("/first") for _ in range(50)]
    for group in groups:
        writers = [stream(group) for _ in range(WRITERS)]
        all_at_once([lambda each=each: each.event("first\n") for each in writers])
    written = [
        len(each.events) for group in groups for each in backend.groups[group].streams.values()
    ]
    assert written == [1] * WRITERS * len(groups)


def test_reading_while_groups_and_streams_come_and_go(backend) -> None:
    group, over = unique("/busy"), threading.Event()
    for _ in range(300):
        backend.create_log_group(unique("/other"), {})

    def come_and_go() -> None:
        try:
            for _ in range(300):
                stream(group).event("line\n")
                backend.delete_log_group(group)
        finally:
            over.set()

    def read() -> None:
        while not over.is_set():
            backend.describe_log_groups("/")
            try:
                backend.filter_log_events(group, [], 0, 2**50, None, None, "", False)
                backend.describe_log_streams(False, 50, group, None, "", None, "LogStreamName")
            except ResourceNotFoundException:
                pass  # AWS's own answer while the group is not there

    all_at_once([come_and_go, read, read])
