"""Throttles by AWS's own rates, and a stray HTTP 500."""

from __future__ import annotations

import threading

from helpers.localaws.front.protocols import Answer, Fault, error_answer
from helpers.localaws.rehearsal.conditions import Conditions, Effect, Request, lambda_error
from helpers.localaws.rehearsal.profiles import LAMBDA_GROUP, RATES

THROTTLED = Fault("", "ThrottlingException", "Rate exceeded", 400)  # of CloudWatch Logs
UNKNOWN_FAILURE = (
    "The request processing has failed because of an unknown error, exception or failure."
)
# "Errors" of each service's API reference.
STRAY = {
    "sqs": Fault("InternalFailure", "InternalFailure", UNKNOWN_FAILURE, 500),
    "iam": Fault("ServiceFailure", "", UNKNOWN_FAILURE, 500),
    "lambda": Fault("", "ServiceException", "An error occurred and the request cannot be "
                    "processed.", 500),
    "logs": Fault("", "ServiceUnavailableException", "The service cannot complete the request.",
                  500, 500),
    "dynamodb": Fault("", "InternalServerError", UNKNOWN_FAILURE, 500, 500),
}  # fmt: skip
NOT_LIMITED = ("Invoke", "InvokeAsync")  # limited by concurrency, which the executor counts


class Throttles(Effect):
    """A bucket of one second's calls for each limit, filled at the limit's rate."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str, str], tuple[float, float]] = {}

    def before(self, request: Request) -> Answer | None:
        call = request.call
        limit = limit_of(call.service, call.operation)
        if limit is None or self._take((call.account, call.region, *limit), RATES[limit]):
            return None
        self.conditions.report.count("throttled")
        if call.service == "lambda":
            return too_many_calls()
        return error_answer(request.environ, call.service, THROTTLED)

    def _take(self, key: tuple[str, str, str, str], rate: float) -> bool:
        with self._lock:
            now = self.conditions.now()
            left, at = self._buckets.get(key, (rate, now))
            left = min(rate, left + (now - at) * rate)
            self._buckets[key] = (left - 1 if left >= 1 else left, now)
            return left >= 1


def too_many_calls() -> Answer:
    """As users report it: indeni/dragoneye #41, and fyoorer/ShadowClone #46 for the reason."""
    return lambda_error(
        429, "TooManyRequestsException", "Rate exceeded", Reason="CallerRateLimitExceeded"
    )


def limit_of(service: str, operation: str) -> tuple[str, str] | None:
    """The key in RATES of the limit that a call counts for, if there is one."""
    if (service, operation) in RATES:
        return service, operation
    if service == "lambda" and operation not in NOT_LIMITED:
        return service, LAMBDA_GROUP
    return None


class StrayErrors(Effect):
    """Now and then a call fails before anything was done. An Invoke never does."""

    def before(self, request: Request) -> Answer | None:
        call = request.call
        fault = STRAY.get(call.service)
        if fault is None or call.operation in NOT_LIMITED:
            return None
        if not self.conditions.happens("stray error", f"{call.service} {call.operation}"):
            return None
        self.conditions.report.count("stray error")
        return error_answer(request.environ, call.service, fault)
