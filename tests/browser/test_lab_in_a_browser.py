"""The course in a real browser, from a fresh clone, as a newcomer meets it.

`make test` walks through three lessons; `make browser` through all of them, and keeps screenshots.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser import newcomer
from tests.browser.newcomer import CHROMIUM, WIDTHS, Clone, Lab, errors_in, pictures_in, wait_for
from tests.notebook_files import NAMES, ROOT

ALL = bool(os.environ.get("BROWSER_ALL"))
SCREENSHOTS = os.environ.get("BROWSER_SCREENSHOTS")
LIVE = "08_retries"  # it has a live view, and charts
WALK = NAMES if ALL else [*NAMES[:2], LIVE]
# Keep the text of each table that an output shows, however short it is there.
NOTE_TABLES = """() => {
  window.seen = new Set();
  const note = () => document.querySelectorAll(".jp-OutputArea table").forEach(
    (table) => window.seen.add(table.innerText));
  new MutationObserver(note).observe(document.body, {childList: true, subtree: true});
}"""
DRAWN = "picture => picture.complete && picture.naturalWidth > 100"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and not (os.environ.get("CI") and sys.platform == "linux"),
        reason="there is no Chromium here: apt-get install chromium",
    ),
]


class Walk:
    """A newcomer on the way: the clone, and JupyterLab in a laptop's window."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.come_in()

    def come_in(self) -> None:
        self._open = ExitStack()
        address = self._open.enter_context(self.clone.lab())
        browser = self._open.enter_context(newcomer.browser())
        width, height = WIDTHS["laptop"]
        self.lab = Lab(browser.new_page(viewport={"width": width, "height": height}), self.clone)
        self.lab.open(address)

    def go_home(self) -> None:
        self._open.close()

    def go_to(self, lesson: str) -> None:
        """To the next lesson by its link, to any other by the list of files."""
        here = self.lab.lesson
        if lesson == here:
            return
        if NAMES.index(lesson) == NAMES.index(here) + 1:
            self.lab.to_top()
            self.lab.follow(f"next: {lesson[:2]}")
        else:
            self.lab.open_from_list(lesson)

    def keep(self, name: str) -> None:
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.lab.page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    began = Walk(Clone(tmp_path_factory.mktemp("newcomer")))
    yield began
    began.go_home()


def tags_of(cell: dict[str, Any]) -> list[str]:
    found: list[str] = cell["metadata"].get("tags", [])
    return found


