"""A learner's own server begins here, as the learner: limits, own copies, then Jupyter.

It is run by the hub, instead of `jupyterhub-singleuser`, with the same arguments. On a cluster the
course lies in the image, where SQS_CLASS_COURSE says, and is copied into the learner's home, which
is a volume that stays.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.room import settings

MB = 1024**2
MOST_FILES = 4_096
SERVER = (
    "--ServerApp.contents_manager_class=helpers.reading_room.ReadingRoom",
    "--Application.log_level=ERROR",
    "--KernelManager.transport=ipc",  # over TCP any user of the computer could read what is printed
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def main(arguments: list[str]) -> int:
    limit(resource.RLIMIT_DATA, int(os.environ.get("SQS_CLASS_MEMORY_MB", "2000")) * MB)
    limit(resource.RLIMIT_NOFILE, MOST_FILES)
    limit(resource.RLIMIT_CORE, 0)
    if os.environ.get("SQS_CLASS_OWN_USER"):  # else the whole class would share the number
        limit(resource.RLIMIT_NPROC, settings.MOST_PROCESSES)
    course = Path.home() / "course"
    bring(course)
    os.chdir(course)
    environment = {**os.environ, "PYTHONPATH": str(course), **own_settings(course)}
    if not (course / "my_course").exists():
        # Another Python: this one has loaded the course from where it was copied from.
        subprocess.run([sys.executable, "-m", "helpers.copies"], env=environment, check=False)
    program = str(Path(sys.executable).with_name("jupyterhub-singleuser"))
    os.execve(program, [program, *SERVER, *arguments], environment)


def bring(course: Path) -> None:
    """Copy the course into the learner's home, whole or not at all, if it is not there."""
    image = os.environ.get("SQS_CLASS_COURSE")
    if image and not course.exists():
        draft = course.with_name(f".course-{os.getpid()}")
        shutil.copytree(image, draft)
        draft.rename(course)


def own_settings(course: Path) -> dict[str, str]:
    """The course's defaults for JupyterLab, and for a class: extensions that no lesson needs are
    off, which saves a server a second and some memory."""
    folders = [course / "helpers" / "room" / "jupyter", course / "helpers" / "jupyter"]
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(map(str, folders))}


def limit(kind: int, most: int) -> None:
    """Set a limit for good: this process and those that it starts cannot raise it."""
    _, hard = resource.getrlimit(kind)
    lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (lowest, lowest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
