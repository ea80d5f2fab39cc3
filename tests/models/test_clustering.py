"""Clusters: how many, how numbered, how named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from models.clusters.clustering import Curve, choose, cluster, diagnostics, metrics
from models.clusters.labels import Trait, labels_of
from models.clusters.nearest import centroid_table, with_nearest

CENTRES = np.array([[0.0, 0.0], [7.0, 1.0], [1.0, 8.0], [12.0, 12.0]])
SIZES = (400, 300, 200, 100)


def blobs() -> np.ndarray:
    random = np.random.default_rng(3)
    rows = np.vstack([centre + random.normal(size=(size, 2)) for centre, size in zip(CENTRES, SIZES, strict=True)])
    return random.permutation(rows)


def test_four_separate_groups_are_four_clusters_the_largest_first() -> None:
    found = cluster(blobs(), ("x", "y"))
    assert found.k == 4
    assert found.sizes.tolist() == pytest.approx(SIZES, abs=6)
    for number, centre in enumerate(CENTRES):
        assert [*found.raw(number).values()] == pytest.approx(centre, abs=0.3)
    assert found.chosen is not None and found.chosen.stability > 0.95
    assert found.chance_silhouette is not None and found.chosen.silhouette > 1.05 * found.chance_silhouette
    rows = diagnostics({"real": found}, {"real": list("abcd")})
    assert {row["kind"] for row in rows} == {"elbow", "silhouette", "stability", "centroid"}
    assert len({(row["kind"], row["row"]) for row in rows}) == len(rows)
    inertia = [row["value"] for row in rows if row["kind"] == "elbow"]
    assert inertia == sorted(inertia, reverse=True)
    assert {one.metric for one in metrics({"real": found})} == {"silhouette", "adjusted_rand_index"}


def test_k_is_the_largest_stable_one_that_is_nearly_best() -> None:
    curves = [
        Curve(k, 1.0, s, stable, 0, 1) for k, s, stable in ((2, 0.40, 0.99), (3, 0.37, 0.9), (4, 0.39, 0.5), (5, 0.30, 0.9))
    ]
    assert choose(curves) == 3
    assert choose([Curve(2, 1, 0.2, 0.5, 0, 1), Curve(3, 1, 0.3, 0.6, 0, 1)]) == 3, "the most stable where none is stable"


@pytest.mark.parametrize("rows", [1, 10, 49])
def test_few_rows_are_one_cluster(rows: int) -> None:
    found = cluster(np.full((rows, 2), 0.5), ("x", "y"))
    assert (found.k, found.rows, found.raw(0)) == (1, rows, {"x": 0.5, "y": 0.5})
    assert metrics({"real": found}) == []


def test_unknown_values_count_as_the_mean_and_a_feature_without_values_as_nothing() -> None:
    values = blobs()
    values[::7, 1] = np.nan
    found = cluster(np.column_stack([values, np.full(len(values), np.nan)]), ("x", "y", "z"))
    assert np.isfinite(found.centroids).all()


def test_labels_are_distinct_whatever_the_centroids() -> None:
    found = cluster(blobs(), ("x", "y"))
    one_word = labels_of(found, lambda z, _: [Trait("same", abs(z["x"]) + 1)], "plain")
    assert len(set(one_word)) == 4
    none = labels_of(found, lambda *_: [], "plain")
    assert none == ["Plain", "Plain (2)", "Plain (3)", "Plain (4)"]
    words = labels_of(found, lambda z, _: [Trait(("low", "high")[z[f] > 0] + f, abs(z[f])) for f in "xy"], "plain")
    assert words == labels_of(found, lambda z, _: [Trait(("low", "high")[z[f] > 0] + f, abs(z[f])) for f in "yx"], "plain")


def test_scoring_in_the_engine_is_what_the_clustering_says(spark: SparkSession) -> None:
    values = blobs()[:200]
    found = cluster(blobs(), ("x", "y"))
    table = centroid_table({"real": found}, {"real": list("abcd")})
    rows = spark.createDataFrame(
        [("me", float(x), float(y)) for x, y in values] + [("synthetic:000001", 0.0, 0.0)], "user_id string, x double, y double"
    )
    scored = with_nearest(rows, table, ("x", "y")).collect()
    assert {row["user_id"] for row in scored} == {"me"}, "the model has no synthetic clusters"
    for row in scored:
        point = (np.array([row["x"], row["y"]]) - found.mean) / found.scale
        distances = np.sqrt(((found.centroids - point) ** 2).sum(axis=1))
        assert row["cluster"] == distances.argmin() and row["label"] == "abcd"[row["cluster"]]
        assert (row["distance"], row["second_distance"]) == pytest.approx(tuple(np.sort(distances)[:2]))
    empty = centroid_table({}, {})
    assert isinstance(empty, pa.Table) and with_nearest(rows, empty, ("x", "y")).count() == 0
