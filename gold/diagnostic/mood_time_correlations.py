"""How does the mood of a listener's music vary with the hour of the day, and which hours differ significantly from the others?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import Column as TableColumn
from lakehouse.declare import Rule, column, satisfies, table
from music.contrasts import contrast_with_rest, feature_of_listens
from music.statistics import significant, with_holm

TESTED = ("valence", "energy")
AVERAGED = ("valence", "energy", "danceability", "acousticness")
CONTRAST = ("difference", "difference_low", "difference_high", "effect_size", "p_value", "p_corrected")


def _contrast_columns(feature: str) -> list[TableColumn]:
    return [
        column(
            f"{feature}_difference",
            "double",
            f"avg_{feature} minus the listener's mean {feature} at all other hours",
            between=(-1, 1),
        ),
        column(
            f"{feature}_difference_low",
            "double",
            "lower end of its 95% interval, clustered by date; null with fewer than 5 dates on either side",
        ),
        column(f"{feature}_difference_high", "double", "upper end of its 95% interval"),
        column(
            f"{feature}_effect_size",
            "double",
            "Cohen's d: the difference in pooled standard deviations; null if there is no variation",
        ),
        column(
            f"{feature}_p_value",
            "double",
            "two-sided p-value for no difference; null with fewer than 5 dates on either side",
            between=(0, 1),
        ),
        column(f"{feature}_p_corrected", "double", "p_value, Holm-corrected over the listener's hours and both features"),
        column(f"{feature}_is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
    ]


def _correction_raises(feature: str) -> Rule:
    p_value, p_corrected = f"{feature}_p_value", f"{feature}_p_corrected"
    return satisfies(
        f"correction never lowers p of {feature}",
        [p_value, p_corrected],
        lambda: F.coalesce(F.col(p_corrected) >= F.col(p_value), F.lit(True)),
    )


@table(
    "gold.mood_time_correlations",
    key=["user_id", "hour_of_day"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "hour_of_day",
            "int",
            "hour of the start, 0-23 (UTC if the time zone is unknown); only hours with plays",
            between=(0, 23),
        ),
        column("avg_valence", "double", "mean valence of listens, 0-1; null without known features", between=(0, 1)),
        column("avg_energy", "double", "mean energy of listens, 0-1", between=(0, 1)),
        column("avg_danceability", "double", "mean danceability of listens, 0-1", between=(0, 1)),
        column("avg_acousticness", "double", "mean acousticness of listens, 0-1", between=(0, 1)),
        column("sample_size", "bigint", "listens with known features", nullable=False),
        column("days", "bigint", "dates with such listens", nullable=False),
        column("listens", "bigint", "all listens of that hour", nullable=False),
        column("valence_stddev", "double", "standard deviation of valence; null for a single listen", at_least=0),
        column("energy_stddev", "double", "standard deviation of energy; null for a single listen", at_least=0),
        *[declared for feature in TESTED for declared in _contrast_columns(feature)],
        column("measured_share", "double", "share (0-1) of the hour's listens with measured features", between=(0, 1)),
    ],
    rules=[
        satisfies(
            "days <= sample_size <= listens",
            ["days", "sample_size", "listens"],
            lambda: F.col("sample_size").between(F.col("days"), F.col("listens")),
        ),
        *[_correction_raises(feature) for feature in TESTED],
    ],
)
def mood_time_correlations(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and hour with a play; statistics are over listens with known features.

    Each hour is compared with all other hours of the same listener. Intervals and p-values are clustered by date
    (Liang & Zeger 1986; method in music/contrasts.py), effect sizes are Cohen's d (1988), the correction is Holm's (1979).
    """
    values = {feature: feature_of_listens(feature) for feature in AVERAGED}
    contrasts = contrast_with_rest(listening_with_features, "hour_of_day", values)
    tested = contrasts.withColumn("p_value", F.when(F.col("feature_name").isin(list(TESTED)), F.col("p_value")))
    return (
        with_holm(tested, ["user_id"], ["hour_of_day", "feature_name"])
        .groupBy("user_id", "hour_of_day")
        .agg(
            *[_of(feature, "mean").alias(f"avg_{feature}") for feature in AVERAGED],
            _of("valence", "n").alias("sample_size"),
            _of("valence", "days").alias("days"),
            F.max("listens").alias("listens"),
            *[_of(feature, "stddev").alias(f"{feature}_stddev") for feature in TESTED],
            *[_of(feature, name).alias(f"{feature}_{name}") for feature in TESTED for name in CONTRAST],
            *[significant(_of(feature, "p_corrected")).alias(f"{feature}_is_significant") for feature in TESTED],
            F.max("measured_share").alias("measured_share"),
        )
    )


def _of(feature: str, name: str) -> Column:
    """Aggregate: the one value of a feature's contrast."""
    return F.max(F.when(F.col("feature_name") == feature, F.col(name)))
