"""How models are judged: temporal split, skill, bootstrap intervals, and the rows that tell of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]

REAL, SYNTHETIC, CATALOGUE = "real", "synthetic", "catalogue"
POPULATIONS = (REAL, SYNTHETIC)
# Shares of a listener's time: train, then validation, then test.
VALIDATION_FROM, TEST_FROM = 0.6, 0.8
REPLICATES = 1000
SEED = 20240101


def population(is_synthetic: Column) -> Column:
    """real or synthetic: the two are never in one score."""
    return F.when(is_synthetic, SYNTHETIC).otherwise(REAL)


def elapsed_share(at: Column, first: Column, last: Column) -> Column:
    """How much of a listener's time, from first to last, has gone by at `at` (0-1); 0 where there is only one moment."""
    span = (F.unix_micros(last) - F.unix_micros(first)).cast("double")
    gone = (F.unix_micros(at) - F.unix_micros(first)).cast("double")
    return F.coalesce(gone / F.nullif(span, F.lit(0.0)), F.lit(0.0))


def splits_of(elapsed: Floats) -> dict[str, NDArray[np.bool_]]:
    """Which rows train, validate and test, by the share of the listener's time that has gone by: never by chance."""
    return {
        "train": elapsed < VALIDATION_FROM,
        "validation": (elapsed >= VALIDATION_FROM) & (elapsed < TEST_FROM),
        "test": elapsed >= TEST_FROM,
    }


def skill(loss: Floats, baseline_loss: Floats) -> Floats:
    """Share by which a loss is below the baseline's: 1 - loss / baseline_loss; 0 no better, negative worse, NaN without loss."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - np.asarray(loss) / np.where(baseline_loss == 0, np.nan, baseline_loss), dtype=np.float64)


def cluster_sums(clusters: ArrayLike, columns: Sequence[ArrayLike]) -> Floats:
    """(clusters, columns): the sum of each column within each cluster, clusters in sorted order."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    return np.column_stack([np.bincount(index, weights=np.asarray(column, dtype=np.float64)) for column in columns])


