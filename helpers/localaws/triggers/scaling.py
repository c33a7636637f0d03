"""How many invocations of a trigger run at once: the rule, without a clock and without a queue.

`next_state` makes of a state, and of what was seen in the last second or so, the next state, and
`State.allowed` tells how many may run at once.
What AWS documents of it is little, so each number tells where it is from and how sure it is:

- *documented*: Lambda Developer Guide, "Configuring scaling behavior for SQS event source
  mappings" (scaling) and "Handling errors for an SQS event source" (errors).
- *measured*: by others; "7 SQS Lambda ESM Scaling Behaviours", rehanvdm.com.
- *estimated*: nobody has published it; the simplest that does not contradict the others.

Reserved concurrency and the account's are no limits here. A mapping does not know them and
fetches more than may run (re:Post knowledge center, "lambda-sqs-scaling"): invocations are
throttled, and throttles count as failures, which brings their number down towards what may run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

OPENING = 5
"""At once when messages begin to come, and again when traffic is low. Documented (scaling)."""

STEP = 5
"""More each second while there is a backlog. Documented (scaling) as up to 300 a minute; that it
comes evenly is estimated, for a minute with less than 300 was measured with very short work.

Also fewer each second, when it is quiet or after errors: documented as gradual (errors), the
speed is estimated."""

AWS_MOST = 1250
"""The most for one mapping. Documented (scaling) since 2025; it was 1,000 before."""

IDLE = 2
"""The fewest, after a long silence. Documented (scaling), also that MaximumConcurrency excludes
it."""

QUIET_S = 40.0
"""So long must places stay free before there are fewer, in s: two of Lambda's long polls of 20 s
that bring nothing. Estimated."""

IDLE_S = 300.0
"""So long must nothing come before there are `IDLE`, in s. Estimated; only the number of them is
documented."""

ERROR_MEMORY_S = 10.0
"""How long failures count: after so many s they and the successes weigh 1/e of what they did.
Estimated."""

CEILING_AT_1_PERCENT = 25.2
CEILING_EXPONENT = -0.28
"""The most with a share of failures: 25.2 · (share in %)^-0.28. That failures bring it down is
documented (errors); the curve is fitted to three points that were measured: 25, 16 and 13 at
once with 1, 5 and 10 % of errors, and 60 without. They are of one function with 50 ms of work,
and its 60 were all that the load needed: with longer work AWS may allow more. Estimated is what
lies between and beyond them."""


@dataclass(frozen=True)
class Limits:
    """What bounds a trigger. None is no bound.

    `computer`: what one computer bears; `maximum`: MaximumConcurrency; `groups`: the active
    message groups of a FIFO queue, documented (scaling).
    """

    computer: int
    maximum: int | None = None
    groups: int | None = None

    @property
    def lasting(self) -> int:
        """The smallest limit that is a setting, not a matter of the moment."""
        return min(AWS_MOST, self.computer, AWS_MOST if self.maximum is None else self.maximum)

    @property
    def now(self) -> int:
        """The smallest of all limits, at least 1."""
        return max(1, min(self.lasting, AWS_MOST if self.groups is None else self.groups))


@dataclass(frozen=True)
class Observation:
    """What was seen since the last observation, `seconds` ago; a second is usual.

    `backlog`: messages waited because all places were taken. `most_busy`: the most places that
    were taken at the same time. `invocations`: how many ended or were throttled; `failures`: how
    many of them as an error of the function or throttled.
    """

    seconds: float
    backlog: bool
    most_busy: int
    invocations: int
    failures: int
    limits: Limits


@dataclass(frozen=True)
class State:
    """What is remembered from one observation to the next.

    `places`: how many invocations may run at once, before the limits of the moment. `quiet_s`:
    for how many s some of them were not needed. `invocations`, `failures`: their numbers, the
    less the longer ago.
    """

    places: int = OPENING
    quiet_s: float = 0.0
    invocations: float = 0.0
    failures: float = 0.0

    @property
    def failing(self) -> float:
        """The share of failures among the recent invocations, from 0 to 1."""
        return self.failures / self.invocations if self.invocations else 0.0

    def allowed(self, limits: Limits) -> int:
        """How many invocations may run at once, at least 1."""
        return min(max(1, self.places), limits.now)


def ceiling(failing: float) -> int:
    """The most at once with this share of failures, from 0 to 1. Never below `OPENING`."""
    if failing <= 0:
        return AWS_MOST
    most = CEILING_AT_1_PERCENT * (failing * 100) ** CEILING_EXPONENT
    return max(OPENING, min(AWS_MOST, round(most)))


def next_state(state: State, seen: Observation) -> State:
    """What follows: more while there is a backlog, fewer after failures and when it is quiet.

    An observation changes the places by one `STEP` at most, but for a limit that is lower now.
    """
    fades = math.exp(-seen.seconds / ERROR_MEMORY_S)
    unneeded = seen.most_busy <= max(0, state.places - STEP)
    after = State(
        places=min(state.places, seen.limits.lasting),
        quiet_s=state.quiet_s + seen.seconds if unneeded else 0.0,
        invocations=state.invocations * fades + seen.invocations,
        failures=state.failures * fades + seen.failures,
    )
    return State(places_after(after, seen), after.quiet_s, after.invocations, after.failures)


def places_after(state: State, seen: Observation) -> int:
    """How many places there are next, when all else is known."""
    places, most = state.places, ceiling(state.failing)
    if seen.backlog and places < min(most, seen.limits.now):
        wanted = OPENING if places < OPENING else places + STEP
        return min(wanted, most, seen.limits.now)
    if state.quiet_s >= IDLE_S and seen.limits.maximum is None:
        return min(places, IDLE)
    if state.quiet_s >= QUIET_S:
        most = min(most, OPENING)
    return max(min(places, most), places - STEP)
