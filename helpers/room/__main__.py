"""`make class` and `make class-end`: a class server on this computer, and nothing left of it."""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.room import learners, settings
from helpers.room.addresses import of_this_computer
from helpers.room.board.server import new_word
from helpers.room.settings import CHECKOUT, Settings

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
NODE_LOCK = HERE / "package-lock.json"
NOBODY = 65534  # a user without rights: who stands for any learner before there is one
PROTECTION = {
    "systemd": "Each learner is a system user, in a unit of systemd with limits of memory and "
    "processes.",
    "users": "Each learner is a system user: nobody can read, change or end what is another's. "
    "Memory is limited for each process, not for a learner as a whole; for that a computer with "
    "systemd is needed.",
    "simple": "NOT PROTECTED: all learners are one user of this computer, so each can read, change "
    "and end what is another's, and what is yours. Fit for trying it out, and for people who trust "
    "each other. On Linux, as root, each learner becomes a system user.",
}


class NotStarted(Exception):
    """A class cannot begin; the message says why, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.room", description=__doc__)
    parser.add_argument("what", choices=["start", "prepare", "end"])
    parser.add_argument("--python", default=sys.executable, help="for the class's environment")
    parser.add_argument("--yes", action="store_true", help="do not ask before all is removed")
    options = parser.parse_args(arguments)
    try:
        chosen = settings.read()
        if options.what == "end":
            return end(chosen, options.yes)
        prepare(chosen, options.python)
        return start(chosen) if options.what == "start" else 0
    except (ValueError, OSError, NotStarted) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip()
        print(f"{' '.join(map(str, error.cmd[:4]))} … failed. {said}", file=sys.stderr)
        return 1


# -- before the class ------------------------------------------------------------------------


def prepare(chosen: Settings, python: str) -> None:
    """Make the folder, the environment and the proxy; what is there already stays."""
    chosen.folder.mkdir(parents=True, exist_ok=True)
    chosen.folder.chmod(0o711)  # learners pass through it, and cannot list it
    for each, mode in ((chosen.homes, 0o711), (chosen.hub, 0o700)):
        each.mkdir(exist_ok=True)
        each.chmod(mode)
    make_environment(chosen, python)
    make_proxy(chosen)
    learners.copy_course(chosen.course)
    make_copies(chosen)
    refuse_what_learners_cannot_run(chosen)


def make_environment(chosen: Settings, python: str) -> None:
    """The course's packages and the hub's, as locked; a minute or two when they are not there."""
    ready, wanted = chosen.environment / ".ready", fingerprint(LOCK)
    if ready.exists() and ready.read_text() == wanted:
        return
    print(f"Making the class's environment in {chosen.environment}.", flush=True)
    subprocess.run([python, "-m", "venv", "--without-pip", chosen.environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(chosen.python)]
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *quiet, "-r", str(LOCK)], check=True)
    ready.write_text(wanted)


def make_proxy(chosen: Settings) -> None:
    """JupyterHub's proxy, from npm, with the Node.js of the class's environment."""
    ready, wanted = chosen.proxy / ".ready", fingerprint(NODE_LOCK)
    if ready.exists() and ready.read_text() == wanted:
        return
    chosen.proxy.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(HERE / name, chosen.proxy / name)
    binaries = str(chosen.environment / "bin")
    path = os.pathsep.join([binaries, os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=binaries)
    if npm is None:
        raise NotStarted(f"There is no npm in {binaries}. Remove {ready.parent.parent} and repeat.")
    subprocess.run(
        [npm, "ci", "--silent", "--no-audit", "--no-fund"],
        cwd=chosen.proxy,
        env={**os.environ, "PATH": path},
        check=True,
    )
    ready.write_text(wanted)


def make_copies(chosen: Settings) -> None:
    """Make copies of the notebooks and compile helpers, once: each home gets them so."""
    environment = {**os.environ, "PYTHONPATH": str(chosen.course)}
    for module in (["helpers.copies"], ["compileall", "-q", "helpers"]):
        subprocess.run(
            [str(chosen.python), "-m", *module],
            cwd=chosen.course,
            env=environment,
            check=True,
            capture_output=True,
        )


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refuse_what_learners_cannot_run(chosen: Settings) -> None:
    """Raises NotStarted when another user of this computer cannot run the environment's Python."""
    if chosen.spawner == "simple":
        return
    try:
        subprocess.run(
            [chosen.python, "-c", "import helpers"],
            user=NOBODY,
            group=NOBODY,
            cwd="/",
            env={"PYTHONPATH": str(chosen.course)},
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        real = chosen.python.resolve()
        raise NotStarted(
            f"Learners cannot run {real}: it lies in a folder that other users may not enter. Type "
            f"make class-end, then make class PYTHON=/usr/bin/python3, or another Python that "
            "everybody on this computer can run."
        ) from None


# -- the class -------------------------------------------------------------------------------


def start(chosen: Settings) -> int:
    """Run the hub until it is told to stop; returns its exit code."""
    word = kept(chosen.hub / "board_word", new_word())
    password = kept(chosen.hub / "instructor_password", secrets.token_hex(4))
    secure = "https" if os.environ.get("SQS_CLASS_CERT") else "http"
    address = f"{secure}://{of_this_computer()}:{chosen.port}"
    print(
        f"Learners open  {address}  and choose a name and a password.\n"
        f'You are "instructor" there, with the password  {password}\n'
        f"The board for the projector:  {address}/services/board/{word}/\n"
        f"{PROTECTION[chosen.spawner]}\n"
        f"{said_of_the_network(secure)}"
        f"At most {chosen.seats} learners; everything is in {chosen.folder}.\n"
        "Ctrl + C pauses the class, make class goes on with it, make class-end removes it.",
        flush=True,
    )
    return subprocess.call(
        [str(chosen.python), "-m", "jupyterhub", "--config", str(HERE / "jupyterhub_config.py"),
         "--log-level", "WARN"],
        cwd=chosen.hub,
        env=environment(chosen, word, password),
    )  # fmt: skip


def said_of_the_network(secure: str) -> str:
    if secure == "https":
        return ""
    return (
        "Who listens on this network can read passwords: tell learners not to use one that they "
        "have elsewhere. SQS_CLASS_CERT and SQS_CLASS_KEY name the files of a certificate.\n"
    )


def kept(path: Path, otherwise: str) -> str:
    """What a file says; if there is none, it is made and says `otherwise`."""
    if not path.exists():
        path.write_text(otherwise)
        path.chmod(0o600)
    return path.read_text()


def environment(chosen: Settings, word: str, password: str) -> dict[str, str]:
    """The variables of the hub. Those of the instructor's own AWS do not come along."""
    passed = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **passed,
        "PATH": os.pathsep.join([str(chosen.environment / "bin"), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(CHECKOUT),
        "SQS_CLASS_FOLDER": str(chosen.folder),
        "SQS_CLASS_SPAWNER": chosen.spawner,
        "SQS_CLASS_INSTRUCTOR_PASSWORD": password,
        "SQS_COURSE_BOARD_WORD": word,
    }


# -- after the class -------------------------------------------------------------------------


def end(chosen: Settings, yes: bool) -> int:
    """List what a class has made, ask, and remove it: processes, users, folder."""
    names, running = learners.users(chosen), learners.processes(chosen)
    if not names and not chosen.folder.exists():
        print("There is no class on this computer.")
        return 0
    print(listing(chosen, names, len(running)))
    if not yes and input("Remove all of this? [y/N] ").strip().lower() not in ("y", "yes"):
        print("Nothing was removed.")
        return 1
    learners.kill(learners.hubs(chosen))
    learners.kill(learners.processes(chosen))
    for name in names:
        learners.remove_user(name)
    for name in os.listdir(chosen.homes) if chosen.homes.is_dir() else []:
        shutil.rmtree(chosen.sockets_of(name), ignore_errors=True)
    shutil.rmtree(chosen.folder)
    print("All of it is gone.")
    return 0


def listing(chosen: Settings, names: list[str], running: int) -> str:
    homes = sorted(chosen.homes.iterdir()) if chosen.homes.is_dir() else []
    lines = [
        f"Of the class in {chosen.folder}:",
        f"  learners' homes, with what they wrote: {', '.join(each.name for each in homes) or '–'}",
        f"  system users: {', '.join(names) or '–'}",
        f"  processes that still run for them: {running}",
        "  the hub's database and passwords, its environment and its proxy",
        f"Copy {chosen.homes} first if somebody wants to keep their notebooks.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
