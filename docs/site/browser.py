"""The site as a browser shows it: the README's pictures, and what axe finds on every page.

    python -m docs.site.browser pictures | look

It wants a Chromium or Chrome that is installed, or the one of `playwright install chromium`. Pages
are served from this computer, and whatever they want from another is refused and told.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from docs.site.build import PICTURES, chart
from docs.site.pages import ROOT

SITE = ROOT / "site"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
LOOKS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {"laptop": 1280, "phone": 390}
LESSON = "00_start_here.html"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody wants to read each request."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, for as long as it is served."""
    handler = partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def opened() -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of the site."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    with served(SITE) as address, sync_playwright() as playwright:
        # Without its sandbox, which containers and root do not have: the pages are our own.
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser, address
        browser.close()


def pages() -> list[str]:
    return sorted(path.name for path in SITE.glob("*.html"))


def look() -> int:
    """Print what axe finds, and what was wanted from other hosts; how much that is."""
    found: list[str] = []
    with opened() as (browser, address):
        for scheme, (device, width) in itertools.product(LOOKS, WIDTHS.items()):
            size = ViewportSize(width=width, height=900)
            page = browser.new_page(color_scheme=scheme, viewport=size)
            page.on("request", partial(tell_strangers, address=address, found=found))
            for name in pages():
                page.goto(f"{address}/{name}")
                found += [f"{name} ({scheme}, {device}): {each}" for each in stumbles(page, name)]
            page.close()
    for each in found:
        print(each)
    many = f"{len(found) or 'nothing'} found"
    print(f"{len(pages())} pages, in light and dark, wide and narrow: {many}.")
    return len(found)


def tell_strangers(request: object, address: str, found: list[str]) -> None:
    url = str(getattr(request, "url", ""))
    if not url.startswith((address, "data:", "blob:")):
        found.append(f"asks another host: {url[:100]}")


def search(page: Page) -> None:
    """Look for words of the lessons. Raises TimeoutError when they are not found."""
    page.fill("#words", "visibility timeout")
    page.wait_for_selector("#results a[href*='_retries.html']")


def stumbles(page: Page, name: str) -> list[str]:
    """What axe says against a page with all its folds open; its rules of good practice too."""
    if name == "search.html":
        search(page)
    if name == "sheet.html" and len(re.findall(rb"/Type /Page\b", printed(page))) != 2:
        return ["does not fit two printed pages"]
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        return ["wider than the screen"]
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'].splitlines()[1].strip()[:160]}"
        for each in violations
        for node in each["nodes"]
    ]


def printed(page: Page) -> bytes:
    paper: bytes = page.pdf(prefer_css_page_size=True)
    return paper


def pictures() -> int:
    """Store what the README shows: a chart as a notebook holds it, and a lesson as it is read."""
    _, picture = chart()
    (PICTURES / "chart.png").write_bytes(base64.b64decode(picture.data["image/png"]))
    with opened() as (browser, address):
        size = ViewportSize(width=1100, height=700)
        page = browser.new_page(color_scheme="light", viewport=size)
        page.goto(f"{address}/{LESSON}#The-kitchen-takes-an-order")
        page.locator(".guess input").first.fill("b")
        page.locator("details.fold").first.evaluate("fold => { fold.open = true }")
        page.screenshot(path=PICTURES / "lesson.png")
    return 0


if __name__ == "__main__":
    sys.exit(min({"pictures": pictures, "look": look}[sys.argv[1]](), 1))
