"""The schedule of asynchronous retries, with the clock left out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from helpers.localaws.asynchronous import AsynchronousInvocations
from helpers.localaws.environments import Result
from helpers.localaws.executor import Throttled

FUNCTION = SimpleNamespace(function_name="f", reserved_concurrency=None, dead_letter_arn=None)


class Lambda:
    """A backend whose function ends as told, one word for each invocation."""

    def __init__(self, *ends: str, **settings: int) -> None:
        self.ends = list(ends)
        self.settings = settings

    def get_function(self, _name: str, _qualifier: str | None) -> SimpleNamespace:
        return FUNCTION

    def event_invoke_config(self, _function: object, _qualifier: str | None) -> dict:
        return self.settings

    def run(self, *_arguments: object) -> Result:
        end = self.ends.pop(0)
        if end == "throttled":
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        return Result(b"{}", None if end == "returns" else "Unhandled")


def pauses(backend: Lambda) -> list[float]:
    """The pauses before each attempt at one event, in s."""
    seen: list[float] = []

    def later(seconds: float, action, *arguments) -> None:
        seen.append(seconds)
        action(*arguments)

    AsynchronousInvocations(backend, later).submit(FUNCTION, b"{}", "id", None)
    return seen


@pytest.mark.parametrize(
    ("ends", "settings", "expected"),
    [
        (["raises"] * 3, {}, [0, 60, 120]),
        (["raises", "returns"], {}, [0, 60]),
        (["raises"], {"MaximumRetryAttempts": 0}, [0]),
        (["raises", "raises"], {"MaximumRetryAttempts": 1}, [0, 60]),
        (["raises"], {"MaximumEventAgeInSeconds": 60}, [0]),
        (["throttled"] * 4 + ["returns"], {}, [0, 1, 2, 4, 8]),
        (["throttled"] * 11 + ["returns"], {}, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
    ],
)
def test_pauses(ends, settings, expected) -> None:
    backend = Lambda(*ends, **settings)
    assert pauses(backend) == expected
    assert backend.ends == []
