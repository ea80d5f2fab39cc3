"""How models are judged: skill and losses with bootstrap intervals over clusters, as metrics and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.common.metric import Metric, finite
from music.bootstrap import Floats, Statistic, cluster_interval


def skill(loss: Floats, baseline_loss: Floats) -> Floats:
    """Relative improvement over the baseline: 1 - loss / baseline_loss; 0 = no better, negative = worse, NaN without a loss."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - np.asarray(loss) / np.where(baseline_loss == 0, np.nan, baseline_loss), dtype=np.float64)


def cluster_sums(clusters: ArrayLike, columns: Sequence[ArrayLike]) -> Floats:
    """(clusters, columns): the sum of each column within each cluster, clusters in sorted order."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    return np.column_stack([np.bincount(index, weights=np.asarray(column, dtype=np.float64)) for column in columns])


class Estimate(TypedDict):
    """A value with its 95% interval; None where it cannot be known."""

    value: float | None
    low: float | None
    high: float | None


def estimates(sums: Floats, statistics: Mapping[str, Statistic]) -> dict[str, Estimate]:
    """Per statistic, its `value` over all clusters together, `low` and `high`; all statistics share one resampling."""

    def together(totals: Floats) -> Floats:
        return np.stack([statistic(totals) for statistic in statistics.values()], axis=-1)

    values = together(sums.sum(axis=0))
    low, high = cluster_interval(sums, together)
    return {
        name: {"value": finite(values[i]), "low": finite(low[i]), "high": finite(high[i])} for i, name in enumerate(statistics)
    }


def diagnostic(kind: str, population: str, rows: Sequence[Mapping[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    """Rows of gold.model_diagnostics without model_id, numbered from `first`; each has `value` and any of the other columns."""
    empty = dict.fromkeys(("label", "label_2", "x", "low", "high", "n"))
    numbered = [{"kind": kind, "row": first + i, "population": population, **empty, **row} for i, row in enumerate(rows)]
    return [{k: finite(v) if isinstance(v, float) else v for k, v in row.items()} for row in numbered]


def regression_metrics(
    split: str,
    population: str,
    actual: Floats,
    predicted: Floats,
    baselines: Mapping[str, Floats],
    best: str,
    clusters: ArrayLike,
    note: str | None = None,
) -> list[Metric]:
    """rmse, mae and r2 of a model with intervals over clusters and skill over the baseline `best`, then each baseline's own.

    r2 compares with the mean of the scored rows themselves, which is not known beforehand. Without rows there are no
    metrics.
    """
    n = len(actual)
    if not n:
        return []
    guesses = {"": predicted, **{f": {name}": guess for name, guess in baselines.items()}}
    errors = [column for guess in guesses.values() for column in ((actual - guess) ** 2, np.abs(actual - guess))]
    sums = cluster_sums(clusters, [np.ones(n), actual, actual**2, *errors])
    statistics: dict[str, Statistic] = {}
    for i, suffix in enumerate(guesses):
        statistics |= {f"rmse{suffix}": _root_mean(3 + 2 * i), f"mae{suffix}": _mean(4 + 2 * i), f"r2{suffix}": _r2(3 + 2 * i)}
    gains = {kind: _gain(statistics[kind], statistics[f"{kind}: {best}"]) for kind in ("rmse", "mae")}
    intervals = estimates(sums, statistics | {f"skill {kind}": gain for kind, gain in gains.items()})
    rows = []
    for kind in ("rmse", "mae", "r2"):
        other: dict[str, Any] = {"baseline": best, "baseline_value": intervals[f"{kind}: {best}"]["value"], "note": note}
        if kind in gains:
            gain = intervals[f"skill {kind}"]
            other |= {"skill": gain["value"], "skill_low": gain["low"], "skill_high": gain["high"]}
        rows.append(Metric(population, split, kind, n=n, **intervals[kind], **other))
    rows += [
        Metric(population, split, f"{kind}: {name}", n=n, **intervals[f"{kind}: {name}"])
        for name in baselines
        for kind in ("rmse", "mae")
    ]
    return rows


def loss_metrics(
    split: str, population: str, name: str, losses: Mapping[str, Floats], best: str, clusters: ArrayLike, note: str | None
) -> list[Metric]:
    """The mean of a loss given row by row: the model's (key "") with skill over the key `best`, then the others'."""
    n = len(losses[""])
    if not n:
        return []
    statistics: dict[str, Statistic] = {key: _mean(i) for i, key in enumerate(losses, start=1)}
    intervals = estimates(
        cluster_sums(clusters, [np.ones(n), *losses.values()]), statistics | {"skill": _gain(statistics[""], statistics[best])}
    )
    gain = intervals["skill"]
    rows = []
    for key in losses:
        other: dict[str, Any] = {}
        if not key:
            other = {"baseline": best.removeprefix(": "), "baseline_value": intervals[best]["value"], "note": note}
            other |= {"skill": gain["value"], "skill_low": gain["low"], "skill_high": gain["high"]}
        rows.append(Metric(population, split, f"{name}{key}", n=n, **intervals[key], **other))
    return rows


def coverage_metric(
    split: str, population: str, name: str, inside: NDArray[np.bool_], clusters: ArrayLike, note: str | None = None
) -> list[Metric]:
    """The share of rows inside their interval, with its own interval over clusters; no metric without rows."""
    if not len(inside):
        return []
    intervals = estimates(cluster_sums(clusters, [np.ones(len(inside)), inside]), {name: _mean(1)})
    return [Metric(population, split, name, n=len(inside), note=note, **intervals[name])]


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
