"""What the exercises of notebook 03 are checked by."""

from __future__ import annotations

import boto3

from helpers import course
from helpers.account.things import (
    look_at_function,
)
from helpers.checks.looking import see
from helpers.checks.points import say


def check_practice_function(memory_mb: int) -> None:
    """Notebook 03: the practice function is active and has this much memory."""
    lambda_ = boto3.client("lambda")
    name = course.name(course.PRACTICE_FUNCTION)
    function = look_at_function(lambda_, name)
    if function is None:
        print(f"Not yet: there is no function {name}. Create it, then run this cell again.")
        return
    has = see(
        lambda: lambda_.get_function_configuration(FunctionName=name),
        lambda has: has["State"] != "Pending",
        local_s=5,
    )
    say(
        has["MemorySize"] == memory_mb,
        f"{name} is {has['State'].lower()} and has {memory_mb} MB of memory.",
        f"{name} has {has['MemorySize']} MB of memory, not {memory_mb}. The parameter is "
        "called MemorySize.",
        function,
    )
