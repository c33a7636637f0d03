"""The shape that every notebook keeps."""

from __future__ import annotations

import ast
import re
import statistics
from itertools import takewhile

import nbformat
import pytest

from helpers import course
from tests import exercises, learners
from tests.notebook_files import (
    FOLDER,
    NAMES,
    code_cells,
    markdown,
    output_texts,
    python_of,
    read,
    tags,
    words,
)

each_notebook = pytest.mark.parametrize("name", NAMES)
HEADER_ROWS = ("**You will**", "**You will learn**", "**You need**", "**Time**")
FOOTER_WORDS = (
    *("**You learned**", "**Check:**"),
    *("**On AWS this would have cost**", "**On AWS the cells take**"),
)
MACHINE_PATH = re.compile(r"/(home|root|tmp|work|Users|var/folders)/\w|[A-Z]:\\\\")
WITHOUT_VALUE = re.compile(
    r"experiments\.(allow|send|settle|switch)\(|course\.let_aws_catch_up\(|.*\.wait\("
)


def test_the_course_knows_its_notebooks() -> None:
    assert tuple(NAMES) == course.NOTEBOOKS


CONVERTED = exercises.names()
each_converted = pytest.mark.parametrize("name", CONVERTED)


def without_questions(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(name).cells if "questions" not in tags(cell)]


@each_notebook
def test_code_cells_are_short(name: str) -> None:
    cells = code_cells(read(name))
    assert max(lines(cell) for cell in cells) <= 25
    lengths = [lines(cell) for cell in cells if not is_part_of_system(name, cell)]
    assert statistics.median(lengths) <= 4
    assert statistics.quantiles(lengths, n=10)[-1] <= 12


def lines(cell: nbformat.NotebookNode) -> int:
    return len(cell.source.splitlines())


def is_part_of_system(name: str, cell: nbformat.NotebookNode) -> bool:
    """The capstone's folded solutions are a whole system, which a learner builds as they like."""
    return name == "15_capstone" and "solution" in tags(cell)


@each_notebook
def test_text_leads_and_is_short(name: str) -> None:
    cells = without_questions(name)
    texts = [cell for cell in cells if cell.cell_type == "markdown"]
    ratio = len(texts) / (len(cells) - len(texts))
    assert 0.85 <= ratio <= 1.5  # an exercise is one text and four cells with code
    lengths = [words(cell.source) for cell in texts if "exercise" not in cell.metadata]
    assert 25 <= statistics.median(lengths) <= 40
    assert 900 <= sum(lengths) <= 1500


@each_converted
def test_tasks_are_short(name: str) -> None:
    """On average: a design from a requirement may take more words than a repetition."""
    tasks = [words(each.task) for each in exercises.load(name).exercises]
    assert sum(tasks) / len(tasks) <= 70


@each_notebook
def test_header(name: str) -> None:
    first = markdown(read(name))[0]
    assert first.startswith("# ")
    assert "00_start_here.ipynb#The-map-of-the-seven-steps" in first or name == NAMES[0]
    for row in HEADER_ROWS:
        assert row in first
    assert re.search(r"\d+ minutes", first)


@each_notebook
def test_footer(name: str) -> None:
    last = markdown(read(name))[-1]
    for text in FOOTER_WORDS:
        assert text in last
    assert re.search(r"\]\(\d\d_\w+\.ipynb", last.splitlines()[-1])


@each_notebook
def test_links_to_previous_and_next(name: str) -> None:
    first = markdown(read(name))[0]
    index = NAMES.index(name)
    if index > 0:
        assert f"({NAMES[index - 1]}.ipynb)" in first
    if index < len(NAMES) - 1:
        assert f"({NAMES[index + 1]}.ipynb)" in first


