"""Scores that can tie: rounded before they are compared, so that the last bits of a sum never decide a rank or a choice.

Equal sums differ in their last bits with the order of addition: threads, processors and engines each have their own. Ranks of
rounded scores end in a stable id as the tie-break.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

DIGITS = 9
"""Digits of a score that count."""
SUM_DIGITS = 12
"""Digits of a mean that is compared with a threshold: beyond them is rounding, and the mean itself stays equal."""
TIE = 10.0**-DIGITS

Floats = NDArray[np.float64]
Name = TypeVar("Name")


def ranking(score: Column) -> Column:
    """A score (of the order of 1) to order rows by."""
    return F.round(score, DIGITS)


def summed(mean: Column) -> Column:
    """A sum or mean to compare with a threshold, or to say in words."""
    return F.round(mean, SUM_DIGITS)


def rounded(scores: Floats) -> Floats:
    """Scores (..., items) to nine digits of the largest of each row; infinities and NaN stay."""
    finite = np.where(np.isfinite(scores), np.abs(scores), 0.0).max(axis=-1, keepdims=True, initial=0.0)
    # A power of two, so that scaling itself is exact.
    step = np.exp2(np.floor(np.log2(np.where(finite > 0, finite, 1.0))) - BITS)
    return np.asarray(np.rint(scores / step) * step)


BITS = 30
"""2^30 is about 10^DIGITS."""


def reaching(scores: Floats, target: Floats) -> NDArray[np.bool_]:
    """Which scores (of the order of 1) are as good as the target or better: a tie counts, whatever its last bits."""
    return np.asarray(scores >= target - TIE)


def least(values: Mapping[Name, float]) -> Name:
    """The name of the lowest value; of equal ones the first."""
    return min(values, key=lambda name: _digits(values[name]))


def greatest(values: Mapping[Name, float]) -> Name:
    """The name of the highest value; of equal ones the first."""
    return max(values, key=lambda name: _digits(values[name]))


def numbered(values: Iterable[float]) -> dict[int, float]:
    """Values by their position, to choose a position by."""
    return dict(enumerate(values))


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
