"""The site: what is stored is on its pages, and a reader finds the way without a kernel.

What needs a browser, axe and the width of a page, `make look` asks at night.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbconvert.filters import markdown2html_mistune

from docs.site import build, diagrams, pages, paper
from docs.site.blocks import blocks
from docs.site.content import content
from docs.site.pages import Page
from helpers.course import NOTEBOOKS
from tests.notebook_files import NAMES, ROOT, code_cells, markdown, read, tags

STATIC = ROOT / "docs" / "site" / "static"
LESSONS = [f"{name}.html" for name in NAMES]
FILES = [f"{page.name}.html" for page in [*pages.lessons(), *pages.guides()]]
ALL = ["index.html", "search.html", *FILES]
each_lesson = pytest.mark.parametrize("name", NAMES)
each_page = pytest.mark.parametrize("file", ALL)
STEERING = re.compile(
    r"((← \d\d [\w ,]+|Map of the seven steps|(next:|back to) \d\d [\w ,]+ →)( · |$))+"
)
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def html() -> dict[str, str]:
    return dict(build.render())


@pytest.fixture(scope="module")
def trees(html: dict[str, str]) -> dict[str, BeautifulSoup]:
    return {file: BeautifulSoup(text, "html.parser") for file, text in html.items()}


def main_of(tree: BeautifulSoup) -> Tag:
    return tree.find("main")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


# -- what is stored is shown -------------------------------------------------------------


@each_lesson
def test_each_stored_output_is_on_the_page_in_its_order(
    trees: dict[str, BeautifulSoup], name: str
) -> None:
    page, place = squeezed(main_of(trees[f"{name}.html"]).get_text()), 0
    for cell in code_cells(read(name)):
        for text in (shown_text(output) for output in cell.outputs):
            assert text in page[place:], text
            place = page.index(text, place) + len(text)
    assert place > 0


def shown_text(output: nbformat.NotebookNode) -> str:
    """What a reader sees of an output that is no picture."""
    data = output.get("data", {})
    if "image/png" in data:
        return ""
    if "text/html" not in data:
        return squeezed(output.get("text", "") or data["text/plain"])
    tree = BeautifulSoup(data["text/html"], "html.parser")
    for style in tree.find_all("style"):
        style.decompose()
    return squeezed(tree.get_text())


@each_lesson
def test_all_text_is_on_the_page_but_lines_of_links(
    trees: dict[str, BeautifulSoup], name: str
) -> None:
    page = squeezed(main_of(trees[f"{name}.html"]).get_text())
    written = BeautifulSoup(markdown2html_mistune("\n\n".join(markdown(read(name)))), "html.parser")
    lines = [squeezed(line.get_text()) for line in written.find_all(["p", "li", "td", "th"])]
    left_out = [line for line in lines if line not in page]
    assert len(lines) > 20
    assert all(STEERING.fullmatch(line) for line in left_out), left_out


@each_lesson
def test_pictures_are_those_that_are_stored_and_say_what_they_show(
    trees: dict[str, BeautifulSoup], name: str
) -> None:
    shown = [
        (image["src"], image["alt"])
        for image in main_of(trees[f"{name}.html"]).select("img[src^=data]")
    ]
    stored = [
        (
            "data:image/png;base64," + output.data["image/png"].replace("\n", ""),
            output.data["text/plain"],  # the chart's own sentence, beside the picture
        )
        for cell in code_cells(read(name))
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert shown == stored


@each_lesson
def test_all_code_is_on_the_page_but_guesses_to_be_written(
    trees: dict[str, BeautifulSoup], name: str
) -> None:
    shown = [code.get_text().strip() for code in trees[f"{name}.html"].select(".highlight")]
    for cell in code_cells(read(name)):
        assert (cell.source.strip() in shown) == ("guess" not in tags(cell))


@each_page
def test_every_picture_says_what_it_shows(trees: dict[str, BeautifulSoup], file: str) -> None:
    for image in trees[file].find_all("img"):
        assert len(image["alt"].split()) >= 5 or image.find_parent(class_="brand")


# -- what one opens after thinking ----------------------------------------------------------


@each_lesson
def test_what_came_out_is_folded_until_one_has_guessed(
    trees: dict[str, BeautifulSoup], name: str
) -> None:
    guesses = [cell for cell in code_cells(read(name)) if "guess" in tags(cell)]
    fields = trees[f"{name}.html"].select(".guess")
    assert len(fields) == len(guesses) > 0
    for field, guess in zip(fields, guesses, strict=True):
        assert guess.source.partition("# ")[2] in field.get_text()
        assert field.find("input")
        fold = field.find_next_sibling()
        assert fold.name == "details"
        assert "open" not in fold.attrs
        assert fold.select(".highlight")[-1].get_text().startswith("guesses.")


@each_lesson
def test_solutions_and_hints_are_folded(trees: dict[str, BeautifulSoup], name: str) -> None:
    main = main_of(trees[f"{name}.html"])
    solutions = [code for code in main.select(".highlight") if "# A solution" in code.get_text()]
    assert len(solutions) == sum("solution" in tags(cell) for cell in code_cells(read(name))) > 0
    for solution in solutions:
        assert solution.find_parent("details", class_="fold")
    hints = main.find_all("summary", string=re.compile("^Hint"))
    assert len(hints) >= len(solutions)
    assert not main.select("details[open]")


def test_a_guess_that_nothing_answers_hides_nothing() -> None:
    cells = [
        nbformat.v4.new_code_cell("guess = None  # a number", metadata={"tags": ["guess"]}),
        nbformat.v4.new_markdown_cell("Some text"),
        nbformat.v4.new_markdown_cell("## Another part"),
        nbformat.v4.new_code_cell("guesses.number()"),
    ]
    found = list(blocks(nbformat.v4.new_notebook(cells=cells)))
    assert [(block.kind, len(block.cells)) for block in found] == [("cells", 1)] * 4


# -- the way through -----------------------------------------------------------------------


def test_the_site_has_every_notebook_and_guide() -> None:
    assert tuple(page.name for page in pages.lessons()) == NOTEBOOKS
    names = {page.source.name for page in pages.guides()}
    assert names == {path.name for path in (ROOT / "docs").glob("*.md")} | {"INSTRUCTOR.md"}


def test_a_new_lesson_gets_a_page_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    new = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Sing it")])
    nbformat.write(new, tmp_path / "notebooks" / "98_sing.ipynb")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    assert [page.title for page in pages.lessons()][-2:] == ["Sing it", "Clean up"]


@each_page
def test_every_page_leads_to_every_other(trees: dict[str, BeautifulSoup], file: str) -> None:
    linked = {link["href"] for link in trees[file].find_all("a", href=True)}
    wanted = {*LESSONS, "index.html", "search.html", "course.pdf"}
    assert wanted <= linked | ({file} if file == "index.html" else set())


@pytest.mark.parametrize("number", range(len(LESSONS)))
def test_lessons_lead_back_and_on(trees: dict[str, BeautifulSoup], number: int) -> None:
    tree = trees[LESSONS[number]]
    ways = {link["rel"][0]: link["href"] for link in tree.select(".onward a")}
    before = {"prev": LESSONS[number - 1]} if number else {}
    after = {"next": LESSONS[number + 1]} if number + 1 < len(LESSONS) else {}
    assert ways == before | after
    assert [link["href"] for link in tree.select("[aria-current]")] == [LESSONS[number]]


@each_page
def test_links_lead_to_what_is_there(trees: dict[str, BeautifulSoup], file: str) -> None:
    for link in trees[file].find_all("a", href=True):
        address, _, anchor = link["href"].partition("#")
        if address.startswith("https://"):
            continue
        target = address or file
        assert target in {*ALL, "course.pdf"}, link
        assert not anchor or trees[target].find(id=anchor), link


@each_page
def test_no_name_is_given_twice(trees: dict[str, BeautifulSoup], file: str) -> None:
    names = [tag["id"] for tag in trees[file].find_all(id=True)]
    assert sorted(names) == sorted(set(names))


@each_page
def test_a_page_asks_no_other_host(trees: dict[str, BeautifulSoup], file: str) -> None:
    for tag in trees[file].find_all(True):
        for attribute in {"src", "srcset", "action", "poster", "data"} & set(tag.attrs):
            assert not re.match(r"(https?:)?//", tag[attribute]), tag
        if tag.name == "link":
            assert (STATIC.parent / tag["href"]).exists()
        if tag.name == "img" and not tag["src"].startswith("data:"):
            place = {"img": build.PICTURES, "static": STATIC}[tag["src"].split("/")[0]]
            assert (place / Path(tag["src"]).name).exists()


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.[cj]s*")), ids=lambda path: path.name)
def test_look_and_search_ask_no_other_host(path: Path) -> None:
    assert not re.search(r"(https?:)?//\w+\.\w|@import|url\(", path.read_text(encoding="utf-8"))


def test_links_to_other_files_lead_into_the_repository_if_it_is_known() -> None:
    guide = next(page for page in pages.guides() if page.name == "which_aws")
    assert "helpers/prices.py" not in str(content(guide, {}))
    assert "prices.py" in content(guide, {}).get_text()
    known = content(guide, {}, "https://example.com/course")
    assert known.find("a", href="https://example.com/course/blob/main/helpers/prices.py")


# -- on paper ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def booklet() -> list[BeautifulSoup]:
    return list(paper.chapters(Path("site")))


def test_on_paper_nothing_is_folded_and_all_is_there(
    booklet: list[BeautifulSoup], trees: dict[str, BeautifulSoup]
) -> None:
    assert len(booklet) == len(NAMES) + 3  # sheet, glossary, and what to do when it goes wrong
    for chapter, page in zip(booklet, [*pages.lessons(), *pages.guides()], strict=False):
        assert not chapter.find_all(["details", "input", "figure"])
        words = squeezed(main_of(trees[page.file]).get_text()).split()[10:]
        assert set(words) - set(squeezed(chapter.get_text()).split()) == set()


def test_links_on_paper_stay_inside(booklet: list[BeautifulSoup]) -> None:
    names = [tag["id"] for chapter in booklet for tag in chapter.find_all(id=True)]
    links = [tag["href"] for chapter in booklet for tag in chapter.find_all("a", href=True)]
    assert sorted(names) == sorted(set(names))
    inside = {link.removeprefix("#") for link in links if not link.startswith("https://")}
    assert len(inside) > len(NAMES)
    assert inside - set(names) == set()


def test_pictures_on_paper_get_their_words() -> None:
    markup = '#box(image("a.png"))\nand #box(image("b.png"))'
    assert paper.with_alts(markup, ["one", 'a "b"']) == (
        '#box(image("a.png", alt: "one"))\nand #box(image("b.png", alt: "a \\"b\\""))'
    )
    with pytest.raises(ValueError, match="shorter"):
        paper.with_alts(markup, ["one"])


# -- the landing page and the README ----------------------------------------------------------


def test_the_landing_page_shows_the_steps_of_the_map(trees: dict[str, BeautifulSoup]) -> None:
    landing = trees["index.html"]
    assert [link["href"] for link in landing.select(".path a")] == LESSONS[1:8]
    assert [link["href"] for link in landing.select(".cards a")] == LESSONS[8:]
    assert len(landing.select("main figure img")) == 2
    for lesson in landing.select(".path li, .cards li"):
        assert re.search(r"\d+ minutes$", lesson.find(class_="time").get_text())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^make \w+", landing.find("pre").get_text(), re.M)
    assert commands == re.findall(r"^make \w+(?=    ? # )", readme, re.M)


@pytest.mark.parametrize("path", sorted(build.PICTURES.glob("*.*")), ids=lambda path: path.name)
def test_pictures_of_the_documents_are_small_and_used(path: Path) -> None:
    assert path.stat().st_size <= MOST_BYTES
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*")]
    used = re.compile(rf"!\[[^]]{{30,}}\]\([\w./]*img/{re.escape(path.name)}\)")
    assert any(used.search(text.read_text(encoding="utf-8")) for text in texts if text.is_file())


def test_diagrams_are_stored_as_they_are_drawn(tmp_path: Path) -> None:
    """Figures aside, which a processor may round in its own way: `make pictures` draws them."""
    diagrams.write(tmp_path)
    drawn = sorted(tmp_path.glob("*.svg"))
    assert len(drawn) == len(diagrams.DIAGRAMS)
    for path in drawn:
        assert without_figures(path) == without_figures(build.PICTURES / path.name)


def without_figures(path: Path) -> str:
    return re.sub(r"-?\d+(\.\d+)?", "#", path.read_text(encoding="utf-8"))


def test_a_file_without_a_title_is_named() -> None:
    with pytest.raises(ValueError, match=r"orders\.csv has no title"):
        _ = Page(ROOT / "data" / "orders.csv").title
