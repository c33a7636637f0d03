"""A lesson as slides, made of a stored notebook: what an instructor shows to a room.

A heading begins a slide, and so does each new step: some text, the code that it leads to, and what
came out. A prediction stands alone; the evidence is on the slides after it, and then comes what it
was. Exercises are shown without hints and solutions. All of it is told by headings, tags and the
metadata of exercises, which every lesson has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup
from nbformat import NotebookNode

from docs.site.blocks import Block, asked_for, blocks
from docs.site.content import templates, tidied
from docs.site.fit import cut, fits, has_short_lines
from docs.site.pages import Page

HEADINGS = ("h1", "h2", "h3")
PREDICT = "Predict before"
MAKER = BeautifulSoup("", "html.parser")
OF_THE_LEARNER = "You guessed"  # the line of an answer that is about who ran the stored notebook


@dataclass
class Slide:
    """What is shown at a time, below the heading of its part of the lesson."""

    heading: Markup
    kind: str = "text"  # "title", "text", "task", "predict", "answer" or "question"
    parts: list[Tag] = field(default_factory=list)

    @property
    def is_text_only(self) -> bool:
        return self.kind == "text" and not any(is_cell(part) for part in self.parts)


def slides(page: Page, on_site: dict[Path, str]) -> list[Slide]:
    """The slides of a lesson, none of them empty or too full for a screen, by what `fit` reckons.

    `on_site` maps files of the course to those beside the deck; other links become plain text.
    """
    return list(fitted(Steps(page, on_site).read()))


class Steps:
    """Reads a notebook from its first cell to its last, and keeps which slide is being filled."""

    def __init__(self, page: Page, on_site: dict[Path, str]) -> None:
        self.page = page
        self.on_site = on_site
        self.heading = Markup()  # of the part of the lesson
        self.slides = [Slide(self.heading)]

    def read(self) -> list[Slide]:
        for block in blocks(self.page.notebook):
            if block.kind == "guess":
                self.guess(block)
            elif block.kind == "cells":
                self.cell(block.cells[0])
        return [slide for slide in self.slides if slide.parts]

    def begin(self, kind: str = "text", heading: Markup | None = None) -> None:
        self.slides.append(Slide(heading or self.heading, kind))

    def cell(self, cell: NotebookNode) -> None:
        tags = cell.metadata.get("tags", [])
        if "questions" in tags:
            self.questions(cell)
        elif cell.cell_type == "markdown":
            self.text(cell)
        elif "exercise" in cell.metadata:
            if "exercise" in tags and says_more_than_comments(cell):
                self.code(cell)
        elif "guess" not in tags:
            self.code(cell)

    def text(self, cell: NotebookNode) -> None:
        last = self.slides[-1]
        if last.kind != "text" or any(map(is_cell, last.parts)):
            self.begin()
        for part in self.elements(cell):
            if part.name in HEADINGS:
                self.headed(part, is_task="exercise" in cell.metadata)
            elif mark := mark_of_a_prediction(part):
                mark.decompose()
                self.begin("predict")
                self.slides[-1].parts.append(part)
            else:
                self.slides[-1].parts.append(part)

    def headed(self, heading: Tag, is_task: bool) -> None:
        words = Markup(heading.decode_contents())
        if is_task:
            self.begin("task", words)
        else:
            self.heading = words
            self.begin("title" if heading.name == "h1" else "text")

    def code(self, cell: NotebookNode) -> None:
        if self.slides[-1].kind not in ("text", "task"):
            self.begin()
        for box in self.elements(cell):
            for part in box.find_all(True, recursive=False):
                self.slides[-1].parts.append(part.wrap(new("div", class_="cell")).extract())

    def guess(self, block: Block) -> None:
        """What the room is asked for; the evidence; and what it was."""
        asked, *evidence, told = block.cells
        prediction = self.slides[-1]
        if not any(part.name == "ul" for part in prediction.parts):
            prediction.parts.append(new("p", asked_for(asked), class_="asked"))
        for cell in evidence:
            self.cell(cell)
        self.begin("answer")
        for line in "".join(output.text for output in told.outputs).splitlines():
            about, _, rest = line.partition(": ")
            if about != OF_THE_LEARNER:
                part = new("p", f" {rest}")
                part.insert(0, new("strong", f"{about}:"))
                self.slides[-1].parts.append(part)

    def questions(self, cell: NotebookNode) -> None:
        """Each question with its answers to choose from, and then what is right, and why."""
        if cell.cell_type == "markdown":
            self.headed(self.elements(cell)[0], is_task=False)
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            tags = BeautifulSoup(html, "html.parser").find_all(True, recursive=False)
            for question, options, fold in zip(tags[::3], tags[1::3], tags[2::3], strict=True):
                right, why = fold.find_all("p")
                self.begin("question")
                self.slides[-1].parts += [question, as_list(options)]
                self.begin("answer")
                self.slides[-1].parts += [asked_again(question), right, as_list(why)]

    def elements(self, cell: NotebookNode) -> list[Tag]:
        """The tags of a cell, one below the other, without names; what is folded is opened.

        The folds of an exercise are its hints, and left out.
        """
        template = templates().get_template("lesson.html.j2")
        html = template.render(blocks=[Block("cells", [cell])])
        tree = tidied(html, self.page, self.on_site)
        for fold in tree.find_all("details"):
            if "exercise" in cell.metadata:
                fold.decompose()
            else:
                for summary in fold.find_all("summary", recursive=False):
                    summary.name = "p"
                fold.unwrap()
        for tag in tree.find_all(id=True):
            del tag["id"]
        return tree.find_all(True, recursive=False)


def fitted(found: list[Slide]) -> Iterator[Slide]:
    """The same on as many slides as it takes; a remark joins the slide that it is about."""
    last: Slide | None = None
    for slide in found:
        parts = [sized(piece) for part in slide.parts for piece in cut(part)]
        if (
            last is not None
            and slide.is_text_only
            and (last.kind, last.heading) == ("text", slide.heading)
            and fits([*last.parts, *parts])
        ):
            last.parts += parts
            continue
        now = Slide(slide.heading, slide.kind)
        for part in parts:
            if now.parts and not fits([*now.parts, part]):
                yield from [last] if last else []
                last, now = now, Slide(slide.heading, slide.kind)
            now.parts.append(part)
        yield from [last] if last else []
        last = now
    yield from [last] if last else []


def sized(part: Tag) -> Tag:
    if has_short_lines(part):
        part["class"] = " ".join([*part.get_attribute_list("class"), "big"])
    return part


def is_cell(part: Tag) -> bool:
    return "cell" in part.get_attribute_list("class")


def says_more_than_comments(cell: NotebookNode) -> bool:
    return any(line and not line.startswith("#") for line in cell.source.splitlines())


def mark_of_a_prediction(part: Tag) -> Tag | None:
    """The bold words with which a prediction begins."""
    mark = part.find("strong") if part.name == "p" else None
    return mark if mark and mark.get_text().startswith(PREDICT) else None


def as_list(lines: Tag) -> Tag:
    """Lines of one paragraph as a list."""
    made = new("ul")
    for line in lines.decode_contents().split("<br/>"):
        item = new("li")
        item.extend(BeautifulSoup(line, "html.parser").contents[:])
        made.append(item)
    return made


def new(name: str, text: str = "", class_: str = "") -> Tag:
    tag = MAKER.new_tag(name)
    if text:
        tag.string = text
    if class_:
        tag["class"] = class_
    return tag


def asked_again(question: Tag) -> Tag:
    again = copy.copy(question)
    again["class"] = "asked"
    return again
