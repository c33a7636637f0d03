"""The learners of a class on this computer: a system user each, and a home with the course.

Their names begin with "sqs-", so that nobody becomes root by calling themselves so, and so that
the end of the class finds them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import psutil

from helpers.room.settings import CHECKOUT, Settings

BEGINNING = "sqs-"
LONGEST = 32  # of a system user's name: useradd(8)
INSTRUCTOR = f"{BEGINNING}instructor"
COMMENT = "learner of a class on SQS and Lambda"
LONGEST_END_S = 10.0
PARTS = ("notebooks", "helpers", "data", "docs", "README.md", "LICENSE", "pyproject.toml")


def system_name(chosen: str) -> str:
    """The name for the system of one that a learner chose: "Zoë W." is "sqs-zoe-w".

    Empty when nothing of it can be kept.
    """
    latin = unicodedata.normalize("NFKD", chosen).encode("ascii", "ignore").decode()
    short = re.sub(r"[^a-z0-9]+", "-", latin.lower()).strip("-").removeprefix(BEGINNING)
    return f"{BEGINNING}{short}"[:LONGEST].rstrip("-") if short else ""


def copy_course(folder: Path) -> None:
    """Put the course into a folder, without what it made while it ran."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(source, folder / part, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy2(source, folder / part)


def make_home(settings: Settings, name: str) -> Path:
    """A learner's home with their own copy of the course; nothing that is there is changed.

    Raises OSError, or CalledProcessError when the system refuses the user.
    """
    home = settings.homes / name
    if settings.spawner != "simple":
        make_user(name, home)
    make_sockets(settings, name)
    if not (home / "course").exists():
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "tmp").mkdir(mode=0o700, exist_ok=True)
        draft = home / f".course-{os.getpid()}"
        shutil.copytree(settings.course, draft)
        draft.rename(home / "course")
        if settings.spawner != "simple":
            give_away(home, name)
    return home


def make_user(name: str, home: Path) -> None:
    """Raises FileExistsError when the system has such a user who is not of this class."""
    known = home_of(name)
    if known not in (None, str(home)):
        raise FileExistsError(f"The system user {name} is not of this class: take another name.")
    if known is None:
        run("useradd", "--no-create-home", "--home-dir", str(home), "--user-group",
            "--shell", "/bin/bash", "--comment", COMMENT, name)  # fmt: skip


def make_sockets(settings: Settings, name: str) -> None:
    """A folder for the sockets of a learner's kernels; after a restart of the computer, too."""
    settings.sockets.mkdir(exist_ok=True)
    settings.sockets.chmod(0o711)  # raises PermissionError when it is somebody else's
    own = settings.sockets_of(name)
    own.mkdir(mode=0o700, exist_ok=True)
    if settings.spawner != "simple":
        shutil.chown(own, name, name)


def home_of(name: str) -> str | None:
    """The home of a system user, or None when there is none of that name."""
    import pwd  # not on Windows

    try:
        return pwd.getpwnam(name).pw_dir
    except KeyError:
        return None


def give_away(home: Path, name: str) -> None:
    """Let everything in a home belong to its learner, and nobody else see into it."""
    for folder, folders, files in os.walk(home):
        for each in (*folders, *files):
            shutil.chown(Path(folder, each), name, name)
    shutil.chown(home, name, name)
    home.chmod(0o700)


def users(settings: Settings) -> list[str]:
    """The system users that this class has made: their homes are in its folder.

    Another class on this computer has another folder, and its learners are left alone.
    """
    if sys.platform == "win32":
        return []
    import pwd

    return sorted(
        each.pw_name
        for each in pwd.getpwall()
        if each.pw_gecos.split(",")[0] == COMMENT
        and each.pw_dir == str(settings.homes / each.pw_name)
    )


def processes(settings: Settings) -> list[psutil.Process]:
    """What still runs for learners: by their users, or by the folder in which it works."""
    names, homes, found = set(users(settings)), str(settings.homes), []
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                home = process.environ().get("HOME", "") if settings.spawner == "simple" else ""
                if Path(home).parent == Path(homes) or process.username() in names:
                    found.append(process)
        except psutil.Error:
            continue
    return found


def hubs(settings: Settings) -> list[psutil.Process]:
    """The hub of a class and what belongs to it: proxy, board, and who ends idle servers."""
    folder = f"{settings.folder}{os.sep}"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(part.startswith(folder) for part in process.info["cmdline"] or [])
    ]


def kill(processes: list[psutil.Process]) -> None:
    """End processes at once, and wait until none runs; one that is gone already is fine.

    One that has ended counts as gone, though its parent may not have taken note of it.
    """
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    end = time.monotonic() + LONGEST_END_S
    while any(map(runs, processes)) and time.monotonic() < end:
        time.sleep(0.05)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def remove_user(name: str) -> None:
    run("userdel", name)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
