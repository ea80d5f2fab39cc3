"""Random draws over whole arrays: bounded power laws, and uniforms that are a function of ids."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# SplitMix64 (Steele, Lea, Flood 2014): golden-ratio increment and the two multipliers of its finaliser.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def uniform_of(seed: int, *ids: Ints | int) -> Floats:
    """A uniform number in [0, 1) per element that depends on the seed and the ids only, so that nothing need be stored.

    The ids are arrays of one length or scalars; each is mixed in with SplitMix64's finaliser.
    """
    state = np.asarray(seed, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for value in ids:
            state = state + (np.asarray(value).astype(np.uint64) + np.uint64(1)) * GOLDEN
            state = (state ^ (state >> np.uint64(30))) * MIX[0]
            state = (state ^ (state >> np.uint64(27))) * MIX[1]
            state = state ^ (state >> np.uint64(31))
    return np.asarray((state >> np.uint64(11)) * 2.0**-53)


def power_law_rank(uniform: Floats, exponent: Floats | float, largest: Ints) -> Ints:
    """A rank 1..largest with probability nearly proportional to rank^-exponent (the integral over rank +- 1/2), as int64.

    Takes uniforms in [0, 1), and an exponent above 0 and largest ranks per element. Inverse of the continuous distribution.
    """
    rise = 1.0 - np.asarray(exponent, dtype=np.float64)
    rise = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
    low, high = 0.5**rise, (largest + 0.5) ** rise
    drawn = np.rint((low + uniform * (high - low)) ** (1.0 / rise)).astype(np.int64)
    return np.asarray(np.clip(drawn, 1, largest))


@functools.lru_cache(maxsize=4)
def _summed_weights(longest: int, decay: float) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.arange(1, longest + 1, dtype=np.float64) ** -decay)])


def power_law_lag(uniform: Floats, past: Ints, decay: float) -> Ints:
    """A lag 1..past with probability exactly proportional to lag^-decay, as int64; `past` must be 1 or more."""
    if not len(past):
        return np.zeros(0, np.int64)
    # Rounded up, so that blocks of similar size share one table; the entries do not depend on its length.
    summed = _summed_weights(1 << int(past.max()).bit_length(), decay)
    lag = np.searchsorted(summed, uniform * summed[past], side="right")
    return np.asarray(np.clip(lag, 1, past), dtype=np.int64)


def positions_in_runs(lengths: Ints) -> Ints:
    """0, 1, ... within each run: [2, 3] gives 0 1 0 1 2."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(starts, lengths))
