"""`make look`: what people would stumble over on the site's pages, the slides and a class's board.

    python -m docs.site.look PYTHON

PYTHON is that of the course's environment, which runs the board. On every page, in light and dark:
what axe finds, what the console tells, what is asked of another host, and what is wider than the
screen. Slides are measured as well: none is fuller than the screen, and no letter is too small.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from docs.site.browser import SITE, opened, served
from docs.site.decks import SLIDES
from docs.site.pages import ROOT

LOOKS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCREENS = {
    "laptop": ViewportSize(width=1280, height=900),
    "phone": ViewportSize(width=390, height=900),
    "projector": ViewportSize(width=1600, height=900),
    "large projector": ViewportSize(width=1920, height=1080),
}
SMALLEST = 24  # px of letters on a slide of 1080
LEARNERS = 30
SAID = "Not yet\n  ✗ The queue PracticeOrders keeps messages for 4 hours, not 4 days."

# Goes to each slide and says what is wrong with it.
MEASURE = """(smallest) => {
  const found = [];
  for (let number = 0; number < Reveal.getTotalSlides(); number++) {
    Reveal.slide(number);
    const slide = Reveal.getCurrentSlide();
    const tell = (what) => found.push(`slide ${number + 1}: ${what}`);
    const more = slide.scrollHeight - slide.clientHeight;
    if (more > 0) tell(`${more} px too full`);
    for (const tag of slide.querySelectorAll("*")) {
      const text = [...tag.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      const size = parseFloat(getComputedStyle(tag).fontSize);
      if (text && size < smallest) tell(`letters of ${size} px: ${tag.textContent.slice(0, 40)}`);
      const right = tag.getBoundingClientRect().right;
      if (right > innerWidth) tell(`too wide: ${tag.outerHTML.slice(0, 60)}`);
      if (tag.tagName === "IMG" && !tag.naturalWidth) tell(`no picture: ${tag.alt}`);
    }
    if (!slide.querySelector("h2").innerText.trim() || slide.children.length < 2) tell("empty");
  }
  return found;
}"""

# All slides below each other, for axe looks at what is shown only.
UNFOLDED = """
html, body, .reveal, .slides, .slides > section {
  position: static !important; overflow: visible !important; display: block !important;
  visibility: visible !important; height: auto !important; width: auto !important;
  transform: none !important; opacity: 1 !important
}
"""
UNFOLD = """() => {
  for (const slide of document.querySelectorAll("section"))
    for (const name of ["hidden", "aria-hidden"]) slide.removeAttribute(name);
}"""


@dataclass
class Sight:
    """Something to look at, on one screen, with what was found so far."""

    page: Page
    screen: str
    found: list[str]
    at: str = ""

    def tell(self, what: str) -> None:
        self.found.append(f"{self.at} ({self.screen}): {what}")

    def look(self) -> None:
        """What axe says against what is shown, its rules of good practice too."""
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.tell("wider than the screen")
        for each in Axe().run(self.page).response["violations"]:
            for node in each["nodes"]:
                why = node["failureSummary"].splitlines()[1].strip()
                self.tell(f"{each['id']}: {node['html'][:120]} {why[:160]}")


def sights(browser: Browser, address: str, screens: list[str], found: list[str]) -> Iterator[Sight]:
    """A page for each screen, in light and in dark, that tells of strangers and of errors."""
    for scheme, screen in itertools.product(LOOKS, screens):
        page = browser.new_page(color_scheme=scheme, viewport=SCREENS[screen])
        sight = Sight(page, f"{scheme}, {screen}", found)
        page.on("request", partial(tell_strangers, address=address, sight=sight))
        page.on("pageerror", partial(tell_error, sight=sight))
        page.on("console", partial(tell_line, sight=sight))
        yield sight
        page.close()


def tell_strangers(request: Any, address: str, sight: Sight) -> None:
    if not request.url.startswith((address, "data:", "blob:")):
        sight.tell(f"asks another host: {request.url[:100]}")


def tell_error(error: Any, sight: Sight) -> None:
    sight.tell(f"error: {error}")


def tell_line(message: Any, sight: Sight) -> None:
    if message.type == "error":
        sight.tell(f"console: {message.text[:160]}")


# -- the site ------------------------------------------------------------------------------


def look_at_site(browser: Browser, found: list[str]) -> str:
    names = sorted(path.name for path in SITE.glob("*.html"))
    with served(SITE) as address:
        for sight in sights(browser, address, ["laptop", "phone"], found):
            for name in names:
                sight.at = name
                sight.page.goto(f"{address}/{name}")
                look_at_page(sight)
    return f"{len(names)} pages of the site"


def look_at_page(sight: Sight) -> None:
    """A page with all its folds open."""
    if sight.at == "search.html":
        sight.page.fill("#words", "visibility timeout")
        sight.page.wait_for_selector("#results a[href*='_retries.html']")
    if sight.at == "sheet.html" and len(re.findall(rb"/Type /Page\b", printed(sight.page))) != 2:
        sight.tell("does not fit two printed pages")
    folds = "document.querySelectorAll('details').forEach((fold) => { fold.open = true })"
    sight.page.evaluate(folds)
    sight.look()


def printed(page: Page) -> bytes:
    paper: bytes = page.pdf(prefer_css_page_size=True)
    return paper


# -- the slides ----------------------------------------------------------------------------


def look_at_slides(browser: Browser, found: list[str]) -> str:
    names = sorted(path.name for path in SLIDES.glob("*.html"))
    many = 0
    with served(SLIDES) as address:
        for sight in sights(browser, address, ["large projector"], found):
            for name in names:
                sight.at = name
                sight.page.goto(f"{address}/{name}")
                if name != "index.html":
                    many += look_at_deck(sight)
                sight.look()
    return f"{many // len(LOOKS)} slides"


def look_at_deck(sight: Sight) -> int:
    """Measure each slide, then show them all at once; how many there are."""
    for each in sight.page.evaluate(MEASURE, SMALLEST):
        sight.tell(each)
    sight.page.add_style_tag(content=UNFOLDED)
    sight.page.evaluate(UNFOLD)
    return int(sight.page.evaluate("Reveal.getTotalSlides()"))


# -- the board -----------------------------------------------------------------------------


def look_at_board(browser: Browser, found: list[str], python: str) -> str:
    with board(python) as address:
        fill(address)
        for sight in sights(browser, address, ["projector", "phone"], found):
            sight.at = "board"
            sight.page.goto(f"{address}/")
            sight.page.wait_for_selector("#people tr")
            sight.look()
            sight.page.click("[data-view=guesses]")
            sight.page.click("#reveal")
            sight.look()
    return f"a board with {LEARNERS} people"


@contextlib.contextmanager
def board(python: str) -> Iterator[str]:
    """The address of a board of its own, for as long as it is looked at."""
    command = [python, "-m", "helpers.room.board", "--address", "127.0.0.1", "--port", free_port()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not (told := re.search(r"http://\S+", line)):
                raise RuntimeError(f"The board did not start: {line}")
            yield told[0].rstrip("/")
        finally:
            process.terminate()


def free_port() -> str:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return str(each.getsockname()[1])


def fill(address: str) -> None:
    """A class on its way: some have done all, some are stuck, and all have guessed."""
    with urllib.request.urlopen(f"{address}/state") as answer:
        lessons = json.load(answer)["lessons"]
    for number in range(LEARNERS):
        me = f"{address}/people/{post(f'{address}/people', {'name': name_of(number)})['id']}"
        for lesson in lessons[: 2 + number % 7]:
            entry = {"notebook": lesson["name"]}
            post(me, entry | {"kind": "begin", "name": lesson["name"]})
            for exercise in range(lesson["exercises"]):
                right = (number + exercise) % 5 > 0
                said = (
                    "Not yet\n  ✗ The queue PracticeOrders keeps messages for 4 hours, not 4 days."
                )
                check = {"kind": "check", "name": f"exercise_{exercise}", "said": said}
                for _ in range(1 if right else 3):
                    post(me, entry | check | {"passed": right})
            letter = "abbc"[number % 4]
            guess = {"kind": "guess", "name": "what_happens_to_the_slip", "guess": letter}
            post(me, entry | guess | {"right": letter == "b"})


def name_of(number: int) -> str:
    """Short and long names, and none, for which the board finds one."""
    return ["", f"Ada {number}", f"Wilhelmina Featherstonehaugh {number}"][number % 3]


def post(address: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def main(python: str) -> int:
    found: list[str] = []
    with opened() as browser:
        seen = [
            look_at_site(browser, found),
            look_at_slides(browser, found),
            look_at_board(browser, found, python),
        ]
    for each in found:
        print(each)
    print(f"{', '.join(seen)}, in light and dark: {len(found) or 'nothing'} found.")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
