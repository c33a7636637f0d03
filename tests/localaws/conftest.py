"""One local AWS for all tests of this folder."""

from __future__ import annotations

import pytest

from helpers.localaws import lifecycle
from tests.localaws.kit import LocalAws


@pytest.fixture(scope="session")
def aws() -> LocalAws:
    server, _ = lifecycle.start()
    local = LocalAws(server.endpoint_url)
    local.set_up()
    return local
