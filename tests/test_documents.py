"""What README, INSTRUCTOR, CONTRIBUTING and docs/ say is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from helpers.course import NOTEBOOKS
from helpers.experiments import faults
from helpers.learning import questions
from helpers.localaws import settings
from helpers.localaws.functions.backend import CONCURRENCY_QUOTA
from helpers.localaws.metrics import store as metrics
from helpers.localaws.queues import backend as sqs
from helpers.localaws.rehearsal.profiles import LAMBDA_GROUP, RATES
from helpers.localaws.triggers import scaling
from helpers.room import settings as room
from tests import exercises, new_lesson
from tests.notebook_files import ROOT, markdown, read
from tests.test_project import HELPERS, PROJECT

README, INSTRUCTOR, CONTRIBUTING, CHANGELOG = (
    ROOT / f"{name}.md" for name in ("README", "INSTRUCTOR", "CONTRIBUTING", "CHANGELOG")
)
VALUES = ROOT / "helpers" / "room" / "cluster" / "values.yaml"
GUIDES = [README, INSTRUCTOR, CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
LIST = ROOT / "docs" / "decisions" / "README.md"
each_document = pytest.mark.parametrize(
    "path", [*GUIDES, CHANGELOG, LIST, *DECISIONS], ids=lambda path: path.name
)
# Their figures are AWS's: tests/test_learning.py compares them with those of the lessons.
OF_THE_LESSONS = [ROOT / "docs" / f"{name}.md" for name in ("glossary", "sheet")]
each_guide = pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
each_decision = pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)

WORDS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
FIGURE = re.compile(rf"\b(\d|({'|'.join(WORDS)}|twenty|thirty|hundred|thousand)\b)", re.I)
# Figures that other tests compare: minutes of the lessons, times and titles of the agendas.
KEPT_ELSEWHERE = re.compile(
    r"^\| \[\d\d [^|]*\| \d+ \| [^|]*\||^\| \d[\d:]*–\d[\d:]* \||^## Agenda: .*", re.M
)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_of(text: str) -> list[str]:
    """All that stands in code: blocks and spans."""
    return re.findall(r"```.*?```|`[^`\n]+`", text, re.S)


def prose_of(text: str) -> str:
    """What is left without code, addresses of links and numbers of lists."""
    without_code = re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)|^\d+\. ", "", without_code, flags=re.M)


# -- links, paths, commands --------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.M)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


@each_document
def test_links_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text_of(path)):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        assert not heading or heading in anchors(linked), target


@each_document
def test_files_that_are_named_are_there(path: Path) -> None:
    for code in code_of(text_of(path)):
        for name in re.findall(r"\b(?:tests|helpers|notebooks|data|docs)/[\w./-]*\w", code):
            assert (ROOT / name).exists(), name


@each_document
def test_commands_of_make_are_there(path: Path) -> None:
    lines = re.findall(r"^\.PHONY: (.+)$", text_of(ROOT / "Makefile"), re.M)
    targets = [target for line in lines for target in line.split()]
    commands = re.findall(r"\bmake ([a-z-]+)", " ".join(code_of(text_of(path))))
    assert set(commands) - set(targets) == set()


def test_every_guide_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", text_of(README)))
    wanted = {path.relative_to(ROOT).as_posix() for path in [*GUIDES, CHANGELOG, LIST]}
    assert wanted - linked == {"README.md"}


# -- the layout --------------------------------------------------------------------------


def layout() -> str:
    return re.search(r"## Layout\n.*?```\n(.*?)```", text_of(README), re.S)[1]


FOLDERS = {path.parent.relative_to(ROOT / "helpers") for path in HELPERS}


@pytest.mark.parametrize(("indent", "inside"), [("", ""), ("    ", "localaws")])
def test_the_layout_names_every_folder_once(indent: str, inside: str) -> None:
    there = [path.name for path in FOLDERS if path.name and path.parent == Path(inside)]
    assert len(there) > 4
    named = re.findall(rf"^{indent}[├└]── (\w+)/  +\S", layout(), re.M)
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("folder", sorted(FOLDERS), ids=str)
def test_a_folder_says_what_it_is_for(folder: Path) -> None:
    init = (ROOT / "helpers" / folder / "__init__.py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(init))


def test_the_layout_names_the_folders() -> None:
    named = re.findall(r"^(\w+)/ ", layout(), re.M)
    there = {path.parent.name for path in ROOT.glob("*/*.*") if path.parent.name[0].isalpha()}
    assert set(named) <= there
    assert len(named) == len(set(named))
    assert {"notebooks", "helpers", "tests", "data", "docs"} == set(named)


# -- figures -----------------------------------------------------------------------------


def pythons() -> tuple[str, str]:
    """The oldest and the newest Python: as CI runs them and as pyproject.toml allows them."""
    workflow = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "test.yml"))
    oldest, newest = workflow["jobs"]["make"]["strategy"]["matrix"]["python"]
    above = f"3.{int(newest.split('.')[1]) + 1}"
    assert PROJECT["project"]["requires-python"] == f">={oldest},<{above}"
    return oldest, newest


def steps_of_the_map() -> int:
    return len(re.findall(r"^\| \d \| \[", "\n".join(markdown(read(NOTEBOOKS[0]))), re.M))


def steps_of_a_new_lesson() -> list[str]:
    return re.findall(r"^\d+\. ", new_lesson.STEPS.search(text_of(CONTRIBUTING))[1], re.M)


def number_of(fault: str) -> int:
    return next(number for number, build in faults.FAULTS.items() if build.__name__ == fault)


def exercises_of_a_lesson() -> int:
    """All lessons have as many: tests/test_exercises.py."""
    return len(exercises.load("01_create_queue").exercises)


def cluster_memory() -> list[str]:
    """What a learner is given on a cluster, and at most has: "450M" and "1G" are 450 and 1."""
    return re.findall(r"(?:guarantee|limit): (\d+)[MG]\b", text_of(VALUES))


KEPT = {
    r"Python (\d\.\d+) to (\d\.\d+)": pythons(),
    r"lesson, in (\w+) steps": (WORDS[len(steps_of_a_new_lesson()) - 3],),
    r"\b(\w+) steps\b(?= take| of the course)": (WORDS[steps_of_the_map() - 3],),
    r"after (\d+) minutes without a call": (f"{settings.DEFAULT_IDLE_MINUTES:.0f}",),
    r"at most (\d+) functions run at once": (f"{settings.MOST_AT_ONCE}",),
    r"\b(\d+) batches of a trigger\b": (f"{settings.DEFAULT_MOST_CONCURRENCY}",),
    r"a whole number from (\d+) to (\d+)": ("1", f"{settings.MOST_AT_ONCE}"),
    r"a whole number that divides (\d+)": (f"{settings.METRIC_MINUTE_S}",),
    r"kept for (\d+) hours, of your own\s+metrics for (\d+) days": (
        f"{metrics.KEEP_S // 3600}",
        f"{metrics.KEEP_CUSTOM_S // 86_400}",
    ),
    r"at most ([\d,]+) metrics and ([\d,]+) points": (
        f"{metrics.MOST_METRICS:,}",
        f"{metrics.MOST_POINTS:,}",
    ),
    r"make, change and list \| (\d+) a second": (f"{RATES['lambda', LAMBDA_GROUP]}",),
    r"searching logs, in us-east-1 \| (\d+) a second": (f"{RATES['logs', 'FilterLogEvents']}",),
    r"listing log groups \| (\d+) a second": (f"{RATES['logs', 'DescribeLogGroups']}",),
    r"run at once \| ([\d,]+); in a new account": (f"{CONCURRENCY_QUOTA:,}",),
    r"trigger alone begins with (\d+) calls": (f"{scaling.OPENING}",),
    r"\|  \| (\d+) \| learners open it": (f"{room.PORT}",),
    r"\|  \| (\d+) \| so many learners": (f"{room.SEATS}",),
    r"\|  \| (\d+) \| what one process": (f"{room.MEMORY_MB}",),
    r"\|  \| (\d+) \| minutes after which": (f"{room.IDLE_MIN}",),
    r"is given (\d+) MB and at most (\d+) GB": tuple(cluster_memory()),
    r"So (\d+) learners who are all there need (\d+) GB": (
        "300",
        f"{300 * int(cluster_memory()[0]) // 1000}",
    ),
    r"and (\d+) processors at a tenth for each: (\w+) nodes of (\d+) GB and (\d+) processors": (
        *("30", "five", "32", "8"),
    ),
    r"blocked for (\d+) s\b": (f"{sqs.RECREATE_AFTER_S}",),
    r"a notebook has (\w+) of them": (WORDS[exercises_of_a_lesson() - 3],),
    r"opens with (\w+) short questions": (WORDS[len(questions.DISTANCES) - 3],),
    r"fault (\d)(?= \| \"but there is a dead-letter queue)": (
        f"{number_of('dead_letters_of_the_function')}",
    ),
}


@pytest.mark.parametrize(("pattern", "figures"), KEPT.items())
def test_a_figure_is_that_of_its_source(pattern: str, figures: tuple[str, ...]) -> None:
    found = [each for path in GUIDES for each in re.finditer(pattern, prose_of(text_of(path)))]
    assert {tuple(text.lower() for text in each.groups()) for each in found} == {figures}


@pytest.mark.parametrize(
    "path", [path for path in GUIDES if path not in OF_THE_LESSONS], ids=lambda path: path.name
)
def test_no_figure_that_no_test_keeps(path: Path) -> None:
    prose = KEPT_ELSEWHERE.sub("", prose_of(text_of(path)))
    for pattern in KEPT:
        prose = re.sub(pattern, "", prose)
    assert [line for line in prose.splitlines() if FIGURE.search(line)] == []


@pytest.mark.parametrize("text", ["in 90 s", "about 1,500", "Thirty people", "thirteen of 3.5"])
def test_a_figure_would_be_found(text: str) -> None:
    assert FIGURE.search(prose_of(text))


# -- the instructor's page ---------------------------------------------------------------


def minutes(time: str) -> int:
    hours, _, rest = time.rpartition(":")
    return int(hours or 0) * 60 + int(rest)


def agendas() -> dict[str, str]:
    parts = re.split(r"^## ", text_of(INSTRUCTOR), flags=re.M)
    return dict(part.split("\n", 1) for part in parts if part.startswith("Agenda: "))


@pytest.mark.parametrize("title", agendas())
def test_an_agenda_has_neither_gaps_nor_overlaps(title: str) -> None:
    spans = re.findall(r"^\| (\d[\d:]*)–(\d[\d:]*) \|", agendas()[title], re.M)
    starts, ends = [[minutes(time) for time in times] for times in zip(*spans, strict=True)]
    assert starts == [0, *ends[:-1]]
    assert ends == sorted(set(ends))


@pytest.mark.parametrize(
    ("title", "whole"), [("Agenda: 90 minutes", 90), ("Agenda: half a day (four hours)", 4 * 60)]
)
def test_an_agenda_lasts_as_long_as_it_says(title: str, whole: int) -> None:
    assert minutes(re.findall(r"^\| \d[\d:]*–(\d[\d:]*) \|", agendas()[title], re.M)[-1]) == whole
    titled = [each for each in agendas() if FIGURE.search(each)]
    assert len(titled) == 2  # another agenda that says how long it lasts belongs here


def test_the_instructor_page_names_notebooks_that_are_there() -> None:
    named = set(re.findall(r"`(\d\d)`", text_of(INSTRUCTOR)))
    assert named - {name[:2] for name in NOTEBOOKS} == set()
    assert len(named) > 5


# -- lengths, decisions, changes ---------------------------------------------------------


@pytest.mark.parametrize(("path", "most"), [(README, 120), (CONTRIBUTING, 80)])
def test_a_page_stays_short(path: Path, most: int) -> None:
    assert len(text_of(path).splitlines()) <= most


@each_decision
def test_a_decision_has_its_parts(path: Path) -> None:
    text = text_of(path)
    assert re.findall(r"^## (.+)$", text, re.M) == [
        *("Context", "Decision", "Alternatives", "Consequences")
    ]
    number = DECISIONS.index(path) + 1
    assert path.name.startswith(f"{number:04}-")
    assert text.startswith(f"# {number}. ")
    assert 15 <= len(text.splitlines()) <= 30


def test_the_list_of_decisions_has_each_by_its_title() -> None:
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", text_of(LIST), re.M)
    assert [name for _, name in listed] == [path.name for path in DECISIONS]
    for (title, _), path in zip(listed, DECISIONS, strict=True):
        assert text_of(path).partition("\n")[0].endswith(f". {title}")


@each_decision
def test_a_figure_of_time_says_when_it_was_measured(path: Path) -> None:
    text = " ".join(text_of(path).split())
    if re.search(r"\d (ms|%|MB)(?!\w)", text):
        assert re.search(r"[Mm]easured once on 2 cores", text)


def test_the_newest_version_of_the_changelog_is_the_project_s() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", text_of(CHANGELOG), re.M)
    assert headings[:2] == ["Unreleased", PROJECT["project"]["version"]]
