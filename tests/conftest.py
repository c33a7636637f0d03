"""One endpoint for all tests that talk to one: the local AWS, or what --endpoint names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.localaws import lifecycle
from tests.conformance import kit


@pytest.fixture(scope="session")
def aws(request) -> Iterator[kit.Aws]:
    endpoint = request.config.getoption("endpoint")
    kit.patience_s = request.config.getoption("patience")
    own = endpoint is None
    url = lifecycle.start()[0].endpoint_url if own else endpoint
    connected = kit.Aws(None if url == "aws" else url)
    connected.set_up()
    yield connected
    if not own:
        connected.clean_up()
