"""Start, find and stop the local AWS of this checkout.

One user has one local AWS for each checkout. It is a process of its own, so that it
outlives a notebook and is found again by the next one; a state file, which its owner alone
can read, says where it listens and with which key it is called. The file is believed as long
as the process that wrote it is there: a server that is busy is not a dead one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from filelock import FileLock
from platformdirs import user_cache_path

from helpers.localaws.keys import AccessKey
from helpers.localaws.settings import STATUS_PATH, LikeAws

CHECKOUT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
ANSWER_LIMIT_S = 5.0
ROOM_BYTES = 65_536
SAME_TIME_S = 2.0  # the time at which a process was made is read with less precision than this
KILLED = (
    "The local AWS that ran here before has been killed, so a new one was started. It is empty."
)


class StartFailed(RuntimeError):
    """The local AWS did not start; the message says why."""


class WrongFolder(ValueError):
    """The folder for the state of the local AWS cannot be used."""


@dataclass(frozen=True)
class Server:
    """A local AWS. `created`: when its process was, in s since the epoch.

    `open`: it takes any access key, not only its own.
    """

    endpoint_url: str
    pid: int
    created: float
    id: str
    access_key_id: str
    secret_access_key: str
    open: bool = False

    @property
    def key(self) -> AccessKey:
        return AccessKey(self.access_key_id, self.secret_access_key)


class Started(NamedTuple):
    """What `start` found or made. `note`: a sentence for the user, if there is one to say."""

    server: Server
    note: str | None
    is_new: bool


def folder() -> Path:
    """Where the state file, the lock and the log of this checkout's local AWS are.

    The environment variable LOCALAWS_FOLDER names another folder, and so another local AWS.
    Raises WrongFolder when it cannot be made or written to.
    """
    chosen = os.environ.get("LOCALAWS_FOLDER")
    if chosen:
        path = Path(chosen).absolute()
    else:
        checkout = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
        path = user_cache_path("localaws", appauthor=False) / platform.node() / checkout
    try:
        make_folder(path)
    except OSError as error:
        raise wrong_folder(path, error.strerror or str(error)) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise wrong_folder(path, "it may not be written to")
    if belongs_to_another_user(path / "state.json"):
        raise wrong_folder(path, "another user's local AWS has its state there")
    real = path.resolve()  # another user could also change where a symbolic link leads to
    for each in (path, *path.parents, real, *real.parents):
        if others_may_write(each, sticky_is_safe=each not in (path, real)):
            raise wrong_folder(path, f"other users may write to {str(each)!r}")
    return path


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if need be, for this user only. Raises OSError."""
    for each in reversed([path, *path.parents]):
        if not each.exists():
            each.mkdir(exist_ok=True, mode=0o700)
    if not path.is_dir():
        raise NotADirectoryError(errno.EEXIST, os.strerror(errno.EEXIST))


def wrong_folder(path: Path, reason: str) -> WrongFolder:
    chosen = "LOCALAWS_FOLDER" if os.environ.get("LOCALAWS_FOLDER") else "The folder"
    return WrongFolder(
        f"{chosen} is {str(path)!r}, which cannot hold the state of the local AWS: {reason}. "
        "Set LOCALAWS_FOLDER to a folder of yours that can be written to."
    )


def others_may_write(path: Path, sticky_is_safe: bool) -> bool:
    """Whether another user could put something of theirs in the place of what is in a folder.

    In a folder like /tmp, with the sticky bit, what is there already is safe from that.
    """
    if os.name != "posix":
        return False
    about = path.stat()
    if about.st_uid not in (0, os.geteuid()):
        return True
    if sticky_is_safe and about.st_mode & stat.S_ISVTX:
        return False
    of_group = about.st_mode & stat.S_IWGRP and about.st_gid != os.getegid()
    return bool(about.st_mode & stat.S_IWOTH or of_group)


def belongs_to_another_user(path: Path) -> bool:
    try:
        return hasattr(os, "geteuid") and path.lstat().st_uid != os.geteuid()
    except OSError:
        return False


def find() -> Server | None:
    """The running local AWS of this checkout, if there is one."""
    server = recorded()
    return server if server is not None and is_alive(server) else None


def start(open_to_all: bool = False, like_aws: LikeAws | None = None) -> Started:
    """The local AWS of this checkout, started if need be.

    `open_to_all`: a new one takes any access key. `like_aws`: a new one rehearses AWS.
    Raises StartFailed when it does not answer within 60 s, and WrongFolder.
    """
    with lock():
        before = recorded()
        if before is not None and is_alive(before):
            return Started(before, None, False)
        return Started(launch(open_to_all, like_aws), KILLED if before else None, True)


def rehearse(like_aws: LikeAws) -> Started:
    """The rehearsal with these options, started if need be, beside the local AWS. As `start`."""
    with state_in(folder() / f"rehearsal-{like_aws.profile}-{like_aws.seed}-{like_aws.scale}"):
        return start(like_aws=like_aws)


def reports() -> list[str]:
    """What each running rehearsal of this checkout has done so far, in a sentence."""
    return [said for said in map(report, rehearsals()) if said]


