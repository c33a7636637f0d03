"""`python -m tests.new_lesson 16_my_topic "Its title"`: a new lesson, made from a template.

`data/new_lesson/` holds a notebook, its exercises, their checks, and questions about it; together
they pass every test. They are put into their places under the new name, with a line in each file
that has one for every lesson, and the neighbours link to it. What is left to do is said then, as
CONTRIBUTING.md says it. Nothing is written unless all of it can be.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from helpers.account.names import EVERYTHING
from tests.notebook_files import FOLDER, NAMES, ROOT, markdown, read

TEMPLATE = ROOT / "data" / "new_lesson"
NAME = re.compile(r"\d\d(_[a-z][a-z0-9]*)+")
TITLE = re.compile(r"\w[\w ,]*")  # goes into links, tables and JSON as it is
PLACES = re.compile(
    r"NN_my_topic|my_topic|MyTopic|TITLE|\bNN\b|(?:PREVIOUS|NEXT)\.ipynb|PREVIOUS|NEXT"
)
MODULES = re.compile(r'(name = "Inside the checks: .*?""")(.*?)(""")', re.S)
STEPS = re.compile(r"^## To add a lesson\b.*?\n\n(.*?)\n\n## ", re.M | re.S)


class Refused(ValueError):
    """A lesson that cannot be made; the sentence says why."""


@dataclass(frozen=True)
class Lesson:
    """A lesson that is not there yet, between two that are."""

    name: str
    title: str

    @property
    def module(self) -> str:
        """The module with its checks."""
        return self.name[3:]

    @property
    def topic(self) -> str:
        """What its queue is called."""
        return "".join(part.capitalize() for part in self.module.split("_"))

    @property
    def label(self) -> str:
        """How others link to it."""
        return f"{self.name[:2]} {self.title}"

    @property
    def before(self) -> str:
        return max(each for each in NAMES if each < self.name)

    @property
    def after(self) -> str:
        return min(each for each in NAMES if each > self.name)


def lesson(name: str, title: str) -> Lesson:
    """Raises Refused for a name or a title that cannot be."""
    wanted, free = Lesson(name, title), f"{int(NAMES[-2][:2]) + 1:02}"
    if not NAME.fullmatch(name) or not NAMES[7][:2] < name[:2] < NAMES[-1][:2]:
        raise Refused(
            f"The name is {name!r}; it must be a number after {NAMES[7][:2]} and before "
            f"{NAMES[-1][:2]}, and words in small letters, such as {free}_my_topic."
        )
    if name[:2] in {each[:2] for each in NAMES}:
        raise Refused(f"The name is {name!r}, and there is a lesson {name[:2]}; {free} is free.")
    taken = (ROOT / "helpers" / "checks" / f"{wanted.module}.py").exists()
    if taken or keyword.iskeyword(wanted.module) or wanted.topic in EVERYTHING.queues:
        raise Refused(
            f"The name is {name!r}, and {wanted.module!r} is taken, by the course or by Python."
        )
    if not TITLE.fullmatch(title):
        raise Refused(f"The title is {title!r}; it must be words, with no marks but commas.")
    return wanted


# -- what is written -------------------------------------------------------------------------


def texts(new: Lesson) -> dict[Path, str]:
    """What each file holds once the lesson is there, by path."""
    parts = {
        "notebook.ipynb": FOLDER / f"{new.name}.ipynb",
        "exercises.md": ROOT / "data" / "exercises" / f"{new.name}.md",
        "questions.toml": ROOT / "data" / "questions" / f"{new.name}.toml",
        "checks.py": ROOT / "helpers" / "checks" / f"{new.module}.py",
    }
    made = {path: filled(text_of(TEMPLATE / part), new) for part, path in parts.items()}
    for path, put in (
        (ROOT / "helpers" / "account" / "names.py", with_names),
        (ROOT / "pyproject.toml", with_module),
        (ROOT / "INSTRUCTOR.md", with_row),
        (FOLDER / f"{new.before}.ipynb", with_next),
        (FOLDER / f"{new.after}.ipynb", with_previous),
    ):
        made[path] = put(text_of(path), new)
    return made


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def filled(text: str, new: Lesson) -> str:
    """The template's text with the lesson's names in it."""
    values = {
        **{"NN_my_topic": new.name, "my_topic": new.module, "MyTopic": new.topic},
        **{"NN": new.name[:2], "TITLE": new.title},
        **{"PREVIOUS.ipynb": f"{new.before}.ipynb", "PREVIOUS": label_of(new.before)},
        **{"NEXT.ipynb": f"{new.after}.ipynb", "NEXT": label_of(new.after)},
    }
    return PLACES.sub(lambda found: values[found[0]], text)


def label_of(name: str) -> str:
    return f"{name[:2]} {markdown(read(name))[0].splitlines()[0].removeprefix('# ')}"


def with_names(text: str, new: Lesson) -> str:
    """names.py with what the lesson makes, in the order of the notebooks."""
    line = f'    "{new.name}": Names(queues=("{new.topic}", "Practice{new.topic}")),\n'
    return before_line(f'    "{new.after}":', line, text)


def with_row(text: str, new: Lesson) -> str:
    """INSTRUCTOR.md with a row in the table of minutes."""
    row = f"| [{new.label}](notebooks/{new.name}.ipynb) | 30 | under 1 | what it is about |\n"
    return before_line(f"| [{new.after[:2]} ", row, text)


def with_module(text: str, new: Lesson) -> str:
    """pyproject.toml with the checks' module in import-linter's list, before the last one."""
    *names, last = map(str.strip, MODULES.search(text)[2].split("|"))
    first, *others = [*names, new.module, last]
    glued = " ".join([first, *(f"|\0{each}" for each in others)])  # a line begins with its bar
    lines = "\n    ".join(textwrap.wrap(glued, 90)).replace("\0", " ")
    return MODULES.sub(lambda found: found[1] + lines + found[3], text)


def with_next(text: str, new: Lesson) -> str:
    """The notebook before it, with the lesson as the next one."""
    link = rf"\[next: [^\]]*\]\({new.after}\.ipynb\)"
    return replaced(link, f"[next: {new.label} →]({new.name}.ipynb)", text, times=2)


def with_previous(text: str, new: Lesson) -> str:
    """The notebook after it, with the lesson as the one before."""
    link = rf"\[← [^\]]*\]\({new.before}\.ipynb\)"
    return replaced(link, f"[← {new.label}]({new.name}.ipynb)", text, times=1)


def before_line(beginning: str, line: str, text: str) -> str:
    """A text with a line put before the one that begins so."""
    return replaced(rf"^{re.escape(beginning)}", line + beginning, text, times=1)


def replaced(pattern: str, by: str, text: str, times: int) -> str:
    """Raises Refused where a file is not as it was when this was written."""
    text, found = re.subn(pattern, lambda _: by, text, flags=re.M)
    if found != times:
        raise Refused(f"{pattern!r} is found {found} times, not {times}: mend tests/new_lesson.py.")
    return text


def steps(new: Lesson) -> str:
    """What there is to do for a lesson, as CONTRIBUTING.md says it."""
    text = STEPS.search(text_of(ROOT / "CONTRIBUTING.md"))[1]
    return re.sub(r"\bNAME\b", new.name, text)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.new_lesson", description=__doc__)
    parser.add_argument("name", help="such as 16_my_topic")
    parser.add_argument("title", help='such as "Its title"')
    options = parser.parse_args(arguments)
    try:
        new = lesson(options.name, options.title)
        made = texts(new)
    except Refused as error:
        sys.exit(str(error))
    for path, text in made.items():
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT).as_posix())
    print(f"\nThat was the first step of these:\n\n{steps(new)}")


if __name__ == "__main__":
    main()
