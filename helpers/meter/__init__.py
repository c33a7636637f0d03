"""What the cells of a notebook have cost, had they run on AWS."""

from helpers.meter.bill import Bill, Line, in_words
from helpers.meter.reading import read, start

__all__ = ["Bill", "Line", "in_words", "read", "start"]