def report(rehearsal: Path) -> str:
    with state_in(rehearsal):
        server = find()
        return ask(server, "GET").get("rehearsal", "") if server else ""


def stop_rehearsals() -> bool:
    """Stop all rehearsals of this checkout. False when there was none."""
    return any([stop_rehearsal(each) for each in rehearsals()])


def stop_rehearsal(rehearsal: Path) -> bool:
    with state_in(rehearsal):
        return stop()


def rehearsals() -> list[Path]:
    """The state folders of rehearsals, whether they run or not."""
    return sorted(folder().glob("rehearsal-*"))


@contextmanager
def state_in(path: Path) -> Iterator[None]:
    """Within this, the local AWS is the one with its state in this folder."""
    before = os.environ.get("LOCALAWS_FOLDER")
    os.environ["LOCALAWS_FOLDER"] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LOCALAWS_FOLDER"]
        else:
            os.environ["LOCALAWS_FOLDER"] = before


def stop() -> bool:
    """Stop the local AWS of this checkout. False when there was none."""
    with lock():
        server = find()
        if server is not None:
            end(server)
        state_file().unlink(missing_ok=True)
        return server is not None


@contextmanager
def lock() -> Iterator[None]:
    """One process at a time starts or stops the local AWS. Raises WrongFolder."""
    try:
        with FileLock(folder() / "lock"):
            yield
    except OSError as error:
        raise wrong_folder(folder(), error.strerror or str(error)) from None


def end(server: Server) -> None:
    """Tell a server to end, and kill it when it has not after 10 s.

    It is a signal where there are signals: a server whose calls are all busy hears it too.
    """
    try:
        process = psutil.Process(server.pid)
        if os.name == "posix":
            process.terminate()
            process.resume()  # one that has been stopped by a signal would not hear the other
        else:
            ask(server, "DELETE")
        wait_for_end(process)
    except psutil.NoSuchProcess:
        pass


def record(endpoint_url: str, server_id: str, key: AccessKey, open_to_all: bool) -> None:
    """Write the state file, readable for its owner only: called by the server."""
    me = psutil.Process()
    state = Server(
        endpoint_url, me.pid, me.create_time(), server_id, key.id, key.secret, open_to_all
    )
    partial = state_file().with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file)
    partial.replace(state_file())


def forget(server_id: str) -> None:
    """Remove the state file if it is this server's: called by the server at its end."""
    server = recorded()
    if server is not None and server.id == server_id:
        state_file().unlink(missing_ok=True)


def state_file() -> Path:
    return folder() / "state.json"


def recorded() -> Server | None:
    """The server that the state file names. It may have ended since."""
    try:
        if not stat.S_ISREG(state_file().lstat().st_mode):
            return None
        found = Server(**json.loads(state_file().read_text()))
        return found if isinstance(found.pid, int) else None
    except (OSError, ValueError, TypeError):
        return None


def is_alive(server: Server) -> bool:
    """Whether the server's process is there, however long it takes to answer.

    Where another time of its making is seen, the clock may have been set: then it is asked.
    """
    try:
        process = psutil.Process(server.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if abs(process.create_time() - server.created) < SAME_TIME_S:
            return True
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        pass  # another user's process, so the number has been used again; or it cannot be told
    return ask(server, "GET").get("id") == server.id


def ask(server: Server, method: str) -> dict[str, Any]:
    """Ask the status page; {} when nothing that we know answers within 5 s."""
    call = urllib.request.Request(
        server.endpoint_url + STATUS_PATH,
        method=method,
        headers={"Authorization": f"Bearer {server.secret_access_key}"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(call, timeout=ANSWER_LIMIT_S) as answer:
            return json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return {}


def launch(open_to_all: bool, like_aws: LikeAws | None = None) -> Server:
    """Start the server in the background and wait until it answers."""
    server_id = uuid.uuid4().hex
    log = folder() / "server.log"
    command = [sys.executable, "-m", "helpers.localaws", "run", "--recorded-as", server_id]
    with log.open("wb") as output:
        output.write(bytes(ROOM_BYTES))  # a full disk is told here, where it can be said
        output.flush()
        output.truncate(0)
        output.seek(0)
        process = subprocess.Popen(
            [
                *command,
                *(["--open"] if open_to_all else []),
                *(like_aws.arguments if like_aws else []),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "LOCALAWS_FOLDER": str(folder())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **detached(),
        )
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        server = recorded()
        if server is not None and server.id == server_id:
            return server
        time.sleep(0.02)
    process.kill()
    raise StartFailed(
        f"The local AWS did not start. Its log says:\n{log.read_text(errors='replace')[-2000:]}"
    )


def detached() -> dict[str, Any]:
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def wait_for_end(process: psutil.Process) -> None:
    """Wait until a server that was told to stop has ended; kill it if it does not."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < deadline:
        if has_ended(process.pid):
            return
        time.sleep(0.02)
    process.kill()
    process.wait(STOP_LIMIT_S)


def has_ended(pid: int) -> bool:
    """Whether a process has ended, also where nobody has collected its exit status yet.

    On Linux its first thread may be over before the others are.
    """
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True
