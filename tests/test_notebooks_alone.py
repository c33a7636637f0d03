"""Each notebook runs alone on an empty local AWS."""

from __future__ import annotations

import pytest

from helpers.localaws import lifecycle
from tests.notebook_files import NAMES, check_here


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_alone_on_an_empty_local_aws(name: str, tmp_path, monkeypatch, request) -> None:
    monkeypatch.setenv("LOCALAWS_FOLDER", str(tmp_path))
    try:
        check_here(name, request)
    finally:
        lifecycle.stop()
