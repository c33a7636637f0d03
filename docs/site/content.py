"""HTML of a page's content: by nbconvert's own filters, in templates of ours, then tidied."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html_mistune

from docs.site.blocks import asked_for, blocks
from docs.site.pages import ROOT, Page

LINKS_ONLY = re.compile(r"[\s·]*")


@cache
def templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    highlight = Highlight2HTML(pygments_lexer="python")
    environment.filters |= {
        "markdown": lambda text: Markup(markdown2html_mistune(str(text))),
        "python": lambda code: Markup(highlight(code)),
        "ansi": lambda text: Markup(ansi2html(text)),
        "asked_for": asked_for,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    return environment


def content(page: Page, on_site: dict[Path, str], repository: str = "") -> BeautifulSoup:
    """What a page says, as a tree. `on_site` maps files of the course to those of the site.

    Links to other files of the course lead into the repository, whose address may be unknown.
    """
    if page.is_lesson:
        template = templates().get_template("lesson.html.j2")
        html = template.render(blocks=blocks(page.notebook))
    else:
        html = markdown2html_mistune(page.head)
    return tidied(html, page, on_site, repository)


def tidied(html: str, page: Page, on_site: dict[Path, str], repository: str = "") -> BeautifulSoup:
    """HTML of a page, or of a part of it, as a tree: named, without what is for other readers."""
    tree = BeautifulSoup(html, "html.parser")
    for tidy in (
        leave_out_steering,
        name_headings(page),
        open_tables,
        leave_out_styles,
        draw_boxes,
    ):
        tidy(tree)
    for tag in tree.find_all(["a", "img"]):
        point(tag, page, on_site, repository)
    return tree


def leave_out_steering(tree: BeautifulSoup) -> None:
    """Lines that hold nothing but links to other lessons: every page has its own."""
    for line in tree.find_all("p"):
        links = line.find_all("a", href=re.compile(r"^[\w#-]+(\.ipynb|$)"))
        rest = "".join(each for each in line.strings if each.parent not in links)
        if links and LINKS_ONLY.fullmatch(rest):
            line.decompose()


def name_headings(page: Page) -> Callable[[BeautifulSoup], None]:
    """Headings have the names by which links of JupyterLab, or of GitHub, find them."""

    def tidy(tree: BeautifulSoup) -> None:
        for link in tree.select("a.anchor-link"):
            link.decompose()
        for heading in tree.find_all(re.compile("^h[1-6]$")):
            text = heading.get_text()
            plain = re.sub(r"[^\w -]", "", text).lower() if not page.is_lesson else text
            heading["id"] = plain.strip().replace(" ", "-")

    return tidy


def open_tables(tree: BeautifulSoup) -> None:
    """A table scrolls in a box of its own; a cell that heads nothing is no head."""
    for table in tree.find_all("table"):
        table.attrs.pop("border", None)
        head = table.thead
        if head and not head.get_text(strip=True):
            head.decompose()
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True):
                cell.name = "td"
        table.wrap(tree.new_tag("div", attrs={"class": "wide"}))


def draw_boxes(tree: BeautifulSoup) -> None:
    """A box to tick is for paper: here nobody can, and who hears of it hears no name."""
    for box in tree.select("input[type=checkbox]"):
        for item in box.find_parents("li")[:1]:
            item["class"] = "box"
        box.replace_with("☐ ")


def leave_out_styles(tree: BeautifulSoup) -> None:
    """pandas brings a style with each table, which would be one for the whole page."""
    for style in tree.find_all("style"):
        style.decompose()


def point(tag: Tag, page: Page, on_site: dict[Path, str], repository: str) -> None:
    """Let a link or a picture lead to a file of the site instead of one of the course."""
    attribute = "href" if tag.name == "a" else "src"
    address, hash_, anchor = str(tag.get(attribute, "")).partition("#")
    if not address or ":" in address:
        return
    path = Path(os.path.normpath(page.source.parent / address))
    if path in on_site:
        tag[attribute] = on_site[path] + hash_ + anchor
    elif repository:
        tag[attribute] = (
            f"{repository}/blob/main/{path.relative_to(ROOT).as_posix()}{hash_}{anchor}"
        )
    else:
        tag.unwrap()
