"""`make slides`: a deck of slides for each lesson, in slides/, made of what is stored.

    python -m docs.site.decks [NUMBER]

reveal.js shows them, from files beside them: nothing is asked of another host.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from docs.site import pages
from docs.site.build import PICTURES
from docs.site.content import templates
from docs.site.pages import ROOT, Page
from docs.site.slides import slides

SLIDES = ROOT / "slides"
REVEAL = ("dist/reveal.css", "dist/reveal.js", "LICENSE")


def render(lessons: list[Page]) -> Iterator[tuple[str, str]]:
    """Each file of HTML: a deck for each of these lessons, and the list of decks."""
    beside = {page.source: page.file for page in lessons}
    beside |= {path: f"img/{path.name}" for path in PICTURES.glob("*.*")}
    render_with = templates().get_template
    yield "index.html", render_with("decks.html.j2").render(lessons=lessons)
    for page in lessons:
        deck = {"page": page, "slides": slides(page, beside)}
        yield page.file, render_with("deck.html.j2").render(deck)


def write_decks(folder: Path, lessons: list[Page]) -> None:
    """Write the decks of these lessons into a folder, in place of what is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).with_name("static"), folder / "static")
    shutil.copytree(PICTURES, folder / "img")
    (folder / "reveal").mkdir()
    files = metadata.distribution("sphinx-revealjs").locate_file("sphinx_revealjs/_static/revealjs")
    for name in REVEAL:
        shutil.copy(Path(str(files)) / name, folder / "reveal")
    for name, html in render(lessons):
        (folder / name).write_text(html, encoding="utf-8", newline="\n")


def chosen(number: str) -> list[Page]:
    """The lessons with this number, such as "04"; all of them without one. Raises ValueError."""
    lessons = pages.lessons()
    if found := [page for page in lessons if number in ("", page.number, page.name)]:
        return found
    numbers = ", ".join(page.number for page in lessons)
    raise ValueError(f"LESSON is {number}, and there is no such lesson. There are: {numbers}.")


def main(arguments: list[str]) -> int:
    try:
        lessons = chosen("".join(arguments))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    write_decks(SLIDES, lessons)
    print(f"The slides are in {SLIDES.name}/. Open {SLIDES.name}/{lessons[0].file} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
