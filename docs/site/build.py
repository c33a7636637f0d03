"""The files of the site: pages, their look, and the pictures that they show."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup
from nbformat import NotebookNode

from docs.site import pages
from docs.site.content import content, templates
from docs.site.pages import FIRST, ROOT, Page

PICTURES = ROOT / "docs" / "img"
CHART = "A bad message in a batch"  # the beginning of its sentence


def write_site(folder: Path, repository: str = "") -> None:
    """Write all pages into a folder, in place of what is in it. Nothing is run.

    `repository` is the address where the course's files are, if links to them are wanted.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).with_name("static"), folder / "static")
    shutil.copytree(PICTURES, folder / "img")
    for name, html in render(repository):
        (folder / name).write_text(html, encoding="utf-8", newline="\n")


def render(repository: str = "") -> Iterator[tuple[str, str]]:
    """Each page's file and its HTML."""
    lessons, guides = pages.lessons(), pages.guides()
    common = {
        "groups": [("Lessons", lessons), ("Beside them", guides[:3]), ("More", guides[3:])],
        "repository": repository,
        "description": "A hands-on course on Amazon SQS and AWS Lambda, in notebooks.",
        "file": "", "sections": [], "before": None, "after": None, "content": "",
    }  # fmt: skip
    render_with = templates().get_template
    yield "index.html", render_with("index.html.j2").render(common | landing(lessons))
    search = {"title": "Search", "kind": "search", "file": "search.html"}
    yield "search.html", render_with("search.html.j2").render(common | search)
    for page in [*lessons, *guides]:
        shown = common | of_page(page, lessons, repository)
        yield page.file, render_with("page.html.j2").render(shown)


def files_on_site() -> dict[Path, str]:
    """Which file of the course is which of the site."""
    found = {page.source: page.file for page in [*pages.lessons(), *pages.guides()]}
    found[ROOT / "README.md"] = "index.html"
    return found | {path: f"img/{path.name}" for path in PICTURES.glob("*.*")}


def of_page(page: Page, lessons: list[Page], repository: str) -> dict[str, Any]:
    tree = content(page, files_on_site(), repository)
    place = lessons.index(page) if page in lessons else None
    return {
        "title": f"{page.number} {page.title}".strip(),
        "kind": "lesson" if page.is_lesson else "guide",
        "file": page.file,
        "content": Markup(str(tree)),
        "sections": [(each["id"], each.get_text()) for each in tree.find_all("h2")],
        "before": lessons[place - 1] if place else None,
        "after": lessons[place + 1] if place is not None and page != lessons[-1] else None,
    }


def landing(lessons: list[Page]) -> dict[str, Any]:
    steps = [page for page in lessons if page.file in pages.steps()]
    first = next(page for page in lessons if page.name == FIRST)
    failing, picture = chart()
    return {
        "title": "Amazon SQS → AWS Lambda: a course in notebooks",
        "kind": "index",
        "file": "index.html",
        "lessons": lessons,
        "steps": steps,
        "others": [page for page in lessons if page not in steps and page != first],
        "failing": failing,
        "chart": picture,
        "pipeline_alt": alt_of_pipeline(first),
    }


def chart() -> tuple[Page, NotebookNode]:
    """The chart that the landing page and the README show, as it is stored, and its lesson."""
    stored = ((page, picture) for page in pages.lessons() for picture in pictures(page))
    return next((page, picture) for page, picture in stored if says(picture).startswith(CHART))


def pictures(page: Page) -> Iterator[NotebookNode]:
    for cell in page.notebook.cells:
        yield from (out for out in cell.get("outputs", []) if "image/png" in out.get("data", {}))


def says(picture: NotebookNode) -> str:
    """A chart's own sentence."""
    text: str = picture.metadata["image/png"]["alt"]
    return text


def alt_of_pipeline(first: Page) -> str:
    """What the first lesson says of the picture that both show."""
    text = "\n".join(cell.source for cell in first.notebook.cells)
    found = re.search(r"!\[([^]]+)\]\([^)]*pipeline\.svg\)", text)
    return found[1] if found else "The pipeline of the course"
