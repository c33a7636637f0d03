"""What the effects have in common: draws, a clock, the report, and old values that still show."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from helpers.localaws.front.protocols import Answer, Call, make_answer, read_object
from helpers.localaws.rehearsal import draws
from helpers.localaws.rehearsal.profiles import CHANCES, CLOCK_OFF_S, DELAYS, quantile
from helpers.localaws.rehearsal.report import Report
from helpers.localaws.settings import LikeAws


class Conditions:
    """The conditions of one rehearsal. `clock` gives s, from any beginning."""

    def __init__(self, options: LikeAws, clock: Callable[[], float] = time.monotonic) -> None:
        self.report = Report()
        self.now = clock
        self._options = options
        self._lock = threading.Lock()
        self._numbers: Counter[tuple[str, str]] = Counter()

    def delay_s(self, effect: str, resource: str) -> float:
        """The next delay of an effect on a resource, scaled, in s."""
        drawn = draws.seconds(DELAYS[effect], quantile(self._options.profile, self._draw(
            resource, effect
        )))  # fmt: skip
        return drawn * self._options.scale

    def happens(self, effect: str, resource: str) -> bool:
        """Whether something happens to a resource this time."""
        chance: float = getattr(CHANCES[effect], self._options.profile)
        return self._draw(resource, effect) < chance

    def clock_off_s(self) -> float:
        """How far the learner's clock is ahead of AWS's, in s; the same for the whole run."""
        drawn = draws.uniform(self._options.seed, "learner", "clock", 1)
        return round((2 * drawn - 1) * CLOCK_OFF_S[self._options.profile], 1)

    def _draw(self, resource: str, operation: str) -> float:
        with self._lock:
            self._numbers[resource, operation] += 1
            number = self._numbers[resource, operation]
        return draws.uniform(self._options.seed, resource, operation, number)


def replace(owner: Any, name: str, new: Any) -> Any:
    """Put something in the place of a class's or module's own; returns what was there."""
    old = getattr(owner, name)
    setattr(owner, name, new)
    return old


@dataclass
class Request:
    """A call on its way. `notes`: what an effect saw before the call and wants after it."""

    call: Call
    environ: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        return self.call.operation

    @property
    def parameters(self) -> dict[str, Any]:
        return self.call.parameters

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body, {} when there is none."""
        try:
            return read_object(self.environ)
        except ValueError:
            return {}


def lambda_error(status: int, code: str, message: str, **more: str) -> Answer:
    """An error as Lambda writes it. `more`: other fields of its body."""
    headers = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": code,
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    return make_answer(status, headers, json.dumps({"Type": "User", "message": message, **more}))


class Effect:
    """Something that happens to calls on their way. By itself it does nothing."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions

    def before(self, _request: Request) -> Answer | None:
        """The answer to a call that is not to reach its service; None if it may."""
        return None

    def after(self, _request: Request, body: bytes) -> bytes:
        """The body to answer with, after a call that succeeded."""
        return body


class OldValues:
    """Old values that still show for a while, by key.

    Of several changes the oldest one that does not show yet counts: what is seen is what was
    there before it.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._lock = threading.Lock()
        self._pending: dict[Hashable, list[tuple[float, Any]]] = {}
        self._reads: Counter[Hashable] = Counter()

    def keep(self, key: Hashable, old: Any, seconds: float) -> None:
        with self._lock:
            pending = self._pending.setdefault(key, [])
            pending.append((self._conditions.now() + seconds, old))

    def see(self, key: Hashable) -> tuple[Any] | None:
        """The old value, in a tuple, while it shows; None when the present one does."""
        with self._lock:
            now = self._conditions.now()
            pending = [each for each in self._pending.get(key, []) if each[0] > now]
            if pending:
                self._pending[key] = pending
                return (pending[0][1],)
            self._pending.pop(key, None)
            return None

    def alternate(self, key: Hashable) -> tuple[Any] | None:
        """The same, where reads alternate between the old value and the present one."""
        seen = self.see(key)
        if seen is None:
            return None
        with self._lock:
            self._reads[key] += 1
            return seen if self._reads[key] % 2 else None