def is_answer(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and "".join(cell["source"]).startswith("guesses.choice(")


def test_the_first_lesson_opens_by_itself_in_a_copy(walk: Walk) -> None:
    assert walk.lab.lesson == NAMES[0]
    assert "/my_course/" in walk.lab.page.url
    walk.keep("first_page")


@pytest.mark.parametrize("lesson", WALK)
def test_a_lesson_is_reached_and_runs_from_top_to_end(walk: Walk, lesson: str) -> None:
    walk.go_to(lesson)
    if lesson == LIVE:
        run_and_watch(walk)
    walk.lab.run_all(600)
    copy = walk.clone.copy(lesson)
    assert errors_in(copy) == []
    assert walk.lab.complaints == []
    places = pictures_in(copy)
    stored = newcomer.read_json(ROOT / "notebooks" / f"{lesson}.ipynb")
    assert len(places) == len(pictures_in(stored))
    for place in places:
        picture = walk.lab.show(place).locator("img").first
        wait_for(lambda it=picture: it.evaluate(DRAWN), f"the picture of cell {place}")
        picture.scroll_into_view_if_needed()
        walk.keep(f"{lesson}_{place}")


def run_and_watch(walk: Walk) -> None:
    """Run up to the live view, and see that it shows more than one thing before its chart."""
    [place, *_] = walk.lab.places(lambda cell: "experiments.watch(" in "".join(cell["source"]))
    walk.lab.show(place).click(position={"x": 5, "y": 5})
    walk.lab.menu("Run", "Run All Above Selected Cell")
    walk.lab.wait_for_kernel()
    walk.lab.show(place).click(position={"x": 5, "y": 5})
    walk.lab.page.evaluate(NOTE_TABLES)
    walk.lab.page.keyboard.press("Control+Enter")
    output = walk.lab.show(place).locator(".jp-Cell-outputArea")
    wait_for(lambda: output.locator("img").count(), "the chart after the live view")
    seen = walk.lab.page.evaluate("[...window.seen]")
    assert len(seen) > 1, seen


def test_a_guess_is_made_by_keyboard(walk: Walk) -> None:
    [answer, *_] = walk.lab.places(is_answer)
    place = max(n for n in walk.lab.places(lambda cell: "guess" in tags_of(cell)) if n < answer)
    walk.lab.show(place).click()
    keyboard = walk.lab.page.keyboard
    keyboard.press("Enter")
    keyboard.press("Control+a")
    keyboard.type('guess = "b"')
    keyboard.press("Shift+Enter")
    walk.lab.show(answer).click(position={"x": 5, "y": 5})
    keyboard.press("Control+Enter")
    walk.lab.show(answer).get_by_text("You guessed: b").wait_for()


def test_questions_are_answered_by_keyboard(walk: Walk) -> None:
    [place] = walk.lab.places(lambda cell: "".join(cell["source"]).startswith("answers = "))
    said = walk.lab.show(place).locator(".jp-Cell-outputArea")
    wait_for(lambda: said.inner_text().count("Not answered") == 3, "the answers that are missing")
    walk.lab.show(place).click()
    keyboard = walk.lab.page.keyboard
    keyboard.press("Enter")
    keyboard.press("Control+a")
    source = "".join(walk.clone.copy(walk.lab.lesson)["cells"][place]["source"])
    keyboard.insert_text(source.replace("None", '"a"'))
    keyboard.press("Control+Enter")
    wait_for(lambda: "Not answered" not in said.inner_text(), "what is said of the answers")


def test_a_solution_is_folded_until_it_is_clicked(walk: Walk) -> None:
    [place, *_] = walk.lab.places(lambda cell: "solution" in tags_of(cell))
    cell = walk.lab.show(place)
    assert not cell.locator(".jp-Cell-inputArea .cm-content").is_visible()
    cell.locator(".jp-Cell-inputWrapper .jp-Placeholder-content").click()
    cell.locator(".cm-content").wait_for()
    walk.keep("solution")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_both_themes_fit_a_laptop_and_a_projector(walk: Walk, theme: str, width: str) -> None:
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    walk.lab.page.set_viewport_size(size)
    walk.lab.menu("Settings", "Theme", f"JupyterLab {theme}$")
    is_light = str(theme == "Light").lower()
    walk.lab.page.locator(f'body[data-jp-theme-light="{is_light}"]').wait_for(state="attached")
    panel = walk.lab.notebook.locator(".jp-WindowedPanel-outer")
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth + 1")
    walk.keep(f"{theme.lower()}_{width}")


def test_the_next_make_lab_keeps_what_was_written(walk: Walk) -> None:
    """It comes last, since it ends the JupyterLab that the others look at."""
    lesson = walk.lab.lesson
    walk.lab.page.keyboard.press("Control+s")
    wait_for(lambda: 'guess = "b"' in sources(walk, lesson), "the guess in the file")
    walk.go_home()
    walk.come_in()
    walk.go_to(lesson)
    assert 'guess = "b"' in sources(walk, lesson)
    [place, *_] = walk.lab.places(lambda cell: 'guess = "b"' in "".join(cell["source"]))
    walk.lab.show(place).get_by_text("guess").first.wait_for()


def sources(walk: Walk, lesson: str) -> str:
    return "\n".join("".join(cell["source"]) for cell in walk.clone.copy(lesson)["cells"])
