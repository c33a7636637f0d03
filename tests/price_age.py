"""`python -m tests.price_age`: a warning in the nightly run for each price that may be too old.

No test fails by the calendar: a commit that passed passes next year too.
"""

from __future__ import annotations

from datetime import date

from helpers import prices

if __name__ == "__main__":
    for sentence in prices.too_old(date.today()):
        print(f"::warning file=helpers/prices.py::{sentence}")
