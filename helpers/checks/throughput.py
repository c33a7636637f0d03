"""What the exercises of notebook 09 are checked by."""

from __future__ import annotations

from helpers.checks.points import check_answer

__all__ = ["check_answer"]