@each_notebook
def test_links_resolve(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", "\n".join(markdown(read(name)))):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        linked = FOLDER / file if file else FOLDER / f"{name}.ipynb"
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", "\n".join(markdown(read(linked.stem))), re.M)
            assert heading in [text.replace(" ", "-") for text in headings], target


@each_notebook
def test_dollars_are_no_formula(name: str) -> None:
    """JupyterLab sets what stands between two dollar signs as mathematics, but not in code."""
    for text in markdown(read(name)):
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        assert prose.count("$") <= 1, text


@each_notebook
def test_no_jargon_of_excitement(name: str) -> None:
    prose = re.sub(
        r"```.*?```|`[^`]*`|\]\([^)]*\)", "", "\n".join(markdown(read(name))), flags=re.S
    )
    prose = prose.replace("Hello from Lambda!", "").replace("![", "")
    assert "!" not in prose


@each_notebook
def test_first_cell_begins_the_notebook(name: str) -> None:
    first = code_cells(read(name))[0].source
    assert f'course.begin("{name}")' in first
    assert "import boto3" in first


@each_notebook
def test_exercises_solutions_and_checks(name: str) -> None:
    cells = code_cells(read(name))
    places = [place for place, cell in enumerate(cells) if "exercise" in tags(cell)]
    assert places
    for place in places:
        checked, *after = cells[place + 1 :]
        solutions = [*takewhile(lambda cell: "solution" in tags(cell), after)]
        checked_again = after[len(solutions)]
        assert solutions
        for solution in solutions:
            assert "hide-cell" in tags(solution)
            assert solution.metadata.jupyter.source_hidden
            assert solution.source.startswith("# A solution")  # a folded cell shows its first line
        assert checked.source == checked_again.source
        assert checked.source.startswith("checks.")
        assert output_texts(checked)[0].startswith("Not yet: ")
        assert output_texts(checked_again)[0].startswith("Right: ")


@each_notebook
def test_there_is_a_prediction(name: str) -> None:
    assert "**Predict before you" in "\n".join(markdown(read(name)))


@each_converted
def test_a_guess_is_written_down_and_compared_after_the_evidence(name: str) -> None:
    cells = read(name).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and "**Predict" in cell.source:
            assert cell.source.count("**Predict before you") == 1
            following = cells[place + 1 : place + 8]
            assert "guess" in tags(following[0])
            assert re.fullmatch(r"guess = None  # .+", following[0].source)
            calls = [each.source for each in following if learners.comparisons_in(each)]
            assert calls, cell.source
            assert following[1].source != calls[0]  # the evidence stands between
            check_kind(cell.source, calls[0])
    compared = [cell for cell in code_cells(read(name)) if learners.comparisons_in(cell)]
    assert len(compared) == sum("guess" in tags(cell) for cell in cells)
    assert all(output_texts(cell)[0].startswith("You guessed: nothing") for cell in compared)


def check_kind(prediction: str, call: str) -> None:
    """A choice lists its letters; a number and a sentence are asked for by name."""
    kind = re.match(r"guesses\.(choice|number|sentence)\(", call)[1]
    options = re.findall(r"^- ([a-z])\) ", prediction, re.M)
    if kind == "choice":
        assert options == list("abcdef"[: len(options)])
        assert 2 <= len(options) <= 5
    else:
        assert not options
        assert kind in prediction.lower()


@each_converted
def test_a_notebook_begins_with_three_questions(name: str) -> None:
    if name == NAMES[0]:
        return  # there is no earlier one
    cells = read(name).cells
    begin = next(place for place, cell in enumerate(cells) if "course.begin(" in cell.source)
    text, asked, answered = cells[begin + 1 : begin + 4]
    assert all(tags(cell) == ["questions"] for cell in (text, asked, answered))
    [output] = asked.outputs
    assert output.data["text/html"].count("<details>") == 3
    assert output.data["text/plain"].count("?") >= 3
    assert output_texts(answered)[0].count("Not answered") == 3


@each_notebook
def test_outputs_are_stored(name: str) -> None:
    cells = code_cells(read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert cell.outputs or not shows_something(cell.source), cell.source


def shows_something(source: str) -> bool:
    """Whether a cell is sure to show something: a value at its end, or a print on the way."""
    statements = ast.parse(python_of(source)).body
    if not statements:
        return False
    prints = [each for each in statements if isinstance(each, (ast.Expr, ast.For, ast.While))]
    last = ast.unparse(statements[-1])
    ends_with_value = isinstance(statements[-1], ast.Expr) and not WITHOUT_VALUE.match(last)
    return ends_with_value or any("print(" in ast.unparse(each) for each in prints)


@each_notebook
def test_outputs_tell_nothing_of_this_machine(name: str) -> None:
    for cell in code_cells(read(name)):
        for text in output_texts(cell):
            assert not MACHINE_PATH.search(text), text


@each_notebook
def test_pictures_say_in_words_what_they_show(name: str) -> None:
    for cell in code_cells(read(name)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert len(alt) > 20
                assert output.data["text/plain"] == alt


@each_notebook
def test_minutes_are_those_of_the_instructor_page(name: str) -> None:
    minutes = re.search(r"(\d+) minutes", markdown(read(name))[0])[1]
    page = (FOLDER.parent / "INSTRUCTOR.md").read_text()
    assert re.search(rf"\| \[{name[:2]} [^|]*\| {minutes} \|", page)


def test_steps_name_the_clicks_of_the_console() -> None:
    for name in NAMES[1:8]:
        assert "console" in "\n".join(markdown(read(name))), name


def test_the_names_of_the_text_that_the_course_teaches_are_kept() -> None:
    everything = "\n".join(cell.source for name in NAMES for cell in read(name).cells)
    for text in (
        "DemoQueueLambda",
        "ProcessSQSMessage",
        "BatchSize=1",
        '{"task": "process_order", "order_id": "12345"}',
        "Message processed successfully!",
    ):
        assert text in everything
