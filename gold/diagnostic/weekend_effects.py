"""How do weekends differ from weekdays in the features of a listener's music, in skips and in minutes?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.audio_features import CONTINUOUS
from music.contrasts import contrast_with_rest, feature_of_listens
from music.listening import MINUTE_MS, skip_flag
from music.statistics import significant, with_holm

SKIP_RATE, MINUTES = "skip_rate", "minutes_per_active_day"
MEASURES = (*CONTINUOUS, SKIP_RATE, MINUTES)


@table(
    "gold.weekend_effects",
    key=["user_id", "feature_name"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("feature_name", "string", "audio feature, skip_rate or minutes_per_active_day", one_of=MEASURES),
        column("weekend_mean", "double", "mean on Saturdays and Sundays, in the feature's unit"),
        column("weekday_mean", "double", "mean on Mondays to Fridays"),
        column("difference", "double", "weekend_mean - weekday_mean"),
        column(
            "difference_low",
            "double",
            "lower end of the 95% interval, clustered by date; null with fewer than 5 dates on either side",
        ),
        column("difference_high", "double", "upper end of the 95% interval"),
        column("effect_size", "double", "Cohen's d: difference in pooled standard deviations; null if there is no variation"),
        column(
            "p_value",
            "double",
            "two-sided p-value for no difference; null with fewer than 5 dates on either side",
            between=(0, 1),
        ),
        column("p_corrected", "double", "p_value, Holm-corrected over the listener's features"),
        column("is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
        column(
            "n_weekend",
            "bigint",
            "weekend observations: listens (features), plays whose source reports skips (skip_rate) or dates (minutes)",
            at_least=1,
        ),
        column("n_weekday", "bigint", "weekday observations", at_least=1),
        column("days_weekend", "bigint", "weekend dates with such observations", at_least=1),
        column("days_weekday", "bigint", "weekday dates with such observations", at_least=1),
        column(
            "measured_share",
            "double",
            "share (0-1) of the listener's listens with measured features; null for other measures",
            between=(0, 1),
        ),
    ],
    rules=[
        satisfies(
            "no fewer listens than days", ["n_weekend", "days_weekend"], lambda: F.col("n_weekend") >= F.col("days_weekend")
        ),
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
def weekend_effects(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and feature that is known on weekends and on weekdays.

    Features are of listens, skip_rate of all plays whose source reports skips, and minutes_per_active_day has one
    observation per date with known playing time, without silent days. Intervals and p-values are clustered by date
    (Liang & Zeger 1986; method in music/contrasts.py), effect sizes are Cohen's d (1988), the correction is Holm's (1979).
    """
    contrasts = contrast_with_rest(
        listening_with_features,
        "is_weekend",
        {f: feature_of_listens(f) for f in CONTINUOUS} | {SKIP_RATE: skip_flag()},
        {MINUTES: F.sum("ms_played") / F.lit(MINUTE_MS)},
    )
    # Both rows of a contrast hold the same counts mirrored: the weekend's is the one to keep, once the listener's total is known.
    weekend = contrasts.where("is_weekend AND n > 0 AND rest_n > 0")
    return with_holm(weekend, ["user_id"], ["feature_name"]).select(
        "user_id",
        "feature_name",
        F.col("mean").alias("weekend_mean"),
        F.col("rest_mean").alias("weekday_mean"),
        *["difference", "difference_low", "difference_high", "effect_size", "p_value", "p_corrected"],
        significant(F.col("p_corrected")).alias("is_significant"),
        F.col("n").alias("n_weekend"),
        F.col("rest_n").alias("n_weekday"),
        F.col("days").alias("days_weekend"),
        F.col("rest_days").alias("days_weekday"),
        F.when(F.col("feature_name").isin(list(CONTINUOUS)), F.col("all_measured_share")).alias("measured_share"),
    )
