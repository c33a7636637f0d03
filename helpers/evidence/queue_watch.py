"""How many messages a queue held, over time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pandas as pd

from helpers.clients import Client
from helpers.steps import queue_counts

DEPTH_COLUMNS = ("seconds", "visible", "in_flight", "delayed", "dead")


class QueueWatch:
    """Looks at a queue again and again while a block of code runs.

    `with QueueWatch(sqs, url) as watch: …`, then `watch.frame()`. It looks every `every_s`
    seconds. The looking ends with the block, however it ends, or when the queue is deleted.
    Any other error while looking is raised at the end of the block; if the block itself
    raised, it is noted there. On AWS the counts are approximate and can lag by up to a
    minute.
    """

    def __init__(
        self, sqs: Client, queue_url: str, dlq_url: str | None = None, every_s: float = 0.1
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._every_s = every_s
        self._rows: list[tuple[float, int, int, int, int]] = []
        self._error: Exception | None = None
        self._done = threading.Event()
        self._began = 0.0
        self._began_at = pd.Timestamp.now("UTC")
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> QueueWatch:
        self._began, self._began_at = time.monotonic(), pd.Timestamp.now("UTC")
        self._thread.start()
        return self

    def __exit__(self, _kind: Any, raised: BaseException | None, _trace: Any) -> None:
        self._done.set()
        self._thread.join()
        if self._error is None:
            return
        if raised is None:
            raise self._error
        raised.add_note(f"Watching the queue failed too: {self._error}")

    def frame(self) -> pd.DataFrame:
        """Columns: `seconds` since the start, `visible`, `in_flight`, `delayed`, `dead`."""
        return pd.DataFrame(list(self._rows), columns=list(DEPTH_COLUMNS))

    def seconds(self, times: pd.Series) -> pd.Series:
        """Times of deliveries, such as `sent` or `ended`, in s since the start."""
        return (times - self._began_at).dt.total_seconds()

    def _look(self) -> None:
        try:
            while True:
                self._rows.append(self._one_look())
                if self._done.wait(self._every_s):
                    self._rows.append(self._one_look())
                    return
        except self._sqs.exceptions.QueueDoesNotExist:
            pass
        except Exception as error:  # noqa: BLE001 (it is raised where the watch ends)
            self._error = error

    def _one_look(self) -> tuple[float, int, int, int, int]:
        counts = queue_counts(self._sqs, self._queue_url)
        dead = sum(queue_counts(self._sqs, self._dlq_url).values()) if self._dlq_url else 0
        seconds = time.monotonic() - self._began
        return (seconds, counts["visible"], counts["in flight"], counts["delayed"], dead)
