"""How the mood of a listener's music moves with the hour of the day, and in which hours it really differs from the others."""

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
            f"avg_{feature} less the listener's mean {feature} at all other hours",
            between=(-1, 1),
        ),
        column(
            f"{feature}_difference_low", "double", "lower end of its 95% interval, robust to dates; null below 5 dates a side"
        ),
        column(f"{feature}_difference_high", "double", "upper end of its 95% interval"),
        column(
            f"{feature}_effect_size", "double", "Cohen's d: the difference in pooled standard deviations; null without spread"
        ),
        column(f"{feature}_p_value", "double", "two-sided, of no difference; null below 5 dates a side", between=(0, 1)),
        column(f"{feature}_p_corrected", "double", "Holm-corrected over the listener's hours and both features"),
        column(f"{feature}_is_significant", "boolean", "p_corrected < 0.05; false where it could not be tested", nullable=False),
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
        column("hour_of_day", "int", "local hour of the start, 0-23; hours with plays only", between=(0, 23)),
        column("avg_valence", "double", "mean valence of listens, 0-1; null without known features", between=(0, 1)),
        column("avg_energy", "double", "mean energy of listens, 0-1", between=(0, 1)),
        column("avg_danceability", "double", "mean danceability of listens, 0-1", between=(0, 1)),
        column("avg_acousticness", "double", "mean acousticness of listens, 0-1", between=(0, 1)),
        column("sample_size", "bigint", "listens with known features", nullable=False),
        column("days", "bigint", "local dates that hold them", nullable=False),
        column("listens", "bigint", "all listens of that hour", nullable=False),
        column("valence_stddev", "double", "standard deviation of valence; null for one listen", at_least=0),
        column("energy_stddev", "double", "standard deviation of energy; null for one listen", at_least=0),
        *[declared for feature in TESTED for declared in _contrast_columns(feature)],
        column("measured_share", "double", "share (0-1) of the hour's listens whose features are measured", between=(0, 1)),
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
    """One row per listener and local hour in which they played something; statistics over listens with known features.

    An hour stands against all other hours of the same listener; intervals and p-values are cluster-robust by local date (Liang &
    Zeger 1986; the method is in gold/diagnostic/contrasts.py), effect sizes Cohen's d (1988), the correction Holm's (1979).
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
