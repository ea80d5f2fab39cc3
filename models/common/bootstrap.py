"""Intervals of means by the bootstrap."""

from __future__ import annotations

import numpy as np

from recommenders.metrics import resampled_means

RESAMPLES = 1000
SEED = 20240229


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[float | None, float | None]:
    """Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, ch. 13); None where there are fewer than two values."""
    if len(values) < 2:
        return None, None
    means = resampled_means(values, RESAMPLES, SEED)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
