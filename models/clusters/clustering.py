"""K-means over standardised features: how many clusters, how stable they are, and their order and numbers.

This uses scikit-learn on a capped sample rather than MLlib: the size of the sample is bounded, so a JVM would only add its
start-up time. Scoring is one Spark expression over the stored centroids (nearest.py) and needs neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.common.metric import Metric
from music.ranking import DIGITS, TIE

SAMPLE = 4_000
"""The most rows from which a population's clusters are learned."""
CLUSTERS = range(3, 9)
"""Two clusters would only split the measure with the widest spread."""
FEWEST = 50
"""With fewer rows there is one cluster, because several could not be distinguished from chance."""
SILHOUETTE_ROWS = 1_500
RESAMPLES = 5
STARTS, RESAMPLE_STARTS = 4, 2
# Cluster solutions that agree this far with those of resampled data are called stable (Hennig 2007: 0.85 and more, highly).
STABLE = 0.85
# Silhouettes within a tenth of the best are as good: among those the largest k tells most.
AS_GOOD = 0.9

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """How well one number of clusters fits."""

    k: int
    inertia: float
    """mean squared distance to the nearest centroid, in standard deviations"""
    silhouette: float
    stability: float
    """mean adjusted Rand index of the partition against those learned from bootstrap resamples"""
    stability_low: float
    stability_high: float


@dataclass(frozen=True)
class Clustering:
    """The chosen clusters of one population, the largest first."""

    features: tuple[str, ...]
    mean: Floats
    scale: Floats
    """standard deviation of each feature; 1 where it does not vary"""
    centroids: Floats
    """(k, features), standardised"""
    sizes: Ints
    curves: tuple[Curve, ...]
    chance_silhouette: float | None
    """silhouette of as many clusters where every feature is shuffled by itself; None for one cluster"""

    @property
    def k(self) -> int:
        return len(self.centroids)

    @property
    def rows(self) -> int:
        return int(self.sizes.sum())

    @property
    def chosen(self) -> Curve | None:
        """The curve of the chosen k; None for one cluster."""
        return next((curve for curve in self.curves if curve.k == self.k), None)

    def raw(self, cluster: int) -> dict[str, float]:
        """A centroid in the features' own units."""
        return dict(zip(self.features, (self.centroids[cluster] * self.scale + self.mean).tolist(), strict=True))


def cluster(values: Floats, features: Sequence[str]) -> Clustering:
    """Cluster rows of a sample (rows, features) in an order that does not depend on how it was stored; NaN is unknown.

    Unknown values count as the mean. The chosen k is the largest one that has a mean stability of at least 0.85 and a
    silhouette (Rousseeuw 1987) within a tenth of the best of such k. If none is stable, it is the most stable k. Stability
    is Hubert & Arabie's adjusted Rand index (1985) between the partition and those of bootstrap resamples (Hennig, CSDA 52,
    2007). Raises ValueError for a sample without rows.
    """
    # Imported before its threads are limited: a library that is not loaded yet would keep all of its own.
    import sklearn.cluster  # noqa: F401
    from threadpoolctl import threadpool_limits

    if not len(values):
        raise ValueError("there is nothing to cluster")
    mean = np.where(np.isnan(values).all(axis=0), 0.0, np.nanmean(np.where(np.isnan(values).all(axis=0), 0.0, values), axis=0))
    filled = np.where(np.isnan(values), mean, values)
    spread = filled.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    standardised = (filled - mean) / scale
    distinct = len(np.unique(standardised, axis=0))
    if len(values) < FEWEST or distinct <= CLUSTERS.stop:
        return Clustering(
            tuple(features), mean, scale, standardised.mean(axis=0, keepdims=True), np.array([len(values)]), (), None
        )
    # One thread of its loops, as of products (lakehouse/build/one_thread.py): sums in the same order give the same bits.
    with threadpool_limits(1, user_api="openmp"):
        fits = {k: _fit(standardised, k, STARTS, seed=k) for k in CLUSTERS}
        curves = tuple(_curve(standardised, k, *fits[k]) for k in CLUSTERS)
        k = choose(curves)
        centroids, _, _ = fits[k]
        chance = _silhouette(*_shuffled_fit(standardised, k))
    labels = _nearest(standardised, centroids)
    sizes = np.bincount(labels, minlength=k)
    order = np.lexsort((*centroids.T[::-1].round(DIGITS), -sizes))
    return Clustering(tuple(features), mean, scale, centroids[order], sizes[order], curves, chance)


