"""What a function answers when a part of its batch failed, and what that means.

LS-009 to LS-013, and "Implementing partial batch responses" in the Lambda Developer Guide.
"""

from __future__ import annotations

import json


def failed_ids(payload: bytes, batch_ids: set[str]) -> set[str]:
    """The ids of the messages that a partial batch response reports as failed.

    An answer that breaks the rules fails the whole batch, so that nothing is lost.
    """
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return batch_ids
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures:
        return set()
    try:
        reported = {failure["itemIdentifier"] for failure in failures}
    except (KeyError, TypeError):
        return batch_ids
    return reported if reported <= batch_ids else batch_ids
