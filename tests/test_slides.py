"""The slides: each lesson has a deck, and the room sees what came out only after it has guessed.

What needs a browser, whether a slide fits the screen and what axe says, `make look` asks.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from nbconvert.filters import markdown2html_mistune

from docs.site import build, decks, fit, pages
from tests.notebook_files import NAMES, ROOT, code_cells, read, tags

FOLDERS = {
    "static": [path.name for path in (ROOT / "docs" / "site" / "static").iterdir()],
    "img": [path.name for path in build.PICTURES.iterdir()],
    "reveal": [Path(name).name for name in decks.REVEAL],
}
each_lesson = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def trees() -> dict[str, BeautifulSoup]:
    """Each file of slides/, by its name without the ending."""
    rendered = decks.render(pages.lessons())
    return {Path(file).stem: BeautifulSoup(html, "html.parser") for file, html in rendered}


def kinds(tree: BeautifulSoup) -> list[str]:
    return [slide["class"][0] for slide in tree.find_all("section")]


def text_of(tag: Tag) -> str:
    return re.sub(r"\s+", " ", tag.get_text())


def is_shown(cell) -> bool:
    """Whether the room is shown a cell of code: no answer of a learner and no check."""
    learners = {"guess", "questions", "solution"} & set(tags(cell)) or "exercise" in cell.metadata
    return not learners and not cell.source.startswith("guesses.")


# -- what is there ---------------------------------------------------------------------------


def test_every_lesson_has_its_deck_and_the_list_leads_to_it(trees) -> None:
    assert list(trees) == ["index", *NAMES]
    linked = [link["href"] for link in trees["index"].select("li a")]
    assert linked == [f"{name}.html" for name in NAMES]


@each_lesson
def test_no_slide_is_empty_or_too_full(trees, name) -> None:
    for slide in trees[name].find_all("section"):
        heading, *parts = slide.find_all(True, class_=lambda each: each != "label", recursive=False)
        assert heading.name == "h2"
        assert text_of(heading).strip()
        assert parts
        assert all(part.find("img") or text_of(part).strip() for part in parts), slide
        assert fit.fits(parts) or len(parts) == 1


@each_lesson
def test_code_and_what_it_printed_are_shown_in_their_order(trees, name) -> None:
    shown, place = "\n".join(pre.get_text() for pre in trees[name].find_all("pre")), 0
    for cell in filter(is_shown, code_cells(read(name))):
        printed = "".join(out.text for out in cell.outputs if out.output_type == "stream")
        for line in [*cell.source.splitlines(), *printed.splitlines()]:
            assert line in shown[place:], line
            place = shown.index(line, place)
    assert place > 0


@each_lesson
def test_all_text_is_shown_but_hints_and_lines_of_links(trees, name) -> None:
    shown = text_of(trees[name])
    for cell in read(name).cells:
        if cell.cell_type == "markdown" and not tags(cell):
            written = BeautifulSoup(markdown2html_mistune(cell.source), "html.parser")
            for mark in written.find_all(string=re.compile("^Predict before")):
                mark.extract()
            for fold in written.find_all("details") if "exercise" in cell.metadata else []:
                fold.decompose()
            for line in written.find_all(["p", "li", "td", "th"]):
                said = text_of(line).strip()
                assert said in shown or re.search("→|^Map of", said), said


@each_lesson
def test_every_chart_is_shown_with_its_words(trees, name) -> None:
    shown = [(each["src"], each["alt"]) for each in trees[name].select("img[src^=data]")]
    stored = [
        ("data:image/png;base64," + out.data["image/png"].replace("\n", ""), out.data["text/plain"])
        for cell in filter(is_shown, code_cells(read(name)))
        for out in cell.outputs
        if "image/png" in out.get("data", {})
    ]
    assert shown == stored


@each_lesson
def test_a_deck_asks_no_other_host_and_misses_no_file(trees, name) -> None:
    tree = trees[name]
    files = [tag.get("src") or tag["href"] for tag in tree.find_all(["img", "script", "link"])]
    assert len(files) > 5
    for file in files:
        if not file.startswith("data:"):
            folder, _, rest = file.partition("/")
            assert rest in FOLDERS[folder], file
    for link in tree.find_all("a", href=True):
        assert link["href"].startswith("https://") or link["href"].split(".html")[0] in trees


# -- guesses, questions, exercises -----------------------------------------------------------


@each_lesson
def test_a_prediction_stands_alone_then_comes_the_evidence_then_the_answer(trees, name) -> None:
    slides = trees[name].find_all("section")
    told = [cell for cell in code_cells(read(name)) if cell.source.startswith("guesses.")]
    asked = [number for number, kind in enumerate(kinds(trees[name])) if kind == "predict"]
    assert len(asked) == len(told) == sum("guess" in tags(cell) for cell in code_cells(read(name)))
    for number, cell in zip(asked, told, strict=True):
        _, was, why = cell.outputs[0].text.strip().split("\n")
        assert not slides[number].find(["pre", "img", "table"])
        assert slides[number].find("li") or slides[number].find(class_="asked")
        answer = next(each for each in slides[number:] if each["class"] == ["answer"])
        evidence = slides[number + 1 : slides.index(answer)]
        assert any(each.find(["pre", "img"]) for each in evidence)
        before = " ".join(map(text_of, slides[: number + 1]))
        assert was not in before
        assert why.removeprefix("Why: ") not in before
        assert was in text_of(answer)
        assert why in text_of(answer)
    assert "You guessed" not in text_of(trees[name])


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_question_and_its_answer_are_two_slides(trees, name) -> None:
    slides = trees[name].find_all("section")
    asked = [number for number, kind in enumerate(kinds(trees[name])) if kind == "question"]
    assert len(asked) == 3
    for question, answer in ((slides[number], slides[number + 1]) for number in asked):
        assert len(question.find_all("li")) == 3
        assert "Right is" not in text_of(question)
        assert "Right is" in text_of(answer)


@each_lesson
def test_exercises_are_shown_without_hints_and_solutions(trees, name) -> None:
    shown, notebook = text_of(trees[name]), read(name)
    exercises = {
        cell.metadata["exercise"] for cell in notebook.cells if "exercise" in cell.metadata
    }
    assert Counter(kinds(trees[name]))["task"] >= len(exercises) > 0
    assert not re.search(r"Hint \d|A solution|Not yet: what is marked", shown)
    codes = "\n".join(code.get_text() for code in trees[name].select(".highlight"))
    for cell in code_cells(notebook):
        if "solution" in tags(cell):
            assert cell.source not in codes


@each_lesson
def test_what_comes_after_an_exercise_has_not_its_heading(trees, name) -> None:
    tasks = {text_of(slide.h2) for slide in trees[name].select("section.task")}
    others = {text_of(slide.h2) for slide in trees[name].select("section:not(.task)")}
    assert not tasks & others


# -- what is too much for a slide --------------------------------------------------------------


def tag(html: str) -> Tag:
    return BeautifulSoup(html, "html.parser").find()


def test_a_long_table_goes_on_with_its_head() -> None:
    rows = "".join(f"<tr><td>row {number}</td></tr>" for number in range(40))
    table = tag(
        f"<div><table><thead><tr><th>Head</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    pieces = fit.cut(table)
    assert len(pieces) > 1
    assert all(piece.th and fit.height(piece) <= fit.FULL for piece in pieces)
    assert [td.get_text() for piece in pieces for td in piece.find_all("td")] == [
        f"row {number}" for number in range(40)
    ]


def test_a_long_list_goes_on_with_its_numbers() -> None:
    pieces = fit.cut(tag("<ol>" + "<li>One step.</li>" * 30 + "</ol>"))
    starts = [int(piece.get("start", 1)) for piece in pieces]
    assert len(pieces) > 1
    assert starts == [1 + sum(len(each("li")) for each in pieces[:n]) for n in range(len(pieces))]


def test_long_code_loses_no_line_and_keeps_its_colours() -> None:
    lines = [f'<span class="n">name_{number}</span>' for number in range(70)]
    pieces = fit.cut(tag(f'<div class="cell"><pre>{chr(10).join(lines)}</pre></div>'))
    assert all(fit.height(piece) <= fit.FULL for piece in pieces)
    assert [str(span) for piece in pieces for span in piece.find_all("span")] == lines


def test_a_wide_chart_leaves_room_and_a_high_one_does_not() -> None:
    head = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"
    wide, high = head + "BAAAAAEAAAAA", head + "AQAAAAQAAAAA"  # 1024 by 256, 256 by 1024 pixels
    heights = [fit.height(tag(f'<figure><img src="{source}"></figure>')) for source in (wide, high)]
    assert heights == [440 + fit.GAP, fit.PICTURE + fit.GAP]


# -- which deck --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "names"), [("04", [NAMES[4]]), (NAMES[4], [NAMES[4]]), ("", NAMES)]
)
def test_one_lesson_can_be_chosen_by_its_number(number, names) -> None:
    assert [page.name for page in decks.chosen(number)] == list(names)


def test_a_lesson_that_is_not_there_is_named(capsys) -> None:
    assert decks.main(["44"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("LESSON is 44, and there is no such lesson. There are: 00, 01,")
