"""A browser for what is built, and the README's pictures, taken with it.

    python -m docs.site.browser

It wants a Chromium or Chrome that is installed, or the one of `playwright install chromium`. Pages
are served from this computer.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from docs.site.build import PICTURES, chart
from docs.site.pages import ROOT

SITE = ROOT / "site"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
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
def opened() -> Iterator[Browser]:
    """A browser, for as long as it is used."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        # Without its sandbox, which containers and root do not have: the pages are our own.
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()


def pictures() -> None:
    """Store what the README shows: a chart as a notebook holds it, and a lesson as it is read."""
    _, picture = chart()
    (PICTURES / "chart.png").write_bytes(base64.b64decode(picture.data["image/png"]))
    with served(SITE) as address, opened() as browser:
        size = ViewportSize(width=1100, height=700)
        page = browser.new_page(color_scheme="light", viewport=size)
        page.goto(f"{address}/{LESSON}#The-kitchen-takes-an-order")
        page.locator(".guess input").first.fill("b")
        page.locator("details.fold").first.evaluate("fold => { fold.open = true }")
        page.screenshot(path=PICTURES / "lesson.png")


if __name__ == "__main__":
    pictures()
