"""States of mappings that last, and polling that begins and ends later than they say (LS-075)."""

from __future__ import annotations

import time
from typing import Any

from helpers.localaws.rehearsal.conditions import Conditions, replace
from helpers.localaws.triggers.mappings import Mapping

IDLE_S = 60.0  # a mapping that waits for nothing is looked at again after this long


def install(conditions: Conditions) -> None:
    """Let mappings settle as slowly as on AWS, and poll after Enabled and after Disabled.

    All times of a mapping are of `time.monotonic`, as its own.
    """

    def lasts(effect: str, mapping: Any) -> float:
        seconds = conditions.delay_s(effect, mapping.event_source_arn)
        conditions.report.lasted(effect, seconds)
        return seconds

    def change_slowly(mapping: Any, state: str) -> None:
        change(mapping, state)
        mapping._settles_at = time.monotonic() + lasts("mapping settled", mapping)
        if state in ("Creating", "Enabling"):
            mapping.polls_from = mapping._settles_at + lasts("mapping polls", mapping)
        elif state == "Disabling":
            mapping.polls_until = mapping._settles_at + lasts("mapping polls on", mapping)

    for name in ("polls_from", "polls_until"):
        setattr(Mapping, name, 0.0)
    change = replace(Mapping, "in_transition", change_slowly)
    replace(Mapping, "polling", property(polling))
    replace(Mapping, "seconds_to_next_state", seconds_to_next_state)


def polling(mapping: Any) -> bool:
    """Whether a mapping polls now, whatever state it shows."""
    now = time.monotonic()
    if mapping.deleted or now < mapping.polls_from:
        return False
    return bool(mapping.enabled) or now < mapping.polls_until


def seconds_to_next_state(mapping: Any) -> float:
    left = max(mapping._settles_at, mapping.polls_from) - time.monotonic()
    return min(left, IDLE_S) if left > 0 else IDLE_S
