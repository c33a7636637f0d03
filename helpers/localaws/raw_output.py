"""What a worker writes past Python's sys.stdout: C libraries, child processes, crashes.

It goes to a file, which holds whatever is written, from however many processes, and still
holds it when they are gone. Each frame of the worker says how large the file was when the
frame was made; so the service can put both kinds of output in the order they were made in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


class RawOutput:
    """The file for raw output of one execution environment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self._reader = path.open("rb", buffering=0)
        self._bytes_read = 0

    def for_worker(self) -> IO[bytes]:
        """The file as a worker's standard error: several processes may append to it."""
        return self._path.open("ab", buffering=0)

    def up_to(self, size: int) -> bytes:
        """What has not been read yet of the file's first `size` bytes."""
        if size <= self._bytes_read:
            return b""
        data = self._reader.read(size - self._bytes_read)
        self._bytes_read += len(data)
        return data

    def rest(self) -> bytes:
        """What has not been read yet."""
        return self.up_to(os.fstat(self._reader.fileno()).st_size)

    def remove(self) -> None:
        self._reader.close()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            pass  # on Windows, while somebody has it open; the server removes it at its end
