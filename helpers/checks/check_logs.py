"""What the exercises of notebook 07 are checked by."""

from __future__ import annotations

from helpers.checks.points import check_answer

__all__ = ["check_answer"]
