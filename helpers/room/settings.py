"""The settings of a class, from environment variables; `make class` passes them on.

They are read again by the hub's configuration, which runs in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PORT, SEATS, MEMORY_MB, IDLE_MIN = 8000, 30, 2_000, 120
SPAWNERS = ("systemd", "users", "simple")
HIGHEST_PORT = 65_535
MOST_SEATS = 200
# Threads count too: a server, some kernels, and a local AWS that runs 40 handlers have about 400.
MOST_PROCESSES = 800
LEAST_MEMORY_MB, MOST_MEMORY_MB = 500, 65_536
LONGEST_IDLE_MIN = 1_440


@dataclass(frozen=True)
class Settings:
    """What a class is made with. Everything that it has lies in `folder`."""

    folder: Path
    spawner: str
    port: int
    seats: int
    memory_mb: int
    idle_min: int

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def course(self) -> Path:
        """The course as it was when the class began: what learners' copies are made of."""
        return self.folder / "course"

    @property
    def homes(self) -> Path:
        return self.folder / "homes"

    @property
    def hub(self) -> Path:
        """What the hub keeps: its database, cookies, passwords; for its own user only."""
        return self.folder / "hub"

    @property
    def proxy(self) -> Path:
        return self.folder / "proxy"

    @property
    def sockets(self) -> Path:
        """Where kernels' sockets are. Short: the path of one has at most 107 letters (unix(7))."""
        if self.spawner == "simple":
            return Path(tempfile.gettempdir(), f"sqs-class-{os.getuid()}")
        return Path("/run/sqs-lambda-class")

    def sockets_of(self, learner: str) -> Path:
        return self.sockets / hashlib.sha256(f"{self.folder}{learner}".encode()).hexdigest()[:12]


def read() -> Settings:
    """The settings. Raises ValueError, naming it, for the first one that is not allowed."""
    spawner = os.environ.get("SQS_CLASS_SPAWNER") or best_spawner()
    if spawner not in SPAWNERS:
        raise ValueError(
            f"SQS_CLASS_SPAWNER is {spawner!r}; it must be one of {', '.join(SPAWNERS)}."
        )
    if spawner != "simple" and not may_change_users():
        raise ValueError(
            f"SQS_CLASS_SPAWNER is {spawner!r}, which makes a system user for each learner: that "
            "needs Linux and root."
        )
    folder = os.environ.get("SQS_CLASS_FOLDER")
    return Settings(
        Path(folder).absolute() if folder else usual_folder(),
        spawner,
        number("SQS_CLASS_PORT", PORT, 1, HIGHEST_PORT),
        number("SQS_CLASS_SEATS", SEATS, 1, MOST_SEATS),
        number("SQS_CLASS_MEMORY_MB", MEMORY_MB, LEAST_MEMORY_MB, MOST_MEMORY_MB),
        number("SQS_CLASS_IDLE_MIN", IDLE_MIN, 1, LONGEST_IDLE_MIN),
    )


def may_change_users() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def best_spawner() -> str:
    """What protects learners from each other best on this computer."""
    if not may_change_users():
        return "simple"
    return "systemd" if Path("/run/systemd/system").is_dir() else "users"


def usual_folder() -> Path:
    return Path("/var/lib/sqs-lambda-class") if may_change_users() else CHECKOUT / ".class"


def number(name: str, default: int, least: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not is_number or not least <= int(text) <= most:
        raise ValueError(f"{name} is {text!r}; it must be a whole number from {least} to {most}.")
    return int(text)
