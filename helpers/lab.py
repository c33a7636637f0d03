"""`make lab`: the local AWS and JupyterLab, started and stopped together."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from helpers.localaws import lifecycle

CHECKOUT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run JupyterLab until it ends; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.lab", description=__doc__)
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--port", type=int, help="of JupyterLab (default: 8888 or the next free)")
    options = parser.parse_args(arguments)
    local = (os.environ.get("SQS_COURSE_TARGET") or "local") == "local"
    ours = local and lifecycle.find() is None  # one that runs already is somebody else's
    if local:
        server, note = lifecycle.start()
        print(note or f"The local AWS answers at {server.endpoint_url}.", flush=True)
    try:
        return run_lab(lab_command(options))
    finally:
        if ours and lifecycle.stop():
            print("The local AWS has been stopped.")


def run_lab(command: list[str]) -> int:
    """Run JupyterLab until it ends by itself or this process is told to stop."""
    process = subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, **config_path()})
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


def lab_command(options: argparse.Namespace) -> list[str]:
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={CHECKOUT}",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
        "--LabApp.news_url=None",  # the course needs no network
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if options.no_browser:
        command.append("--no-browser")
    if options.port:
        command.append(f"--ServerApp.port={options.port}")
    if getattr(os, "geteuid", lambda: -1)() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    return command


if __name__ == "__main__":
    sys.exit(main())
