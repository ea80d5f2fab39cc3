"""Linear models as one Spark expression: trained by scikit-learn, stored as a table, scored by any engine without Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

Floats = NDArray[np.float64]
INTERCEPT = "intercept"


@dataclass(frozen=True)
class Linear:
    """intercept + sum of weight * feature, with `fill` in place of a missing feature."""

    intercept: float
    weights: Mapping[str, float]
    fills: Mapping[str, float]

    def predict(self, features: Mapping[str, Floats]) -> Floats:
        """One prediction per row, from columns in memory (NaN = missing)."""
        size = len(next(iter(features.values())))
        total = np.full(size, self.intercept)
        for name, weight in self.weights.items():
            if weight:
                total += weight * np.where(np.isnan(features[name]), self.fills[name], features[name])
        return total

    def column(self) -> Column:
        """The same, from a DataFrame's columns."""
        terms = [
            F.lit(weight) * F.coalesce(F.col(name), F.lit(self.fills[name])) for name, weight in self.weights.items() if weight
        ]
        return reduce(lambda total, term: total + term, terms, F.lit(self.intercept))


def alone(feature: str, fill: float) -> Linear:
    """A baseline as a linear model: the one feature, unchanged."""
    return Linear(0.0, {feature: 1.0}, {feature: fill})


def fit_ridge(features: Mapping[str, Floats], target: Floats, alpha: float, *, positive: bool = False) -> Linear:
    """Ridge regression (Hoerl & Kennard 1970) on standardised features, missing ones at their mean; weights in feature units."""
    from sklearn.linear_model import Ridge

    names = list(features)
    matrix = np.column_stack([features[name] for name in names])
    is_there = ~np.isnan(matrix)
    fills = np.where(is_there, matrix, 0.0).sum(axis=0) / np.maximum(is_there.sum(axis=0), 1)
    matrix = np.where(is_there, matrix, fills)
    scale = matrix.std(axis=0)
    scale[scale < 1e-9] = np.inf
    fitted = Ridge(alpha=alpha, positive=positive).fit((matrix - fills) / scale, target)
    weights = fitted.coef_ / scale
    intercept = float(fitted.intercept_ - weights @ fills)
    return Linear(intercept, dict(zip(names, weights.tolist(), strict=True)), dict(zip(names, fills.tolist(), strict=True)))


def to_arrow(models: Mapping[tuple[str, str], Linear]) -> pa.Table:
    """One row per model (population, fit) and feature."""
    rows = [
        {"population": population, "fit": fit, "feature": name, "weight": weight, "fill": fill}
        for (population, fit), model in models.items()
        for name, weight, fill in [
            (INTERCEPT, model.intercept, 0.0),
            *[(name, weight, model.fills[name]) for name, weight in model.weights.items()],
        ]
    ]
    kinds = {"population": pa.string(), "fit": pa.string(), "feature": pa.string(), "weight": pa.float64(), "fill": pa.float64()}
    return pa.Table.from_pylist(rows, pa.schema(list(kinds.items())))


def from_arrow(stored: pa.Table) -> dict[tuple[str, str], Linear]:
    """The models that to_arrow stored."""
    rows_by_fit: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in stored.to_pylist():
        rows_by_fit.setdefault((row["population"], row["fit"]), []).append(row)
    return {key: _linear(rows) for key, rows in rows_by_fit.items()}


def _linear(rows: Sequence[Mapping[str, Any]]) -> Linear:
    weights = {row["feature"]: row["weight"] for row in rows}
    fills = {row["feature"]: row["fill"] for row in rows if row["feature"] != INTERCEPT}
    return Linear(weights.pop(INTERCEPT), weights, fills)


def choose(cases: Iterable[tuple[Column, Column]]) -> Column:
    """The value of the first condition that holds; null where none does."""
    return F.coalesce(*[F.when(condition, value) for condition, value in cases])
