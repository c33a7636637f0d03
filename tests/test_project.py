"""The project's files agree with each other, and name nothing of the machine they were made on."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.notebook_files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HELPERS = sorted((ROOT / "helpers").rglob("*.py"))
# What a declared package brings along because its own interface is made of it.
PART_OF = {"IPython": "ipykernel", "botocore": "boto3", "flask": "moto", "werkzeug": "moto"}
PART_OF |= {"jupyter_server": "jupyterlab", "tornado": "jupyterlab"}
# A package whose modules have another name than itself.
NAMED = {"yaml": "pyyaml", "cfnlint": "cfn-lint", "samtranslator": "aws-sam-translator"}
MACHINE_PATH = re.compile(r"(?<![\w.~*}$])/(?:work|root|home|Users|var/folders|tmp)/[A-Za-z0-9]")


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", each)[0].lower() for each in requirements}


def declared() -> set[str]:
    return names(PROJECT["project"]["dependencies"])


def of_a_class() -> set[str]:
    """What only a class server needs, by the names under which it is imported."""
    wanted = (ROOT / "helpers" / "room" / "requirements.in").read_text(encoding="utf-8")
    lines = [line for line in wanted.splitlines() if line and line[0] not in "#-"]
    return {name.removeprefix("jupyterhub-").replace("-", "_") for name in names(lines)}


def imports(path: Path) -> set[str]:
    """The full names of the modules that a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_environment_yml_installs_the_locked_packages_only() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, section = environment["dependencies"]
    assert python == "python" + PROJECT["project"]["requires-python"]
    assert pip == "pip"
    assert section == {"pip": ["-r requirements.lock", "-e ."]}


def test_every_dependency_is_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([\w.-]+)==\d", lock, re.M)}
    wanted = declared() | names(PROJECT["dependency-groups"]["test"])
    assert len(wanted) > 10
    assert wanted - pinned == set()


def test_what_the_site_needs_is_pinned_as_the_course_has_it() -> None:
    course, site = (
        dict(re.findall(r"^([\w.-]+)==(\S+)(?: ;.*)?$", path.read_text(encoding="utf-8"), re.M))
        for path in (ROOT / "requirements.lock", ROOT / "docs" / "site" / "requirements.lock")
    )
    assert names(PROJECT["dependency-groups"]["site"]) - set(site) == set()
    both = set(course) & set(site)
    assert {name for name in both if course[name] != site[name]} == set()
    assert {"nbconvert", "jinja2", "beautifulsoup4"} <= both


def test_helpers_import_declared_packages_only() -> None:
    roots = {name.split(".")[0] for path in HELPERS for name in imports(path)}
    foreign = roots - sys.stdlib_module_names - {"helpers"}
    assert "boto3" in foreign
    known = declared() | of_a_class()
    assert {(PART_OF | NAMED).get(name, name) for name in foreign} - known == set()


@pytest.mark.parametrize(("part", "whole"), PART_OF.items())
def test_a_part_comes_with_its_whole(part: str, whole: str) -> None:
    assert part.lower() in {name.replace("-", "_") for name in names(metadata.requires(whole))}


def test_every_import_keeps_to_the_layers() -> None:
    lint = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", lint],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_worker_imports_awslambdaric_and_the_standard_library_only() -> None:
    roots = {
        name.split(".")[0]
        for name in imports(ROOT / "helpers" / "localaws" / "runtime" / "worker.py")
    }
    assert roots - sys.stdlib_module_names == {"awslambdaric"}


def test_command_of_the_local_aws_imports_moto_only_once_it_serves() -> None:
    # The layers can't say where in a file an import stands.
    load = "import sys, helpers.localaws.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "helpers.localaws.lifecycle" in loaded
    assert loaded & {"moto", "flask", "werkzeug", "cheroot", "boto3", "botocore"} == set()


def test_continuous_integration_runs_the_tests_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text(encoding="utf-8").splitlines()
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


# -- what workflows run --------------------------------------------------------------------

