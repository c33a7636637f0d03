"""An SQS backend alone, without a server."""

from __future__ import annotations

import pytest
from moto.sqs import models as moto_sqs

from helpers.localaws.front import direct
from helpers.localaws.queues import housekeeping
from helpers.localaws.queues.backend import Backend
from tests.conformance.kit import REGION
from tests.localaws.kit import ACCOUNT


@pytest.fixture
def backend(monkeypatch) -> Backend:
    made = Backend(REGION, ACCOUNT)
    for module in (moto_sqs, housekeeping):
        monkeypatch.setattr(module, "sqs_backends", {ACCOUNT: {REGION: made}})
    monkeypatch.setattr(direct, "sqs_backends", moto_sqs.sqs_backends)
    return made
