"""How much does a listener play on weekends and on weekdays, and how does it sound? weekend_effects tests the differences."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.listening import listens, measured_share_of_listens, minutes, not_synthetic, of_listens, skip_flag
from music.statistics import ratio

PERIODS = ("weekend", "weekday")
AVERAGED = ("valence", "energy", "danceability", "tempo", "acousticness")
SPREAD = ("valence", "energy")


@table(
    "gold.weekend_vs_weekday",
    key=["user_id", "period"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("period", "string", "weekend (Saturday, Sunday) or weekday", one_of=PERIODS),
        column("total_plays", "bigint", "plays, short ones included", nullable=False, at_least=1),
        column("listen_count", "bigint", "listens", nullable=False),
        column("minutes", "double", "minutes played, short plays included", nullable=False, at_least=0),
        column("days", "bigint", "dates with a listen", nullable=False),
        column("listens_per_active_day", "double", "listen_count / days; null without a listen"),
        column("avg_valence", "double", "mean valence of listens with known features, 0-1", between=(0, 1)),
        column("avg_energy", "double", "mean energy of listens with known features, 0-1", between=(0, 1)),
        column("avg_danceability", "double", "mean danceability of listens with known features, 0-1", between=(0, 1)),
        column("avg_tempo", "double", "mean tempo of listens with known features, beats per minute"),
        column("avg_acousticness", "double", "mean acousticness of listens with known features, 0-1", between=(0, 1)),
        column(
            "valence_variance", "double", "sample variance of valence over listens; null for a single listen", between=(0, 0.5)
        ),
        column("energy_variance", "double", "sample variance of energy over listens; null for a single listen", between=(0, 0.5)),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column("known_listens", "bigint", "listens with known valence", nullable=False),
        column("measured_share", "double", "share (0-1) of listens with measured features", between=(0, 1)),
    ],
    rules=[
        satisfies("days <= listens", ["days", "listen_count"], lambda: F.col("days") <= F.col("listen_count")),
        satisfies("listens <= plays", ["listen_count", "total_plays"], lambda: F.col("listen_count") <= F.col("total_plays")),
    ],
)
def weekend_vs_weekday(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and period with a play; volumes are over plays, features over listens."""
    plays = listening_with_features.withColumn("period", F.when(F.col("is_weekend"), "weekend").otherwise("weekday"))
    totals = plays.groupBy("user_id", "period").agg(
        F.count(F.lit(1)).alias("total_plays"),
        F.count(F.when(F.col("is_listen"), 1)).alias("listen_count"),
        minutes().alias("minutes"),
        *[F.avg(_of_listens(feature)).alias(f"avg_{feature}") for feature in AVERAGED],
        *[F.var_samp(_of_listens(feature)).alias(f"{feature}_variance") for feature in SPREAD],
        F.avg(skip_flag()).alias("skip_rate"),
        F.count(_of_listens("valence")).alias("known_listens"),
        measured_share_of_listens().alias("measured_share"),
    )
    # Distinct dates are counted apart: a distinct count inside the wide aggregate keeps every date of every group in memory.
    dates = listens(plays).select("user_id", "period", "date").distinct()
    days = dates.groupBy("user_id", "period").agg(F.count(F.lit(1)).alias("days"))
    return (
        totals.join(days, ["user_id", "period"], "left")
        .withColumn("days", F.coalesce("days", F.lit(0)))
        .withColumn("listens_per_active_day", ratio(F.col("listen_count"), F.col("days")))
    )


def _of_listens(feature: str) -> Column:
    return of_listens(not_synthetic(feature))