NIGHTLY = ROOT / ".github" / "workflows" / "nightly.yml"
RUN_BY_MACHINES = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / ".ci" / "run"]


def commands(path: Path) -> str:
    """What a workflow, or a script, gives to a shell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".yml":
        return text
    jobs = yaml.safe_load(text)["jobs"].values()
    return "\n".join(step["run"] for job in jobs for step in job["steps"] if "run" in step)


def targets_of_make() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {*re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.M)}


def can_be_run(module: str) -> bool:
    """Whether `python -m` finds a module, and in a package what it runs."""
    try:
        found = importlib.util.find_spec(module)
        whole = found and found.submodule_search_locations is not None
        return bool(importlib.util.find_spec(f"{module}.__main__") if whole else found)
    except ModuleNotFoundError:
        return False


def missing_in(shell: str) -> list[str]:
    """Targets of make, modules and files that commands name and that are not there."""
    targets = re.findall(r"\bmake ([a-z][\w-]*)", shell)
    modules = re.findall(r"\bpython3? -m ([\w.]+)", shell)
    files = re.findall(r"(?<!\S)(?:data|docs|helpers|notebooks|tests)(?:/[\w.-]+)*", shell)
    return [
        *(f"make {each}" for each in targets if each not in targets_of_make()),
        *(f"python -m {each}" for each in modules if not can_be_run(each)),
        *(each for each in files if not (ROOT / each).exists()),
    ]


@pytest.mark.parametrize("path", RUN_BY_MACHINES, ids=lambda path: path.name)
def test_what_a_workflow_runs_is_there(path: Path) -> None:
    shell = commands(path)
    assert re.search(r"\bmake [a-z]", shell), "it runs nothing of ours"
    assert missing_in(shell) == []


def test_what_a_makefile_runs_is_there() -> None:
    recipes = re.findall(r"^\t(.+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    here = [each for each in recipes if "$(BIN)" in each]
    assert len(here) > 10
    assert missing_in("\n".join(here).replace("$(BIN)/", "")) == []


def test_what_is_not_there_would_be_found() -> None:
    shell = """\
      make tests PYTHON=python
      make room-test
      .venv/bin/python -m tests.no_such_check
      python -m no_such_package.at_all
      python -m tests.conformance
      python -m tests.policies data/policies
      python -m pytest tests/localaws/test_strom.py
    """
    assert missing_in(shell) == [
        "make tests",
        "python -m tests.no_such_check",
        "python -m no_such_package.at_all",
        "python -m tests.conformance",
        "tests/localaws/test_strom.py",
    ]


def test_the_chart_of_a_cluster_is_named_as_the_nightly_run_reads_it() -> None:
    """An empty version would stand for the newest one."""
    values = (ROOT / "helpers" / "room" / "cluster" / "values.yaml").read_text(encoding="utf-8")
    [script] = re.findall(r"sed -n '(s/.+)' \S+values\.yaml", commands(NIGHTLY))
    pattern, print_it = re.fullmatch(r"s/(.+)/(.+)/p", script).groups()
    assert print_it == r"\1"
    wanted = re.compile(pattern.replace(r"\(", "(").replace(r"\)", ")"), re.M)
    assert [re.fullmatch(r"\d+\.\d+\.\d+", each)[0] for each in wanted.findall(values)]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no executable bit")
def test_continuous_integration_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="This is no git checkout.")
def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert ROOT / "README.md" in files
    hits = [
        f"{path.relative_to(ROOT)}: {line.strip()[:100]}"
        for path in files
        if path.is_file()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if MACHINE_PATH.search(line)
    ]
    assert hits == []


def test_a_path_of_a_machine_would_be_found() -> None:
    for text in ("work/main", "tmp/x", "home/anna/a", "Users/anna"):
        assert MACHINE_PATH.search("see /" + text), text
    for text in ("https://example.com/home/page", "$HOME/work/x", "/var/task/f.py"):
        assert not MACHINE_PATH.search(text), text