def bootstrap(sums: Floats, statistic: Statistic, replicates: int = REPLICATES) -> Floats:
    """(2, ...): 95% percentile intervals of statistics of summed columns, by resampling whole clusters.

    Efron & Tibshirani (1993), ch. 13. `sums` is (clusters, columns) in an order that does not depend on rows; `statistic`
    maps (..., columns) to (..., statistics). Listens of a session and tracks of an artist are alike, so these are what is
    drawn. NaN for fewer than two clusters.
    """
    clusters = len(sums)
    if clusters < 2:
        return np.full((2, *statistic(sums.sum(axis=0)).shape), np.nan)
    draw = np.random.default_rng(SEED)
    totals = np.empty((replicates, sums.shape[1]))
    # In blocks, so that many clusters do not need memory for all replicates at once.
    block = max(1, 4_000_000 // clusters)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        # Weights as floats: only those are multiplied by BLAS.
        weights = draw.multinomial(clusters, np.full(clusters, 1 / clusters), size=size).astype(np.float64)
        totals[start : start + size] = weights @ sums
    return np.asarray(np.nanquantile(statistic(totals), [0.025, 0.975], axis=0))


def estimates(sums: Floats, statistics: Mapping[str, Statistic]) -> dict[str, dict[str, float | None]]:
    """Per statistic, its `value` over all clusters together, `low` and `high`: one resampling for all of them."""

    def together(totals: Floats) -> Floats:
        return np.stack([statistic(totals) for statistic in statistics.values()], axis=-1)

    values = together(sums.sum(axis=0))
    low, high = bootstrap(sums, together)
    return {
        name: {"value": finite(values[i]), "low": finite(low[i]), "high": finite(high[i])} for i, name in enumerate(statistics)
    }


def finite(value: Any) -> float | None:
    """The value as a float JSON can hold; None for NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def metric(split: str, population: str, name: str, *, value: float | None, n: int, **others: Any) -> dict[str, Any]:
    """A row of gold.model_performance_metrics, less model_id. `others`: low, high, baseline, baseline_value, skill..., note."""
    # The table's key has no population.
    split = f"{split}_{population}" if population == SYNTHETIC else split
    row: dict[str, Any] = {"split": split, "population": population, "metric": name, "value": finite(value), "n": int(n)}
    keys = ("low", "high", "baseline", "baseline_value", "skill", "skill_low", "skill_high", "note")
    if unknown := set(others) - set(keys):
        raise ValueError(f"a metric has no {sorted(unknown)[0]}")
    texts = ("baseline", "note")
    return row | {key: others.get(key) if key in texts else finite(others.get(key)) for key in keys}


def diagnostic(kind: str, population: str, rows: Sequence[Mapping[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    """Rows of gold.model_diagnostics, less model_id, numbered from `first`; each gives value and what it has of the rest."""
    empty = dict.fromkeys(("label", "label_2", "x", "low", "high", "n"))
    told = [{"kind": kind, "row": first + i, "population": population, **empty, **row} for i, row in enumerate(rows)]
    return [{k: finite(v) if isinstance(v, float) else v for k, v in row.items()} for row in told]


def regression_metrics(
    split: str,
    population: str,
    actual: Floats,
    predicted: Floats,
    baselines: Mapping[str, Floats],
    best: str,
    clusters: ArrayLike,
    note: str | None = None,
) -> list[dict[str, Any]]:
    """rmse, mae and r2 of a model with intervals over clusters and skill over the baseline `best`, then each baseline's own.

    r2 is against the mean of the very rows that are scored, which nobody knows beforehand. Nothing for no rows.
    """
    n = len(actual)
    if not n:
        return []
    guesses = {"": predicted, **{f": {name}": guess for name, guess in baselines.items()}}
    errors = [column for guess in guesses.values() for column in ((actual - guess) ** 2, np.abs(actual - guess))]
    sums = cluster_sums(clusters, [np.ones(n), actual, actual**2, *errors])
    told: dict[str, Statistic] = {}
    for i, suffix in enumerate(guesses):
        told |= {f"rmse{suffix}": _root_mean(3 + 2 * i), f"mae{suffix}": _mean(4 + 2 * i), f"r2{suffix}": _r2(3 + 2 * i)}
    gains = {kind: _gain(told[kind], told[f"{kind}: {best}"]) for kind in ("rmse", "mae")}
    found = estimates(sums, told | {f"skill {kind}": gain for kind, gain in gains.items()})
    rows = []
    for kind in ("rmse", "mae", "r2"):
        other: dict[str, Any] = {"baseline": best, "baseline_value": found[f"{kind}: {best}"]["value"], "note": note}
        if kind in gains:
            gain = found[f"skill {kind}"]
            other |= {"skill": gain["value"], "skill_low": gain["low"], "skill_high": gain["high"]}
        rows.append(metric(split, population, kind, n=n, **found[kind], **other))
    rows += [
        metric(split, population, f"{kind}: {name}", n=n, **found[f"{kind}: {name}"])
        for name in baselines
        for kind in ("rmse", "mae")
    ]
    return rows


def loss_metrics(
    split: str, population: str, name: str, losses: Mapping[str, Floats], best: str, clusters: ArrayLike, note: str | None
) -> list[dict[str, Any]]:
    """The mean of a loss given row by row: the model's (key "") with skill over the key `best`, then the others'."""
    n = len(losses[""])
    if not n:
        return []
    told: dict[str, Statistic] = {key: _mean(i) for i, key in enumerate(losses, start=1)}
    found = estimates(cluster_sums(clusters, [np.ones(n), *losses.values()]), told | {"skill": _gain(told[""], told[best])})
    gain = found["skill"]
    rows = []
    for key in losses:
        other: dict[str, Any] = {}
        if not key:
            other = {"baseline": best.removeprefix(": "), "baseline_value": found[best]["value"], "note": note}
            other |= {"skill": gain["value"], "skill_low": gain["low"], "skill_high": gain["high"]}
        rows.append(metric(split, population, f"{name}{key}", n=n, **found[key], **other))
    return rows


def coverage_metric(
    split: str, population: str, name: str, inside: NDArray[np.bool_], clusters: ArrayLike, note: str | None = None
) -> list[dict[str, Any]]:
    """The share of rows inside their interval, with its own interval over clusters; nothing for no rows."""
    if not len(inside):
        return []
    found = estimates(cluster_sums(clusters, [np.ones(len(inside)), inside]), {name: _mean(1)})
    return [metric(split, population, name, n=len(inside), note=note, **found[name])]


def _mean(column: int) -> Statistic:
    return lambda sums: np.asarray(sums[..., column] / sums[..., 0])


def _root_mean(column: int) -> Statistic:
    return lambda sums: np.sqrt(sums[..., column] / sums[..., 0])


def _gain(own: Statistic, other: Statistic) -> Statistic:
    return lambda sums: skill(own(sums), other(sums))


def _r2(column: int) -> Statistic:
    """1 - squared error / squared deviation from the mean; columns 0-2 are n, sum and sum of squares of the actual values."""

    def r2(sums: Floats) -> Floats:
        spread = sums[..., 2] - sums[..., 1] ** 2 / sums[..., 0]
        return skill(sums[..., column], spread)

    return r2
