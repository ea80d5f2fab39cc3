"""One figure of a model, which training passes to the ledger and the gold tables of metrics read back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from music.populations import CATALOGUE, POPULATIONS

FIELDS = (
    "population: string, split: string, metric: string, value: double, n: bigint, low: double, high: double, baseline: string, "
    "baseline_value: double, skill: double, skill_low: double, skill_high: double, note: string, protocol: string"
)
"""The row of a metric as SQL types, for reading the ledger's JSON."""


@dataclass(frozen=True)
class Metric:
    """A figure of a model; population, split and metric identify it.

    `population`: real or synthetic listeners, or the catalogue's tracks. `split`: which data it was measured on (test,
    validation, resamples ...), never whose. `value` with its 95% interval `low` to `high`, over `n` rows. `skill`: relative
    improvement over `baseline`, whose value is `baseline_value`. `protocol`: what was to be recommended; rows with a
    protocol are also in gold.recommendation_metrics.

    Raises ValueError for any other population, a split that names a population, or a negative n.
    """

    population: str
    split: str
    metric: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    baseline: str | None = None
    baseline_value: float | None = None
    skill: float | None = None
    skill_low: float | None = None
    skill_high: float | None = None
    note: str | None = None
    protocol: str | None = None

    def __post_init__(self) -> None:
        if self.population not in (*POPULATIONS, CATALOGUE):
            raise ValueError(f"metric {self.metric}: no population {self.population!r}")
        if self.split.endswith(POPULATIONS):
            raise ValueError(f"metric {self.metric}: the split {self.split!r} names a population")
        if self.n < 0:
            raise ValueError(f"metric {self.metric}: n is {self.n}")

    def row(self) -> dict[str, Any]:
        """The metric as JSON can hold it: null for NaN and infinities."""
        return {name: finite(value) if isinstance(value, float) else value for name, value in asdict(self).items()}


def rows_of(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """The metrics as the ledger keeps them."""
    return [metric.row() for metric in metrics]


def finite(value: Any) -> float | None:
    """The value as a float that JSON can hold; None for NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None
