"""Intervals of shares outside an engine."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054


def wilson_interval(successes: int, n: int) -> tuple[float, float] | tuple[None, None]:
    """95% score interval of a share: Wilson, JASA 22 (1927) 209-212. None when n is 0."""
    if n == 0:
        return None, None
    share, z2 = successes / n, Z_95**2
    centre = (successes + z2 / 2) / (n + z2)
    half = Z_95 * math.sqrt(share * (1 - share) * n + z2 / 4) / (n + z2)
    return max(0.0, centre - half), min(1.0, centre + half)