def choose(curves: Sequence[Curve]) -> int:
    """The k that the rule of `cluster` selects."""
    stable = [curve for curve in curves if curve.stability >= STABLE - TIE]
    if not stable:
        return max(curves, key=lambda curve: (round(curve.stability, DIGITS), round(curve.silhouette, DIGITS), -curve.k)).k
    best = max(curve.silhouette for curve in stable)
    return max(curve.k for curve in stable if curve.silhouette >= AS_GOOD * best - TIE)


def _fit(values: Floats, k: int, starts: int, seed: int) -> tuple[Floats, Ints, float]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Fewer distinct points than clusters: the curve shows it, and such a k is not chosen.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(k, n_init=starts, random_state=seed).fit(values)
    return fitted.cluster_centers_, fitted.labels_, float(fitted.inertia_)


def _curve(values: Floats, k: int, centroids: Floats, labels: Ints, inertia: float) -> Curve:
    from sklearn.metrics import adjusted_rand_score

    agreements = []
    for resample in range(RESAMPLES):
        rows = np.random.default_rng([k, resample]).integers(0, len(values), len(values))
        again, _, _ = _fit(values[rows], k, RESAMPLE_STARTS, seed=resample)
        agreements.append(adjusted_rand_score(labels, _nearest(values, again)))
    return Curve(
        k,
        inertia / len(values),
        _silhouette(values, labels),
        float(np.mean(agreements)),
        min(agreements),
        max(agreements),
    )


def _shuffled_fit(values: Floats, k: int) -> tuple[Floats, Ints]:
    """The sample with every feature shuffled independently, which keeps distributions but no structure, and its clusters."""
    random = np.random.default_rng(k)
    shuffled = np.column_stack([random.permutation(column) for column in values.T])
    return shuffled, _fit(shuffled, k, STARTS, seed=k)[1]


def _silhouette(values: Floats, labels: Ints) -> float:
    """Mean silhouette of the first rows; the order of the sample is arbitrary."""
    from sklearn.metrics import silhouette_score

    values, labels = values[:SILHOUETTE_ROWS], labels[:SILHOUETTE_ROWS]
    return float(silhouette_score(values, labels)) if 1 < len(np.unique(labels)) < len(labels) else 0.0


def _nearest(values: Floats, centroids: Floats) -> Ints:
    distances = ((values[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(distances.argmin(axis=1))


def diagnostics(clusterings: Mapping[str, Clustering], labels: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Rows of elbow, silhouette and stability curves (x is k) and of centroids (in their units), by population."""
    rows: list[dict[str, Any]] = []
    for population, clustering in clusterings.items():
        for curve in clustering.curves:
            place = {"population": population, "x": float(curve.k), "n": clustering.rows}
            rows.append({**place, "kind": "elbow", "value": curve.inertia})
            rows.append({**place, "kind": "silhouette", "value": curve.silhouette})
            interval = {"low": curve.stability_low, "high": curve.stability_high}
            rows.append({**place, "kind": "stability", "value": curve.stability, **interval})
        for number, label in enumerate(labels[population]):
            size = int(clustering.sizes[number])
            named = {"kind": "centroid", "population": population, "label": label, "x": float(number), "n": size}
            rows += [{**named, "label_2": name, "value": value} for name, value in clustering.raw(number).items()]
    return numbered(rows)


def numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Diagnostic rows with every column, `row` counting from 1 within a kind."""
    empty = dict.fromkeys(("label", "label_2", "x", "low", "high", "n"))
    counts: dict[str, int] = {}
    complete = []
    for row in rows:
        counts[row["kind"]] = counts.get(row["kind"], 0) + 1
        complete.append({**empty, **row, "row": counts[row["kind"]]})
    return complete


def metrics(clusterings: Mapping[str, Clustering]) -> list[Metric]:
    """Silhouette and stability of the chosen clusters by population; the baseline is the same data without structure."""
    rows: list[Metric] = []
    for population, clustering in clusterings.items():
        if (curve := clustering.chosen) is None or (chance := clustering.chance_silhouette) is None:
            continue
        rows.append(
            Metric(
                population,
                "resamples",
                "silhouette",
                value=curve.silhouette,
                n=clustering.rows,
                baseline="features shuffled",
                baseline_value=chance,
                skill=curve.silhouette / chance - 1 if chance > 0 else None,
                note=f"{clustering.k} clusters; skill is the share above the same data without structure",
            )
        )
        rows.append(
            Metric(
                population,
                "resamples",
                "adjusted_rand_index",
                value=curve.stability,
                n=clustering.rows,
                low=curve.stability_low,
                high=curve.stability_high,
                baseline="chance",
                baseline_value=0.0,
                note=f"mean, least and greatest of {RESAMPLES} bootstrap resamples",
            )
        )
    return rows
