"""The command `python -m helpers.localaws`."""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from helpers.localaws import keys, lifecycle, settings
from helpers.localaws.keys import AccessKey
from helpers.localaws.settings import LikeAws

OPEN = (
    "It is open: whoever can reach it on this computer, with any access key, can use it and so "
    "run code as you."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.localaws",
        description="A local AWS for SQS and Lambda, on the loopback interface.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start_parser = commands.add_parser(
        "start", help="start it in the background; print its endpoint URL and access key"
    )
    commands.add_parser("report", help="print what rehearsals of AWS have done so far")
    commands.add_parser("status", help="print its endpoint URL, or that it does not run")
    commands.add_parser("stop", help="stop it")
    env_parser = commands.add_parser(
        "env", help="print the lines that let a shell's AWS CLI and SDKs use it"
    )
    env_parser.add_argument(
        "--shell",
        choices=keys.SHELLS,
        default="powershell" if os.name == "nt" else "sh",
        help="default: %(default)s",
    )
    run_parser = commands.add_parser("run", help="run it in the foreground, until Ctrl-C")
    run_parser.add_argument("--port", type=port_number, default=0, help="default: any free port")
    add_rehearsal(run_parser)
    run_parser.add_argument("--recorded-as", metavar="ID", help=argparse.SUPPRESS)
    for each in (start_parser, run_parser):
        each.add_argument(
            "--open", action="store_true", help="take any access key: " + OPEN.split(": ")[1]
        )
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except (ValueError, OSError, lifecycle.StartFailed) as error:
        print(error, file=sys.stderr)
        return 1


def add_rehearsal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--like-aws",
        metavar="PROFILE",
        help=f"be as slow and as weak as AWS: {', '.join(settings.PROFILES)}",
    )
    parser.add_argument("--seed", default="1", help="which draws of it; default: %(default)s")
    parser.add_argument(
        "--scale", default="1", help="what its delays are multiplied by; default: %(default)s"
    )


def like_aws(options: Any) -> LikeAws | None:
    """The rehearsal that was asked for. Raises ValueError for a wrong option of it."""
    if options.like_aws is None:
        return None
    return settings.read_like_aws(options.like_aws, options.seed, options.scale)


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)


def start(options: Any) -> int:
    settings.check()
    server, note, _ = lifecycle.start(options.open)
    if note:
        print(note, file=sys.stderr)
    if options.open and not server.open:
        print("It ran already, and takes its own access key only. Stop it first.", file=sys.stderr)
        return 1
    show(server.endpoint_url, server.key, server.open)
    return 0


def show(endpoint_url: str, key: AccessKey, is_open: bool) -> None:
    """Print where a server is, and what another program needs to call it."""
    print(endpoint_url)
    if is_open:
        print(OPEN)
    for title, shell in (("sh", "sh"), ("PowerShell", "powershell")):
        print(f"\n# To use it from {title}:")
        print(*keys.shell_lines(endpoint_url, key, shell), sep="\n", flush=True)


def env(options: Any) -> int:
    server = lifecycle.find()
    if server is None:
        print("The local AWS does not run: start it first.", file=sys.stderr)
        return 3
    print(*keys.shell_lines(server.endpoint_url, server.key, options.shell), sep="\n")
    return 0


def status(_options: Any) -> int:
    server = lifecycle.find()
    print(server.endpoint_url if server else "The local AWS does not run.")
    return 0 if server else 3


def report(_options: Any) -> int:
    said = lifecycle.reports()
    print(*(said or ["No rehearsal runs."]), sep="\n")
    return 0 if said else 3


def stop(_options: Any) -> int:
    stopped = lifecycle.stop_rehearsals() | lifecycle.stop()
    print("The local AWS has been stopped." if stopped else "The local AWS does not run.")
    return 0


def run(options: Any) -> int:
    settings.check()
    idle_s, rehearsal = settings.idle_seconds(), like_aws(options)
    settings.forget_foreign_settings()
    from helpers.localaws.front.access import Access  # moto takes a second to import
    from helpers.localaws.front.server import Application, serve

    make: Any = Application
    if rehearsal is not None:
        from helpers.localaws.rehearsal.application import RehearsalApplication

        make = functools.partial(RehearsalApplication, rehearsal)

    key, server_id = keys.make_access_key(), options.recorded_as
    folder = lifecycle.folder() if server_id else Path(tempfile.mkdtemp(prefix="localaws-"))

    def ready(endpoint_url: str) -> None:
        if server_id:
            lifecycle.record(endpoint_url, server_id, key, options.open)
        else:
            show(endpoint_url, key, options.open)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        access = Access(key, options.open)
        serve(options.port, folder / "files", {"id": server_id}, access, idle_s, ready, make)
    except KeyboardInterrupt:
        pass
    finally:
        if server_id:
            lifecycle.forget(server_id)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


COMMANDS = {
    "start": start,
    "status": status,
    "report": report,
    "stop": stop,
    "env": env,
    "run": run,
}

if __name__ == "__main__":
    sys.exit(main())
