"""`python -m tests.lock_changes`: which versions `make lock` has changed, as a Markdown table.

It compares the locks of the working tree with those of the last commit: those of Python packages,
`requirements.lock`, and those of npm, `package-lock.json`. It needs no package itself: what it says
is wanted most when the new versions cannot be installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("*requirements.lock", "*package-lock.json")
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", re.M)


class Change(NamedTuple):
    """A package of other versions than before; None where there was, or is, none."""

    package: str
    was: str | None
    now: str | None


def versions(path: str, text: str) -> dict[str, str]:
    """The versions that a lock names, by package: more than one where Pythons get different ones,
    or where npm keeps several side by side."""
    found: dict[str, set[str]] = defaultdict(set)
    for package, version in pins(path, text):
        found[package].add(version)
    return {package: ", ".join(sorted(each)) for package, each in found.items()}


def pins(path: str, text: str) -> list[tuple[str, str]]:
    """Package and version of each pin."""
    if not path.endswith(".json"):
        return PIN.findall(text)
    packages = json.loads(text)["packages"]
    return [
        (place.rpartition("node_modules/")[2], about["version"])
        for place, about in packages.items()
        if place  # "" is the folder itself
    ]


def changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    """What is not as before, in the order of the packages' names."""
    return [
        Change(package, before.get(package), after.get(package))
        for package in sorted(before | after)
        if before.get(package) != after.get(package)
    ]


def table(found: dict[str, list[Change]]) -> str:
    """The changes of all locks; what changed alike in several of them stands there once."""
    locks: dict[Change, list[str]] = defaultdict(list)
    for path, each in found.items():
        for change in each:
            locks[change].append(folder_of(path))
    if not locks:
        return "Every lock has the newest versions already."
    rows = [
        f"| {change.package} | {change.was or '—'} | {change.now or '—'} | {', '.join(places)} |"
        for change, places in sorted(locks.items(), key=lambda item: item[0].package)
    ]
    return "\n".join(["| Package | Was | Is | Locked for |", "|---|---|---|---|", *rows])


def folder_of(path: str) -> str:
    """Whose lock it is: a folder, or the course itself."""
    folder = PurePosixPath(path).parent.as_posix()
    return "the course" if folder == "." else folder


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout


def main() -> None:
    found = {}
    for path in git("ls-files", *LOCKS).splitlines():
        before = versions(path, git("show", f"HEAD:{path}"))
        found[path] = changes(before, versions(path, (ROOT / path).read_text(encoding="utf-8")))
    sys.stdout.reconfigure(encoding="utf-8")
    print("### What the newest versions are\n", table(found), sep="\n")


if __name__ == "__main__":
    main()
