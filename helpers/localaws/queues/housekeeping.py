"""What nobody asks for: old messages are dropped, and free memory goes back to the system.

A queue drops what is older than its retention period when somebody looks at it. Here that is
also done for queues at which nobody looks.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import traceback
from collections.abc import Callable

from moto.sqs.models import sqs_backends

EVERY_S = 1.0


def start() -> None:
    """Keep house from now on, in a thread of its own."""
    threading.Thread(target=_run, name="housekeeping", daemon=True).start()


def _run() -> None:
    give_back = find_trim()
    while True:
        time.sleep(EVERY_S)
        try:
            drop_old_messages()
            give_back()
        except Exception:  # noqa: BLE001 (the house is to be kept on)
            traceback.print_exc()


def drop_old_messages() -> None:
    """Let each queue look at itself."""
    for account in list(sqs_backends.values()):
        for backend in list(account.values()):
            for queue in backend.queues.values():
                queue.counts()


def find_trim() -> Callable[[], object]:
    """What gives freed memory back to the system: glibc keeps it until it is asked.

    It takes 0.1 ms when there is nothing to give back, and some ms for 100 MB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return (lambda: trim(0)) if trim else (lambda: None)
