"""`make lab`: the local AWS and JupyterLab, started and stopped together."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from helpers import copies
from helpers.localaws import lifecycle

CHECKOUT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run JupyterLab until it ends; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.lab", description=__doc__)
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--port", type=int, help="of JupyterLab (default: 8888 or the next free)")
    parser.add_argument(
        "--stored", action="store_true", help="open the stored notebooks, and make no copies"
    )
    options = parser.parse_args(arguments)
    warn_of_other_helpers()
    target = os.environ.get("SQS_COURSE_TARGET") or "local"
    if target == "rehearsal":
        return run_rehearsal(lab_command(options))
    if target != "local":
        return run_lab(lab_command(options))
    try:
        server, note, is_new = lifecycle.start()
    except (ValueError, OSError, lifecycle.StartFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(note or f"The local AWS answers at {server.endpoint_url}.", flush=True)
    if is_new:
        marker().write_text(server.id)
    try:
        with registered():
            return run_lab(lab_command(options))
    finally:
        if was_started_by_a_lab(server):  # another one is somebody else's
            stop_local_aws()


def run_rehearsal(command: list[str]) -> int:
    """JupyterLab, whose notebooks start a rehearsal; at its end, what that has done."""
    try:
        with registered():
            return run_lab(command)
    finally:
        if not others():
            for said in lifecycle.reports():
                print(said)
            lifecycle.stop_rehearsals()


def marker() -> Path:
    """The file that names the local AWS which a lab has started."""
    return lifecycle.folder() / "started-by-lab"


def was_started_by_a_lab(server: lifecycle.Server) -> bool:
    try:
        return marker().read_text() == server.id
    except OSError:
        return False


def stop_local_aws() -> None:
    """Stop the local AWS, unless another JupyterLab of this checkout still works with it."""
    if others():
        print("The local AWS goes on: another JupyterLab uses it.")
    elif lifecycle.stop():
        print("The local AWS has been stopped.")


@contextmanager
def registered() -> Iterator[None]:
    """Let other JupyterLabs of this checkout know that this one works with the local AWS."""
    mine = lifecycle.folder() / f"lab-{os.getpid()}"
    mine.write_text(str(psutil.Process().create_time()))
    try:
        yield
    finally:
        mine.unlink(missing_ok=True)


def others() -> list[Path]:
    """The files of other labs that still run; those of killed ones are removed."""
    files = list(lifecycle.folder().glob("lab-*"))
    for file in files:
        if not is_running(int(file.name.removeprefix("lab-")), file.read_text()):
            file.unlink(missing_ok=True)
    return [file for file in files if file.exists()]


def is_running(pid: int, created: str) -> bool:
    try:
        return str(psutil.Process(pid).create_time()) == created
    except psutil.Error:
        return False


def warn_of_other_helpers() -> None:
    """Say so when PYTHONPATH holds another package `helpers`; the course's own goes first."""
    for folder in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if (Path(folder) / "helpers").exists() and Path(folder).resolve() != CHECKOUT:
            print(
                f"PYTHONPATH names {folder!r}, which holds another package `helpers`. In this "
                "JupyterLab the course's own is used.",
                file=sys.stderr,
            )


def run_lab(command: list[str]) -> int:
    """Run JupyterLab until it ends by itself or this process is told to stop."""
    environment = {**os.environ, **config_path(), **python_path()}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # JupyterLab gets Ctrl-C too, and asks back
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: process.terminate())
    return process.wait()


def config_path() -> dict[str, str]:
    """The variable that adds the course's own defaults to JupyterLab's: it does not ask
    whether to fetch news. Source: JupyterLab, "Advanced usage", default_setting_overrides."""
    name = "JUPYTER_CONFIG_PATH"
    folders = [str(CHECKOUT / "helpers" / "jupyter"), *filter(None, [os.environ.get(name)])]
    return {name: os.pathsep.join(folders)}


def python_path() -> dict[str, str]:
    """The variable that lets kernels find this checkout's `helpers` before any other.

    So they do after the checkout was moved, too, when the installed package's path is old.
    """
    name = "PYTHONPATH"
    return {name: os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get(name)])])}


def first_page(stored: bool) -> str:
    """The path of the notebook to begin with: of the learner's own copy, if there can be one."""
    own = None if stored else copies.make()
    first = own or copies.NOTEBOOKS / f"{copies.FIRST}.ipynb"
    return f"{first.parent.name}/{first.name}"


def lab_command(options: argparse.Namespace) -> list[str]:
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={CHECKOUT}",
        f"--LabApp.default_url=/lab/tree/{first_page(options.stored)}",
        "--LabApp.news_url=None",  # the course needs no network
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if not options.stored:
        command.append("--ServerApp.contents_manager_class=helpers.reading_room.ReadingRoom")
    if options.no_browser:
        command.append("--no-browser")
    if options.port:
        command.append(f"--ServerApp.port={options.port}")
    if getattr(os, "geteuid", lambda: -1)() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    return command


if __name__ == "__main__":
    sys.exit(main())
