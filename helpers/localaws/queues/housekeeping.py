"""What nobody asks for: old messages and old data of metrics are dropped, and queues counted.

A queue drops what is older than its retention period when somebody looks at it. Here that is
also done for queues at which nobody looks, and their metrics note how many messages they have.
Free memory goes back to the system.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import traceback
from collections.abc import Callable

from moto.sqs.models import sqs_backends

from helpers.localaws.metrics import store

EVERY_S = 1.0
FORGET_EVERY_S = 60.0


def start() -> None:
    """Keep house from now on, in a thread of its own."""
    threading.Thread(target=_run, name="housekeeping", daemon=True).start()


def _run() -> None:
    give_back, forget_old_data = find_trim(), from_time_to_time(store.forget_old)
    while True:
        time.sleep(EVERY_S)
        try:
            look_at_queues()
            forget_old_data()
            give_back()
        except Exception:  # noqa: BLE001 (the house is to be kept on)
            traceback.print_exc()


def look_at_queues() -> None:
    """Let each queue look at itself, and note what it sees."""
    for account in list(sqs_backends.values()):
        for backend in list(account.values()):
            for queue in backend.queues.values():
                queue.sample()


def from_time_to_time(action: Callable[[float], None]) -> Callable[[], None]:
    """Something that is done once a minute, however often it is called."""
    due_s = time.time() + FORGET_EVERY_S

    def call() -> None:
        nonlocal due_s
        now_s = time.time()
        if now_s >= due_s:
            due_s = now_s + FORGET_EVERY_S
            action(now_s)

    return call


def find_trim() -> Callable[[], object]:
    """What gives freed memory back to the system: glibc keeps it until it is asked.

    It takes 0.1 ms when there is nothing to give back, and some ms for 100 MB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return (lambda: trim(0)) if trim else (lambda: None)
