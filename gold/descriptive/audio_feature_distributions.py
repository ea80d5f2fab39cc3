"""How are the audio features of a listener's music distributed?"""

from __future__ import annotations

from itertools import pairwise

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import Rule, column, satisfies, table
from music.audio_features import CONTINUOUS, RANGES
from music.listening import listens, measured_share, not_synthetic
from music.statistics import ratio

DECILES = {f"p{level}": level / 100 for level in range(10, 100, 10)}
ROUNDING = 1e-9  # interpolation may miss equal neighbours by a last digit
STEPS = ("min", *DECILES, "max")


def _ascending(lower: str, higher: str) -> Rule:
    return satisfies(f"{lower} <= {higher}", [lower, higher], lambda: F.col(lower) <= F.col(higher) + ROUNDING)


def _within(feature: str, low: float, high: float) -> Rule:
    """Rule: the values of a feature stay within the feature's own range."""
    return satisfies(
        f"{feature} within its range",
        ["feature_name", "min", "max"],
        lambda: (F.col("feature_name") != feature) | (F.col("min").between(low, high) & F.col("max").between(low, high)),
    )


@table(
    "gold.audio_feature_distributions",
    key=["user_id", "feature_name"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "feature_name", "string", "one of the nine continuous features; the other columns are in its unit", one_of=CONTINUOUS
        ),
        column("n", "bigint", "listens with a known value", nullable=False, at_least=1),
        column("min", "double", "smallest value", nullable=False),
        column("max", "double", "largest value", nullable=False),
        column("mean", "double", "arithmetic mean", nullable=False),
        column("std_dev", "double", "sample standard deviation (n - 1); null for a single value", at_least=0),
        column("median", "double", "exact median, interpolated", nullable=False),
        *[column(name, "double", f"exact {name[1:]}th percentile, interpolated", nullable=False) for name in DECILES],
        column(
            "measured_share",
            "double",
            "share (0-1) of the listener's listens with measured features",
            nullable=False,
            between=(0, 1),
        ),
    ],
    rules=[
        *[_ascending(lower, higher) for lower, higher in pairwise(STEPS)],
        *[_within(feature, *RANGES[feature]) for feature in CONTINUOUS],
    ],
)
def audio_feature_distributions(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and continuous feature that is known for at least one listen.

    Each listen counts, so a track counts as often as it was heard. Percentiles are linearly interpolated between order
    statistics (definition 7 of Hyndman & Fan, 1996).
    """
    feature, n = Window.partitionBy("user_id", "feature_name"), F.col("n")
    running = feature.orderBy("value").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    placed = (
        _values(listens(listening_with_features))
        .withColumns({"up_to": F.sum("copies").over(running), "n": F.sum("copies").over(feature)})
        .withColumn("mean", ratio(F.sum(F.col("copies") * F.col("value")).over(feature), n))
    )
    squares = F.col("copies") * F.pow(F.col("value") - F.col("mean"), F.lit(2.0))
    figures = placed.groupBy("user_id", "feature_name", "n").agg(
        F.min("value").alias("min"),
        F.max("value").alias("max"),
        F.max("mean").alias("mean"),
        F.sum(squares).alias("squares"),
        *[_percentile(level).alias(name) for name, level in DECILES.items()],
        measured_share(F.sum("measured"), F.sum("listens")).alias("measured_share"),
    )
    return figures.where("n > 0").select(
        *["user_id", "feature_name", "n", "min", "max", "mean", *DECILES, "measured_share"],
        F.sqrt(ratio(F.col("squares"), n - F.lit(1))).alias("std_dev"),
        F.col("p50").alias("median"),
    )


def _values(plays: DataFrame) -> DataFrame:
    """One row per listener, feature and value (also null): far fewer than plays, because a track always has the same values.

    Positions among these rows give the percentiles without a buffer per group and level, which is slow with many listeners.
    """
    values = F.explode(F.array(*[F.struct(F.lit(f).alias("feature_name"), not_synthetic(f).alias("value")) for f in CONTINUOUS]))
    return (
        plays.select("user_id", "is_measured", values.alias("feature"))
        .select("user_id", "is_measured", "feature.*")
        .groupBy("user_id", "feature_name", "value")
        .agg(
            F.count("value").alias("copies"),
            F.count(F.lit(1)).alias("listens"),
            F.count_if(F.col("is_measured")).alias("measured"),
        )
    )


def _percentile(level: float) -> Column:
    """Aggregate: the value at position level * (n - 1) of the sorted values, counted from 0, interpolated between neighbours."""
    place = F.lit(level) * (F.col("n") - F.lit(1))
    lower = F.min(F.when(F.col("up_to") > F.floor(place), F.col("value")))
    higher = F.min(F.when(F.col("up_to") > F.ceil(place), F.col("value")))
    return lower + F.max(place - F.floor(place)) * (higher - lower)
