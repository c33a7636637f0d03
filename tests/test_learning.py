"""What a learner guesses and answers, the glossary and the sheet."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import boto3
import nbformat
import pytest

from helpers.learning import guesses, handlers, questions, record
from helpers.learning.questions import LETTERS
from tests import exercises
from tests.notebook_files import NAMES, ROOT, read, tags

BANKS = sorted((ROOT / "data" / "questions").glob("*.toml"))
NONSENSE = (b"x", object(), [], {"a": 1}, float("nan"), float("inf"), "", "  ", "x" * 9_999, True)


@pytest.fixture(autouse=True)
def noted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SQS_COURSE_RECORD", str(tmp_path / "record.jsonl"))
    record.begin("03_create_function")


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


# -- guesses ---------------------------------------------------------------------------------


def choose(guess: Any) -> None:
    guesses.choice("twice", guess, right="c", it_was="the one that is there", why="it is one.")


def count(guess: Any, seen: float = 4, **near: float) -> None:
    guesses.number("days", guess, seen, unit="days", why="it is the default.", **near)


def say(guess: Any) -> None:
    guesses.sentence("whose", guess, it_was="a refusal", why="it is yours.")


def test_guess_and_fact_stand_side_by_side(capsys) -> None:
    choose("B")
    assert capsys.readouterr().out == (
        "You guessed: b.\nIt was: c, the one that is there.\nWhy: it is one.\n"
    )
    say("It becomes theirs")
    assert capsys.readouterr().out == (
        "You guessed: It becomes theirs\nIt was: a refusal.\nWhy: it is yours.\n"
    )


@pytest.mark.parametrize("guess", ["c", "C", " c) ", "c."])
def test_a_letter_is_a_letter_however_it_is_written(guess: str, capsys) -> None:
    choose(guess)
    assert "c, and that is right." in capsys.readouterr().out
    assert [each["right"] for each in record.entries("guess")] == [True]


@pytest.mark.parametrize(
    ("guess", "near", "right"),
    [
        (4, {}, True),
        ("4", {}, True),
        (5, {}, False),
        (5, {"within": 1}, True),
        (8, {"factor": 2}, True),
        (2, {"factor": 2}, True),
        (8.1, {"factor": 2}, False),
        (-4, {"factor": 2}, False),
    ],
)
def test_a_number_is_right_when_it_is_near_enough(guess, near, right, capsys) -> None:
    count(guess, **near)
    assert ("and that is right" in capsys.readouterr().out) is right
    assert [each["right"] for each in record.entries("guess")] == [right]


def test_a_large_number_may_be_written_with_commas(capsys) -> None:
    count("1,000", seen=1_000)
    assert "You guessed: 1,000 days, and that is right." in capsys.readouterr().out


@pytest.mark.parametrize("compare", [choose, count, say])
def test_no_guess_is_a_fine_guess(compare, capsys) -> None:
    compare(None)
    said = capsys.readouterr().out
    assert said.startswith("You guessed: nothing this time.")
    assert ("It was: " in said, "Why: " in said) == (True, True)
    assert record.entries("guess") == []


@pytest.mark.parametrize("guess", [*NONSENSE, Unspeakable()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("compare", [choose, count, say])
def test_no_guess_stops_a_run_of_all_cells(compare, guess, capsys) -> None:
    compare(guess)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) < 300
    assert "It was: " in said
    if compare is choose:
        assert "write one, such as" in said
    assert not any(each["right"] for each in record.entries("guess"))


# -- handlers --------------------------------------------------------------------------------

GOOD = "import os\n\ndef lambda_handler(event, context):\n    return os.environ['TABLE']\n"


@pytest.fixture
def names(monkeypatch) -> dict[str, Any]:
    """The variables of a notebook."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(handlers, "get_ipython", lambda: shell)
    handlers.load()
    return shell.user_ns


def run_cell(cell: str) -> Any:
    return handlers.get_ipython().run_cell(cell)


def test_a_handler_is_kept_as_text_and_not_run(names) -> None:
    run_cell(f"%%handler READS\n{GOOD}").raise_error()
    assert names["READS"] == GOOD
    assert "lambda_handler" not in names


def test_a_typing_mistake_in_a_handler_is_shown_with_its_line(names) -> None:
    failed = run_cell("%%handler BAD\nimport os\ndef lambda_handler(event, context)\n    return 1")
    said = str(failed.error_in_exec)
    assert isinstance(failed.error_in_exec, handlers.WrongHandler)
    assert 'File "the handler in this cell", line 3' in said  # the magic is line 1
    assert said.endswith("SyntaxError: expected ':'")
    assert "BAD" not in names


@pytest.mark.parametrize("line", ["", "two names", "1st", "my-handler"])
def test_a_handler_without_a_name_gets_a_sentence(line: str, names) -> None:
    failed = run_cell(f"%%handler {line}\n{GOOD}")
    assert f"followed by {line!r}; write one name" in str(failed.error_in_exec)


def test_outside_of_a_notebook_there_is_nothing_to_load(monkeypatch) -> None:
    monkeypatch.setattr(handlers, "get_ipython", lambda: None)
    handlers.load()


