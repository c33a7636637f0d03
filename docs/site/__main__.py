"""`make site`: the whole course as pages, with a search and as a PDF, in site/."""

from __future__ import annotations

import os
import subprocess
import sys

from docs.site.booklet import write_booklet
from docs.site.build import write_site
from docs.site.pages import ROOT

SITE = ROOT / "site"


def repository() -> str:
    """Where the course's files are, as GitHub's workflows say it; nothing elsewhere."""
    name = os.environ.get("GITHUB_REPOSITORY")
    return f"{os.environ['GITHUB_SERVER_URL']}/{name}" if name else ""


def main() -> None:
    write_site(SITE, repository())
    write_booklet(SITE)
    subprocess.run([sys.executable, "-m", "pagefind", "--site", SITE, "--quiet"], check=True)
    print(f"The site is in {SITE.name}/. To look at it: python3 -m http.server -d {SITE.name}")


if __name__ == "__main__":
    main()
