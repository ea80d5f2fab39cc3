"""Which listeners a model learns from: all if there are few, else a fixed sample; real and synthetic ones separately."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from music.populations import population


def sampled_listeners(listening_with_features: DataFrame, users: DataFrame, rows: str, cap: int) -> DataFrame:
    """One row (user_id, population, first_played_at, last_played_at, rows) per listener to learn from.

    For each population, listeners are taken in the order of a hash of their id until there are `cap` rows that meet the
    condition `rows`. At least one listener is taken.
    """
    counted = listening_with_features.where(rows).groupBy("user_id").agg(F.count(F.lit(1)).alias("rows"))
    spans = users.select("user_id", population(F.col("is_synthetic")).alias("population"), "first_played_at", "last_played_at")
    by_hash = Window.partitionBy("population").orderBy(F.md5("user_id"), "user_id")
    before = F.sum("rows").over(by_hash.rowsBetween(Window.unboundedPreceding, -1))
    return (
        spans.join(counted, on="user_id", how="inner")
        .withColumn("rows_before", F.coalesce(before, F.lit(0)))
        .where(F.col("rows_before") < cap)
        .drop("rows_before")
    )