# -- questions -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_a_bank_of_questions_is_whole(path: Path) -> None:
    assert path.stem in NAMES
    found = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
    assert len(found) >= len(questions.DISTANCES)
    for each in found:
        assert set(each) == {"id", "ask", *LETTERS, "right", "why"}, each
        assert set(each["why"]) == {*LETTERS}, each["id"]
        assert each["right"] in LETTERS
        assert each["ask"].endswith("?")
        assert len(each["ask"].split()) <= 30, each["id"]
        assert all(len(each["why"][letter].split()) <= 25 for letter in LETTERS), each["id"]
    assert len({each["right"] for each in found}) > 1  # no letter is right every time


def test_a_question_has_an_id_of_its_own() -> None:
    [(_, most)] = Counter(each.id for each in questions.all_questions()).most_common(1)
    assert most == 1


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_notebook_asks_three_questions_about_earlier_ones(name: str) -> None:
    asked = questions.chosen(name)
    assert len(asked) == 3
    assert all(each.notebook < name for each in asked)


def test_the_first_notebook_asks_nothing() -> None:
    assert questions.chosen(NAMES[0]) == ()


def test_questions_come_up_ever_further_from_their_lesson(monkeypatch) -> None:
    bank(monkeypatch, 8, 5)
    first, second, third = questions.chosen("06")
    assert (first.id, second.id, third.id) == ("05-0", "04-1", "02-2")
    asked = [each.id for n in range(1, 8) for each in questions.chosen(f"{n:02}")]
    assert len(asked) == len({*asked})  # with five for each, none comes up twice by itself


def bank(monkeypatch, notebooks: int, each: int) -> None:
    """Questions about so many notebooks, so many about each."""

    def load(notebook: str) -> tuple[questions.Question, ...]:
        return tuple(
            questions.Question(notebook, f"{notebook}-{n}", "?", ("x",) * 3, "a", ("y",) * 3)
            for n in range(each)
        )

    monkeypatch.setattr(questions, "load", load)
    monkeypatch.setattr(questions, "notebooks", lambda: tuple(f"{n:02}" for n in range(notebooks)))


def test_what_was_wrong_comes_first_until_it_is_right(monkeypatch) -> None:
    bank(monkeypatch, 8, 4)
    by_turn = [each.id for each in questions.chosen("06")]
    record.begin("04")
    for id, right in (("01-3", False), ("02-3", False), ("03-3", True)):
        record.note("question", id, answer="b", right=right)
    record.begin("05")
    record.note("question", "01-3", answer="a", right=True)
    record.note("question", "gone", answer="a", right=False)  # the bank has it no more
    record.begin("06")
    assert [each.id for each in questions.chosen("06")] == ["02-3", *by_turn[:2]]


def test_answering_does_not_change_what_this_notebook_asks(capsys) -> None:
    before = questions.ask().questions
    questions.answer(["x" if each.right != "c" else "a" for each in before])
    questions.answer([next(x for x in LETTERS if x != each.right) for each in before])
    assert questions.ask().questions == before
    assert [each["right"] for each in record.entries("question")][-3:] == [False] * 3


def test_an_answer_is_told_right_or_wrong_with_its_reason(capsys) -> None:
    first, second, _ = questions.chosen("03_create_function")
    wrong = next(letter for letter in LETTERS if letter != second.right)
    questions.answer([first.right.upper(), wrong, None])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"1. {first.right} is right. {first.reasons[LETTERS.index(first.right)]}"
    assert second.reasons[LETTERS.index(wrong)] in said[1]
    assert second.reasons[LETTERS.index(second.right)] in said[1]
    assert said[2] == "3. Not answered. Write a letter, or open the answer above."
    assert [each["right"] for each in record.entries("question")] == [True, False]


@pytest.mark.parametrize("answers", [None, [], 7, "abc", ["a"], [*NONSENSE], [Unspeakable()]])
def test_no_answer_stops_a_run_of_all_cells(answers, capsys) -> None:
    questions.answer(answers)
    assert len(capsys.readouterr().out.splitlines()) == 3


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen[tag] += 1


def test_questions_are_html_that_needs_no_script_and_no_network() -> None:
    shown = questions.ask()
    seen = Tags(shown._repr_html_()).seen
    assert set(seen) == {"p", "strong", "br", "details", "summary"}
    assert seen["details"] == seen["summary"] == 3
    assert "Right is" not in repr(shown)


def test_what_a_question_says_is_text_in_html_too(monkeypatch) -> None:
    question = questions.Question("00", "q", "a < b?", ("<b>",) * 3, "a", ("&",) * 3)
    html = questions.as_html(1, question)
    assert ("a &lt; b?" in html, "<b>" in html, "&amp;" in html) == (True, False, True)


# -- the glossary and the sheet --------------------------------------------------------------

GLOSSARY, SHEET = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("glossary", "sheet"))
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| \[(\d\d)\]\(\.\./notebooks/(\w+)\.ipynb\) \|$", re.M)
TERMS = {term: name for term, _, _, name in ROW.findall(GLOSSARY)}
# Bold that names no idea: labels of the course, and what one clicks, in numbered lists.
LABEL = re.compile(r"^(Predict before you|Try more\.|Cure:|You |Check:|On AWS th(is|e cells)|Time)")
CLICKS = re.compile(r"^\d+\. .*$", re.M)


