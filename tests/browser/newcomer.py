"""A newcomer: a fresh clone, `make lab`'s own command, and a browser that looks at its pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.notebook_files import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
PATIENCE_MS = 60_000
ASKED_AGAIN, BEGIN_S = 3, 20.0
WIDTHS = {"laptop": (1366, 768), "projector": (1920, 1080)}


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window. As root it has no sandbox."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Clone:
    """A clone of what is committed here, in a folder with a blank in its name."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "my clone"
        self.state = folder / "state"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.path)], check=True)

    @contextmanager
    def lab(self) -> Iterator[str]:
        """The address of JupyterLab, as `make lab NO_BROWSER=1` starts it, until it is stopped."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith("SQS_")}
        variables["LOCALAWS_FOLDER"] = str(self.state)
        # A newcomer has no workspace of another day, and no settings.
        variables["JUPYTERLAB_WORKSPACES_DIR"] = str(self.state / "workspaces")
        variables["JUPYTERLAB_SETTINGS_DIR"] = str(self.state / "settings")
        said = self.path.parent / "lab.txt"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "helpers.lab", "--no-browser", "--port", "8977"],
                cwd=self.path,
                env=variables,
                stdout=output,
                stderr=output,
            )
        try:
            yield wait_for(lambda: address_in(said.read_text()), "JupyterLab's address")
        finally:
            process.terminate()
            process.wait(60)

    def copy(self, lesson: str) -> dict[str, Any]:
        """A learner's copy as it is on the disk now, or a moment later if it is being written."""
        file = self.path / "my_course" / f"{lesson}.ipynb"
        return wait_for(lambda: read_json(file), f"{file.name} in one piece")


def read_json(file: Path) -> Any:
    with suppress(ValueError, FileNotFoundError):
        return json.loads(file.read_text(encoding="utf-8"))
    return None


def address_in(said: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", said)
    return found[0] if found else ""


def wait_for(look: Callable[[], Any], what: str, limit_s: float = 120.0) -> Any:
    """What `look` returns as soon as it is true. Raises TimeoutError."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not there after {limit_s} s")


class Lab:
    """JupyterLab in a page, as somebody sits before it. `complaints`: errors on the console."""

    def __init__(self, opened: Page, clone: Clone) -> None:
        self.page, self.clone = opened, clone
        self.complaints: list[str] = []
        opened.set_default_timeout(PATIENCE_MS)
        opened.on("console", lambda message: self._note(message.type, message.text))
        opened.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.wait_for_kernel()

    @property
    def notebook(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def lesson(self) -> str:
        """The lesson that is in front."""
        label = self.page.locator(".lm-DockPanel .lm-TabBar-tab.lm-mod-current .lm-TabBar-tabLabel")
        return label.inner_text().removesuffix(".ipynb")

    def wait_for_kernel(self) -> None:
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def run_all(self, limit_s: float = 240.0) -> None:
        """Run → Run All Cells, until the last one is done and the page is saved.

        A page with a dozen lessons open may not have the kernel yet when it shows it as idle; then
        nothing runs, and one asks again.
        """
        lesson = self.lesson
        for _ in range(ASKED_AGAIN):
            self.menu("Run", "Run All Cells")
            with suppress(TimeoutError):
                wait_for(lambda: self.is_busy() or self.saved_and_done(lesson), "a cell", BEGIN_S)
                break
        wait_for(lambda: self.saved_and_done(lesson), f"the last cell of {lesson}", limit_s)

    def is_busy(self) -> bool:
        return self.page.get_by_text("Python 3 (ipykernel) | Busy").count() > 0

    def saved_and_done(self, lesson: str) -> bool:
        self.page.keyboard.press("Control+s")
        code = [cell for cell in self.clone.copy(lesson)["cells"] if cell["cell_type"] == "code"]
        return bool(code[-1]["execution_count"]) and all(each["execution_count"] for each in code)

    def menu(self, *entries: str) -> None:
        bar, *inner = entries
        self.page.get_by_role("menuitem", name=bar, exact=True).click()
        for entry in inner:
            self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(rf"^{entry}")).last.click()

    def follow(self, text: str) -> None:
        """Click a link of the lesson that is in front, and wait for the one it opens."""
        before = self.lesson
        self.notebook.get_by_role("link", name=text).first.click()
        wait_for(lambda: self.lesson != before, f"the lesson behind {text!r}")
        self.wait_for_kernel()

    def open_from_list(self, lesson: str) -> None:
        """Open a lesson by a double click in the list of files."""
        self.page.locator(".jp-DirListing-item", has_text=lesson).dblclick()
        wait_for(lambda: self.lesson == lesson, lesson)
        self.wait_for_kernel()

    def places(self, matches: Callable[[dict[str, Any]], bool]) -> list[int]:
        """The places of the cells of the lesson in front that match."""
        cells = self.clone.copy(self.lesson)["cells"]
        return [place for place, cell in enumerate(cells) if matches(cell)]

    def show(self, place: int) -> Locator:
        """A cell by its place, scrolled into sight: JupyterLab draws only those that are near."""
        found = self.notebook.locator(f'.jp-Cell[data-windowed-list-index="{place}"]')
        for _ in range(200):
            if found.count() and found.first.is_visible():
                found.first.scroll_into_view_if_needed()
                return found.first
            self.notebook.locator(".jp-WindowedPanel-outer").hover()
            self.page.mouse.wheel(0, 500)
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"cell {place} of {self.lesson} cannot be scrolled to")

    def to_top(self) -> None:
        self.notebook.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTop = 0")


def errors_in(notebook: dict[str, Any]) -> list[str]:
    """The error outputs of a notebook, but for cells that are meant to raise."""
    return [
        f"{output['ename']}: {output['evalue']}"
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        and "raises-exception" not in cell["metadata"].get("tags", [])
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]


def pictures_in(notebook: dict[str, Any]) -> list[int]:
    """The places of the cells that show a picture."""
    return [
        place
        for place, cell in enumerate(notebook["cells"])
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]
