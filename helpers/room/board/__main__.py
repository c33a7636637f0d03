"""`make board`: the board alone, for learners who have the course on their own computers."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import suppress
from urllib.parse import urlsplit

from helpers.room.addresses import of_this_computer
from helpers.room.board.server import new_word, serve

PORT = 8790


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.room.board", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    parser.add_argument("--address", default="", help="to listen on (default: all of them)")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        return asyncio.run(run(options.port, options.address))
    print("\nThe board is closed, and has forgotten everything.")
    return 0


async def run(port: int, address: str) -> int:
    """Serve until the process is told to stop. In a hub's service the hub says where."""
    given = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", ""))
    word = os.environ.get("SQS_COURSE_BOARD_WORD") or new_word()
    in_hub = bool(given.port)
    prefix = f"{os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/').rstrip('/')}/{word}"
    try:
        serve(prefix, given.port or port, given.hostname or address)
    except OSError as error:
        print(f"The board cannot listen on port {port}: {error.strerror}. Try --port {port + 1}.")
        return 1
    if not in_hub:
        where = f"http://{address or of_this_computer()}:{port}{prefix}"
        print(
            f"The board is at {where}/ \n"
            f'A learner joins with the line:  course.join("{where}")\n'
            "Ctrl + C closes it, and everything that it saw is gone.",
            flush=True,
        )
    await asyncio.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
