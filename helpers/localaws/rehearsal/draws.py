"""Numbers that look random and depend on what they are for alone.

Each is a hash of the seed, the resource, the operation and the number of the call, and not the
next one of a shared stream: so threads cannot change the outcome.
"""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

from helpers.localaws.rehearsal.profiles import Delay

BITS = 53  # of a float's fraction
Z99 = NormalDist().inv_cdf(0.99)


def uniform(seed: int, resource: str, operation: str, number: int) -> float:
    """A number above 0 and below 1."""
    key = repr((seed, resource, operation, number)).encode()
    drawn = int.from_bytes(hashlib.sha256(key).digest()[:8]) >> (64 - BITS)
    return min((drawn + 0.5) / 2**BITS, math.nextafter(1.0, 0.0))


def seconds(delay: Delay, quantile: float) -> float:
    """The delay at this quantile (above 0 and below 1) of its log-normal distribution, in s."""
    width = math.log(delay.p99_s / delay.median_s) / Z99
    drawn = delay.median_s * math.exp(width * NormalDist().inv_cdf(quantile))
    return min(max(drawn, delay.min_s), delay.most_s)
