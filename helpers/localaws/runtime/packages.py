"""What a version of a function runs on disk: its deployment package and its layers.

Unpacked once, write-protected, removed with their last user.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import stat
import threading
import zipfile
from pathlib import Path

EXECUTABLE = 0o100


class Package:
    """The unpacked package of one version of a function, and its unpacked layers.

    `task` and `opt` are what /var/task and /opt are on AWS.
    """

    def __init__(self, zipped: bytes, layers: tuple[bytes, ...], folder: Path) -> None:
        self.folder = folder
        self.task, self.opt = folder / "task", folder / "opt"
        self.users = 0
        self._zipped = {self.task: (zipped,), self.opt: layers}
        self._lock = threading.Lock()
        self._contents: dict[str, tuple[int, int, int]] = {}

    def make_whole(self) -> None:
        """Unpack it, unless everything is there as it was unpacked.

        A handler can get around the write protection, as root without any effort. Raises
        OSError when there is no room, and what zipfile raises for a damaged package.
        """
        with self._lock:
            if not self._contents or contents(self.folder) != self._contents:
                self._contents = {}
                for folder, zipped in self._zipped.items():
                    unpack(zipped, folder)
                self._contents = contents(self.folder)


class Packages:
    """The packages that execution environments use now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._packages: dict[tuple[str, str], Package] = {}
        self._numbers = itertools.count(1)
        self.remove_all()  # a server that was killed left its own

    def borrow(
        self, function: str, revision: str, zipped: bytes, layers: tuple[bytes, ...]
    ) -> Package:
        """The package and the layers of a function's revision, until they are given back."""
        with self._lock:
            package = self._packages.get((function, revision))
            if package is None:
                package = Package(zipped, layers, self._folder / str(next(self._numbers)))
                self._packages[function, revision] = package
            package.users += 1
            return package

    def give_back(self, package: Package) -> None:
        """Remove a package when its last user gives it back."""
        with self._lock:
            package.users -= 1
            if package.users:
                return
            self._packages = {
                key: each for key, each in self._packages.items() if each is not package
            }
        remove_tree(package.folder)

    def remove_all(self) -> None:
        remove_tree(self._folder)


def unpack(zipped: tuple[bytes, ...], folder: Path) -> None:
    """Fill a folder with the contents of zip files, write-protected, and with nothing else.

    Of files with the same path the last one counts, as of layers. `ZipFile` keeps every path
    inside the folder. The folder itself stays the same one: it is the working directory of
    others.
    """
    partial = folder.with_name(folder.name + ".partial")
    remove_tree(partial)  # one that could not be removed when memory or disk had run out
    try:
        partial.mkdir(parents=True)
        for each in zipped:
            extract(each, partial)
        if folder.exists():
            make_writable(folder)
            for old in folder.iterdir():
                remove_tree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        folder.mkdir(exist_ok=True)
        for new in partial.iterdir():
            new.rename(folder / new.name)
        protect(folder)
    finally:
        remove_tree(partial)


def extract(zipped: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        for entry in archive.infolist():
            path = archive.extract(entry, folder)
            if entry.external_attr >> 16 & EXECUTABLE and not entry.is_dir():
                os.chmod(path, 0o755)


def contents(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of change of all that is in a folder, by its path."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            about = os.lstat(path)
            found[path] = (about.st_mode, about.st_size, about.st_mtime_ns)
    return found


def protect(folder: Path) -> None:
    """Take away everybody's right to write."""
    for parent, _folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = os.path.join(parent, name)
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & 0o555)
        os.chmod(parent, 0o555)


def make_writable(folder: Path) -> None:
    """Give the owner the right to remove what is in a folder."""
    os.chmod(folder, 0o700)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *(files if os.name == "nt" else ())):
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, write-protected or not, as far as that goes."""
    try:
        make_writable(folder)
    except OSError:
        pass  # it is gone, or somebody else's
    shutil.rmtree(folder, ignore_errors=True)
