"""One local AWS of its own for a test run, and nbval's settings for the notebooks."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import tempfile
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import create_loader
from xdist.scheduler import LoadScopeScheduling

from tests import summary

ROOT = Path(__file__).resolve().parent
# The longest chains begin first, after the notebooks in order; then what waits a minute for AWS.
FIRST = (
    "tests/browser/test_lab_in_a_browser.py",
    "tests/test_notebooks_in_a_row.py",
    "tests/test_notebooks_rehearsed.py",
    "tests/test_notebooks_alone.py",
    "tests/test_capstone.py",
    "tests/test_exercises.py",
    "tests/test_policies.py",
    "tests/conformance/test_sqs_messages.py",
    "tests/conformance/test_delivery.py",
    "tests/test_course_kit.py",
    "tests/test_new_lesson.py",
    "tests/test_look_alikes.py",
    "tests/localaws/test_rehearsal.py",
    "tests/test_faults.py",
    "tests/localaws/test_environments.py",
    "tests/localaws/test_properties.py",
    "tests/test_nbval_bites.py",
    "tests/test_evidence.py",
    "tests/test_belongings.py",
    "tests/test_experiments.py",
    "tests/localaws/test_robustness.py",
    "tests/localaws/test_storm.py",
)


def pytest_addoption(parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption(
        "--endpoint",
        help="what tests/conformance talks to: the URL of a server, or 'aws' for the account "
        "whose credentials boto3 finds; default: the local AWS",
    )
    group.addoption(
        "--patience", type=float, default=20.0, help="the longest a wait may last, in s"
    )
    parser.addoption(
        "--rehearse",
        metavar="PROFILE:SEED:SCALE",
        help="let notebooks talk to a rehearsal of AWS, which is started if need be",
    )
    parser.addoption(
        "--storm", type=float, default=3.0, help="how long tests/localaws/test_storm.py blows, in s"
    )


class ChainByChain(LoadScopeScheduling):
    """With several processes (-n): what has to run one after another, in one of them."""

    def _split_scope(self, nodeid: str) -> str:
        return summary.chain_of(nodeid)


def pytest_xdist_make_scheduler(config, log) -> ChainByChain:
    config.option.loadscopereorder = False
    return ChainByChain(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items: list[pytest.Item]) -> None:
    """With several processes, what takes longest begins first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_in_queue(item.path))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: it need not be looked through again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def place_in_queue(path: Path) -> int:
    if path.suffix == ".ipynb":
        return 0
    name = path.relative_to(ROOT).as_posix()
    return FIRST.index(name) + 1 if name in FIRST else len(FIRST) + 1


def pytest_configure(config) -> None:
    config.pluginmanager.register(summary)
    # AWS's models are read once in a process, not again for the session of each test.
    botocore.session.create_loader = functools.cache(create_loader)
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    if hasattr(config, "workerinput"):
        folder = Path(os.environ["LOCALAWS_FOLDER"], config.workerinput["workerid"])
        os.environ["LOCALAWS_FOLDER"] = config.own_localaws = str(folder)
    elif "LOCALAWS_FOLDER" not in os.environ:
        folder = tempfile.mkdtemp(prefix="course-tests-")
        os.environ["LOCALAWS_FOLDER"] = config.own_localaws = folder
    for name in ("TARGET", "ACCOUNT", "PREFIX", "BOUNDARY"):
        os.environ.pop(f"SQS_COURSE_{name}", None)
    os.environ.pop("JPY_SESSION_NAME", None)  # a test run from a notebook is not that notebook
    if config.option.rehearse:
        rehearse(config)
    os.environ["LOCALAWS_RETRY_PAUSE_S"] = "2"  # real pauses are tested with --endpoint
    os.environ["LOCALAWS_METRIC_MINUTE_S"] = "2"  # alarms are fast
    os.environ["SQS_COURSE_LIVE"] = "off"  # nbval does not know outputs that move
    os.environ["SQS_COURSE_RECORD"] = "off"  # a test is no learner
    others = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *others])  # kernels import from here


def rehearse(config) -> None:
    """The settings of a rehearsal, whose name is another than that in the stored outputs."""
    from helpers.localaws.settings import read_like_aws
    from tests.rehearse import REHEARSAL_SANITIZE, variables

    profile, seed, scale = config.option.rehearse.split(":")
    os.environ.update(variables(read_like_aws(profile, seed, scale)))
    file = Path(os.environ["LOCALAWS_FOLDER"], "sanitize.cfg")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(REHEARSAL_SANITIZE, encoding="utf-8")
    config.option.nbval_sanitize_with = str(file)


def pytest_unconfigure(config) -> None:
    from helpers.localaws import lifecycle

    own = getattr(config, "own_localaws", None)
    if own is None:
        return
    for folder in (own, *map(str, Path(own).glob("gw*"))):  # a killed process left its own
        os.environ["LOCALAWS_FOLDER"] = folder
        lifecycle.stop()
    shutil.rmtree(own, ignore_errors=True)


def pytest_collectstart(collector) -> None:
    """stderr holds progress bars and warnings: not what a lesson says."""
    if collector.fspath and collector.fspath.ext == ".ipynb" and hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
