"""What tests talk to: one endpoint for all, or the course kit's own way to an AWS."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from unittest import mock

import boto3
import pytest

from helpers.account import target
from helpers.learning import record
from helpers.localaws import lifecycle, settings
from tests.conformance import kit

OUR_SETTINGS = (
    *("SQS_COURSE_TARGET", "SQS_COURSE_ACCOUNT", "SQS_COURSE_PREFIX", "SQS_COURSE_BOUNDARY"),
    *("SQS_COURSE_PROFILE", "SQS_COURSE_SEED", "SQS_COURSE_SCALE"),
    "SQS_COURSE_LIVE",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for what was started before comes last in its module."""
    items.sort(key=lambda item: (item.path, item.get_closest_marker("at_end") is not None))


@pytest.fixture(scope="module")
def aws(endpoint, request) -> kit.Aws:
    """The endpoint, with all that the test's module declares."""
    endpoint.set_up(request.module)
    return endpoint


@pytest.fixture(scope="session")
def endpoint(request) -> Iterator[kit.Aws]:
    given = request.config.getoption("endpoint")
    kit.patience_s = request.config.getoption("patience")
    own = given is None
    if own:
        kit.retry_pause_s = settings.retry_pause_seconds()
    url = lifecycle.start()[0].endpoint_url if own else given
    connected = kit.Aws(None if url == "aws" else url)
    yield connected
    if not own:
        connected.clean_up()


# -- as the course kit connects ----------------------------------------------------------


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch) -> None:
    """What one test has begun is not the notebook of the next."""
    monkeypatch.setattr(record.Kernel, "notebook", None)


@pytest.fixture(scope="module")
def keep_environment() -> Iterator[None]:
    """connect() changes what boto3 reads: leave it as it was."""
    session = boto3.DEFAULT_SESSION
    with mock.patch.dict(os.environ):
        yield
    boto3.DEFAULT_SESSION = session


@pytest.fixture
def environment(keep_environment) -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in OUR_SETTINGS:
            os.environ.pop(name, None)
        boto3.DEFAULT_SESSION = None
        yield


def fresh_prefix() -> str:
    """Connect to the local AWS as a learner whom it has not seen yet."""
    os.environ["SQS_COURSE_PREFIX"] = f"t{uuid.uuid4().hex[:8]}-"
    target.connect()
    return os.environ["SQS_COURSE_PREFIX"]


@pytest.fixture
def learner(environment) -> str:
    return fresh_prefix()
