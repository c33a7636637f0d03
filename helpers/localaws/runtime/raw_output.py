"""What a worker writes past Python's sys.stdout: C libraries, child processes, crashes.

It goes to a file, which holds whatever is written, from however many processes, and still
holds it when they are gone. Each frame of the worker says how large the file was when the
frame was made; so the service can put both kinds of output in the order they were made in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

MAX_BYTES = 8 * 2**20  # of one invocation: what comes after them is left out


class RawOutput:
    """The file for raw output of one execution environment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self._file = path.open("r+b", buffering=0)
        self._bytes_read = 0

    def for_worker(self) -> IO[bytes]:
        """The file as a worker's standard error: several processes may append to it."""
        return self._path.open("ab", buffering=0)

    def up_to(self, size: int) -> bytes:
        """What has not been read yet of the file's first `size` bytes."""
        size = min(size, MAX_BYTES)
        if size <= self._bytes_read:
            return b""
        data = self._file.read(size - self._bytes_read)
        self._bytes_read += len(data)
        return data

    def rest(self) -> bytes:
        """What has not been read yet."""
        return self.up_to(self._size())

    def limit(self) -> None:
        """Cut off what is beyond the limit, so that nobody can fill the disk."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                os.truncate(self._path, MAX_BYTES)
        except OSError:
            pass  # the environment has ended meanwhile

    def begin(self) -> None:
        """Room for another invocation's output, once the last one filled much of the file.

        What is added in this moment is lost; it belongs to no invocation.
        """
        if self._bytes_read > MAX_BYTES // 2:
            self._file.truncate(0)
            self._file.seek(0)
            self._bytes_read = 0

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()
