"""A learner's own server begins here, as the learner: limits, own copies, then Jupyter.

It is run by the hub, instead of `jupyterhub-singleuser`, with the same arguments.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from helpers import copies

MB = 1024**2
MOST_PROCESSES = 400  # threads count too: a server, some kernels, a local AWS with 40 handlers
MOST_FILES = 4_096


def main(arguments: list[str]) -> int:
    limit(resource.RLIMIT_DATA, int(os.environ.get("SQS_CLASS_MEMORY_MB", "2000")) * MB)
    limit(resource.RLIMIT_NOFILE, MOST_FILES)
    limit(resource.RLIMIT_CORE, 0)
    if os.environ.get("SQS_CLASS_OWN_USER"):  # else the whole class would share the number
        limit(resource.RLIMIT_NPROC, MOST_PROCESSES)
    copies.make()
    program = str(Path(sys.executable).with_name("jupyterhub-singleuser"))
    os.execv(program, [program, *arguments])


def limit(kind: int, most: int) -> None:
    """Set a limit for good: this process and those that it starts cannot raise it."""
    _, hard = resource.getrlimit(kind)
    lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (lowest, lowest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
