"""Which features of a listener's music differ in the morning, afternoon, evening and night?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.audio_features import CONTINUOUS
from music.contrasts import contrast_with_rest, feature_of_listens
from music.local_time import PARTS_OF_DAY, UTC_PARTS
from music.ranking import ranking
from music.statistics import significant, with_holm


@table(
    "gold.part_of_day_drivers",
    key=["user_id", "part_of_day", "feature_name"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "part_of_day",
            "string",
            "morning 6-11, afternoon 12-17, evening 18-22, night 23-5; such as 6-11 UTC if the time zone is unknown",
            one_of=(*PARTS_OF_DAY, *UTC_PARTS),
        ),
        column("feature_name", "string", "audio feature", one_of=CONTINUOUS),
        column("total_plays", "bigint", "plays in that part of day, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "listens in that part of day", nullable=False),
        column("n", "bigint", "those listens with a known value of the feature", nullable=False),
        column("days", "bigint", "dates with such listens", nullable=False),
        column("mean", "double", "mean of the feature over those listens, in the feature's unit"),
        column("stddev", "double", "standard deviation within the part of day; null for a single listen"),
        column("rest_n", "bigint", "listens with a known value in all other parts of the day", nullable=False),
        column("rest_days", "bigint", "dates with such listens", nullable=False),
        column("rest_mean", "double", "the listener's mean over all other parts of the day"),
        column("difference", "double", "mean - rest_mean, in the feature's unit"),
        column(
            "difference_low",
            "double",
            "lower end of the 95% interval, clustered by date; null with fewer than 5 dates on either side",
        ),
        column("difference_high", "double", "upper end of the 95% interval"),
        column("effect_size", "double", "Cohen's d: difference in pooled standard deviations; null if there is no variation"),
        column(
            "direction",
            "string",
            "higher or lower than the rest of the day; null without a difference",
            one_of=("higher", "lower"),
        ),
        column(
            "driver_rank",
            "int",
            "1 = largest |effect_size| in that part of day; null without an effect size",
            between=(1, len(CONTINUOUS)),
        ),
        column(
            "p_value",
            "double",
            "two-sided p-value for no difference; null with fewer than 5 dates on either side",
            between=(0, 1),
        ),
        column("p_corrected", "double", "p_value, Holm-corrected over the listener's parts of day and features"),
        column("is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
        column("measured_share", "double", "share (0-1) of listens with measured features", between=(0, 1)),
    ],
    rules=[
        satisfies("n <= listens <= total_plays", ["n"], lambda: F.col("n") <= F.col("listens")),
        satisfies(
            "the interval holds the difference",
            ["difference", "difference_low", "difference_high"],
            lambda: F.coalesce(F.col("difference").between(F.col("difference_low"), F.col("difference_high")), F.lit(True)),
        ),
        satisfies(
            "correction never lowers p",
            ["p_value", "p_corrected"],
            lambda: F.coalesce(F.col("p_corrected") >= F.col("p_value"), F.lit(True)),
        ),
    ],
)
def part_of_day_drivers(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, part of day with a play, and feature; statistics are over listens.

    Each part of day is compared with the listener's other parts. Intervals and p-values are clustered by date (Liang
    & Zeger 1986; method in music/contrasts.py), effect sizes are Cohen's d (1988), the correction is Holm's (1979).
    """
    values = {feature: feature_of_listens(feature) for feature in CONTINUOUS}
    contrasts = contrast_with_rest(listening_with_features, "part_of_day", values)
    tests = with_holm(contrasts, ["user_id"], ["part_of_day", "feature_name"])
    strongest = Window.partitionBy("user_id", "part_of_day").orderBy(
        ranking(F.abs(F.col("effect_size"))).desc_nulls_last(), "feature_name"
    )
    return tests.select(
        "user_id",
        "part_of_day",
        "feature_name",
        F.col("plays").alias("total_plays"),
        *["listens", "n", "days", "mean", "stddev", "rest_n", "rest_days", "rest_mean"],
        *["difference", "difference_low", "difference_high", "effect_size"],
        F.when(F.col("difference") > 0, "higher").when(F.col("difference") < 0, "lower").alias("direction"),
        F.when(F.col("effect_size").isNotNull(), F.row_number().over(strongest)).alias("driver_rank"),
        *["p_value", "p_corrected"],
        significant(F.col("p_corrected")).alias("is_significant"),
        "measured_share",
    )
