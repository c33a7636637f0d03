"""What the exercises of notebook 05 are checked by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.checks.points import say


def check_handler(handler: Callable[[dict[str, Any], None], Any], expected: int) -> None:
    """Notebook 05: a handler that counts the orders in an event."""
    orders = ['{"task": "process_order"}'] * expected
    bodies = [*orders, '{"task": "say_hello"}']
    try:
        answer = handler({"Records": [{"body": body} for body in bodies]}, None)
    except Exception as error:  # noqa: BLE001 (a learner's handler may raise anything)
        print(f"Not yet: your handler raised {type(error).__name__}: {error}")
        return
    say(
        isinstance(answer, dict) and answer.get("orders") == expected,
        f"Your handler found {expected} orders among {len(bodies)} messages.",
        f"For {expected} orders among {len(bodies)} messages your handler returned {answer!r}; "
        f'it should return {{"orders": {expected}}}.',
    )