def prose(cell: nbformat.NotebookNode) -> str:
    """What a cell says, without code and without addresses of links."""
    code = r"```.*?```|`[^`\n]*`|<details>.*</details>"
    text = re.sub(rf"{code}|^#+ [^\n]*$", "", cell.source, flags=re.S | re.M)
    return re.sub(r"\]\([^)]*\)", "]", CLICKS.sub("", text))


def lesson_cells(name: str) -> list[nbformat.NotebookNode]:
    """Texts of the lesson itself: its header says what will come, and its exercises come later."""
    return [
        cell
        for cell in read(name).cells[1:]
        if cell.cell_type == "markdown" and "questions" not in tags(cell)
    ]


def bold_terms(name: str) -> list[str]:
    """In bold and in the singular: what a notebook explains."""
    found = re.findall(r"\*\*(.+?)\*\*", "\n".join(map(prose, lesson_cells(name))))
    return [singular(each) for each in found if not LABEL.match(each)]


def singular(term: str) -> str:
    return re.sub(r"(?<=[^s])s$", "", re.sub(r"ies$", "y", term)) if term not in TERMS else term


def test_the_glossary_has_each_term_once_and_in_order() -> None:
    found = [term for term, *_ in ROW.findall(GLOSSARY)]
    assert found == sorted(found, key=str.lower)
    assert len(found) == len({*map(str.lower, found)}) == GLOSSARY.count("\n| ") - 1
    assert all(number == name[:2] for _, _, number, name in ROW.findall(GLOSSARY))
    assert {*TERMS.values()} <= {*NAMES}


@pytest.mark.parametrize("name", exercises.names())
def test_bold_is_for_the_terms_that_a_notebook_explains_each_once(name: str) -> None:
    explained = [term for term, where in TERMS.items() if where == name]
    assert sorted(bold_terms(name)) == sorted(explained)


def uses(term: str, text: str) -> bool:
    plural = re.sub(r"y$", "(y|ie)", re.escape(term))
    return bool(re.search(rf"(?<![\w-]){plural}s?(?![\w-])", text, re.I))


def too_early(term: str) -> list[str]:
    """Where the course uses a term before it has explained it, and links to no later notebook."""
    found = []
    for name in NAMES[: NAMES.index(TERMS[term]) + 1]:
        for cell in lesson_cells(name):
            if f"**{term}" in cell.source and name == TERMS[term]:
                return found
            ahead = re.search(r"\]\(\d\d_\w+\.ipynb", cell.source)
            if uses(term, prose(cell)) and not ahead:
                found.append(f"{name}: {prose(cell)[:200]}")
    return found


# Everyday words, which mean what they always mean until the course gives them a meaning.
EVERYDAY = ("context", "evidence", "event", "handler", "message", "queue", "role", "trigger")


@pytest.mark.parametrize("term", [each for each in TERMS if each not in EVERYDAY])
def test_a_term_is_explained_before_it_is_used(term: str) -> None:
    assert TERMS[term] not in exercises.names() or too_early(term) == []


@pytest.mark.parametrize("text", [GLOSSARY, SHEET], ids=["glossary", "sheet"])
def test_figures_are_those_of_the_lessons(text: str) -> None:
    lessons = "\n".join(cell.source for name in NAMES for cell in read(name).cells)
    numbers = re.findall(r"(?<![\w./\[-])\d[\d,.]*\d|(?<![\w./\[-])\d(?=\s)", without_links(text))
    assert len(numbers) >= 3
    assert [
        each for each in numbers if not re.search(rf"(?<!\d){re.escape(each)}\b", lessons)
    ] == []


def without_links(text: str) -> str:
    return re.sub(r"\[[^\]]*\]\([^)]*\)", "", text)


def test_the_sheet_has_two_printed_pages() -> None:
    """About 55 lines of text on a page; a row of a table may take two, a picture fourteen."""
    lines = [line for line in SHEET.splitlines() if line]
    assert sum(map(printed_lines, lines)) <= 110


def printed_lines(line: str) -> int:
    return 14 if line.startswith("![") else 2 if len(line) > 100 else 1


def test_calls_of_the_sheet_are_those_of_boto3() -> None:
    calls = re.findall(r"`(sqs|iam|lambda_|logs)\.(\w+)\(", SHEET)
    assert len(calls) >= 8
    for service, call in calls:
        client = boto3.client(service.rstrip("_"), region_name="us-east-1")
        assert hasattr(client, call), call


def test_commands_of_the_sheet_are_those_of_the_calls() -> None:
    """The AWS CLI names each operation as boto3 does, with hyphens; `logs tail` is its own."""
    for service, command in re.findall(r"`aws (\w+) ([\w-]+)", SHEET):
        client = boto3.client(service, region_name="us-east-1")
        assert command == "tail" or hasattr(client, command.replace("-", "_")), command
