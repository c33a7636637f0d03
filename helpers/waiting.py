"""Waiting that is bounded, shows that it waits, and says what it waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential
from tqdm import tqdm

T = TypeVar("T")

SILENT_S = 4.0  # a progress bar appears only after this long
BAR_STEP_S = 0.5
SLOWER, SLOWEST_S = 1.1, 2.0  # thirty learners in one account share its calls per second
# As Lambda, CloudWatch Logs, IAM and SQS say it.
THROTTLED = (
    "TooManyRequestsException", "ThrottlingException", "Throttling", "RequestThrottled",
)  # fmt: skip
KNOWN_LIMIT_S = 120.0
NOT_READY_YET = ("cannot be assumed by Lambda", "does not have permissions to call")


class GaveUp(TimeoutError):
    """What was waited for did not come in time. The message names it."""


def wait_until(
    look: Callable[[], T],
    done: Callable[[T], Any],
    what: str,
    limit_s: float = 60.0,
    every_s: float = 0.2,
) -> T:
    """Call `look` until `done(its result)` is true, and return that result.

    Looks every `every_s` seconds at first and then less and less often, down to every 2 s; a
    look that AWS throttles is made again. Raises GaveUp, a TimeoutError that names `what` and what
    was seen last, after `limit_s` seconds.
    """
    ends = time.monotonic() + limit_s
    pause_s = every_s
    with tqdm(total=limit_s, desc=what, delay=SILENT_S, leave=False, bar_format="{desc} {elapsed}"):
        while True:
            try:
                seen = look()
                if done(seen):
                    return seen
                last = repr(seen)
            except ClientError as error:
                if error.response["Error"]["Code"] not in THROTTLED:
                    raise
                last, pause_s = str(error), max(pause_s, SLOWEST_S)
            left_s = ends - time.monotonic()
            if left_s <= 0:
                raise GaveUp(f"Waited {limit_s:.0f} s for {what}; last seen: {last}")
            time.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * SLOWER, max(every_s, SLOWEST_S))


def wait(seconds: float, why: str) -> None:
    """Wait so many seconds, with a bar that says why. Nothing at all for 0."""
    steps = max(1, round(seconds / BAR_STEP_S))
    bar = "{desc} |{bar}| {elapsed} of " + f"{seconds:.0f} s"
    if seconds:
        for _ in tqdm(range(steps), desc=why, leave=False, bar_format=bar):
            time.sleep(seconds / steps)


def states_until(
    state: Callable[[], str], wanted: str, what: str, limit_s: float = 120.0
) -> list[str]:
    """The different states seen on the way to `wanted`, in order."""
    seen: list[str] = []

    def look() -> str:
        now = state()
        if not seen or seen[-1] != now:
            seen.append(now)
        return now

    wait_until(look, lambda now: now == wanted, what, limit_s, every_s=0.1)
    return seen


def when_role_is_ready(call: Callable[..., T], **arguments: Any) -> T:
    """Make a call that needs a role, again while a fresh role is not usable everywhere yet.

    AWS needs some seconds, up to a minute, until a new role or policy is known to all its
    parts; in that time Lambda refuses the role. Raises the last ClientError after 120 s, and
    every other error at once. Source: IAM User Guide, "Troubleshoot IAM: changes that I
    make are not always immediately visible".
    """
    return when_known(call, NOT_READY_YET, **arguments)


def when_known(call: Callable[..., T], refusals: tuple[str, ...], **arguments: Any) -> T:
    """Make a call, again while AWS refuses it because a change is not known everywhere yet.

    Such a refusal has one of the texts `refusals` in it. Raises the last ClientError after
    120 s, and every other error at once.
    """

    def not_known(error: BaseException) -> bool:
        return isinstance(error, ClientError) and any(text in str(error) for text in refusals)

    attempt = retry(
        retry=retry_if_exception(not_known),
        wait=wait_exponential(min=1, max=8),
        stop=stop_after_delay(KNOWN_LIMIT_S),
        reraise=True,
    )(call)
    return attempt(**arguments)
