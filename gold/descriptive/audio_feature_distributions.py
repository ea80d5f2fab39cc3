"""How are the audio features of a listener's music distributed?"""

from __future__ import annotations

from itertools import pairwise

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.listening import known, listens, measured_share
from lakehouse.rules import Rule, at_least, between, is_in, satisfies
from lakehouse.table import column, table
from silver.features import CONTINUOUS, RANGES

DECILES = {f"p{level}": level / 100 for level in range(10, 100, 10)}
ROUNDING = 1e-9  # interpolation may miss equal neighbours by a last digit
STEPS = ("min", *DECILES, "max")


def _ascending(lower: str, higher: str) -> Rule:
    return satisfies(f"{lower} <= {higher}", [lower, higher], lambda: F.col(lower) <= F.col(higher) + ROUNDING)


def _within(feature: str, low: float, high: float) -> Rule:
    """Rule: the row of a feature stays within the feature's own range."""
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
        column("feature_name", "string", "one of the nine continuous features; its unit is the figures' unit"),
        column("n", "bigint", "listens with a known value", nullable=False),
        column("min", "double", "smallest value", nullable=False),
        column("max", "double", "largest value", nullable=False),
        column("mean", "double", "arithmetic mean", nullable=False),
        column("std_dev", "double", "sample standard deviation (n - 1); null for a single value"),
        column("median", "double", "exact, interpolated", nullable=False),
        *[column(name, "double", f"exact {name[1:]}th percentile, interpolated", nullable=False) for name in DECILES],
        column("measured_share", "double", "share (0-1) of the listener's listens whose features are measured", nullable=False),
    ],
    rules=[
        is_in("feature_name", CONTINUOUS),
        at_least("n", 1),
        at_least("std_dev", 0),
        between("measured_share", 0, 1),
        *[_ascending(lower, higher) for lower, higher in pairwise(STEPS)],
        *[_within(feature, *RANGES[feature]) for feature in CONTINUOUS],
    ],
)
def audio_feature_distributions(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and continuous feature known for at least one listen.

    Every listen counts, so a track counts as often as it was heard. Percentiles interpolate linearly between
    order statistics (definition 7 of Hyndman & Fan, 1996).
    """
    values = F.explode(F.array(*[F.struct(F.lit(f).alias("feature_name"), known(f).alias("value")) for f in CONTINUOUS]))
    unpivoted = listens(listening_with_features).select("user_id", "is_measured", values.alias("feature"))
    return (
        unpivoted.select("user_id", "is_measured", "feature.*")
        .groupBy("user_id", "feature_name")
        .agg(
            F.count("value").alias("n"),
            F.min("value").alias("min"),
            F.max("value").alias("max"),
            F.avg("value").alias("mean"),
            F.stddev_samp("value").alias("std_dev"),
            F.percentile("value", 0.5).alias("median"),
            *[F.percentile("value", level).alias(name) for name, level in DECILES.items()],
            measured_share().alias("measured_share"),
        )
        .where("n > 0")
    )
