"""The nearest of a model's stored centroids, as Spark expressions: any engine scores new rows without a JVM or Python workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from models.clusters.clustering import Clustering
from music.populations import population_by_id


def centroid_table(
    clusterings: Mapping[str, Clustering], label: Mapping[str, Sequence[str]], **labels: Mapping[str, Sequence[str]]
) -> pa.Table:
    """One row per population and cluster: labels, share of the sample, and per feature the centroid and the scale."""
    rows: list[dict[str, Any]] = []
    for name, clustering in clusterings.items():
        for cluster in range(clustering.k):
            row = {"population": name, "cluster": cluster, "label": label[name][cluster], "clusters": clustering.k}
            row |= {column: names[name][cluster] for column, names in labels.items()}
            row |= {"share": float(clustering.sizes[cluster] / clustering.rows), "rows": clustering.rows}
            for place, feature in enumerate(clustering.features):
                row[f"{feature}_mean"] = float(clustering.mean[place])
                row[f"{feature}_scale"] = float(clustering.scale[place])
                row[f"{feature}_centroid"] = float(clustering.centroids[cluster, place])
            rows.append(row)
    return pa.Table.from_pylist(rows) if rows else pa.table({"population": pa.array([], pa.string())})


def with_nearest(rows: DataFrame, centroids: pa.Table, features: Sequence[str], labels: Sequence[str] = ("label",)) -> DataFrame:
    """Adds `cluster`, `distance` (in standard deviations), `second_distance` (null with one cluster) and `labels` to each row.

    Rows are scored by the centroids of their listener's population; rows of a population without centroids are left out. A
    tie goes to the larger cluster. An unknown feature counts as the population's mean, as in training.
    """
    by_population: dict[str, list[dict[str, Any]]] = {}
    for centroid in centroids.to_pylist():
        by_population.setdefault(centroid["population"], []).append(centroid)
    if not by_population:
        nothing = {"cluster": F.lit(0), "distance": F.lit(0.0), "second_distance": F.lit(0.0)}
        return rows.where(F.lit(False)).withColumns(nothing | {name: F.lit("") for name in labels})
    most = max(len(group) for group in by_population.values())
    groups = {name: sorted(group, key=lambda row: row["cluster"]) for name, group in by_population.items()}
    known = rows.withColumn("_population", population_by_id()).where(F.col("_population").isin(*sorted(groups)))
    squares = {f"_d{c}": _by_population(groups, lambda group, c=c: _square(group, c, features)) for c in range(most)}
    measured = known.withColumns(squares).withColumn("_least", _least([F.col(name) for name in squares]))
    nearest = reduce(
        lambda otherwise, c: F.when(F.col(f"_d{c}") == F.col("_least"), F.lit(c)).otherwise(otherwise),
        range(most - 1, -1, -1),
        F.lit(None).cast("int"),
    )
    placed = measured.withColumn("cluster", nearest)
    others = [F.when(F.col("cluster") != c, F.col(f"_d{c}")) for c in range(most)]
    return placed.withColumns(
        {
            **{name: _by_population(groups, lambda group, name=name: _labels(group, name)) for name in labels},
            "distance": F.sqrt("_least"),
            "second_distance": F.sqrt(_least(others)),
        }
    ).drop(*squares, "_least", "_population")


def _by_population(groups: Mapping[str, list[dict[str, Any]]], value: Any) -> Column:
    return reduce(
        lambda otherwise, name: F.when(F.col("_population") == name, value(groups[name])).otherwise(otherwise),
        sorted(groups),
        F.lit(None),
    )


def _square(group: list[dict[str, Any]], cluster: int, features: Sequence[str]) -> Column:
    """Squared distance to a centroid; null for a cluster that the population does not have."""
    if cluster >= len(group):
        return F.lit(None).cast("double")
    row = group[cluster]
    terms = []
    for feature in features:
        standardised = (F.col(feature) - F.lit(row[f"{feature}_mean"])) / F.lit(row[f"{feature}_scale"])
        off = F.coalesce(standardised, F.lit(0.0)) - F.lit(row[f"{feature}_centroid"])
        terms.append(off * off)
    return reduce(lambda a, b: a + b, terms)


def _labels(group: list[dict[str, Any]], name: str) -> Column:
    return F.element_at(F.array(*[F.lit(row[name]) for row in group]), F.col("cluster") + 1)


def _least(values: Sequence[Column]) -> Column:
    return F.least(*values) if len(values) > 1 else values[0]
