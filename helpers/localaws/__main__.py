"""The command `python -m helpers.localaws`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from helpers.localaws import lifecycle, settings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.localaws",
        description="A local AWS for SQS and Lambda, on the loopback interface.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="start it in the background and print its endpoint URL")
    commands.add_parser("status", help="print its endpoint URL, or that it does not run")
    commands.add_parser("stop", help="stop it")
    run_parser = commands.add_parser("run", help="run it in the foreground, until Ctrl-C")
    run_parser.add_argument("--port", type=port_number, default=0, help="default: any free port")
    run_parser.add_argument("--recorded-as", metavar="ID", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        return {"start": start, "status": status, "stop": stop, "run": run}[options.command](
            options
        )
    except (ValueError, lifecycle.StartFailed) as error:
        print(error, file=sys.stderr)
        return 1


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)


def start(_options: Any) -> int:
    settings.idle_seconds()
    server, note = lifecycle.start()
    if note:
        print(note, file=sys.stderr)
    print(server.endpoint_url)
    return 0


def status(_options: Any) -> int:
    server = lifecycle.find()
    print(server.endpoint_url if server else "The local AWS does not run.")
    return 0 if server else 3


def stop(_options: Any) -> int:
    stopped = lifecycle.stop()
    print("The local AWS has been stopped." if stopped else "The local AWS does not run.")
    return 0


def run(options: Any) -> int:
    from helpers.localaws.server import serve  # moto takes a second to import

    server_id = options.recorded_as
    folder = (
        lifecycle.folder() / "files" if server_id else Path(tempfile.mkdtemp(prefix="localaws-"))
    )

    def ready(endpoint_url: str) -> None:
        if server_id:
            lifecycle.record(endpoint_url, server_id)
        print(endpoint_url, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(options.port, folder, {"id": server_id}, settings.idle_seconds(), ready)
    except KeyboardInterrupt:
        pass
    finally:
        if server_id:
            lifecycle.forget(server_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
