"""Types: which modules mypy checks strictly. What is not strict yet becomes less and never more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.notebook_files import ROOT

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
IGNORE = "ignore_errors = true"
MOST_NOT_STRICT = 2  # it may be made smaller, never larger
STRICT_FOR_GOOD = (
    "helpers.account",
    "helpers.charts",
    "helpers.checks",
    "helpers.clean_up",
    "helpers.course",
    "helpers.evidence",
    "helpers.experiments",
    "helpers.meter",
    "helpers.steps",
    "helpers.localaws.common",
    "helpers.localaws.functions",
    "helpers.localaws.invocations",
    "helpers.localaws.logs",
    "helpers.localaws.permissions",
    "helpers.localaws.queues",
    "helpers.localaws.runtime.environment",
    "helpers.localaws.runtime.executor",
    "helpers.localaws.triggers",
)


def not_strict_yet() -> list[str]:
    overrides = tomllib.loads(TEXT)["tool"]["mypy"]["overrides"]
    (listed,) = (each["module"] for each in overrides if each.get("ignore_errors"))
    return listed


def test_the_list_of_modules_that_are_not_strict_only_shrinks() -> None:
    listed = not_strict_yet()
    assert len(listed) == len({*listed}) == MOST_NOT_STRICT
    for module in listed:
        assert not f"{module}.".startswith(tuple(f"{name}." for name in STRICT_FOR_GOOD))


def test_the_modules_that_are_not_strict_have_errors_and_no_others_have(tmp_path: Path) -> None:
    assert TEXT.count(IGNORE) == 1
    config = tmp_path / "pyproject.toml"
    config.write_text(TEXT.replace(IGNORE, "ignore_errors = false"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    paths = re.findall(r"^(helpers\S+)\.py:\d+: error: ", done.stdout, flags=re.MULTILINE)
    found = {".".join(Path(path).parts).removesuffix(".__init__") for path in paths}
    assert found == {*not_strict_yet()}, done.stdout + done.stderr
