"""Asynchronous invocations (InvocationType "Event"): queued, run, tried again.

After a function error Lambda tries twice more, a minute and then two minutes later
(LS-097); a throttled event is tried again after a growing pause. This has nothing to do
with retries of SQS messages, which are SQS's own work.
"""

from __future__ import annotations

import threading
from typing import Any

from helpers.localaws.executor import Throttled

RETRY_AFTER_S = (60.0, 120.0)
THROTTLE_PAUSE_S = 1.0
MAX_THROTTLE_PAUSE_S = 300.0


class AsynchronousInvocations:
    """The queue of asynchronous events of one account and region."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def submit(self, function: Any, event: bytes, request_id: str, qualifier: str | None) -> None:
        self._later(0.0, function.function_name, event, request_id, qualifier, 0, 0)

    def _later(self, seconds: float, *arguments: Any) -> None:
        timer = threading.Timer(seconds, self._attempt, arguments)
        timer.daemon = True
        timer.start()

    def _attempt(
        self,
        name: str,
        event: bytes,
        request_id: str,
        qualifier: str | None,
        failures: int,
        throttles: int,
    ) -> None:
        """Run the event on the function as it is now (LS-094)."""
        again = (name, event, request_id, qualifier)
        try:
            function = self._backend.get_function(name, qualifier)
            result = self._backend.run(function, event, request_id, qualifier)
        except Throttled:
            pause = min(THROTTLE_PAUSE_S * 2**throttles, MAX_THROTTLE_PAUSE_S)
            self._later(pause, *again, failures, throttles + 1)
            return
        except Exception:  # the function was deleted meanwhile
            return
        if result.error and failures < len(RETRY_AFTER_S):
            self._later(RETRY_AFTER_S[failures], *again, failures + 1, 0)
