"""The capstone: the bank that a learner's function calls, and the judge of what they built."""

from helpers.capstone.bank import open_bank, package
from helpers.capstone.judging import judge
from helpers.capstone.report import Report

__all__ = ["Report", "judge", "open_bank", "package"]
