"""Stacks, whose resources have to wait for what a rehearsal lets come late."""

from __future__ import annotations

import time
from collections.abc import Iterable

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT

from helpers.localaws.rehearsal.conditions import replace
from helpers.localaws.rehearsal.permissions import FreshRoles, LatePolicies
from helpers.localaws.stacks.kinds import roles

LOOK_EVERY_S = 0.2


def install(fresh: FreshRoles, policies: LatePolicies) -> None:
    """Let a role be complete when Lambda knows it and its policies are enforced.

    On AWS a role takes some 15 s in the events of a stack, and what needs it does not fail then.
    """

    def wait(names: Iterable[str]) -> None:
        for name in names:
            while not (fresh.is_known(ACCOUNT, name) and policies.are_enforced(ACCOUNT, name)):
                time.sleep(LOOK_EVERY_S)

    replace(roles, "wait_until_usable", wait)
