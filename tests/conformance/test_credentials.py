"""Who may call: access keys and signatures."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.conformance.kit import refusal

WRONG = "The request signature we calculated does not match the signature you provided."
UNKNOWN_TOKEN = "The security token included in the request is invalid."
ONCE = {"retries": {"total_max_attempts": 1}}
CALLS = {
    "sqs": ("list_queues", 403, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "iam": ("list_roles", 403, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "sts": ("get_caller_identity", 403, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "lambda": ("list_functions", 403, "UnrecognizedClientException", "InvalidSignatureException"),
    "logs": ("list_log_groups", 400, "UnrecognizedClientException", "InvalidSignatureException"),
    "dynamodb": ("list_tables", 400, "UnrecognizedClientException", "InvalidSignatureException"),
    "s3": ("list_buckets", 403, "InvalidAccessKeyId", "SignatureDoesNotMatch"),
}


@pytest.mark.parametrize("service", CALLS)
def test_G_16_each_service_refuses_in_its_own_words(aws, service) -> None:
    operation, status, unknown, wrong = CALLS[service]
    key = aws.client(service)._get_credentials()

    def refused(key_id: str, **settings: Any) -> tuple[int, str, str]:
        client = aws.client(
            service, aws_access_key_id=key_id, aws_secret_access_key="guess",
            config=Config(**ONCE, **settings),
        )  # fmt: skip
        return refusal(getattr(client, operation))

    assert refused("AKIAIOSFODNN7EXAMPLE")[:2] == (status, unknown)
    seen = refused(key.access_key)
    assert (seen[:2], seen[2][: len(WRONG)]) == ((status, wrong), WRONG)
    assert refused("unsigned", signature_version=UNSIGNED)[0] == status


def test_G_16_a_refused_call_changes_nothing(aws) -> None:
    stranger = aws.client("sqs", aws_access_key_id="test", aws_secret_access_key="test")
    status, code, text = refusal(stranger.create_queue, QueueName="of-a-stranger")
    assert (status, code, text) == (403, "InvalidClientTokenId", UNKNOWN_TOKEN)
    assert "QueueUrls" not in aws.sqs.list_queues(QueueNamePrefix="of-a-stranger")
