"""How do a listener's plays and the mood of their music change from day to day?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import listen_count, mean_of_listens, no_more, play_count
from lakehouse.declare import column, satisfies, table
from music.listening import measured_share_of_listens, minutes, not_synthetic, of_listens
from music.statistics import ratio

WEEK = 7


@table(
    "gold.temporal_trends",
    key=["user_id", "date"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("date", "date", "date of the start"),
        column("total_plays", "bigint", "plays, short ones included", nullable=False, at_least=1),
        column("listen_count", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("weekend_plays", "bigint", "total_plays on Saturdays and Sundays, 0 on other days", nullable=False),
        column("avg_valence", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_energy", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_tempo", "double", "mean over listens with a known value, beats per minute"),
        column("known_listens", "bigint", "listens with a known valence", nullable=False),
        column(
            "measured_share",
            "double",
            "share (0-1) of listens with measured features; null without listens",
            between=(0, 1),
        ),
        column(
            "plays_7_day_mean",
            "double",
            "mean plays per day over the 7 days up to this date; days without plays count as 0",
            nullable=False,
        ),
        column(
            "valence_7_day_mean", "double", "mean valence (0-1) of the listens with a known value in those 7 days", between=(0, 1)
        ),
        column("plays_change_from_week_ago", "bigint", "total_plays minus those of 7 days earlier; null in the first 7 days"),
        column(
            "valence_change_from_week_ago",
            "double",
            "avg_valence minus that of 7 days earlier; null where either is unknown",
            between=(-1, 1),
        ),
    ],
    rules=[
        no_more("listen_count", "total_plays"),
        no_more("known_listens", "listen_count"),
        satisfies(
            "weekend plays are all or none",
            ["weekend_plays", "date", "total_plays"],
            lambda: F.col("weekend_plays") == F.when(F.dayofweek("date").isin(1, 7), F.col("total_plays")).otherwise(F.lit(0)),
        ),
        satisfies(
            "a week holds the day", ["plays_7_day_mean"], lambda: F.col("plays_7_day_mean") * WEEK >= F.col("total_plays") - 1e-6
        ),
    ],
)
def temporal_trends(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and date with a play.

    Trailing means are over calendar days: a day without plays counts as 0 plays. Days before the listener's first play are
    not counted, so the mean of the third day is over three days.
    """
    days = listening_with_features.groupBy("user_id", "date").agg(
        play_count().alias("total_plays"),
        listen_count().alias("listen_count"),
        minutes().alias("minutes"),
        F.count_if(F.col("is_weekend")).alias("weekend_plays"),
        *[mean_of_listens(feature).alias(f"avg_{feature}") for feature in ("valence", "energy", "tempo")],
        F.count(of_listens(not_synthetic("valence"))).alias("known_listens"),
        # A sliding sum of doubles drifts where the engine subtracts what leaves the window; decimals do not.
        F.sum(of_listens(not_synthetic("valence"))).cast("decimal(38,18)").alias("valence_sum"),
        measured_share_of_listens().alias("measured_share"),
    )
    return days.select(
        "*",
        ratio(_in_days("total_plays", -WEEK + 1, 0), F.least(F.lit(WEEK), _age() + F.lit(1))).alias("plays_7_day_mean"),
        ratio(_in_days("valence_sum", -WEEK + 1, 0), _in_days("known_listens", -WEEK + 1, 0)).alias("valence_7_day_mean"),
        F.when(
            _age() >= WEEK, F.col("total_plays") - F.coalesce(_in_days("total_plays", -WEEK, -WEEK), F.lit(0).cast("bigint"))
        ).alias("plays_change_from_week_ago"),
        (F.col("avg_valence") - _in_days("avg_valence", -WEEK, -WEEK)).alias("valence_change_from_week_ago"),
    ).drop("valence_sum")


def _in_days(name: str, first: int, last: int) -> Column:
    """Sum over the listener's rows from `first` to `last` days from this one; null where there are none."""
    calendar = Window.partitionBy("user_id").orderBy(F.unix_date("date")).rangeBetween(first, last)
    return F.sum(name).over(calendar)


def _age() -> Column:
    """Days since the listener's first play."""
    return F.datediff("date", F.min("date").over(Window.partitionBy("user_id")))
