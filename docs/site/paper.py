"""Pages for paper: nothing is folded, links stay inside, and pictures keep their words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from docs.site import pages
from docs.site.build import files_on_site
from docs.site.content import content
from docs.site.pages import Page

Change = Callable[[Tag, set[str]], None]


def chapters(site: Path) -> Iterator[BeautifulSoup]:
    """Lessons, and what one has beside them: on paper nothing is folded, and links stay inside."""
    shown = [*pages.lessons(), *pages.guides()[: len(pages.BESIDE)]]
    inside = {page.file: page.name for page in shown}
    for page in shown:
        tree = content(page, files_on_site())
        for title in tree.find_all("h1"):
            title.string = f"{page.number} {page.title}".strip()
        for tag in tree.find_all(True):
            for_paper(tag, page, inside, site)
        yield tree


def for_paper(tag: Tag, page: Page, inside: dict[str, str], site: Path) -> None:
    if change := CHANGES.get(tag.name):
        change(tag, set(tag.get_attribute_list("class")))
    if tag.name == "a":
        stay_inside(tag, page, inside)
    if tag.name == "img" and (source := str(tag["src"])).startswith("img/"):
        tag["src"] = str(site / source)
    if "id" in tag.attrs:
        tag["id"] = page.name if tag.name == "h1" else f"{page.name}-{tag['id']}"


def unfold(details: Tag, kinds: set[str]) -> None:
    details.name = "blockquote" if "fold" in kinds else "div"


def unwrap_cell(box: Tag, kinds: set[str]) -> None:
    if kinds & {"cell", "highlight"}:
        box.unwrap()


def plain_code(code: Tag, kinds: set[str]) -> None:
    """Typst colours code itself; what was put out gets no colours."""
    code.string, code["class"] = code.get_text(), "out" if "out" in kinds else "python"


def strong_head(cell: Tag, _: set[str]) -> None:
    for text in cell.find_all(string=True):
        text.wrap(BeautifulSoup().new_tag("strong"))


def line_to_write_on(field: Tag, _: set[str]) -> None:
    field.replace_with(" " + "." * 40)


def call(name: str) -> Change:
    """Let a tag be another."""
    return lambda tag, _: setattr(tag, "name", name)


CHANGES: dict[str, Change] = {
    "details": unfold,
    "summary": call("h4"),
    "figure": call("p"),  # no caption, no number
    "div": unwrap_cell,
    "pre": plain_code,
    "th": strong_head,
    "input": line_to_write_on,
}


def stay_inside(link: Tag, page: Page, inside: dict[str, str]) -> None:
    """A link to another page is one to another chapter, if that is in the booklet."""
    file, hash_, anchor = str(link.get("href", "")).partition("#")
    name = inside.get(file) if file else page.name
    if name:
        link["href"] = f"#{name}-{anchor}" if hash_ else f"#{name}"
    elif ":" not in file:
        link.unwrap()


def with_alts(body: str, alts: list[str]) -> str:
    """Give each picture in Typst's markup its text, which pandoc leaves out.

    Raises ValueError when there are not as many texts as pictures.
    """
    parts = re.split(r'(#box\(image\("[^"]+"\))(?=\))', body)
    texts = [", alt: " + json.dumps(alt, ensure_ascii=False) + ")" for alt in alts]
    parts[1::2] = [part[:-1] + text for part, text in zip(parts[1::2], texts, strict=True)]
    return "".join(parts)
